"""Graph → keras.Model, and Keras's error messages."""
