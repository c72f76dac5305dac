"""The comparison of all workers before they start: missing, different and unreachable ones.

Each worker opens its own address, and sends the facts of its training to the chief, as one line of
JSON. If they agree, each worker tries the addresses of all others. The chief answers every worker
with the problems, if there are any. No other address is opened, and received text is never
executed.
"""

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

from modelspec.cluster import addresses
from modelspec.cluster.cluster import Cluster
from modelspec.cluster.lines import received, send
from modelspec.problems.errors import RunError

PATIENCE = "MODELSPEC_PATIENCE"
"""The environment variable with the seconds in which all workers must connect."""

_PATIENCE = 60.0
_PAUSE = 0.1
_ANSWER = 10.0
"""The seconds for a message on its way."""

_TRY = "try"
_MANY = 3
"""The number of unreachable workers after which a worker stops trying."""

Facts = Mapping[str, Any]
"""Facts that must be equal on all workers, with their names in messages."""


def compare(cluster: Cluster, facts: Facts, patience: float | None = None) -> None:
    """Wait for all workers, and compare the facts of their trainings.

    Args:
        cluster: The workers; this process is one of them.
        facts: The facts of this worker's training, as JSON data.
        patience: The seconds to wait for the others; by default ``MODELSPEC_PATIENCE``.

    Raises:
        RunError: A worker is missing, differs, cannot be reached, or its address cannot be used.
    """
    seconds = _from_environment() if patience is None else patience
    end = time.monotonic() + seconds
    with _listening(cluster, end) as listener:
        if cluster.is_chief:
            problems = _Chief(cluster, dict(facts), seconds, end).verdict(listener)
        else:
            problems = _as_worker(cluster, dict(facts), seconds, end)
    if problems:
        raise RunError("; ".join(problems))


def _from_environment() -> float:
    text = os.environ.get(PATIENCE, "")
    try:
        seconds = float(text or _PATIENCE)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise RunError(f"{PATIENCE}={text} is not a number of seconds")
    return seconds


@contextmanager
def _listening(cluster: Cluster, end: float) -> Iterator[socket.socket]:
    name = cluster.name(cluster.index)
    place = addresses.own(cluster, end)
    with closing(socket.socket(place.family, socket.SOCK_STREAM)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(place.address)
            listener.listen(cluster.size)
        except OSError as error:
            raise RunError(
                f"{name} cannot use its address: {error.strerror or error}; does another process, "
                f"or a second worker {cluster.index}, use it?"
            ) from error
        yield listener


class _Chief:
    """Receives the facts of every worker, and sends the problems to each."""

    def __init__(
        self, cluster: Cluster, facts: dict[str, Any], patience: float, end: float
    ) -> None:
        self._cluster, self._patience, self._end = cluster, patience, end
        self._heard: dict[int, dict[str, Any]] = {0: facts}
        self._waiting: list[tuple[int, socket.socket]] = []
        self._problems: list[str] = []

    def verdict(self, listener: socket.socket) -> list[str]:
        """Return the problems; empty if all workers may start."""
        try:
            self._hear(listener)
            self._problems += self._missing() + self._differences()
            if not self._problems:
                self._problems += self._unreachable()
            for _, connection in self._waiting:
                send(connection, self._problems)
        finally:
            for _, connection in self._waiting:
                connection.close()
        return self._problems

    def _hear(self, listener: socket.socket) -> None:
        """Wait until all workers have connected, or the time is up."""
        size = self._cluster.size
        while len(self._heard) < size and (left := self._end - time.monotonic()) > 0:
            listener.settimeout(left)
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                return
            match received(connection, max(0.1, min(_ANSWER, self._end - time.monotonic()))):
                case {"index": int(index), "facts": dict() as facts} if index > 0:
                    self._waiting.append((index, connection))
                    self._add(index, facts)
                case _:
                    connection.close()  # somebody else

    def _add(self, index: int, facts: dict[str, Any]) -> None:
        if index >= self._cluster.size:
            self._problems.append(
                f"a process is worker {index}, but {self._cluster.name(0)} knows only "
                f"{self._cluster.size} workers"
            )
        elif index in self._heard:
            self._problems.append(f"two processes are worker {index}")
        else:
            self._heard[index] = facts

    def _missing(self) -> list[str]:
        absent = [index for index in range(self._cluster.size) if index not in self._heard]
        return [self._absence(index) for index in absent]

    def _absence(self, index: int) -> str:
        text = f"{self._cluster.name(index)} did not come within {self._patience:g} seconds"
        if addresses.why_unreachable(self._cluster, index, 1.0):
            return text
        return f"{text}, although a process listens there: does it have another list of workers?"

    def _differences(self) -> list[str]:
        expected, cluster = self._heard[0], self._cluster
        return [
            f"{cluster.name(index)} has another {name} than {cluster.name(0)}: "
            f"{_short(facts.get(name))} and {_short(expected.get(name))}"
            for index, facts in sorted(self._heard.items())
            for name in sorted({*expected, *facts})
            if facts.get(name) != expected.get(name)
        ]

    def _unreachable(self) -> list[str]:
        """Return the connections that fail while all workers listen."""
        for _, connection in self._waiting:
            send(connection, _TRY)
        problems = _attempts(self._cluster)
        for index, connection in self._waiting:
            match received(connection, _ANSWER + _MANY * addresses.SECONDS):
                case list(texts):
                    problems += map(str, texts)
                case _:
                    problems.append(f"{self._cluster.name(index)} left during the comparison")
        return problems


def _as_worker(cluster: Cluster, facts: dict[str, Any], patience: float, end: float) -> list[str]:
    """Send this worker's facts to the chief; return the chief's problems."""
    while True:
        verdict = None
        with suppress(OSError), addresses.connected(cluster, 0) as connection:
            send(connection, {"index": cluster.index, "facts": facts})
            verdict = received(connection, max(0.1, end - time.monotonic()) + _ANSWER)
            if verdict == _TRY:
                send(connection, _attempts(cluster))
                verdict = received(connection, 2 * _ANSWER + _MANY * addresses.SECONDS)
        if isinstance(verdict, list):
            return [str(problem) for problem in verdict]
        if time.monotonic() > end:
            why = addresses.why_unreachable(cluster, 0, 1.0)
            raise RunError(
                f"{cluster.name(0)} did not answer within {patience:g} seconds"
                + (f": {why}" if why else "")
            )
        time.sleep(_PAUSE)


def _attempts(cluster: Cluster) -> list[str]:
    """Return the workers that are unreachable from here while all of them listen."""
    problems: list[str] = []
    for index in range(1, cluster.size):
        if index == cluster.index or len(problems) == _MANY:
            continue
        if why := addresses.why_unreachable(cluster, index, addresses.SECONDS):
            problems.append(
                f"{cluster.name(cluster.index)} cannot reach {cluster.name(index)}: {why}"
            )
    return problems


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else f"{text[:60]}…"  # noqa: PLR2004 - a line of a terminal
