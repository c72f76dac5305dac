"""A model whose batches are split among the devices of one process.

As with ``SharedModel`` among processes, a step gets the whole batch, each device computes the
outputs of its rows, and losses, metrics and strategies get the outputs of all rows. The weights are
on one device; each of the others has a copy of them in every step, and returns its gradients.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from modelspec.backend.keras_private import mask_of, own_losses, set_mask
from modelspec.backend.workers.device_sums import DeviceSums, make_tokens
from modelspec.backend.workers.draws import draws_of_whole_batch, moments_of_whole_batch
from modelspec.backend.workers.outputs import SharedOutput, shared_output
from modelspec.backend.workers.share import Share
from modelspec.backend.workers.shared_model import batch_statistics


class SplitModel:
    """Changes a compiled model, until ``restore``. ``devices`` are TensorFlow's names."""

    collectives = None
    """There are no other processes."""

    def __init__(self, model: Any, devices: Sequence[str]) -> None:
        self.model, self._tokens = model, make_tokens(devices)
        self._total: Any = None
        self._call = model.call
        statistics = batch_statistics(model)
        self.own_statistics = list(statistics)
        """The layers that normalize each device's rows by the statistics of these rows alone."""
        model.call = self._split_call

    def restore(self) -> None:
        """Restore the model as Keras created it."""
        del self.model.call

    def take(self, step: Any, batch: Any, total: Any, **options: bool) -> Any:
        """Return the logs of a step on a batch of ``total`` rows, an int32 scalar."""
        del options  # there are no other processes
        self._total = total
        try:
            return step(batch)
        finally:
            self._total = None

    def _split_call(self, inputs: Any, **options: Any) -> Any:
        if self._total is None:
            return self._call(inputs, **options)
        keys: dict[Any, int] = {}
        parts = [
            self._part(DeviceSums(index, self._tokens, keys), inputs, options)
            for index in range(len(self._tokens))
        ]
        self._update(parts)
        own_losses(self.model).extend(_weighted(parts, [part.losses for part in parts]))
        tensors = [_joined(parts, several) for several in _across(part.tensors for part in parts)]
        joined = _rebuilt(parts[0].outputs, tensors)
        for index, output in enumerate(joined):
            masks = [part.masks[index] for part in parts]
            if masks[0] is not None:
                set_mask(output, _joined(parts, masks))
        return keras.tree.pack_sequence_as(parts[0].structure, joined)

    def _part(self, sums: DeviceSums, inputs: Any, options: Any) -> "_Part":
        share = Share.of(self._total, sums)
        part = _Part(share)

        def forward(*own: Any) -> list[Any]:
            scope = _Updates()
            with (
                scope,
                draws_of_whole_batch(share),
                moments_of_whole_batch(share, sums),
            ):
                packed = keras.tree.pack_sequence_as(inputs, list(own))
                outputs = self._call(packed, **options)
            part.structure, part.updates = outputs, scope.updates
            flat = keras.tree.flatten(outputs)
            part.masks = [mask_of(output) for output in flat]
            part.outputs = [shared_output(output) for output in flat]
            return [*(one for output in part.outputs for one in output.tensors), *scope.losses]

        own = [share.cut(tensor) for tensor in keras.tree.flatten(inputs)]
        results = placed(sums.device, forward)(*own)
        count = sum(len(output.tensors) for output in part.outputs)
        part.tensors, part.losses = results[:count], results[count:]
        return part

    def _update(self, parts: "Sequence[_Part]") -> None:
        """Assign the devices' values to variables; of floats, their mean over the rows.

        So statistics and metrics of layers are averaged. The states of random numbers are integers,
        and equal on all devices.
        """
        for key, (variable, first) in parts[0].updates.items():
            value = first
            if first.dtype.is_floating:
                values = [[part.updates[key][1]] for part in parts]
                value = _weighted(parts, values)[0]
            variable.assign(value)


@dataclass
class _Part:
    """The results of a device for its share; each list is in the order of the model's outputs.

    ``tensors`` are those of ``outputs``, as the device returns them.
    """

    share: Share
    structure: Any = None
    outputs: Sequence[SharedOutput] = ()
    masks: Sequence[Any] = ()
    tensors: Sequence[Any] = ()
    losses: Sequence[Any] = ()
    updates: Any = None


class _Updates(keras.StatelessScope):  # type: ignore[misc]
    """Keeps the values that layers assign to variables, instead of assigning them.

    So every device starts at the same state, also of random numbers.
    """

    def __init__(self) -> None:
        super().__init__(collect_losses=True, initialize_variables=False)
        self.updates: dict[int, tuple[Any, Any]] = {}

    def add_update(self, update: tuple[Any, Any]) -> None:
        variable, value = update
        self.updates[id(variable)] = (variable, value)
        super().add_update(update)


def placed(device: str, function: Any) -> Any:
    """Return a function of tensors on a device, forward and backward.

    A tape computes gradients on the device that calls it, which would be the first one.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def placed(*inputs: Any) -> Any:
        with tf.device(device), tf.GradientTape(persistent=True) as tape:
            tape.watch([tensor for tensor in inputs if tensor.dtype.is_floating])
            results = function(*inputs)

        def gradient(*upstream: Any, variables: Any = ()) -> Any:
            pairs = [
                (result, wanted)
                for result, wanted in zip(results, upstream, strict=True)
                if result.dtype.is_floating
            ]
            with tf.device(device):
                gradients = tape.gradient(
                    [result for result, _ in pairs],
                    [*inputs, *variables],
                    output_gradients=[wanted for _, wanted in pairs],
                )
            return gradients[: len(inputs)], gradients[len(inputs) :]

        return results, gradient

    return placed


def _across(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True))


def _rebuilt(outputs: Sequence[SharedOutput], tensors: Sequence[Any]) -> list[Any]:
    """Return the outputs of all rows, from their tensors of all rows."""
    left = iter(tensors)
    return [output.rebuild([next(left) for _ in output.tensors]) for output in outputs]


def _joined(parts: Sequence[_Part], tensors: Sequence[Any]) -> Any:
    """Concatenate the rows of all devices, in order."""
    counted = [part.share.counted(tensor) for part, tensor in zip(parts, tensors, strict=True)]
    return tf.concat(counted, 0)


def _weighted(parts: Sequence[_Part], values: Sequence[Sequence[Any]]) -> list[Any]:
    """Return means over the devices, weighted by their rows, at each place of their lists."""

    def mean(several: Sequence[Any]) -> Any:
        pairs = zip(parts, several, strict=True)
        total = tf.add_n([part.share.weighted(value) for part, value in pairs])
        return tf.cast(total, several[0].dtype)

    return [mean(several) for several in _across(values)]
