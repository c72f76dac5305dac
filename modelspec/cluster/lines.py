"""Messages among workers: one line of JSON each, from and to sockets."""

import json
import socket
import time
from contextlib import suppress
from typing import Any

_LIMIT = 1 << 20


def send(connection: socket.socket, value: Any) -> None:
    """Send a value, if the connection is still open."""
    with suppress(OSError):
        connection.sendall(json.dumps(value).encode() + b"\n")


def received(connection: socket.socket, seconds: float) -> Any:
    """Return one line of JSON; None if it is late, damaged or too long."""
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
