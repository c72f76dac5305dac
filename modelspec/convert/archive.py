"""The config of a saved model, read as limited data from a ``.keras`` or an HDF5 file."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelspec.language.other_files import is_hdf5
from modelspec.problems.errors import ModelError
from modelspec.storage.hdf5 import hdf5

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
ZIP_MAGIC = b"PK\x03\x04"

MAX_BYTES = 16 * 2**20
"""The limit of a config in bytes: the largest model of ``keras.applications`` has 1 MB."""

MAX_CONTAINERS = 600_000
MAX_COMMAS = 2_000_000
MAX_ENTRIES = 10_000
"""Limits of the objects and lists in a config, of its values, and of the files in an archive."""


_EXPANSION, _EXPANSION_FLOOR = 100, 256 << 20


class UnsafeArchiveError(ModelError):
    """An archive with files outside of its folder, or with far more data than its size allows."""


@dataclass(frozen=True, slots=True)
class SavedModel:
    """The config of a saved model, and whether ``weights.from`` can name the file.

    ``is_archive`` is True for a ``.keras`` file, and False for HDF5.
    """

    config: dict[str, Any]
    has_weights: bool
    is_archive: bool = False


def read_saved_model(path: Path) -> SavedModel:
    """Read the config of a model file.

    Raises:
        ModelError: The file cannot be read, is not a model, or exceeds a limit.
    """
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    if start.startswith(ZIP_MAGIC):
        return _read_archive(path)
    if is_hdf5(start):
        config, has_weights = _read_hdf5(path)
        return SavedModel(config, has_weights=has_weights)
    raise ModelError(f"{path} is not a .keras file (a zip archive), and not an HDF5 file")


def _read_archive(path: Path) -> SavedModel:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_ENTRIES:
                raise ModelError(f"{path} contains more than {MAX_ENTRIES:,} files")
            names = {member.filename for member in members}
            _refuse_unsafe_names(path, names)
            _refuse_bombs(path, members)
            if CONFIG not in names:
                raise ModelError(f"{path} is not a .keras file: it contains no {CONFIG}")
            with archive.open(CONFIG) as member:
                raw = member.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path} cannot be read: {_first_line(error)}") from error
    except (ValueError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise ModelError(f"{path} cannot be read: {_first_line(error)}") from error
    return SavedModel(_parse(path, raw), has_weights=WEIGHTS in names, is_archive=True)


def _refuse_unsafe_names(path: Path, names: set[str]) -> None:
    """Refuse names that leave the archive, because Keras unpacks it as a whole."""
    for name in sorted(names):
        parts = name.replace("\\", "/").split("/")
        if name.startswith(("/", "\\")) or ".." in parts or ":" in parts[0]:
            raise UnsafeArchiveError(
                f"{path} contains the file name {name[:80]!r}, which leaves the archive"
            )


def _refuse_bombs(path: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        size = member.file_size
        if size > _EXPANSION_FLOOR and size > _EXPANSION * member.compress_size:
            raise UnsafeArchiveError(
                f"{path}: {member.filename[:80]!r} unpacks from {member.compress_size:,} bytes to "
                f"{size:,}, which is typical of a zip bomb"
            )


def _read_hdf5(path: Path) -> tuple[dict[str, Any], bool]:
    """Return the config, and whether the file has weights."""
    try:
        with hdf5().File(path, "r") as file:
            value = file.attrs.get("model_config")
            training = file.attrs.get("training_config")
            has_weights = "model_weights" in file
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} cannot be read: {_first_line(error)}") from error
    if value is None:
        what = "the weights of a model, but not the model"
        raise ModelError(f"{path} contains {what}: it has no model_config")
    config = _parse(path, _bytes(value))
    if training is not None and not config.get("compile_config"):
        config["compile_config"] = _compile_config(_read_json(path, _bytes(training)))
    return config, has_weights


def _bytes(value: Any) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)


def _compile_config(training: Any) -> dict[str, Any]:
    """Convert the arguments of ``compile`` in an HDF5 file to the form in a ``.keras`` file."""
    if not isinstance(training, dict):
        return {}
    return {**training, "optimizer": training.get("optimizer_config")}


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    config = _read_json(path, raw)
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict | list):
        raise ModelError(f"{path}: {CONFIG} is not the config of a Keras model")
    return config


def _read_json(path: Path, raw: bytes) -> Any:
    """Parse the config as JSON; refuse texts that would take seconds or hundreds of megabytes."""
    if len(raw) > MAX_BYTES:
        raise ModelError(f"{path}: {CONFIG} is larger than {MAX_BYTES >> 20} MB")
    if raw.count(b"{") + raw.count(b"[") > MAX_CONTAINERS or raw.count(b",") > MAX_COMMAS:
        raise ModelError(f"{path}: {CONFIG} holds more values than a spec can describe")
    try:
        return json.loads(raw.decode("utf-8"))
    except RecursionError as error:
        raise ModelError(f"{path}: {CONFIG} is nested too deeply") from error
    except ValueError as error:
        raise ModelError(f"{path}: {CONFIG} is not JSON: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
