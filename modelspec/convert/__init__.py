"""A saved Keras model → the text of a spec, and a spec → a Python script.

Keras is not imported, and nothing of a file is run.
"""
