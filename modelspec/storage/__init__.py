"""Files and the cache: atomic writes and what may be forgotten."""
