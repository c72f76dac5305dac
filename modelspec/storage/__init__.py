"""Atomic writes, and the cache."""
