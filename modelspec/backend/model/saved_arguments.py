"""Arguments that Keras forgets when it saves an object, kept in the object's config.

In Keras 3.15, ``Huber(delta=0.2).get_config()`` has no ``delta``, so a saved model is loaded with
the default, and tells another loss. The same holds of ``axis`` of ``CosineSimilarity`` and
``SparseCategoricalCrossentropy``, of ``gain`` of ``Identity``, and of ``activity_regularizer`` of
most layers. ``label_weights`` of ``AUC`` are saved as a tensor, which Keras cannot load. All
arguments of all objects are tried in ``tests/backend/test_saved_arguments.py``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np

from modelspec.backend.keras_private import lookup_of


def with_saved_arguments(instance: Any, arguments: Mapping[str, Any]) -> Any:
    """The object itself, whose config from now on holds all of ``arguments``.

    They are the constructor's, by name. Plain Keras then loads what was built.
    """
    if not arguments or not hasattr(instance, "get_config"):
        return instance
    try:
        config = instance.get_config()
    except NotImplementedError:
        # Keras writes the config of ELU, Identity and the like from their arguments, and gives up
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
    """What the config of every layer has."""
    dtype = keras.saving.serialize_keras_object(layer.dtype_policy)
    return {"name": layer.name, "trainable": layer.trainable, "dtype": dtype}


def save_vocabularies(layers: Iterable[Any]) -> None:
    """Let fitted lookups whose vocabulary Keras could not load again save it as an argument.

    Keras writes a vocabulary to a file with one line for each entry, so that an entry with a line
    break comes back as two, and an empty one at the end not at all. And with ``pad_to_max_tokens``
    it saves more ``idf_weights`` than entries, which it then refuses.
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
    """An entry of a vocabulary as JSON has it."""
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

    # Layers track what is set on them; this is no part of their state.
    object.__setattr__(instance, "get_config", get_config)
