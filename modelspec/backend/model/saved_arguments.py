"""Arguments that Keras forgets when it saves an object, kept in the object's config.

In Keras 3.15, ``Huber(delta=0.2).get_config()`` has no ``delta``, so a saved model is loaded with
the default, and tells another loss. The same holds of ``axis`` of ``CosineSimilarity`` and
``SparseCategoricalCrossentropy``, of ``gain`` of ``Identity``, and of ``activity_regularizer`` of
most layers.
"""

from collections.abc import Mapping
from typing import Any

import keras


def with_saved_arguments(instance: Any, arguments: Mapping[str, Any]) -> Any:
    """The object itself, whose config from now on holds all of ``arguments``.

    They are the constructor's, by name. Plain Keras then loads what was built.
    """
    if not arguments or not hasattr(instance, "get_config"):
        return instance
    try:
        config = instance.get_config()
    except NotImplementedError:  # an object that Keras cannot save at all
        return instance
    lost = {name: value for name, value in arguments.items() if name not in config}
    if lost:
        _extend_config(instance, lost)
    return instance


def _extend_config(instance: Any, lost: Mapping[str, Any]) -> None:
    own_config = instance.get_config

    def get_config() -> dict[str, Any]:
        saved = {name: keras.saving.serialize_keras_object(item) for name, item in lost.items()}
        return {**own_config(), **saved}

    # Layers track what is set on them; this is no part of their state.
    object.__setattr__(instance, "get_config", get_config)
