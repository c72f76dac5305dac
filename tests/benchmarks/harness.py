"""Both sides in turn, round by round, for every benchmark of this folder."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parents[1]
_HIDDEN = ("KERAS_BACKEND", "TF_", "XLA_", "JAX_", "PYTHONDONTWRITEBYTECODE")
_HEADER = ("work", "against", "modelspec", "other side", "times", "at least", "")

Measured = Callable[[], float]
"""One round of one side: samples a second, seconds, or megabytes."""


def environment(**changes: str) -> dict[str, str]:
    """Return this process's own environment, without variables that change how a side runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_HIDDEN)}
    return kept | {"TF_CPP_MIN_LOG_LEVEL": "3"} | changes


@dataclass(frozen=True)
class Row:
    """One line of the table.

    ``ratios`` say how many times better modelspec was, by round; ``bar`` is the required ratio.
    """

    work: str
    against: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float]
    bar: float | None = None
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        pairs = zip(self.ours, self.theirs, strict=True)
        return [one / other if self._more_is_better else other / one for one, other in pairs]

    @property
    def _more_is_better(self) -> bool:
        return self.unit.endswith("/s")

    @property
    def kept(self) -> bool:
        return self.bar is None or statistics.median(self.ratios) >= self.bar

    def cells(self) -> list[str]:
        ratios = self.ratios
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        verdict = "" if self.bar is None else "kept" if self.kept else "MISSED"
        against = f"{self.against} ({self.note})" if self.note else self.against
        bar = "" if self.bar is None else f"{self.bar:g}"
        sides = (f"{_number(statistics.median(side))} {self.unit}" for side in self._sides)
        return [self.work, against, *sides, spread, bar, verdict]

    @property
    def _sides(self) -> tuple[Sequence[float], Sequence[float]]:
        return self.ours, self.theirs


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def alternate(sides: Mapping[str, Measured], rounds: int) -> dict[str, list[float]]:
    """Measure each side once a round, in alternating order."""
    names = list(sides)
    measured: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names if number % 2 else reversed(names):
            measured[name].append(sides[name]())
    return measured


class Worker:
    """A process that measures one side, one round at a time, on request.

    It prints a JSON object when it is ready, with a ``note`` or none, and one number a round.
    """

    def __init__(self, python: str, script: str, *arguments: str, **changes: str) -> None:
        command = [python, str(FOLDER / "workers" / script), *arguments]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the worker
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment(**changes),
        )
        self.note: str = self._read().get("note", "")

    def __call__(self) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._read()["value"])

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(f"{self._process.args!r} ended:\n{self._errors.read()[-4000:]}")
        said: dict[str, Any] = json.loads(line)
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()


@dataclass
class Table:
    """Rows that are printed at once, and written as Markdown with the environment."""

    output: Path | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def extend(self, rows: Iterator[Row]) -> None:
        for row in rows:
            self.rows.append(row)
            print(" | ".join(filter(None, row.cells())), flush=True)
            if self.output is not None:
                self.output.parent.mkdir(parents=True, exist_ok=True)
                self.output.write_text(self.markdown(), encoding="utf-8")

    def markdown(self) -> str:
        rules = ["---", "---", "---:", "---:", "---:", "---:", "---"]
        lines = [_HEADER, rules, *(row.cells() for row in self.rows)]
        body = "".join(f"| {' | '.join(line)} |\n" for line in lines)
        return f"{self.made_by()}\n\n{body}"

    def made_by(self) -> str:
        names = ("keras-modelspec", "keras", "tensorflow", "jax", "numpy")
        versions = {name: version(name) for name in names} | dict(self.versions)
        listed = ", ".join(f"{name} {number}" for name, number in versions.items())
        return (
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores of {_processor()}, "
            f"{platform.system()}, CPython {platform.python_version()}, {listed}. "
            "Medians; the spread of the rounds' own ratios in brackets."
        )


def _processor() -> str:
    lines = Path("/proc/cpuinfo")
    text = lines.read_text(encoding="utf-8") if lines.exists() else ""
    models = (line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line)
    return next(models, platform.machine())


def python() -> str:
    return sys.executable
