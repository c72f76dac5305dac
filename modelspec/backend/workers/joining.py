"""A process that becomes one worker of a cluster."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelspec.backend.start import start
from modelspec.cluster.cluster import TF_CONFIG, config_text

if TYPE_CHECKING:
    from modelspec.backend.workers.collectives import Collectives

_started: list[object] = []
"""The strategy, whose thread asks the other workers whether they live, as long as it is kept."""


def join(addresses: Sequence[str], index: int) -> "Collectives":
    """Start TensorFlow as worker ``index`` of those at ``addresses`` (HOST:PORT each).

    It returns when all workers have connected. Call it before anything else starts Keras.
    """
    os.environ[TF_CONFIG] = config_text(addresses, index)
    start(first=_start_runtime)
    from modelspec.backend.workers.collectives import Collectives

    collectives = Collectives(addresses, index)
    collectives.wait_for_all()
    return collectives


def _start_runtime() -> None:
    import tensorflow as tf

    _started.append(tf.distribute.MultiWorkerMirroredStrategy())
