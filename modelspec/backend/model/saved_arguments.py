"""Arguments that Keras omits when it saves an object, added to the object's config.

In Keras 3.15, ``Huber(delta=0.2).get_config()`` has no ``delta``, so that a saved model is loaded
with the default, and computes another loss. The same is true of ``axis`` of ``CosineSimilarity``
and ``SparseCategoricalCrossentropy``, of ``gain`` of ``Identity``, and of ``activity_regularizer``
of most layers. ``label_weights`` of ``AUC`` are saved as a tensor, which Keras cannot load. All
arguments of all objects are tried in ``tests/backend/test_saved_arguments.py``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from modelspec.backend.keras_private import lookup_of


def with_saved_arguments(instance: Any, arguments: Mapping[str, Any]) -> Any:
    """Return the object, whose config contains all of ``arguments`` from now on.

    They are the constructor's, by name. Plain Keras then loads the same object.
    """
    if not arguments or not hasattr(instance, "get_config"):
        return instance
    try:
        config = instance.get_config()
    except NotImplementedError:
        # Keras writes the config of ELU, Identity and other layers from their arguments, and raises
        # where one of them is an object.
        if isinstance(instance, keras.Layer):
            _extend_config(instance, arguments, partial(_layer_config, instance))
        return instance
    lost = {
        name: value
        for name, value in arguments.items()
        if name not in config or keras.ops.is_tensor(config[name])
    }
    if lost:
        _extend_config(instance, lost, instance.get_config)
    return instance


def _layer_config(layer: Any) -> dict[str, Any]:
    """Return the part of a config that every layer has."""
    dtype = keras.saving.serialize_keras_object(layer.dtype_policy)
    return {"name": layer.name, "trainable": layer.trainable, "dtype": dtype}


def save_vocabularies(layers: Iterable[Any]) -> None:
    """Make fitted lookups save a vocabulary as an argument, where Keras could not load its file.

    Keras writes a vocabulary to a file with one line for each entry, so that an entry with a line
    break is read as two, and an empty last one is lost. With ``pad_to_max_tokens``, it saves more
    ``idf_weights`` than entries, which it then refuses.
    """
    for layer in layers:
        lookup = lookup_of(layer)
        if lookup is None:
            continue
        entries = [plain_entry(entry) for entry in lookup.get_vocabulary()]
        weights = None
        if lookup.output_mode == "tf_idf":
            weights = np.asarray(lookup.idf_weights_const).tolist()
        padded = weights is not None and len(weights) > len(entries)
        if padded or not _survives(entries):
            lookup.input_vocabulary = entries
            lookup.input_idf_weights = weights and weights[: len(entries)]


def plain_entry(entry: Any) -> str | int:
    """Return an entry of a vocabulary as JSON data."""
    return str(entry) if isinstance(entry, str) else int(entry)


def _survives(entries: Sequence[str | int]) -> bool:
    lines = [str(entry) for entry in entries]
    return "\n".join(lines).splitlines() == lines and lines[-1:] != [""]


def _extend_config(
    instance: Any, lost: Mapping[str, Any], own_config: Callable[[], dict[str, Any]]
) -> None:
    def get_config() -> dict[str, Any]:
        saved = {name: keras.saving.serialize_keras_object(item) for name, item in lost.items()}
        return {**own_config(), **saved}

    # Layers track their attributes; this one does not belong to their state.
    object.__setattr__(instance, "get_config", get_config)
