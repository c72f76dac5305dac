"""A model as TensorFlow's SavedModel: a folder."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from modelspec.backend.export.serving import serving_function
from modelspec.backend.export.serving_name import SIGNATURE
from modelspec.backend.keras_private import all_layers


def write_saved_model(model: Any, folder: Path, *, batch: int | None = None) -> None:
    """Write a model with one signature, ``serving_default``.

    Raises:
        ModelError: Two inputs have one name in TensorFlow.
    """
    module = tf.Module()
    module.weights = [variable.value for variable in model.variables]
    module.tables = [layer.lookup_table for layer in all_layers(model) if _has_table(layer)]
    function = serving_function(model, batch=batch)
    tf.saved_model.save(module, str(folder), signatures={SIGNATURE: function})


def _has_table(layer: Any) -> bool:
    """Return True where TensorFlow keeps a vocabulary of the layer outside of its variables."""
    return getattr(layer, "lookup_table", None) is not None
