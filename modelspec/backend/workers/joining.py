"""A process that becomes one worker of a cluster."""

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelspec.backend.start import start
from modelspec.backend.workers.own_address import only_at
from modelspec.cluster import addresses as places
from modelspec.cluster.cluster import TF_CONFIG, Cluster, config_text
from modelspec.problems.errors import RunError

if TYPE_CHECKING:
    from modelspec.backend.workers.collectives import Collectives

_CHECK_EVERY = 10
"""Seconds between two checks of the other workers; each is tried three times for 10 seconds."""

_started: list[object] = []
"""The strategy, whose thread checks the other workers as long as the object exists."""


def join(addresses: Sequence[str], index: int) -> "Collectives":
    """Start TensorFlow as worker ``index`` of those at ``addresses`` (HOST:PORT each).

    It returns when all workers have connected. Call it before anything else starts Keras.

    Raises:
        RunError: The worker's address is unknown, or its port cannot be closed to other addresses.
        ModelError: TensorFlow lacks a private part.
    """
    os.environ[TF_CONFIG] = config_text(addresses, index)
    place = places.own(Cluster(tuple(addresses), index), time.monotonic())
    host, port = str(place.address[0]).partition("%")[0], int(place.address[1])
    try:
        with only_at(host, port):
            start(first=_start_runtime)
    except OSError as error:
        raise RunError(f"port {port} cannot be restricted to {host}: {error}") from error
    from modelspec.backend.workers.collectives import Collectives

    collectives = Collectives(addresses, index)
    collectives.wait_for_all()
    return collectives


def _start_runtime() -> None:
    import tensorflow as tf

    from modelspec.backend.tensorflow_private import check_peers_every

    # By default another worker counts as lost only after more than a minute.
    check_peers_every(_CHECK_EVERY)
    _started.append(tf.distribute.MultiWorkerMirroredStrategy())
