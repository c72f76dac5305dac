"""The processes that train one model together: their addresses, their checks, their lives."""
