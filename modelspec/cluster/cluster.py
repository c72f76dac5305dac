"""The addresses of all workers, and the number of this process."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelspec.cluster.slurm import STEP, task_addresses
from modelspec.problems.errors import RunError

TF_CONFIG = "TF_CONFIG"
LOCAL = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Cluster:
    """Workers by number, with the addresses HOST:PORT at which they listen; 0 is the chief.

    Only the chief writes the run's folder and shows progress.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def size(self) -> int:
        return len(self.addresses)

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    def name(self, index: int) -> str:
        return f"worker {index} ({self.addresses[index]})"


def from_environment(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Return the cluster in ``TF_CONFIG`` or else Slurm; None without one, or with one worker.

    Raises:
        RunError: The variables do not describe a cluster of workers.
    """
    text = environment.get(TF_CONFIG, "").strip()
    if not text:
        tasks = task_addresses(environment)
        return checked(*tasks, STEP) if tasks else None
    try:
        config = json.loads(text)
    except ValueError as error:
        raise RunError(f"{TF_CONFIG} is not JSON: {error}") from error
    cluster = _cluster_of(config)
    return cluster if cluster.size > 1 else None


def _cluster_of(config: Any) -> Cluster:
    match config:
        case {
            "cluster": {"worker": [*workers], **jobs},
            "task": {"type": str(kind), "index": int(number)},
        }:
            listed = jobs.get("chief", [])
        case _:
            raise RunError(
                f'{TF_CONFIG} must be {{"cluster": {{"worker": ["HOST:PORT", …]}}, '
                '"task": {"type": "worker", "index": 0}}'
            )
    chiefs: list[Any] = listed if isinstance(listed, list) else []
    if kind not in ("worker", "chief"):
        raise RunError(f"{TF_CONFIG}: the task type {kind!r} is not worker or chief")
    index = number + (len(chiefs) if kind == "worker" else 0)
    return checked([*chiefs, *workers], index, TF_CONFIG)


def checked(addresses: Sequence[Any], index: int, source: str) -> Cluster:
    """Return a cluster, if its addresses, which ``source`` names, are valid.

    Raises:
        RunError: An address is not HOST:PORT, two are equal, or none has the index.
    """
    for address in addresses:
        host, _, port = str(address).rpartition(":")
        if not isinstance(address, str) or not host or not _is_port(port):
            raise RunError(f"the address {address!r} of a worker is not HOST:PORT")
    if len(set(addresses)) < len(addresses):
        raise RunError(f"two workers have the same address: {', '.join(addresses)}")
    if not 0 <= index < len(addresses):
        raise RunError(f"there is no worker {index} among the {len(addresses)} of {source}")
    return Cluster(tuple(addresses), index)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16


def config_text(addresses: Sequence[str], index: int) -> str:
    """Return the ``TF_CONFIG`` of a worker."""
    cluster = {"worker": list(addresses)}
    return json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
