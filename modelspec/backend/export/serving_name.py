"""The name of the signature in files of TensorFlow's runtimes."""

SIGNATURE = "serving_default"
"""The name of the signature that runtimes of TensorFlow look for."""
