"""Graph to keras.Model, and what Keras says of it."""
