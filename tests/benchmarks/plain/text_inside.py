"""TextVectorization in plain Keras: inside of the model, or on texts vectorized first.

Arguments: ``inside`` or ``first``, the data, the epochs, and the file of the model.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

HOW, DATA, EPOCHS, PATH = sys.argv[1:]
WORDS, WIDTH, STEPS = 5000, 16, 60
arrays = np.load(DATA)
keras.utils.set_random_seed(0)

vectorize = keras.layers.TextVectorization(max_tokens=WORDS, output_sequence_length=STEPS)
vectorize.adapt(arrays["review"])
review = keras.Input((), dtype="string", name="review")
ids = keras.Input((STEPS,), dtype="int64")
layers = [
    keras.layers.Embedding(WORDS, WIDTH),
    keras.layers.GlobalAveragePooling1D(),
    keras.layers.Dense(WIDTH, activation="relu"),
    keras.layers.Dense(1, activation="sigmoid"),
]
inside, rest = vectorize(review), ids
for layer in layers:
    inside, rest = layer(inside), layer(rest)
model = keras.Model(review, inside)
trained, x = model, tf.constant(arrays["review"])
if HOW == "first":
    trained = keras.Model(ids, rest)
    x = vectorize(x).numpy()
trained.compile("adam", "binary_crossentropy", metrics=["accuracy"])
trained.fit(x, arrays["positive"], batch_size=32, epochs=int(EPOCHS), verbose=0)
model.save(PATH)
