"""A run's folder: the spec as it was run, its status, history and model."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from modelspec.failures import RunError

SPEC = "spec.yaml"
RECORD = "run.json"
HISTORY = "history.jsonl"
MODEL = "model.keras"
CHECKPOINTS = "checkpoints"
LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Run:
    """A run, by its folder."""

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> "Run":
        """The run in a folder.

        Raises:
            RunError: where the folder holds none.
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
        """What ``run.json`` says: status, versions, seed, data, arguments, times."""
        record: dict[str, Any] = json.loads((self.path / RECORD).read_text(encoding="utf-8"))
        return record

    @property
    def status(self) -> str:
        return str(self.record["status"])

    @property
    def history(self) -> list[dict[str, Any]]:
        """One mapping for each finished epoch, as ``history.jsonl`` has them."""
        path = self.path / HISTORY
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]

    def write(self, name: str, text: str) -> None:
        """Write a file of the run, whole or not at all."""
        with replacing(self.path / name) as aside:
            aside.write_text(text, encoding="utf-8")

    def update(self, **changes: Any) -> None:
        """Change what ``run.json`` says."""
        record = self.record if self.exists() else {}
        self.write(RECORD, json.dumps({**record, **changes}, indent=2) + "\n")

    def append(self, epoch: Mapping[str, Any]) -> None:
        """Add a finished epoch to the history, in place of any that a lost checkpoint had."""
        lines = [*(line for line in self.history if line["epoch"] < epoch["epoch"]), epoch]
        self.write(HISTORY, "".join(json.dumps(line) + "\n" for line in lines))


def default_path(name: str, now: datetime | None = None) -> Path:
    """``runs/NAME/TIMESTAMP``, with a suffix where that second has a run already."""
    stamp = (now or datetime.now(UTC)).astimezone().strftime("%Y%m%d-%H%M%S")
    path = Path("runs") / name / stamp
    count = 1
    while path.exists():
        count += 1
        path = path.with_name(f"{stamp}-{count}")
    return path


@contextmanager
def locked(run: Run) -> Iterator[None]:
    """Keep other processes out of a run's folder; a lock dies with its process.

    Raises:
        RunError: where another process holds the run, or the folder cannot be made.
    """
    try:
        run.path.mkdir(parents=True, exist_ok=True)
        lock = (run.path / LOCK).open("w", encoding="utf-8")
    except OSError as error:
        raise RunError(f"cannot make {run.path}: {error.strerror}") from error
    with lock:
        _take(lock, run)
        yield


def _take(lock: IO[str], run: Run) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RunError(f"another process is using {run.path}") from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which takes the place of ``path`` once it is whole on the disk."""
    aside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield aside
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
