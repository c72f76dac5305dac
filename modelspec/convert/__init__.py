"""A saved Keras model → the text of a spec. Keras is not imported, and nothing of a file is run."""
