"""A spec → a Python script for Keras."""
