"""The addresses of workers: names resolved, connections tried."""

import ipaddress
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from modelspec.cluster.cluster import Cluster
from modelspec.problems.errors import RunError

SECONDS = 5.0
"""The most seconds for a connection."""

_PAUSE = 0.5


class Place(NamedTuple):
    """The arguments of the socket module for an address."""

    family: socket.AddressFamily
    address: Any


def own(cluster: Cluster, end: float) -> Place:
    """Return the address of this worker, whose name may be unknown until a pod has started.

    Args:
        cluster: The workers.
        end: The time, of the monotonic clock, until which the name must be known.

    Raises:
        RunError: The name is unknown, or other machines cannot use its address.
    """
    while True:
        try:
            place = _resolved(cluster, cluster.index)
        except OSError as error:
            if time.monotonic() > end:
                name = cluster.name(cluster.index)
                raise RunError(f"{name} cannot be found: {error.strerror or error}") from error
            time.sleep(_PAUSE)
        else:
            _refuse_loopback(cluster, place)
            return place


@contextmanager
def connected(cluster: Cluster, index: int, seconds: float = SECONDS) -> Iterator[socket.socket]:
    """Connect to a worker.

    Raises:
        OSError: The worker is unreachable.
    """
    with socket.create_connection(_parts(cluster.addresses[index]), timeout=seconds) as connection:
        yield connection


def why_unreachable(cluster: Cluster, index: int, seconds: float) -> str:
    """Return why a worker is unreachable; empty if it can be reached."""
    try:
        with connected(cluster, index, seconds):
            return ""
    except TimeoutError:
        return f"no connection within {seconds:g} seconds; is the port open in the firewall?"
    except OSError as error:
        return error.strerror or str(error)


def _refuse_loopback(cluster: Cluster, place: Place) -> None:
    """Refuse an own name that means the loopback address, where others have real addresses."""
    if not _is_loopback(place):
        return
    for index, address in enumerate(cluster.addresses):
        try:
            elsewhere = not _is_loopback(_resolved(cluster, index))
        except OSError:
            continue
        if elsewhere:
            name = cluster.name(cluster.index)
            raise RunError(
                f"{name} is known as {place.address[0]} on its own machine, which {address} cannot "
                "reach: correct /etc/hosts there, or name an address of the network"
            )


def _resolved(cluster: Cluster, index: int) -> Place:
    host, port = _parts(cluster.addresses[index])
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return Place(family, address)


def _is_loopback(place: Place) -> bool:
    return ipaddress.ip_address(str(place.address[0]).partition("%")[0]).is_loopback


def _parts(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
