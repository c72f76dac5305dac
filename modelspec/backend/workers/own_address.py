"""TensorFlow's server, closed for addresses other than the worker's.

TensorFlow opens the port of a worker on all addresses of the machine, and has no setting for it. On
Linux, a process can attach a filter to a listening socket: packets to other addresses are dropped
before a connection is made.
"""

import ctypes
import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_ATTACH_FILTER = 26
_LISTENS = "0A"  # TCP_LISTEN in /proc/net/tcp
_POLL = 0.002

_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_PROTOCOL, _NETWORK_HEADER = 0xFFFFF000, 0xFFF00000
_IPV4, _IPV4_DESTINATION, _IPV6_DESTINATION = 0x0800, 16, 24


@contextmanager
def only_at(host: str, port: int) -> Iterator[None]:
    """Make a server that starts inside accept connections to one address only.

    Args:
        host: A numeric address of this machine.
        port: The port of the server.

    Raises:
        OSError: The filter cannot be attached.
    """
    if not sys.platform.startswith("linux"):
        yield
        return
    watch = _Watch(host, port)
    watch.start()
    try:
        yield
    finally:
        watch.finish()


class _Watch(threading.Thread):
    """Attaches the filter as soon as the process listens."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(daemon=True)
        self._host, self._port = host, port
        self._done = threading.Event()

    def run(self) -> None:
        while not self._done.wait(_POLL):
            with suppress(OSError):
                if restrict(self._host, self._port):
                    return

    def finish(self) -> None:
        """End the thread; attach the filter once more, in case the thread was too late."""
        self._done.set()
        self.join()
        if not restrict(self._host, self._port):
            raise OSError(f"this process does not listen at port {self._port}")


def restrict(host: str, port: int) -> bool:
    """Restrict a port of this process to one address; return True where anything listens."""
    handles = list(_listening(port))
    for handle in handles:
        with socket.socket(fileno=os.dup(handle)) as listener:
            _attach(listener, host)
    return bool(handles)


def _listening(port: int) -> Iterator[int]:
    """Yield descriptors of this process that listen at a port."""
    sockets = {f"socket:[{number}]" for number in _numbers(port)}
    if sockets:
        for entry in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                if str(entry.readlink()) in sockets:
                    yield int(entry.name)


def _numbers(port: int) -> Iterator[str]:
    for name in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/self/net/{name}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    yield fields[9]


def _attach(listener: socket.socket, host: str) -> None:
    program = _program(host)
    lines = b"".join(struct.pack("HBBI", *line) for line in program)
    buffer = ctypes.create_string_buffer(lines, len(lines))
    where = ctypes.addressof(buffer)
    listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HL", len(program), where))


def _program(host: str) -> list[tuple[int, int, int, int]]:
    """Accept packets to the address, drop others; items are code, two jumps and a value."""
    is_v4 = ":" not in host
    packed = socket.inet_pton(socket.AF_INET if is_v4 else socket.AF_INET6, host)
    words = struct.unpack(f"!{len(packed) // 4}I", packed)
    first = _IPV4_DESTINATION if is_v4 else _IPV6_DESTINATION
    lines = [(_LOAD, 0, 0, _PROTOCOL)]
    drop = 2 * len(words) + 1  # the instructions between the next one and the last
    lines.append((_JUMP_IF_EQUAL, *((0, drop) if is_v4 else (drop, 0)), _IPV4))
    for place, word in enumerate(words):
        drop -= 2
        lines.append((_LOAD, 0, 0, _NETWORK_HEADER + first + 4 * place))
        lines.append((_JUMP_IF_EQUAL, 0, drop, word))
    return [*lines, (_RETURN, 0, 0, 0xFFFFFFFF), (_RETURN, 0, 0, 0)]
