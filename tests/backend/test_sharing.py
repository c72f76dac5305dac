"""Computations that can be shared among workers or devices, and the device that runs them."""

from typing import Any

import keras
import pytest
import tensorflow as tf

from modelspec.backend.model.compiling import build_losses
from modelspec.backend.training.sharing import share_batches
from modelspec.backend.workers.devices import choose_devices
from modelspec.backend.workers.split_model import placed
from modelspec.problems.errors import RunError

pytestmark = pytest.mark.keras

DEVICE = "/device:CPU:1"


def test_devices_that_are_not_there_are_refused() -> None:
    assert choose_devices("auto") == ()
    assert choose_devices(1) == ()
    with pytest.raises(RunError, match=r"training.devices is 4, .* no GPU .* --workers N"):
        choose_devices(4)


def mean_of_batch(x: Any) -> Any:
    return x - keras.ops.mean(x, axis=0, keepdims=True)


def softmax_of_batch(x: Any) -> Any:
    return keras.layers.Softmax(axis=0, name="mixing")(x)


def mixed_up(x: Any) -> Any:
    return keras.layers.Flatten()(
        keras.layers.MixUp(name="mixing")(keras.layers.Reshape((2, 2, 1))(x))
    )


@pytest.mark.parametrize("mixing", [mean_of_batch, softmax_of_batch, mixed_up])
def test_a_layer_that_combines_samples_is_refused(mixing: Any) -> None:
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Dense(1)(mixing(x)))
    model.compile("sgd", "mse")
    told: list[str] = []
    with pytest.raises(RunError, match=r"(mixing|mean).*: combines the samples of a batch"):
        share_batches(model, None, ("/device:CPU:0",), told.append)


def test_own_statistics_are_told() -> None:
    x = keras.Input((4,))
    y = keras.layers.BatchNormalization(name="own")(x)
    model = keras.Model(x, keras.layers.BatchNormalization(synchronized=True)(y))
    model.compile("sgd", "mse")
    told: list[str] = []
    shared = share_batches(model, None, ("/device:CPU:0",), told.append)
    assert shared is not None
    shared.restore()
    assert len(told) == 1
    assert told[0].startswith("own: each device normalizes its rows")


def test_a_part_is_computed_on_its_device_backward_too() -> None:
    kernel = tf.Variable(tf.ones((3, 2)))

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def gradients(x: Any) -> Any:
        with tf.GradientTape() as tape:
            [result] = placed(DEVICE, lambda rows: [tf.matmul(rows, kernel)])(x)
            loss = tf.reduce_sum(result)
        return tape.gradient(loss, [kernel])

    graph = gradients.get_concrete_function(tf.TensorSpec((5, 3))).graph
    devices = [
        operation.device for operation in graph.get_operations() if operation.type == "MatMul"
    ]
    assert len(devices) > 1
    assert all(device.endswith(DEVICE) for device in devices)


@pytest.mark.parametrize(
    ("activation", "bias", "loss"),
    [
        ("softmax", [60.0, 0.0], "sparse_categorical_crossentropy"),
        ("sigmoid", [-60.0], "binary_crossentropy"),
        (lambda x: keras.ops.softmax(x, axis=-2), [-60.0], "binary_crossentropy"),
    ],
)
def test_small_probabilities_have_the_gradient_of_one_device(
    activation: Any, bias: list[float], loss: str
) -> None:
    """Keras computes crossentropies from logits, and would clip probabilities at 1e-7."""
    x, y = tf.constant([[[1.0], [0.0]]] * 3), tf.ones((3, 2, 1))
    results = []
    for devices in ((), ("/device:CPU:0",)):
        inputs = keras.Input((2, 1))
        dense = keras.layers.Dense(
            len(bias),
            activation=activation,
            kernel_initializer=keras.initializers.Constant(-3.0),
            bias_initializer=keras.initializers.Constant(bias),
        )
        model = keras.Model(inputs, dense(inputs))
        model.compile("sgd", loss)
        build_losses(model, (x, y))
        shared = share_batches(model, None, devices, print)
        batch = (x, y)

        def step(model: Any = model, shared: Any = shared, batch: Any = batch) -> Any:
            if shared is None:
                return model.train_step(batch)
            return shared.take(model.train_step, batch, tf.constant(3))

        logs = tf.function(step, autograph=False)()
        results.append([float(logs["loss"]), *dense.kernel.numpy().ravel(), *dense.bias.numpy()])
    assert results[1] == pytest.approx(results[0], rel=1e-6)
    assert results[0][-1] != bias[-1]
