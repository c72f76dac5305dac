"""A head on a frozen Embedding and LSTM in plain Keras; the arguments are in ``frozen_head``."""

import keras
from frozen_head import train_head

keras.utils.set_random_seed(0)
words = keras.Input((80,), dtype="int32", name="words")
table = keras.layers.Embedding(5000, 64, trainable=False)
train_head(words, keras.layers.LSTM(128, trainable=False)(table(words)), "words")
