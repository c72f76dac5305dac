"""A saved Keras model → the text of a spec, and a spec → a Python script.

Keras is not imported, and no code of a file is run.
"""
