"""A head on a frozen MobileNetV2 in plain Keras: ``fit`` on images, or on features made first.

Arguments: ``fit`` or ``features``, the data, the epochs, and the file of the model.
"""

import sys

import keras
import numpy as np

HOW, DATA, EPOCHS, PATH = sys.argv[1:]
arrays = np.load(DATA)
applications = keras.applications
keras.utils.set_random_seed(0)

image = keras.Input((96, 96, 3), name="image")
trunk = applications.MobileNetV2(
    include_top=False, weights=None, input_shape=(96, 96, 3), pooling="avg"
)
trunk.trainable = False
features = trunk(applications.mobilenet_v2.preprocess_input(image))
head = keras.layers.Dense(3, activation="softmax", name="label")
model = keras.Model(image, head(features))
trained, x = model, arrays["image"]
if HOW == "features":
    x = keras.Model(image, features).predict(x, batch_size=32, verbose=0)
    vector = keras.Input((1280,))
    trained = keras.Model(vector, head(vector))
trained.compile("rmsprop", "sparse_categorical_crossentropy")
trained.fit(x, arrays["label"], batch_size=32, epochs=int(EPOCHS), verbose=0)
model.save(PATH)
