"""The folder of a run: its spec, status, history and model."""

import json
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelspec.problems.errors import RunError
from modelspec.runs.history import history_csv, is_number
from modelspec.runs.layout import CHECKPOINTS, HISTORY, MODEL, RECORD, SPEC, TABLE
from modelspec.storage.atomic import replacing
from modelspec.storage.regular import read_regular

STATUSES = ("running", "completed", "interrupted", "failed")

_RECORD_LIMIT = 16 << 20
_HISTORY_LIMIT = 512 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """A run, identified by its folder ``path``.

    Example:
        >>> import modelspec
        >>> spec = modelspec.load("specs/digits.yaml", ["training.epochs=2"])
        >>> path = modelspec.train(spec, "data/digits.npz").path
        >>> run = modelspec.Run.open(path)
        >>> run.status, [record["epoch"] for record in run.history]
        ('completed', [1, 2])
    """

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> "Run":
        """Open the run in a folder.

        Args:
            path: The folder.

        Returns:
            The run. Its files are read on first use.

        Raises:
            RunError: The folder contains no run, or links in place of a run's files.

        Example:
            >>> import modelspec
            >>> try:
            ...     modelspec.Run.open("runs/missing")
            ... except modelspec.RunError as error:
            ...     print(error)
            runs/missing contains no run: it has no run.json
        """
        run = cls(Path(path))
        if not run.exists():
            raise RunError(f"{path} contains no run: it has no {RECORD}")
        for name in (RECORD, SPEC, HISTORY, MODEL, CHECKPOINTS):
            require_plain(run.path / name)
        return run

    def exists(self) -> bool:
        """Return True if the folder contains a run."""
        return os.path.lexists(self.path / RECORD)

    @property
    def spec_path(self) -> Path:
        """The path of the spec with which the run trains."""
        return self.path / SPEC

    @property
    def model_path(self) -> Path:
        """The path of the trained model; the file is missing until training has ended."""
        return self.path / MODEL

    @property
    def record(self) -> dict[str, Any]:
        """The contents of ``run.json``: status, versions, seed, data, arguments and times.

        A value of null is left out, as ``update`` leaves it out.

        Raises:
            RunError: The file is damaged, or was not written by modelspec.
        """
        path = self.path / RECORD
        record = _decoded(path, _read(path, _RECORD_LIMIT))
        if not isinstance(record, dict) or record.get("status") not in STATUSES:
            raise RunError(f"{path} is not the record of a run: it has no valid status")
        if wrong := [name for name, fits in _FITS.items() if not fits(record.get(name))]:
            raise RunError(f"{path} is not the record of a run: {wrong[0]} has an invalid value")
        return {name: value for name, value in record.items() if value is not None}

    @property
    def status(self) -> str:
        """``running``, ``completed``, ``interrupted`` or ``failed``.

        Raises:
            RunError: ``run.json`` is damaged, or was not written by modelspec.
        """
        return str(self.record["status"])

    @property
    def history(self) -> list[dict[str, Any]]:
        """The records of the finished epochs, from ``history.jsonl``.

        Raises:
            RunError: A line is not a record of an epoch.
        """
        path = self.path / HISTORY
        if not os.path.lexists(path):
            return []
        lines = _read(path, _HISTORY_LIMIT).splitlines()
        records = [_decoded(path, line) for line in lines]
        for number, record in enumerate(records, 1):
            if not _is_epoch(record, number):
                raise RunError(f"{path} is not the history of a run: line {number} is not an epoch")
        return records

    def write(self, name: str, text: str) -> None:
        """Write a file of the run, completely or not at all."""
        with replacing(self.path / name, follow=False) as aside:
            aside.write_text(text, encoding="utf-8")

    def update(self, **changes: Any) -> None:
        """Change ``run.json``; None removes a key."""
        changed = {**(self.record if self.exists() else {}), **changes}
        record = {name: value for name, value in changed.items() if value is not None}
        self.write(RECORD, json.dumps(record, indent=2) + "\n")

    def append(self, epochs: Sequence[Mapping[str, Any]]) -> None:
        """Append finished epochs to the history."""
        self._write_history([*self.history, *epochs])

    def forget_after(self, epoch: int) -> None:
        """Remove the epochs that no checkpoint contains; they are trained again."""
        if any(line["epoch"] > epoch for line in self.history):
            self._write_history([line for line in self.history if line["epoch"] <= epoch])

    def _write_history(self, lines: Sequence[Mapping[str, Any]]) -> None:
        self.write(HISTORY, "".join(json.dumps(line) + "\n" for line in lines))
        self.write(TABLE, history_csv(lines))


def require_plain(path: Path) -> None:
    """Refuse a path that is neither a file nor a folder; it may be missing.

    Raises:
        RunError: The path is a link, a pipe, a socket or a device.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = "a link" if stat.S_ISLNK(mode) else "a pipe, a socket or a device"
        raise RunError(f"{path} is {kind}: a run's folder holds files and folders only")


def _read(path: Path, limit: int) -> bytes:
    try:
        return read_regular(path, limit)
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from error


def _decoded(path: Path, raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: it is not JSON") from error


def _is_epoch(record: Any, number: int) -> bool:
    """Return True where a line of the history has the epoch's number and only finite values."""
    if not isinstance(record, dict) or record.get("epoch") != number:
        return False
    return all(value is None or is_number(value) for value in record.values())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_identity(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    digests = value.get("sha256")
    return isinstance(digests, dict) and all(map(_is_text, digests.values()))


def _are_arguments(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return all(_are_texts(value.get(name, [])) for name in ("data", "validation"))


def _is_machine(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str | int) for v in value.values())


def _are_plugins(value: Any) -> bool:
    keys = ("name", "sha256", "file")
    return isinstance(value, list) and all(
        isinstance(entry, dict) and all(_is_text(entry.get(key)) for key in keys) for entry in value
    )


def _are_models(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(model, dict) and _is_text(model.get("sha256")) for model in value.values()
    )


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _or_missing(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


_FITS = {
    "seconds": _or_missing(is_number),
    "resumed": _or_missing(_are_texts),
    "data": _or_missing(_is_identity),
    "validation": _or_missing(_is_identity),
    "arguments": _or_missing(_are_arguments),
    "machine": _or_missing(_is_machine),
    "plugins": _or_missing(_are_plugins),
    "models": _or_missing(_are_models),
    "overrides": _or_missing(_are_texts),
    "parameters": _or_missing(_is_mapping),
    "weights": _or_missing(_is_mapping),
    **dict.fromkeys(("name", "started", "ended", "error"), _or_missing(_is_text)),
}
"""The types of the record's values that are read again; a record may lack any of them."""
