"""The comparison of all workers before they start: who is missing, and who differs.

Each worker opens its own address, and sends what it would train to the chief, as one line of JSON.
The chief answers every worker with the problems, if there are any. Nothing listens at any other
address, and nothing that is received is run.
"""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Any

from modelspec.cluster.cluster import Cluster
from modelspec.problems.errors import RunError

PATIENCE = 60.0
"""Seconds in which all workers must come."""

_LIMIT = 1 << 20
_PAUSE = 0.1

Facts = Mapping[str, Any]
"""What must be equal on all workers, by the name that a message gives it."""


def compare(cluster: Cluster, facts: Facts, patience: float = PATIENCE) -> None:
    """Wait for all workers, and compare what each would train.

    Args:
        cluster: The workers; this process is one of them.
        facts: What this worker would train. The values are JSON.
        patience: How many seconds to wait for the others.

    Raises:
        RunError: A worker is missing, differs, or its address cannot be used.
    """
    with _listening(cluster) as listener:
        if cluster.is_chief:
            problems = _as_chief(cluster, dict(facts), listener, patience)
        else:
            problems = _as_worker(cluster, dict(facts), patience)
    if problems:
        raise RunError("; ".join(problems))


@contextmanager
def _listening(cluster: Cluster) -> Iterator[socket.socket]:
    host, port = _parts(cluster.addresses[cluster.index])
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise RunError(f"{cluster.name(cluster.index)} cannot be found: {error}") from error
    with closing(listener):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(cluster.size)
        except OSError as error:
            raise RunError(
                f"{cluster.name(cluster.index)} cannot use its address: "
                f"{error.strerror or error}; does another process, or a second worker "
                f"{cluster.index}, use it?"
            ) from error
        yield listener


def _as_chief(
    cluster: Cluster, facts: dict[str, Any], listener: socket.socket, patience: float
) -> list[str]:
    """Hear every worker, and tell each what is wrong."""
    end = time.monotonic() + patience
    heard: dict[int, dict[str, Any]] = {0: facts}
    waiting: list[socket.socket] = []
    problems: list[str] = []
    try:
        while len(heard) < cluster.size and (left := end - time.monotonic()) > 0:
            listener.settimeout(left)
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                break
            message = _received(connection, max(0.1, min(10.0, end - time.monotonic())))
            if message is None:
                connection.close()
                continue
            waiting.append(connection)
            index = message["index"]
            if index in heard:
                problems.append(f"two processes are worker {index}")
            heard[index] = message["facts"]
        missing = [index for index in range(cluster.size) if index not in heard]
        problems += [
            f"{cluster.name(index)} did not come within {patience:g} seconds" for index in missing
        ]
        problems += _differences(cluster, heard)
        for connection in waiting:
            with suppress(OSError):
                connection.sendall(json.dumps(problems).encode() + b"\n")
    finally:
        for connection in waiting:
            connection.close()
    return problems


def _as_worker(cluster: Cluster, facts: dict[str, Any], patience: float) -> list[str]:
    """Send this worker's facts to the chief; what the chief finds wrong."""
    end = time.monotonic() + patience
    chief = cluster.name(0)
    while True:
        try:
            with socket.create_connection(_parts(cluster.addresses[0]), timeout=5) as connection:
                line = json.dumps({"index": cluster.index, "facts": facts})
                connection.sendall(line.encode() + b"\n")
                problems = _line(connection, max(0.1, end - time.monotonic()) + 5)
        except OSError:
            problems = None
        if isinstance(problems, list):
            return [str(problem) for problem in problems]
        if time.monotonic() > end:
            raise RunError(f"{chief} did not answer within {patience:g} seconds")
        time.sleep(_PAUSE)


def _differences(cluster: Cluster, heard: Mapping[int, Mapping[str, Any]]) -> list[str]:
    expected = heard[0]
    return [
        f"{cluster.name(index)} has another {name} than {cluster.name(0)}: "
        f"{_short(facts.get(name))} and {_short(expected.get(name))}"
        for index, facts in sorted(heard.items())
        for name in sorted({*expected, *facts})
        if facts.get(name) != expected.get(name)
    ]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 80 else f"{text[:60]}…"  # noqa: PLR2004 - a line of a terminal


def _received(connection: socket.socket, seconds: float) -> dict[str, Any] | None:
    """A worker's message; None for anything else that connects."""
    match _line(connection, seconds):
        case {"index": int(index), "facts": dict()} as message if index > 0:
            return dict(message)
    return None


def _line(connection: socket.socket, seconds: float) -> Any:
    """One line of JSON; None where none comes in time, or it is damaged or too long."""
    end = time.monotonic() + seconds
    text = b""
    try:
        while not text.endswith(b"\n") and len(text) < _LIMIT:
            connection.settimeout(max(0.05, end - time.monotonic()))
            more = connection.recv(1 << 16)
            if not more:
                return None
            text += more
        return json.loads(text)
    except (OSError, ValueError, RecursionError):
        return None


def _parts(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
