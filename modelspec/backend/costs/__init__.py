"""Operations and memory of a Keras model."""
