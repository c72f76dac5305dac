"""Messages of workers about each other before they train: missing and different workers."""

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from modelspec.cluster.cluster import Cluster
from modelspec.cluster.preflight import compare
from modelspec.problems.errors import RunError

FACTS: dict[str, Any] = {
    "spec": "f00d",
    "data": {"samples": 3, "sha256": {"x": "abc"}},
    "seed": 0,
    "version": {"keras": "3.15.1"},
}
PATIENCE = 20.0
SHORT = 0.2


def addresses(count: int) -> tuple[str, ...]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return tuple(f"127.0.0.1:{opened.getsockname()[1]}" for opened in sockets)


def verdicts(
    *facts: dict[str, Any], count: int | None = None, patience: float = PATIENCE
) -> list[str]:
    """Return the problems of each worker; empty without any."""
    where = addresses(count or len(facts))

    def verdict(index: int) -> str:
        try:
            compare(Cluster(where, index), facts[index], patience)
        except RunError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(facts)) as pool:
        return list(pool.map(verdict, range(len(facts))))


@pytest.mark.parametrize("count", [2, 3, 5])
def test_equal_workers_may_start(count: int) -> None:
    assert verdicts(*[FACTS] * count) == [""] * count


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"data": {"samples": 4, "sha256": {"x": "abc"}}}, "data"),
        ({"data": {"samples": 3, "sha256": {"x": "abd"}}}, "data"),
        ({"spec": "beef"}, "spec"),
        ({"seed": 1}, "seed"),
        ({"version": {"keras": "3.13.0"}}, "version"),
        ({"list of workers": 3}, "list of workers"),
    ],
)
def test_every_worker_is_told_who_differs(changed: dict[str, Any], name: str) -> None:
    told = verdicts(FACTS, FACTS, FACTS | changed)
    assert len(set(told)) == 1
    assert told[0].startswith("worker 2 (127.0.0.1:")
    assert f"has another {name} than worker 0" in told[0]


def test_a_missing_worker_is_named() -> None:
    told = verdicts(FACTS, FACTS, count=3, patience=0.5)
    assert all("worker 2 (127.0.0.1:" in text and "did not come" in text for text in told)


def test_a_missing_chief_is_named() -> None:
    with pytest.raises(RunError, match=r"worker 0 .* did not answer"):
        compare(Cluster(addresses(2), 1), FACTS, SHORT)


@pytest.mark.parametrize("index", [0, 1])
def test_a_port_that_is_taken_is_named(index: int) -> None:
    """So is a second process that believes to be the same worker, as a second chief does."""
    where = addresses(2)
    host, _, port = where[index].rpartition(":")
    with socket.create_server((host, int(port))), pytest.raises(RunError, match=f"worker {index}"):
        compare(Cluster(where, index), FACTS, SHORT)


def test_an_address_of_another_machine_cannot_be_used() -> None:
    where = ("192.0.2.1:2222", addresses(1)[0])
    with pytest.raises(RunError, match="cannot use its address"):
        compare(Cluster(where, 0), FACTS, SHORT)


def test_two_processes_of_one_number_are_named() -> None:
    where = addresses(3)
    said: list[str] = []

    def chief() -> None:
        try:
            compare(Cluster(where, 0), FACTS, PATIENCE)
        except RunError as error:
            said.append(str(error))

    thread = threading.Thread(target=chief)
    thread.start()
    host, _, port = where[0].rpartition(":")
    for index in (1, 1, 2):
        send(host, int(port), json.dumps({"index": index, "facts": FACTS}).encode() + b"\n")
    thread.join()
    assert said == ["two processes are worker 1"]


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"\n", b"GET / HTTP/1.1\r\n\r\n", b'{"index": 1}\n', b"[" * 100_000 + b"\n"],
    ids=["nothing", "line", "http", "no facts", "deep"],
)
def test_strangers_are_ignored(rubbish: bytes) -> None:
    where = addresses(2)
    host, _, port = where[0].rpartition(":")
    with ThreadPoolExecutor(2) as pool:
        chief = pool.submit(compare, Cluster(where, 0), FACTS, PATIENCE)
        send(host, int(port), rubbish)
        worker = pool.submit(compare, Cluster(where, 1), FACTS, PATIENCE)
        chief.result()
        worker.result()


def send(host: str, port: int, text: bytes) -> None:
    """Send a message and leave, as soon as somebody listens."""
    while True:
        try:
            with socket.create_connection((host, port), timeout=5) as connection:
                connection.sendall(text)
                return
        except OSError:
            continue
