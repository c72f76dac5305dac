"""Keras models to and from ``.keras`` files, whatever their depth."""

import re
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import keras

from modelspec.backend.model.archive import symbolic_model
from modelspec.backend.model.description import weight_bytes
from modelspec.backend.model.recursion import with_deep_stack
from modelspec.storage.archives import has_assets, largest_contents, read_config
from modelspec.storage.hdf5 import hdf5

_SLACK = 1 << 20
"""The bytes that a model may have besides those in its file, such as generator states."""


def write_model(model: Any, path: Path) -> None:
    with_deep_stack(lambda: model.save(path))


def read_model(path: Path, *, compiled: bool = True) -> Any:
    """Return the functional model in a file; of a Sequential one, the functional model inside.

    Without ``compiled``, its optimizer, losses and metrics are not read.

    Raises:
        ValueError: The file has something else, or layers larger than its weights; Keras raises
            other types too.
    """
    _require_memory(path)
    hdf5()

    def read() -> Any:
        # Keras warns of an optimizer whose state it cannot restore, which is not used here.
        with warnings.catch_warnings(action="ignore"):
            model = keras.saving.load_model(path, compile=compiled, safe_mode=True)
        if not getattr(model, "inputs", None):
            raise ValueError("it is not a functional or sequential model")
        return _functional(model) if isinstance(model, keras.Sequential) else model

    with _temporary_folder() if has_assets(path) else nullcontext():
        return with_deep_stack(read)


@contextmanager
def _temporary_folder() -> Iterator[None]:
    """Delete the assets that Keras unpacks: where it cannot read them all, it leaves some."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="modelspec-") as folder:
        tempfile.tempdir = folder
        try:
            yield
        finally:
            tempfile.tempdir = before


def _require_memory(path: Path) -> None:
    """Refuse layers that are larger than the file, before Keras creates their weights.

    Raises:
        ValueError: The sizes in its configuration differ from those of its weights.
    """
    weights: list[Any] = []
    with suppress(Exception):  # Keras reports the error when it loads the file
        weights = symbolic_model(read_config(path)).weights
    size = weight_bytes(weights)
    contents = largest_contents(path)
    if size > contents + _SLACK:
        raise ValueError(
            f"its layers have {size:,} bytes of weights, but the file contains {contents:,}"
        )


def _functional(model: Any) -> Any:
    functional = keras.Model(model.inputs, model.outputs[0], name=model.name)
    if model.compiled:
        functional.compile_from_config(model.get_compile_config())
    return functional


def make_scopes_valid(model: Any) -> None:
    """Rename layers whose names TensorFlow refuses as scopes; outputs keep their names."""
    for layer in model.layers:
        layer.name = re.sub(r"[^A-Za-z0-9_.\\/>-]", "_", layer.name)
