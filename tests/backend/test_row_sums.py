"""The dense gradients of rows: the bits of TensorFlow's own sum, and where that is used."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

import modelspec
from modelspec.backend.training import xla
from modelspec.backend.training.row_sums import fast_row_sums

pytestmark = pytest.mark.keras

PRODUCT = "SparseTensorDenseMatMul"
FAST = [(50, 16), (30, 64), (5, 6, 7)]
SLOW = [(7, 37), (40, 74), (9, 4), (9,)]
"""Shapes whose rows have no parts of 8 to 31 numbers."""
SPEC = """
modelspec: 1
inputs: {word: {shape: [2], dtype: int32}}
layers:
  - Embedding: {input_dim: 20, output_dim: 8}
  - Flatten
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
optimizer: adam
training: {epochs: 2, batch_size: 4}
"""


def rows(shape: tuple[int, ...], dtype: str, count: int = 400) -> tf.IndexedSlices:
    random = np.random.default_rng(0)
    values = tf.constant(random.normal(size=(count, *shape[1:])), dtype)
    indices = tf.constant(random.integers(0, shape[0] - 1, count), tf.int32)
    return tf.IndexedSlices(values, indices, tf.constant(shape))


def dense(slices: tf.IndexedSlices, *, use: bool) -> tuple[Any, str]:
    """Return the dense tensor, and the text of the graph that computes it."""

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def convert(sparse: Any) -> Any:
        with fast_row_sums(use=use):
            return tf.convert_to_tensor(sparse)

    result = convert(slices).numpy()
    return result, str(convert.get_concrete_function(slices).graph.as_graph_def())


@pytest.mark.parametrize("shape", [*FAST, *SLOW])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_the_sum_has_the_bits_of_tensorflow(shape: tuple[int, ...], dtype: str) -> None:
    slices = rows(shape, dtype)
    ours, graph = dense(slices, use=True)
    theirs, other = dense(slices, use=False)
    assert ours.tobytes() == theirs.tobytes()
    assert not ours[-1].any()
    assert (PRODUCT in graph) == (dtype != "bfloat16" and shape in FAST)
    assert PRODUCT not in other


def test_no_rows_give_zeros() -> None:
    result, _ = dense(rows((5, 8), "float32", 0), use=True)
    assert result.tolist() == np.zeros((5, 8)).tolist()


def test_a_gpu_keeps_the_sum_of_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [kind])
    _, graph = dense(rows((5, 8), "float32"), use=True)
    assert PRODUCT not in graph


@pytest.mark.parametrize("jit", ["false", "optimizer", "true"])
def test_only_tensorflow_uses_the_product(
    jit: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xla, "LARGE", 1)
    calls: list[Any] = []
    product = tf.raw_ops.SparseTensorDenseMatMul

    def counted(**options: Any) -> Any:
        calls.append(options)
        return product(**options)

    monkeypatch.setattr(tf.raw_ops, PRODUCT, counted)
    data = {"word": np.ones((8, 2), "i"), "y": np.ones((8, 1), "f")}
    source = modelspec.loads(SPEC, [f"training.jit={jit}"])
    assert modelspec.train(source, data, run=tmp_path / "run").status == "completed"
    assert bool(calls) == (jit == "false")
