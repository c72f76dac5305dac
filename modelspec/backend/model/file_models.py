"""Models from files as layers: the part up to a layer, with the weights of the file."""

import math
import random
import warnings
from collections.abc import Sequence
from typing import Any

import keras

from modelspec.backend.keras_private import (
    all_layers,
    as_functional,
    graph_nodes,
    is_without_values,
)
from modelspec.backend.model.keras_errors import error_text
from modelspec.backend.model.symbols import model_of_config
from modelspec.catalog.file_models import FileModel
from modelspec.storage.archives import UPGRADE, newer_keras
from modelspec.storage.hashes import file_sha256

_SLACK = 4_096
"""The number of values that a model may have besides those in its file: generator states."""


_FITTED = ("mean", "vocabulary", "bin_boundaries")
"""Arguments with the values that a layer was fitted to, unless ``adapt`` fitted it."""


class FileModelError(ValueError):
    """A model that cannot be made from its file; ``hint`` is the remedy."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


def make_file_model(source: FileModel, name: str) -> Any:
    """Make a functional model named ``name``; without values, its weights are not read.

    Raises:
        FileModelError: The file is missing, has changed, or its weights do not fit its config.
    """
    model = _symbolic(source) if is_without_values() else _loaded(source)
    return _cut(model, source, name)


def _symbolic(source: FileModel) -> Any:
    try:
        model = model_of_config(source.config)
    except Exception as error:
        message = f"Keras cannot build it: {error_text(error)}"
        raise FileModelError(message, _upgrade(source)) from error
    elements = sum(math.prod(weight.shape) for weight in model.weights)
    if elements > source.elements + _SLACK:
        raise FileModelError(
            f"its layers have {elements:,} weights, but its file has {source.elements:,}"
        )
    return model


def _loaded(source: FileModel) -> Any:
    lost = _lost(source)
    if lost and not source.restored:
        raise FileModelError(lost, _moved(source))
    drawn = random.getstate()
    _symbolic(source)  # before Keras creates weights with the sizes in the config
    random.setstate(drawn)  # keeps the seeds of later layers as after load_model
    if lost:
        return _restored(source, lost)
    try:
        with warnings.catch_warnings(action="ignore"):
            return keras.saving.load_model(source.path, compile=False, safe_mode=True)
    except Exception as error:
        message = f"Keras cannot load {source.path}: {error_text(error)}"
        raise FileModelError(message, _upgrade(source)) from error


def _upgrade(source: FileModel) -> str | None:
    newer = newer_keras(source.path)
    return f"{newer}: {UPGRADE}" if newer else None


def _lost(source: FileModel) -> str | None:
    """Return why the file lacks the weights that a run was trained with; None if it has them."""
    if not source.path.exists():
        return f"there is no {source.path}"
    if source.kept is not None and file_sha256(source.path) != source.kept:
        return f"{source.path} is not the file that the run was trained with"
    return None


def _restored(source: FileModel, lost: str) -> Any:
    """Return the model with new weights, which a checkpoint then replaces."""
    model = model_of_config(source.config, symbols=False)
    for layer in all_layers(model):
        if hasattr(layer, "adapt") and all(layer.get_config().get(key) is None for key in _FITTED):
            why = f"{lost}, the only file with the values that {layer.name} was fitted to"
            raise FileModelError(why, _moved(source))
    return model


def _moved(source: FileModel) -> str:
    return f"--model {source.name}=PATH says where it is now"


def _cut(model: Any, source: FileModel, name: str) -> Any:
    for layer in source.layer.split(".") if source.layer else ():
        model = model.get_layer(layer)
    model = as_functional(model)  # a Sequential has outputs of its own only once it is called
    by_name = {tensor.name: tensor for tensor in model.inputs}
    inputs = [by_name[key] for key in source.inputs]
    outputs = _results(model, source.cut) if source.cut else _outputs(model, source)
    return keras.Model(_one_or_many(inputs), _one_or_many(outputs), name=name)


def _one_or_many(tensors: list[Any]) -> Any:
    """Return a single tensor instead of a list of one, because the layer is called on that."""
    return tensors if len(tensors) > 1 else tensors[0]


def _results(model: Any, cut: Sequence[str]) -> list[Any]:
    """Return the results of a layer's only call; inside of a model, those of a part of it."""
    node = next(node for node in graph_nodes(model) if node.operation.name == cut[0])
    if len(cut) == 1:
        return node.outputs
    inner = as_functional(node.operation)
    results = _one_or_many(_results(inner, cut[1:]))
    part = keras.Model(_one_or_many(inner.inputs), results, name=node.operation.name)
    (tensors, *_), _ = node.fill_in({id(tensor): tensor for tensor in node.inputs})
    if isinstance(tensors, dict):
        tensors = [tensors[tensor.name] for tensor in inner.inputs]
    return list(keras.tree.flatten(part(_one_or_many(keras.tree.flatten(tensors)))))


def _outputs(model: Any, source: FileModel) -> list[Any]:
    if isinstance(model.output, dict) and set(model.output) == set(source.outputs):
        return [model.output[key] for key in source.outputs]
    return list(model.outputs)
