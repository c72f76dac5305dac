"""Sums over the devices of one process, each of which computes a part of a step's batch."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from modelspec.backend.workers.collectives import next_key

_GROUP = 4712
"""The key of the group of all devices; any number that TensorFlow does not use itself."""


def make_tokens(devices: Sequence[str]) -> list[Any]:
    """Create a variable on each device to order its sums; without it TensorFlow never ends."""
    tokens = []
    for device in devices:
        with tf.device(device):
            tokens.append(tf.Variable(0.0, trainable=False))
    return tokens


class DeviceSums:
    """Adds the tensors of device ``index`` to sums that all devices get.

    ``keys`` belongs to one call of the model, and is the same object for all devices: it matches
    the sums at one place in the model, forward and backward.
    """

    def __init__(self, index: int, tokens: Sequence[Any], keys: dict[Any, int]) -> None:
        self.index, self.count = index, len(tokens)
        self._token, self._keys = tokens[index].handle, keys
        self.device = tokens[index].device
        self._sums = 0

    def sum(self, value: Any) -> Any:
        """Return the sum of a tensor over the devices; it has no gradient."""
        self._sums += 1
        return self._sum(value, ("forward", self._sums))

    def differentiable_sum(self, value: Any) -> Any:
        """Return the sum over the devices, whose gradient is the sum of the devices' gradients."""
        self._sums += 1
        place, times = self._sums, 0

        def total(local: Any) -> Any:
            def gradient(upstream: Any) -> Any:
                nonlocal times
                times += 1  # a tape may compute gradients more than once
                return self._sum(upstream, ("backward", place, times))

            return self._sum(local, ("forward", place)), gradient

        return tf.custom_gradient(total)(value)

    def _sum(self, value: Any, place: Any) -> Any:
        if place not in self._keys:
            self._keys[place] = next_key()
        with tf.device(self.device):
            return tf.raw_ops.CollectiveReduceV2(
                input=value,
                group_size=self.count,
                group_key=_GROUP,
                instance_key=self._keys[place],
                ordering_token=[self._token],
                merge_op="Add",
                final_op="Id",
            )
