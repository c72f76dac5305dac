"""Keras models to and from ``.keras`` files, however deep."""

from pathlib import Path
from typing import Any

import keras

from modelspec.backend.model.recursion import with_deep_stack


def write_model(model: Any, path: Path) -> None:
    with_deep_stack(lambda: model.save(path))


def read_model(path: Path) -> Any:
    """The functional model in a file.

    Raises:
        ValueError: where it holds something else; and whatever Keras raises.
    """
    model = with_deep_stack(lambda: keras.saving.load_model(path, safe_mode=True))
    if not getattr(model, "inputs", None):
        raise ValueError("it is not a functional or sequential model")
    return model
