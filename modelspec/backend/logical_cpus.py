"""Devices that replace GPUs in tests: parts of the processor."""

import os

LOGICAL_CPUS = "MODELSPEC_LOGICAL_CPUS"
"""The environment variable with the number of devices that replace GPUs in tests."""


def prepare_devices() -> None:
    """Divide the processor into logical devices, if the environment says so.

    Call it before TensorFlow's first operation.
    """
    count = os.environ.get(LOGICAL_CPUS, "")
    if count.isdigit() and int(count) > 1:
        import tensorflow as tf

        parts = [tf.config.LogicalDeviceConfiguration() for _ in range(int(count))]
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
