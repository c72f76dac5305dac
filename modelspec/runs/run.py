"""The folder of a run: its spec, status, history and model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelspec.problems.errors import RunError
from modelspec.runs.history import history_csv
from modelspec.runs.layout import HISTORY, MODEL, RECORD, SPEC, TABLE
from modelspec.storage.atomic import replacing

STATUSES = ("running", "completed", "interrupted", "failed")


@dataclass(frozen=True, slots=True)
class Run:
    """A run, identified by its folder.

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

        Raises:
            RunError: The folder contains no run.
        """
        run = cls(Path(path))
        if not run.exists():
            raise RunError(f"{path} holds no run: it has no {RECORD}")
        return run

    def exists(self) -> bool:
        return (self.path / RECORD).is_file()

    @property
    def spec_path(self) -> Path:
        return self.path / SPEC

    @property
    def model_path(self) -> Path:
        return self.path / MODEL

    @property
    def record(self) -> dict[str, Any]:
        """The contents of ``run.json``: status, versions, seed, data, arguments and times.

        Raises:
            RunError: The file is damaged, or was not written by modelspec.
        """
        path = self.path / RECORD
        record = _decoded(path, path.read_bytes())
        if not isinstance(record, dict) or record.get("status") not in STATUSES:
            raise RunError(f"{path} is not a run's: it has no status of a run")
        return record

    @property
    def status(self) -> str:
        return str(self.record["status"])

    @property
    def history(self) -> list[dict[str, Any]]:
        """The records of the finished epochs, from ``history.jsonl``.

        Raises:
            RunError: A line is not a record of an epoch.
        """
        path = self.path / HISTORY
        if not path.exists():
            return []
        records = [_decoded(path, line) for line in path.read_bytes().splitlines()]
        if not all(isinstance(record, dict) and "epoch" in record for record in records):
            raise RunError(f"{path} is not a run's: it has lines that are no epochs")
        return records

    def write(self, name: str, text: str) -> None:
        """Write a file of the run, completely or not at all."""
        with replacing(self.path / name) as aside:
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


def _decoded(path: Path, raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not a run's: it is not JSON") from error
