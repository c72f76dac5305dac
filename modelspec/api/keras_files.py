"""Keras models in ``.keras`` files, read and written."""

import re
import tempfile
from pathlib import Path
from typing import IO, Any

from modelspec.catalog.plugins import Plugin
from modelspec.language.other_files import is_hdf5
from modelspec.problems.errors import ModelError
from modelspec.storage.archives import UPGRADE, newer_keras
from modelspec.storage.atomic import replacing

ZIP_MAGIC = b"PK\x03\x04"


def load_model(path: Path, plugins: tuple[Plugin, ...] = (), *, compiled: bool = True) -> Any:
    """Read a ``.keras`` file, in Keras's safe mode.

    Raises:
        ModelError: The file is not a Keras model, or contains code.
        PluginError: A plugin cannot be imported.
    """
    check_magic(path)
    from modelspec.backend.start import start

    start()
    from modelspec.backend.model.own_parts import import_plugins
    from modelspec.backend.model.saving import read_model

    import_plugins(plugins)
    try:
        return read_model(path, compiled=compiled)
    except Exception as error:  # Keras raises any type for a broken or hostile file
        raise ModelError(f"{path} cannot be loaded: {reason(error)}{saved_by(path)}") from error


def saved_by(source: Path | IO[bytes]) -> str:
    """Return the end of a message about a file that cannot be loaded, if a newer Keras saved it."""
    newer = newer_keras(source)
    return f" ({newer}: {UPGRADE})" if newer else ""


def reason(error: Exception) -> str:
    """Return the cause of Keras's error about a file, and the remedy, if there is one."""
    from modelspec.backend.model.keras_errors import innermost

    text = " ".join(innermost(str(error)).split())
    if "safe_mode" in text or "Lambda" in text:
        return (
            "a Lambda layer in it contains Python code, which modelspec does not run. Replace the "
            "layer by layers of Keras, such as Rescaling or Activation, and save the model again"
        )
    missing = re.search(r"Could not locate (\w+) '([^']+)'", text)
    if missing is not None:
        return (
            f"it needs the {missing[1]} {missing[2]}, custom code that the file does not contain: "
            "name its Python file with --plugin. If it is a loss or a metric, summary and predict "
            "work without it"
        )
    return text[:300]


def check_magic(path: Path) -> None:
    """Reject a file that is not a ``.keras`` file before Keras is imported."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(ZIP_MAGIC))
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    if is_hdf5(magic):
        raise ModelError(_hdf5(path))
    if magic != ZIP_MAGIC:
        raise ModelError(f"{path} is not a .keras file (a zip archive)")


def _hdf5(path: Path) -> str:
    if path.name.endswith(".weights.h5"):
        return f"{path} contains the weights of a model, but not the model"
    converted = path.with_suffix(".keras").name
    return (
        f"{path} is an HDF5 file, as older versions of Keras saved models. Convert it in Python: "
        f'keras.saving.load_model("{path.name}", compile=False).save("{converted}")'
    )


def save_model(model: Any, path: Path) -> None:
    """Write a model to a ``.keras`` file, completely or not at all; ``path`` ends in ``.keras``."""
    from modelspec.backend.model.saving import write_model

    with replacing(path) as aside:
        write_model(model, aside)


def load_bytes(raw: bytes, plugins: tuple[Plugin, ...], *, compiled: bool) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.keras"
        path.write_bytes(raw)
        return load_model(path, plugins, compiled=compiled)
