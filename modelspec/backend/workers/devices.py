"""The devices of this process that share a training."""

import os
from collections.abc import Sequence
from typing import Literal

from modelspec.problems.errors import RunError

LOGICAL_CPUS = "MODELSPEC_LOGICAL_CPUS"
"""The environment variable with the number of devices that stand in for GPUs, for tests."""


def prepare_devices() -> None:
    """Divide the processor into logical devices, if the environment says so.

    Call it before TensorFlow's first operation.
    """
    count = os.environ.get(LOGICAL_CPUS, "")
    if count.isdigit() and int(count) > 1:
        import tensorflow as tf

        parts = [tf.config.LogicalDeviceConfiguration() for _ in range(int(count))]
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)


def choose_devices(wanted: Literal["auto"] | int) -> Sequence[str]:
    """The names of the devices that train; empty for one device, which TensorFlow chooses.

    Args:
        wanted: A number of devices, or ``auto``: all GPUs.

    Raises:
        RunError: There are not as many.
    """
    import tensorflow as tf

    gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
    if wanted == "auto":
        return gpus if len(gpus) > 1 else ()
    devices = gpus or [device.name for device in tf.config.list_logical_devices("CPU")]
    if wanted > len(devices):
        kind = f"{len(gpus)} GPUs" if gpus else "no GPU"
        raise RunError(
            f"training.devices is {wanted}, and TensorFlow finds {kind} on this machine; "
            "--workers N trains with several processes on its processors"
        )
    return devices[:wanted] if wanted > 1 else ()
