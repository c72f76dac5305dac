"""The summary of ``author_profile`` with Keras alone."""

from models import MODELS

MODELS["author_profile"].build().summary()
