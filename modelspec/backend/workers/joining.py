"""A process that becomes one worker of a cluster."""

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelspec.backend.start import start

if TYPE_CHECKING:
    from modelspec.backend.workers.collectives import Collectives

_CONFIG = "TF_CONFIG"
_HEALTH_SECONDS = 5
"""The time between two looks at the other workers, and how long an answer may take."""


def join(addresses: Sequence[str], index: int) -> "Collectives":
    """Start TensorFlow as worker ``index`` of those at ``addresses`` (HOST:PORT each).

    It returns when all workers have connected. Call it before anything else starts Keras.
    """
    os.environ[_CONFIG] = json.dumps(
        {"cluster": {"worker": list(addresses)}, "task": {"type": "worker", "index": index}}
    )
    start(first=_start_runtime)
    from modelspec.backend.workers.collectives import Collectives

    collectives = Collectives(addresses, index)
    collectives.wait_for_all()
    return collectives


def _start_runtime() -> None:
    import tensorflow as tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    # Only the thread that asks the other workers whether they live is kept.
    _STARTED.append(strategy)


_STARTED: list[object] = []
