"""Whole commands compared with equal plain scripts, from a process's start to its end."""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from check import Run
from harness import FOLDER, REPOSITORY, Row, alternate, python

import modelspec

PLAIN = "plain script"


@dataclass(frozen=True)
class Bench:
    """A folder for the runs, with a cache of modelspec's that is warm after the first round."""

    folder: Path

    def train(self, name: str, data: Path, epochs: int) -> Run:
        """Train with modelspec, into a new folder."""
        # Early stopping depends on the order of samples, which differs between the sides.
        run = self._fresh("run")
        return self.ours(
            *("train", str(spec_of(name)), "--data", str(data), "--run", str(run)),
            *("--epochs", str(epochs), "--set", "training.callbacks=[]"),
        )

    def plain(self, name: str, data: Path, epochs: int) -> Run:
        folder = self._fresh("plain")
        if name == "digits":  # the script in the README, as a whole
            return self.script("digits.py", str(data), str(folder), str(epochs))
        return self.script("train.py", name, str(data), str(folder), str(epochs))

    def ours(self, *arguments: str, cache: Path | None = None) -> Run:
        command = [python(), "-m", "modelspec", *arguments]
        return _succeeded(Run(command, cache=cache or self.folder / "cache"), command)

    def script(self, name: str, *arguments: str) -> Run:
        command = [python(), str(FOLDER / "plain" / name), *arguments]
        return _succeeded(Run(command), command)

    def _fresh(self, name: str) -> Path:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return self.folder / name


def _succeeded(run: Run, command: Sequence[str]) -> Run:
    if run.exit_code:
        raise RuntimeError(f"ended with {run.exit_code}: {' '.join(command)}")
    return run


@contextmanager
def bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="modelspec-bench-") as folder:
        yield Bench(Path(folder))


def spec_of(name: str) -> Path:
    return REPOSITORY / "specs" / f"{name}.yaml"


def data_of(name: str) -> Path:
    """Return the file that the spec's own comment names."""
    [path] = re.findall(r"--data (\S+)", spec_of(name).read_text(encoding="utf-8"))
    return REPOSITORY / str(path)


def epochs_of(name: str) -> int:
    source = modelspec.load(spec_of(name))
    assert source.spec is not None
    return source.spec.training.epochs


def digits(rounds: int, *, quick: bool, long: bool) -> Iterator[Row]:
    """Yield rows for several numbers of epochs: time saved in epochs must pay for the start.

    The convolutional network has no limit of its own; it shows the rest where arithmetic dominates.
    """
    if quick:
        yield _compare("digits", 1, rounds, None)
        return
    yield _compare("digits", 10, rounds, 1.0)
    yield _compare("digits", 100, min(rounds, 5), 1.8)
    if long:
        yield _compare("digits", 1000, min(rounds, 3), 6.0)
    yield _compare("digits_conv", 10, min(rounds, 5), None)


def specs(rounds: int, *, quick: bool) -> Iterator[Row]:
    """Yield rows for every shipped spec, with its own epochs, without callbacks on both sides."""
    for path in sorted((REPOSITORY / "specs").glob("*.yaml")):
        name = path.stem
        if name in ("reviews", "wine"):  # plain scripts fit no layers and read no tables
            continue
        if name == "mlp" or not quick:
            yield _compare(name, 1 if quick else epochs_of(name), min(rounds, 5), 1.0)


def _compare(name: str, epochs: int, rounds: int, bar: float | None) -> Row:
    with bench() as here:
        data = data_of(name)
        # The first of each fills the caches, of modelspec and of the system.
        here.train(name, data, 1), here.plain(name, data, 1)
        seconds = alternate(
            {
                "ours": lambda: here.train(name, data, epochs).seconds,
                "plain": lambda: here.plain(name, data, epochs).seconds,
            },
            rounds,
        )
    work = f"`modelspec train specs/{name}.yaml`, {epochs:,} epoch{'s' if epochs > 1 else ''}"
    return Row(work, PLAIN, "s", seconds["ours"], seconds["plain"], bar)


def summary(rounds: int) -> Iterator[Row]:
    """Yield rows for a user's first summary, and for later ones."""
    spec = str(spec_of("author_profile"))
    with bench() as here:

        def first() -> float:
            cache = here.folder / "empty"
            shutil.rmtree(cache, ignore_errors=True)
            return here.ours("summary", spec, cache=cache).seconds

        here.ours("summary", spec)
        seconds = alternate(
            {
                "first": first,
                "again": lambda: here.ours("summary", spec).seconds,
                "plain": lambda: here.script("profile_summary.py").seconds,
            },
            rounds,
        )
    work, against = "`modelspec summary specs/author_profile.yaml`", "plain script that prints it"
    yield Row(f"{work}, first time", against, "s", seconds["first"], seconds["plain"], 2.4)
    yield Row(f"{work}, again", against, "s", seconds["again"], seconds["plain"], 12)


def memory(rounds: int, *, quick: bool) -> Iterator[Row]:
    """Yield rows of a process's peak memory while it trains on data in memory."""
    rows = 2_000 if quick else 400_000
    with bench() as here:
        large = here.folder / "large.npz"
        random = np.random.default_rng(0)
        arrays: dict[str, Any] = {
            "features_train": random.random((rows, 64), np.float32),
            "label_train": np.eye(10, dtype=np.float32)[random.integers(10, size=rows)],
        }
        np.savez(large, **arrays)
        megabytes = large.stat().st_size / 1e6
        for name, data, epochs in (("digits", data_of("digits"), 5), ("mlp", large, 1)):
            sides = {"ours": here.train, "plain": here.plain}
            peaks = alternate(
                {
                    side: partial(_megabytes, train, name, data, epochs)
                    for side, train in sides.items()
                },
                min(rounds, 3),
            )
            of = f"{name} on {megabytes:.0f} MB" if data == large else name
            work = f"peak memory of training, {of}"
            yield Row(work, PLAIN, "MB", peaks["ours"], peaks["plain"], 1.0)


def _megabytes(train: Callable[[str, Path, int], Run], name: str, data: Path, epochs: int) -> float:
    return train(name, data, epochs).megabytes
