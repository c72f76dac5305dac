"""A server that listens everywhere, kept to one address."""

import socket
import subprocess
import sys

import pytest
from worker_runs import free_addresses

from modelspec.backend.workers.own_address import only_at

pytestmark = [pytest.mark.keras, pytest.mark.process]

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has filters")
OTHER = "127.0.0.2"


@LINUX
@pytest.mark.parametrize(
    ("own", "other"), [("127.0.0.1", OTHER), (OTHER, "127.0.0.1"), ("::1", "127.0.0.1")]
)
def test_only_the_own_address_is_served(own: str, other: str) -> None:
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::", 0))
        port = server.getsockname()[1]
        with only_at(own, port):
            server.listen()
        with socket.create_connection((own, port), timeout=20):
            pass
        with pytest.raises(TimeoutError):
            socket.create_connection((other, port), timeout=0.5)


@LINUX
def test_a_server_that_did_not_start_is_told() -> None:
    with pytest.raises(OSError, match="does not listen at port 9"), only_at("127.0.0.1", 9):
        pass


@LINUX
@pytest.mark.sweep
@pytest.mark.process
def test_a_worker_serves_its_own_address_alone() -> None:
    [address] = free_addresses("127.0.0.1")
    port = int(address.rpartition(":")[2])
    program = (
        "from modelspec.backend.workers.joining import join\n"
        f"join(({address!r},), 0)\n"
        "print('joined', flush=True)\n"
        "input()\n"
        "import os; os._exit(0)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"joined\n"
        with socket.create_connection(("127.0.0.1", port), timeout=20):
            pass
        with pytest.raises(TimeoutError):
            socket.create_connection((OTHER, port), timeout=0.5)
        worker.communicate(b"\n")
