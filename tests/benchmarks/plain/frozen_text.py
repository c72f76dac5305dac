"""A head on a frozen Embedding and LSTM in plain Keras: ``fit`` on ids, or on features made first.

Arguments: ``fit`` or ``features``, the data, the epochs, and the file of the model.
"""

import sys

import keras
import numpy as np

HOW, DATA, EPOCHS, PATH = sys.argv[1:]
arrays = np.load(DATA)
keras.utils.set_random_seed(0)

words = keras.Input((80,), dtype="int32", name="words")
table = keras.layers.Embedding(5000, 64, trainable=False)
features = keras.layers.LSTM(128, trainable=False)(table(words))
head = keras.layers.Dense(3, activation="softmax", name="label")
model = keras.Model(words, head(features))
trained, inputs = model, arrays["words"]
if HOW == "features":
    inputs = keras.Model(words, features).predict(inputs, batch_size=32, verbose=0)
    vector = keras.Input((128,))
    trained = keras.Model(vector, head(vector))
trained.compile("rmsprop", "sparse_categorical_crossentropy")
trained.fit(inputs, arrays["label"], batch_size=32, epochs=int(EPOCHS), verbose=0)
model.save(PATH)
