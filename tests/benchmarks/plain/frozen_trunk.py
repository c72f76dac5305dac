"""A head on a frozen MobileNetV2 in plain Keras; the arguments are in ``frozen_head``."""

import keras
from frozen_head import train_head

applications = keras.applications
keras.utils.set_random_seed(0)
image = keras.Input((96, 96, 3), name="image")
trunk = applications.MobileNetV2(
    include_top=False, weights=None, input_shape=(96, 96, 3), pooling="avg"
)
trunk.trainable = False
train_head(image, trunk(applications.mobilenet_v2.preprocess_input(image)), "image")
