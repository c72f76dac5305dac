"""The name of the signature in files of TensorFlow's runtimes."""

SIGNATURE = "serving_default"
"""The name under which runtimes of TensorFlow look for a signature."""
