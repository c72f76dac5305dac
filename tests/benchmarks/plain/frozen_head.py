"""A head on frozen layers in plain Keras: ``fit`` on the whole model, or on computed features."""

import sys
from typing import Any

import keras
import numpy as np


def train_head(entry: Any, features: Any, name: str) -> None:
    """Train a head of three classes on the array ``name``, and save the model.

    The arguments of the script are ``fit`` or ``features``, the data, the epochs, and the file of
    the model. ``entry`` is the input of the frozen layers, and ``features`` their result.
    """
    how, data, epochs, path = sys.argv[1:]
    arrays = np.load(data)
    head = keras.layers.Dense(3, activation="softmax", name="label")
    model = keras.Model(entry, head(features))
    trained, inputs = model, arrays[name]
    if how == "features":
        inputs = keras.Model(entry, features).predict(inputs, batch_size=32, verbose=0)
        vector = keras.Input(features.shape[1:])
        trained = keras.Model(vector, head(vector))
    trained.compile("rmsprop", "sparse_categorical_crossentropy")
    trained.fit(inputs, arrays["label"], batch_size=32, epochs=int(epochs), verbose=0)
    model.save(path)
