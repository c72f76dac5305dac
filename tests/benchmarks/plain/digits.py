"""``specs/digits.yaml`` in plain Keras: ``digits.py DATA.npz FOLDER EPOCHS``."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from keras import layers

folder = Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)

with np.load(sys.argv[1]) as data:
    image, digit = data["image_train"], data["digit_train"]

keras.utils.set_random_seed(7)
pixels = keras.Input((8, 8), name="image")
x = layers.Flatten()(pixels)
x = layers.Dense(128, activation="relu")(x)
x = layers.Dropout(0.2)(x)
model = keras.Model(pixels, layers.Dense(10, activation="softmax", name="digit")(x))

model.compile(
    optimizer=keras.optimizers.Adam(3e-3),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
history = model.fit(image, digit, batch_size=32, epochs=int(sys.argv[3]), verbose=2)
(folder / "history.json").write_text(json.dumps(history.history))
model.save(folder / "model.keras")
