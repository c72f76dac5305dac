"""The list of the runs in a folder."""

import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelspec.problems.errors import RunError
from modelspec.runs.history import OF_THE_EPOCH, Best, Record, best, columns
from modelspec.runs.layout import LOCK, RECORD
from modelspec.runs.run import Run
from modelspec.storage.regular import open_regular

DIED = "died"


@dataclass(frozen=True, slots=True)
class Listed:
    """A run in a list.

    ``status`` is that of ``run.json``, or ``died`` where it is ``running`` and no process has
    locked the folder. ``epochs`` are finished, ``asked`` is the number in the spec (None where
    ``run.json`` lacks it). ``started`` is ISO 8601 with its zone, ``seconds`` the sum of the
    epochs' times. ``metrics`` are the losses and metrics of the last epoch, ``parameters`` those of
    the spec.
    """

    path: Path
    name: str
    status: str
    started: str | None
    seconds: float
    epochs: int
    asked: int | None
    best: Best | None
    metrics: Mapping[str, float | None]
    parameters: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.path),
            "name": self.name,
            "status": self.status,
            "started": self.started,
            "seconds": self.seconds,
            "epochs": self.epochs,
            "epochs_asked": self.asked,
            "best_epoch": self.best and self.best.epoch,
            "best_metric": self.best and self.best.name,
            "best_value": self.best and self.best.value,
        }


def find_runs(folder: Path) -> tuple[list[Listed], list[str]]:
    """Return the runs in and under a folder, newest first, and why others could not be read.

    Raises:
        RunError: The folder cannot be listed.
    """
    try:
        list(folder.iterdir())
    except OSError as error:
        raise RunError(f"cannot list {folder}: {error.strerror}") from error
    runs, refused = [], []
    for path in _folders(folder):
        try:
            runs.append(_listed(path))
        except OSError as error:
            refused.append(f"{path / RECORD} cannot be read: {error.strerror}")
        except RunError as error:
            refused.append(str(error))
    return sorted(runs, key=lambda run: (run.started or "", str(run.path)), reverse=True), refused


def _folders(folder: Path) -> Iterator[Path]:
    """Yield folders with a run; their subfolders belong to the run."""
    for path, inside, files in os.walk(folder):
        if RECORD in files and Path(path, RECORD).is_file():
            inside.clear()
            yield Path(path)
        inside.sort()


def _listed(path: Path) -> Listed:
    run = Run(path)
    record, records = run.record, run.history
    status = record["status"]
    return Listed(
        path=path,
        name=_one(record.get("name"), str) or path.name,
        status=DIED if status == "running" and not is_held(path) else status,
        started=_one(record.get("started"), str),
        seconds=round(sum(_one(epoch.get("seconds"), int, float) or 0 for epoch in records), 3),
        epochs=len(records),
        asked=_one(record.get("epochs"), int),
        best=best(records),
        metrics=_metrics(records),
        parameters=record.get("parameters") or {},
    )


def _metrics(records: Sequence[Record]) -> dict[str, float | None]:
    last = records[-1] if records else {}
    return {name: last.get(name) for name in columns(records) if name not in OF_THE_EPOCH}


def _one(value: Any, *types: type) -> Any:
    return value if isinstance(value, types) and not isinstance(value, bool) else None


def is_held(path: Path) -> bool:
    """Return True where a living process has locked a run's folder."""
    try:
        with open(open_regular(path / LOCK), "rb") as lock:  # noqa: PTH123 - a descriptor
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
