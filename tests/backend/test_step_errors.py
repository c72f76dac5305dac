"""TensorFlow's message about a step that it cannot compute is shown to the user, with the layer."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import modelspec
from modelspec.backend.training.step_errors import run_step
from modelspec.problems.errors import ModelError, StepError

pytestmark = pytest.mark.keras

layers = keras.layers


def invalid(x: Any) -> Any:
    tf.debugging.assert_less(x, 0.0, message="the values are too large")
    return x


def not_found(x: Any) -> Any:
    return x + tf.cast(tf.strings.length(tf.io.read_file("/no/such/file")), tf.float32)


def failed_precondition(x: Any) -> Any:
    table = tf.raw_ops.HashTableV2(key_dtype=tf.int64, value_dtype=tf.float32, container="a")
    size = tf.raw_ops.LookupTableSizeV2(table_handle=table)
    value = tf.raw_ops.LookupTableFindV2(table_handle=table, keys=[size], default_value=0.0)
    return x + value


def out_of_range(x: Any) -> Any:
    return tf.debugging.check_numerics(x / 0.0, "a value beyond all bounds")


def exhausted(x: Any) -> Any:
    size = tf.cast(tf.shape(x)[0], tf.int64) * (1 << 44)
    return x + tf.reduce_sum(tf.random.normal([size]))


def python_error(x: Any) -> Any:
    def fail(_: Any) -> Any:
        raise NotImplementedError("not for these values")

    return tf.ensure_shape(tf.py_function(fail, [x], tf.float32), x.shape)


def while_tracing(x: Any) -> Any:
    return x * (1.0 / float(x.shape[-1] - 3))


class Failing(keras.Layer):  # type: ignore[misc]
    """A layer that runs an operation which fails when it is run, not when it is traced."""

    def __init__(self, operation: Any, name: str) -> None:
        super().__init__(name=name)
        self.operation = operation

    def call(self, x: Any) -> Any:
        return self.operation(x)

    def compute_output_spec(self, x: Any) -> Any:
        return keras.KerasTensor(x.shape, x.dtype)


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (invalid, "the values are too large"),
        (not_found, "/no/such/file; No such file or directory"),
        (failed_precondition, "not initialized"),
        (out_of_range, "a value beyond all bounds"),
        pytest.param(exhausted, "OOM|allocat|memory", marks=pytest.mark.sweep),
        (python_error, "not for these values"),
        (while_tracing, "ZeroDivisionError: float division by zero"),
    ],
)
@pytest.mark.parametrize(
    "name",
    ["block_1.gate", *(pytest.param(name, marks=pytest.mark.sweep) for name in ("gate", "gate_1"))],
)
def test_reason_and_layer(operation: Any, said: str, name: str) -> None:
    inputs = keras.Input((3,))
    first = layers.Dense(3, kernel_initializer="ones", name="gate_2")(inputs)
    model = keras.Model(inputs, Failing(operation, name)(first))
    step = tf.function(lambda x: model(x, training=False), autograph=False)
    with pytest.raises(StepError, match=said) as raised:
        run_step(lambda: step(np.ones((2, 3), "f")), model)
    message = str(raised.value)
    assert raised.value.layer == name
    for noise in ("Graph execution error", "Detected at node", "File ", "{{node", "[Op:"):
        assert noise not in message
    assert "\n" not in message


SPEC = """\
modelspec: 1
inputs:
  image: {shape: [3, 8, 8]}
layers:
  - Conv2D: {filters: 2, kernel_size: 3, data_format: channels_first}
  - Conv2D: {filters: 2, kernel_size: 3, data_format: channels_first}
  - Flatten
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
training: {epochs: 1, jit: false}
"""


@pytest.mark.process
def test_training_tells_the_line(tmp_path: Path) -> None:
    """Without oneDNN, TensorFlow has no gradient of a channels_first convolution on a CPU."""
    (tmp_path / "spec.yaml").write_text(SPEC, encoding="utf-8")
    np.savez(tmp_path / "d.npz", image=np.ones((8, 3, 8, 8), "f"), y=np.ones(8, "f"))
    command = [sys.executable, "-m", "modelspec", "train", "spec.yaml", "--data", "d.npz"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "TF_ENABLE_ONEDNN_OPTS": "0", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "spec.yaml:5: layer conv2d: " in done.stderr or "spec.yaml:6: layer" in done.stderr
    assert "NHWC" in done.stderr
    assert "needs oneDNN, which TF_ENABLE_ONEDNN_OPTS=0 turns off" in done.stderr


BEYOND = """\
modelspec: 1
inputs:
  x: {shape: [4]}
layers:
  - Rescaling: {scale: 100}
  - Embedding: {input_dim: 10, output_dim: 2}
    name: table
  - Flatten
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
training: {epochs: 1, jit: false}
"""


@pytest.mark.parametrize("verb", ["train", "evaluate", "predict"])
def test_every_verb_tells_the_line(verb: str, tmp_path: Path) -> None:
    source = modelspec.loads(BEYOND, name="beyond.yaml")
    data: dict[str, Any] = {"x": np.ones((8, 4), "f"), "y": np.ones((8, 1), "f")}
    (tmp_path / "beyond.yaml").write_text(BEYOND, encoding="utf-8")
    target = modelspec.open_target(tmp_path / "beyond.yaml")
    verbs: Any = {
        "train": lambda: modelspec.train(source, data, run=tmp_path / "run"),
        "evaluate": lambda: modelspec.evaluate(target, data),
        "predict": lambda: modelspec.predict(target, data),
    }
    with pytest.raises(ModelError, match=r"beyond.yaml:6: layer table: TensorFlow cannot compute"):
        verbs[verb]()


UNFIT = """\
modelspec: 1
inputs:
  x: {shape: SHAPE}
layers:
  - LAYER
    name: unfit
  - Flatten
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
training: {epochs: 1, jit: false, precision: PRECISION}
"""


@pytest.mark.parametrize(
    ("layer", "shape", "precision", "place"),
    [
        # Outside of training, it does not crop.
        ("RandomCrop: {height: 4, width: 4}", (8, 8, 3), "float32", "8: layer y"),
        ("AdaptiveMaxPooling3D: {output_size: 2}", (4, 4, 4, 3), "float64", "5: layer unfit"),
        ("AveragePooling3D: {pool_size: 2}", (4, 4, 4, 3), "float64", "5: layer unfit"),
    ],
)
def test_layers_that_fail_before_the_first_step_have_their_line(
    layer: str, shape: tuple[int, ...], precision: str, place: str, tmp_path: Path
) -> None:
    text = UNFIT.replace("LAYER", layer).replace("SHAPE", str([*shape]))
    source = modelspec.loads(text.replace("PRECISION", precision), name="unfit.yaml")
    data: dict[str, Any] = {"x": np.ones((8, *shape), "f"), "y": np.ones((8, 1), "f")}
    with pytest.raises(ModelError, match=f"unfit.yaml:{place}: ") as raised:
        modelspec.train(source, data, run=tmp_path / "run")
    assert "a loss or a metric" not in str(raised.value)


REFUSING = '''
import keras


@keras.saving.register_keras_serializable(package="refusing")
class Refusing(keras.optimizers.SGD):
    """Updates no weights."""

    def update_step(self, gradient, variable, learning_rate):
        raise ValueError("there are no such updates")
'''


def test_an_error_of_the_optimizer_has_its_line(tmp_path: Path) -> None:
    (tmp_path / "refusing.py").write_text(REFUSING, encoding="utf-8")
    text = (
        "modelspec: 1\ninputs: {x: {shape: [2]}}\nlayers: [{Dense: {units: 1}, name: y}]\n"
        "outputs: y\nlosses: mse\noptimizer: Refusing\ntraining: {epochs: 1}\n"
    )
    source = modelspec.loads(text, plugins=[tmp_path / "refusing.py"])
    data = {"x": np.ones((4, 2), "f"), "y": np.ones((4, 1), "f")}
    with pytest.raises(ModelError, match=r"<text>:6: .*there are no such updates"):
        modelspec.train(source, data, run=tmp_path / "run")


def test_an_output_without_gradients(tmp_path: Path) -> None:
    text = (
        "modelspec: 1\ninputs: {x: {shape: [4]}}\nlayers:\n  - Dense: {units: 3}\n"
        "  - ops.argmax: {axis: -1}\n    name: y\noutputs: y\nlosses: mse\n"
    )
    data = {"x": np.ones((8, 4), "f"), "y": np.ones(8)}
    with pytest.raises(ModelError, match=r"no gradient reaches any weight: .* argmax"):
        modelspec.train(modelspec.loads(text), data, run=tmp_path / "run")


@pytest.mark.parametrize(
    ("operations", "line"),
    [
        (["ops.inv"], 5),
        (["ops.inv", "ops.negative", "ops.abs", "ops.relu"], 5),
        (["ops.inv"] * 2, 0),
    ],
)
def test_an_operation_that_fails_has_its_line(
    operations: list[str], line: int, tmp_path: Path
) -> None:
    """Of two calls of one function, the error does not tell which failed."""
    calls = "".join(f"  - {operation}\n" for operation in operations)
    text = (
        "modelspec: 1\ninputs: {x: {shape: [2, 2]}}\nlayers:\n  - Activation: {activation: relu}\n"
        f"{calls}  - Flatten\n  - Dense: {{units: 1}}\n    name: y\noutputs: y\nlosses: mse\n"
    )
    data = {"x": np.ones((8, 2, 2), "f"), "y": np.ones(8)}
    with pytest.raises(ModelError, match="not invertible") as raised:
        modelspec.train(modelspec.loads(text), data, run=tmp_path / "run")
    assert str(raised.value).startswith(f"<text>:{line}: " if line else "TensorFlow")
