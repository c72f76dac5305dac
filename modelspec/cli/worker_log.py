"""The log of a worker in the folder of the run: its output, and why it failed."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from modelspec.cli.streams import console, err
from modelspec.cluster.cluster import Cluster
from modelspec.cluster.local import WORKER_LOGS
from modelspec.cluster.pulse import is_watched
from modelspec.problems.errors import RunError, SpecError
from modelspec.problems.problem import Problem
from modelspec.report.progress import Lines, Screen, make_listener
from modelspec.results.weights import Account
from modelspec.storage.regular import open_regular


@contextmanager
def listening(cluster: Cluster | None, run: Path | None, *, quiet: bool) -> Iterator[Screen]:
    """Yield a listener that shows progress. A worker also writes its log; only the first shows all.

    If another process started and watches a worker, that process already writes its log.

    Raises:
        RunError: The log cannot be written.
    """
    chief = cluster is None or cluster.is_chief
    watched = not chief and is_watched()
    with closing(make_listener(err(), quiet=quiet or not (chief or watched))) as screen:
        if cluster is None or run is None or watched:
            yield screen
            return
        with _opened(run / WORKER_LOGS / f"{cluster.index}.log") as log:
            try:
                yield _Both(screen, log)
            except (RunError, SpecError, KeyboardInterrupt) as error:
                log.failed(error)
                raise


@contextmanager
def _opened(path: Path) -> Iterator["_Log"]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}") from error
    with os.fdopen(handle, "a", encoding="utf-8") as file:
        yield _Log(console(file))


class _Log(Lines):
    def failed(self, error: BaseException) -> None:
        if isinstance(error, SpecError):
            self.problems(error.problems)
        else:
            self._write(f"error: {error}" if isinstance(error, RunError) else str(error))


class _Both:
    """Calls two listeners; ``samples`` are those of the first."""

    def __init__(self, screen: Screen, log: _Log) -> None:
        self._screen, self._all = screen, (screen, log)

    @property
    def samples(self) -> int:
        return self._screen.samples

    def close(self) -> None:
        self._screen.close()

    def training_started(self, history: Sequence[Mapping[str, Any]]) -> None:
        for listener in self._all:
            listener.training_started(history)

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None:
        for listener in self._all:
            listener.epoch_started(epoch, epochs, samples)

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None:
        self._screen.samples_done(done, logs)

    def epoch_finished(self, record: Mapping[str, Any]) -> None:
        for listener in self._all:
            listener.epoch_finished(record)

    def problems(self, problems: Sequence[Problem]) -> None:
        for listener in self._all:
            listener.problems(problems)

    def weights(self, account: Account) -> None:
        for listener in self._all:
            listener.weights(account)

    def note(self, text: str) -> None:
        for listener in self._all:
            listener.note(text)

    def warn(self, text: str) -> None:
        for listener in self._all:
            listener.warn(text)
