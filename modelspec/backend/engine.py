"""Many steps of a compiled Keras model in one call of a TensorFlow function.

``model.fit`` asks Python for every batch. Here a call takes the rows of many batches, and walks
them inside the graph with the model's own ``train_step`` and ``test_step``: the same arithmetic,
without the way back to Python between steps.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelspec.backend.forms import input_arrays, output_names, target_arrays, weight_arrays
from modelspec.feed import Array, Piece


class Engine:
    """Steps of one compiled model. ``jit`` compiles each step with XLA."""

    def __init__(self, model: Any, *, jit: bool = False) -> None:
        # The same run must give the same weights; by default TensorFlow sums the gradients of an
        # Embedding in whatever order its threads come.
        tf.config.experimental.enable_op_determinism()
        self.model = model
        self._walks: dict[Any, Callable[..., None]] = {}
        self._jit = jit
        self._built = False

    def train(self, piece: Piece, batch_size: int) -> None:
        """Update weights, optimizer and metrics by each batch of the piece in turn."""
        self._walk("train", piece, batch_size)

    def test(self, piece: Piece, batch_size: int) -> None:
        """Update metrics only."""
        self._walk("test", piece, batch_size)

    def results(self) -> dict[str, float]:
        """Loss and metrics since the last reset, by Keras's own names.

        A metric of several values, such as one for each class, gives ``NAME_0``, ``NAME_1``, ….
        """
        found = self.model.get_metrics_result().items()
        return dict(pair for name, value in found for pair in _numbers(name, np.asarray(value)))

    def _walk(self, phase: str, piece: Piece, batch_size: int) -> None:
        data = tf.nest.map_structure(tf.convert_to_tensor, self._arrays(piece))
        if not self._built:
            self._build(data)
        specs = tf.nest.map_structure(_any_length, data)
        key = (phase, tuple(tf.nest.flatten(specs)))
        if key not in self._walks:
            step = self.model.train_step if phase == "train" else self.model.test_step
            self._walks[key] = _walker(step, specs, jit=self._jit)
        self._walks[key](data, tf.constant(batch_size))

    def _arrays(self, piece: Piece) -> Any:
        arrays = input_arrays(self.model, piece), target_arrays(self.model, piece)
        return (*arrays, weight_arrays(self.model, piece)) if piece.weights else arrays

    def _build(self, data: Any) -> None:
        """Let Keras make its metrics' variables, which cannot be made inside a loop.

        As ``fit`` does it, on symbols: a real step could change the state of layers.
        """
        self.model._symbolic_build(data_batch=data)  # noqa: SLF001
        self._built = True


def _numbers(name: str, value: Array) -> Iterator[tuple[str, float]]:
    if value.ndim == 0:
        yield name, float(value)
    else:
        yield from ((f"{name}_{index}", float(each)) for index, each in enumerate(value.ravel()))


def _any_length(tensor: Any) -> Any:
    """The type of a tensor whose first axis varies: a short last piece needs no new trace."""
    return tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype)


def _walker(step: Callable[[Any], Any], specs: Any, *, jit: bool) -> Callable[..., None]:
    one = tf.function(step, jit_compile=True, reduce_retracing=True) if jit else step

    @tf.function(input_signature=[specs, tf.TensorSpec([], tf.int32)], autograph=False)  # type: ignore[untyped-decorator]
    def walk(data: Any, batch_size: Any) -> None:
        samples = tf.shape(tf.nest.flatten(data)[0])[0]

        def body(start: Any) -> tuple[Any]:
            stop = start + batch_size
            one(tf.nest.map_structure(lambda tensor: tensor[start:stop], data))
            return (stop,)

        tf.while_loop(lambda start: start < samples, body, [tf.constant(0)], parallel_iterations=1)

    walker: Callable[..., None] = walk
    return walker


def predictor(model: Any) -> Callable[[Piece], dict[str, Array]]:
    """A function from the inputs of a piece to one array per output, by name."""
    names = output_names(model)
    forward = tf.function(lambda given: model(given, training=False), reduce_retracing=True)

    def predict(piece: Piece) -> dict[str, Array]:
        given = tf.nest.map_structure(tf.convert_to_tensor, input_arrays(model, piece))
        results = keras.tree.flatten(forward(given))
        return {name: _array(result) for name, result in zip(names, results, strict=True)}

    return predict


def _array(result: Any) -> Array:
    """bfloat16 as float32, since NumPy has no such type, and npz files cannot hold it."""
    array: Array = tf.cast(
        result, tf.float32 if result.dtype == tf.bfloat16 else result.dtype
    ).numpy()
    return array
