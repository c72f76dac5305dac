"""The devices of this process that share a training."""

from collections.abc import Sequence
from typing import Literal

from modelspec.backend.start import start
from modelspec.problems.errors import RunError


def choose_devices(wanted: Literal["auto"] | int) -> Sequence[str]:
    """Return the names of the devices that train; empty for one device, which TensorFlow chooses.

    Keras starts here, if it has not started yet.

    Args:
        wanted: A number of devices, or ``auto``: all GPUs.

    Raises:
        RunError: There are fewer devices.
    """
    start()
    import tensorflow as tf

    gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
    if wanted == "auto":
        return gpus if len(gpus) > 1 else ()
    devices = gpus or [device.name for device in tf.config.list_logical_devices("CPU")]
    if wanted > len(devices):
        kind = f"{len(gpus)} GPUs" if gpus else "no GPU"
        raise RunError(
            f"training.devices is {wanted}, but TensorFlow finds {kind} on this machine; "
            "--workers N trains with several processes on its processors"
        )
    return devices[:wanted] if wanted > 1 else ()
