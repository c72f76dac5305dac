"""Keras models to and from ``.keras`` files, however deep."""

import re
import warnings
from pathlib import Path
from typing import Any

import keras

from modelspec.backend.model.recursion import with_deep_stack


def write_model(model: Any, path: Path) -> None:
    with_deep_stack(lambda: model.save(path))


def read_model(path: Path, *, compiled: bool = True) -> Any:
    """The functional model in a file; a Sequential one as the functional model that it stands for.

    Without ``compiled``, its optimizer, losses and metrics are not read.

    Raises:
        ValueError: where it holds something else; and whatever Keras raises.
    """

    def read() -> Any:
        # Keras warns of an optimizer whose state it cannot restore, which nothing here uses.
        with warnings.catch_warnings(action="ignore"):
            model = keras.saving.load_model(path, compile=compiled, safe_mode=True)
        if not getattr(model, "inputs", None):
            raise ValueError("it is not a functional or sequential model")
        return _functional(model) if isinstance(model, keras.Sequential) else model

    return with_deep_stack(read)


def _functional(model: Any) -> Any:
    functional = keras.Model(model.inputs, model.outputs[0], name=model.name)
    if model.compiled:
        functional.compile_from_config(model.get_compile_config())
    return functional


def make_scopes_valid(model: Any) -> None:
    """Rename layers whose names TensorFlow does not take as scopes; outputs keep their names."""
    for layer in model.layers:
        layer.name = re.sub(r"[^A-Za-z0-9_.\\/>-]", "_", layer.name)
