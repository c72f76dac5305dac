"""The processes that train one model together: their addresses, checks, start and end."""
