"""Private parts of Keras, TensorFlow and JAX, each held against what is public.

One of these tests fails where a new version moves a part, or lets it mean something else.
"""

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src import backend as keras_backend
from listeners import Recorder

import modelspec
from modelspec.backend import start, tensorflow_private
from modelspec.backend.costs.costs import costs
from modelspec.backend.keras_private import (
    MissingPartError,
    all_layers,
    as_functional,
    build_metrics,
    call_that_made,
    calls_of,
    captured_constants,
    choose_direction,
    compile_loss,
    compile_metrics,
    compiled_losses,
    compiled_metrics,
    graph_nodes,
    has_direction,
    infer_output,
    initializer_of,
    input_layer,
    is_masked,
    key_variables_by_identity,
    learned_variables,
    logits_of,
    loss_tracker,
    replaced_draws,
    replaced_moments,
    saved_state,
    set_logits,
    set_mask,
    unseeded_draws,
    weight_decay,
)
from modelspec.backend.loss_weights.head_losses import HeadLosses
from modelspec.backend.tensorflow_private import missing_random_part
from modelspec.backend.training import xla_random
from modelspec.backend.training.checkpoints import State
from modelspec.backend.training.eval_batch_size import is_batch_size_invariant
from modelspec.backend.training.evaluation import _batch_size
from modelspec.backend.training.xla import choose, find_obstacle
from modelspec.problems.errors import ModelError

pytestmark = pytest.mark.keras

ROWS = np.arange(12, dtype="f").reshape(6, 2)


def branched() -> keras.Model:
    """``x`` → ``a`` → ``b``, and ``b`` twice → ``sum``."""
    x = keras.Input((2,), name="x")
    a, b = keras.layers.Dense(2, name="a"), keras.layers.Dense(2, name="b")
    middle = a(x)
    result = keras.layers.Add(name="sum")([b(middle), b(b(middle))])
    return keras.Model(x, result)


def compiled(loss: Any = "mse", **more: Any) -> keras.Model:
    model = branched()
    model.compile(optimizer="sgd", loss=loss, **more)
    return model


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Answers about one Keras do not hold for another."""
    missing_random_part.cache_clear()
    yield
    missing_random_part.cache_clear()


def test_nodes_by_depth() -> None:
    model = branched()
    names = [node.operation.name for node in graph_nodes(model)]
    assert names == ["x", "a", "b", "b", "b", "sum"]
    known = {id(tensor): ROWS for tensor in model.inputs}
    for node in graph_nodes(model):
        if not node.is_input:
            args, kwargs = node.fill_in(known)
            known[id(node.outputs[0])] = node.operation(*args, **kwargs)
    np.testing.assert_array_equal(known[id(model.outputs[0])], model(ROWS))


def test_inbound_nodes() -> None:
    model = branched()
    calls = calls_of(model.get_layer("b"))
    assert [source.name for node in calls for source in node.sources] == ["a", "a", "b"]
    assert [node.inputs[0] is model.get_layer("a").output for node in calls] == [True, True, False]
    assert [node.operation.name for node in calls_of(model.get_layer("sum"))] == ["sum"]


def test_keras_history() -> None:
    model = branched()
    assert input_layer(model.inputs[0]) is model.get_layer("x")


def test_functional_of_a_sequential() -> None:
    sequential = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    inner = as_functional(sequential)
    assert isinstance(inner, keras.Function)
    np.testing.assert_array_equal(inner(ROWS), sequential(ROWS))
    model = branched()
    assert as_functional(model) is model
    assert as_functional(keras.layers.Dense(1)) is None
    assert as_functional(keras.Sequential([keras.layers.Dense(3)])) is None


def test_flatten_layers() -> None:
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="deep")])
    wrapped = keras.layers.TimeDistributed(keras.layers.Dense(4, name="wrapped"), name="outer")
    model = keras.Sequential([keras.Input((5, 2)), wrapped])
    assert {"wrapped", "outer"} <= {layer.name for layer in all_layers(model)}
    nested = keras.Sequential([keras.Input((2,)), inner])
    assert "deep" in {layer.name for layer in all_layers(nested)}
    assert not any(layer is nested for layer in all_layers(nested))


def test_compute_output_spec() -> None:
    layer = keras.layers.Dense(3)
    with keras.StatelessScope(initialize_variables=False):
        layer(keras.KerasTensor((None, 2)))
        result = infer_output(layer.call, keras.KerasTensor((None, 7, 2)))
        with pytest.raises(Exception, match="2"):
            infer_output(layer.call, keras.KerasTensor((None, 5)))
    assert result.shape == (None, 7, 3)


def test_symbolic_build() -> None:
    model = compiled(metrics=["mae"])
    before = [weight.copy() for weight in model.get_weights()]
    build_metrics(model, (ROWS, ROWS))
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    fitted = compiled(metrics=["mae"])
    fitted.fit(ROWS, ROWS, verbose=0)
    expected = [variable.path.split("/")[-1] for variable in fitted.metrics_variables]
    assert [variable.path.split("/")[-1] for variable in model.metrics_variables] == expected
    assert len(expected) > 2


def test_loss_tracker() -> None:
    model = compiled()
    model.evaluate(ROWS, ROWS, verbose=0)
    assert float(loss_tracker(model).result()) == model.get_metrics_result()["loss"]


@pytest.mark.parametrize(
    "loss", ["mse", keras.losses.Huber(), keras.losses.MeanSquaredError(reduction="sum")]
)
def test_user_loss(loss: Any) -> None:
    assert compiled_losses(compiled(loss)) == [loss]


def test_user_metrics() -> None:
    metric = keras.metrics.MeanAbsoluteError()
    assert compiled_metrics(compiled(metrics=["mse", metric])) == ["mse", metric]
    assert compiled_metrics(compiled()) == []


def test_compile_utils() -> None:
    model = compiled(metrics=["mae"])
    expected = model.evaluate(ROWS, ROWS, verbose=0, return_dict=True)
    predicted = model.predict(ROWS, verbose=0)
    assert float(compile_loss()(loss="mse")(ROWS, predicted)) == pytest.approx(expected["loss"])
    metrics = compile_metrics()(metrics=["mae"], weighted_metrics=None)
    metrics.build(ROWS, predicted)
    metrics.update_state(ROWS, predicted)
    assert float(metrics.result()["mae"]) == pytest.approx(expected["mae"])


def test_set_keras_mask() -> None:
    predicted = tf.constant([[[0.0], [1e6]]])
    set_mask(predicted, tf.constant([[True, False]]))
    assert float(keras.losses.MeanSquaredError()(tf.zeros((1, 2, 1)), predicted)) == 0.0


def test_keras_logits() -> None:
    probability = keras.ops.sigmoid(tf.constant([[-60.0]]))
    assert logits_of(probability).numpy().tolist() == [[-60.0]]
    plain = tf.constant([[0.5]])
    assert logits_of(plain) is None
    set_logits(plain, tf.constant([[-60.0]]))
    for value in (probability, plain):
        assert float(keras.losses.BinaryCrossentropy()(tf.ones((1, 1)), value)) == pytest.approx(
            60.0
        )


def test_call_that_made() -> None:
    model = branched()
    call = call_that_made(model.outputs[0])
    assert call.operation is model.get_layer("sum")
    assert [call_that_made(tensor).operation.name for tensor in call.inputs] == ["b", "b"]


def masked(*, mask: bool) -> keras.Model:
    tokens = keras.Input((4,), dtype="int32")
    made = keras.layers.Embedding(5, 2, mask_zero=mask)(tokens)
    return keras.Model(tokens, keras.layers.Dense(1)(made))


def test_keras_mask() -> None:
    for mask in (True, False):
        [output] = masked(mask=mask).outputs
        assert is_masked(output) == mask
    # What a mask does to a loss: steps of id 0 do not count.
    model = masked(mask=True)
    model.compile(loss="mse")
    tokens = np.array([[1, 2, 0, 0]])
    far = np.array([[[0.0], [0.0], [1e6], [1e6]]])
    assert model.evaluate(tokens, far, verbose=0) < 1e3


def test_var_key() -> None:
    model, built, stand_in = branched(), keras.optimizers.Adam(), keras.optimizers.Adam()
    built.build(model.trainable_variables)
    slots = [variable for variable in built.variables if len(variable.shape)]
    key_variables_by_identity(stand_in)
    assert costs(model, stand_in).optimizer == sum(slot.numpy().nbytes for slot in slots)
    assert len(slots) == 2 * len(model.trainable_variables)


def test_muon_has_a_decay_for_matrices_and_another_for_the_rest() -> None:
    layer = keras.layers.Dense(2)
    layer.build((None, 2))
    layer.kernel.assign(keras.ops.ones((2, 2)))
    layer.bias.assign(keras.ops.ones(2))
    muon = keras.optimizers.Muon(1.0, weight_decay=0.25, adam_weight_decay=0.5)
    assert [weight_decay(muon, variable) for variable in layer.variables] == [0.25, 0.5]
    muon.apply([keras.ops.zeros((2, 2)), keras.ops.zeros(2)], layer.variables)
    assert (float(layer.kernel[0, 0]), float(layer.bias[0])) == (0.75, 0.5)
    assert weight_decay(keras.optimizers.AdamW(weight_decay=0.1), layer.bias) == 0.1


@pytest.mark.parametrize("mode", ["min", "max", "auto"])
def test_monitor_op(mode: str) -> None:
    callback = keras.callbacks.EarlyStopping("loss", min_delta=0.5, patience=1, mode=mode)
    callback.set_model(compiled())
    callback.on_train_begin()
    assert not has_direction(callback)
    other = keras.callbacks.EarlyStopping("loss", min_delta=0.5, patience=1, mode=mode)
    other.set_model(callback.model)
    choose_direction(other)
    callback.on_epoch_end(0, {"loss": 1.0})
    assert has_direction(callback)
    assert has_direction(other)
    assert callback.min_delta == other.min_delta


def test_callbacks_that_watch_nothing_have_no_direction() -> None:
    for callback in (keras.callbacks.TerminateOnNaN(), keras.callbacks.CSVLogger("x")):
        assert not has_direction(callback)


def test_metrics_are_told_the_loss_of_each_output() -> None:
    x = keras.Input((2,))
    model = keras.Model(x, {"p": keras.layers.Dense(1)(x), "q": keras.layers.Dense(1)(x)})
    model.compile(loss={"p": "mse", "q": "mae"})
    y = {"p": ROWS[:, :1], "q": ROWS[:, 1:]}
    build_metrics(model, (ROWS, y))
    losses = HeadLosses(model, ["p", "q"])(ROWS, y, model(ROWS), None)
    predicted = model.predict(ROWS, verbose=0)
    mse, mae = np.square(predicted["p"] - y["p"]).mean(), np.abs(predicted["q"] - y["q"]).mean()
    np.testing.assert_allclose(losses, [mse, mae], rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_random_ops_of_tensorflow(dtype: str) -> None:
    def draw() -> Any:
        return tf.random.stateless_uniform([1000], seed=[1, 2], dtype=dtype)

    assert missing_random_part() is None
    plain = tf.function(draw)()
    with xla_random.as_without_xla():
        compiled = tf.function(draw, jit_compile=True)()
    np.testing.assert_array_equal(tf.cast(plain, "float32"), tf.cast(compiled, "float32"))
    assert len(np.unique(tf.cast(plain, "float32"))) > 100


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("normal", {}),
        ("uniform", {}),
        ("truncated_normal", {}),
        ("randint", {"minval": 0, "maxval": 9}),
    ],
)
def test_functions_that_draw(name: str, arguments: dict[str, int]) -> None:
    def doubled(draw: Any) -> Any:
        return lambda shape, *more, **options: draw([2 * shape[0]], *more, **options)

    draw = getattr(keras.random, name)
    with replaced_draws(doubled, lambda dropout: dropout):
        assert draw((3,), **arguments, seed=1).shape == (6,)
    assert draw((3,), **arguments, seed=1).shape == (3,)


def test_dropout_of_layers() -> None:
    layer = keras.layers.Dropout(0.5)
    with replaced_draws(lambda draw: draw, lambda _: lambda inputs, *_, **__: inputs + 1):
        np.testing.assert_array_equal(layer(ROWS, training=True), ROWS + 1)


def test_moments_of_a_synchronized_batch_normalization() -> None:
    layer = keras.layers.BatchNormalization(synchronized=True, epsilon=0.0)
    with replaced_moments(lambda *_: (tf.ones([2]), tf.fill([2], 4.0))):
        normalized = layer(ROWS, training=True)
    np.testing.assert_allclose(normalized, (ROWS - 1) / 2, rtol=1e-6)


def test_seconds_between_two_checks_of_other_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(tensorflow_private._STRATEGY)
    extended = module.CollectiveAllReduceExtended
    monkeypatch.setattr(extended, "_check_health_interval", extended._check_health_interval)
    tensorflow_private.check_peers_every(7)
    ended, slept = threading.Event(), []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        ended.set()

    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=sleep))
    strategy = SimpleNamespace(
        _check_health_thread_should_stop=ended,
        _cluster_spec=SimpleNamespace(jobs=[]),
        _check_health_interval=extended._check_health_interval,
    )
    extended._check_health(strategy)
    assert slept == [7]


@pytest.mark.process
def test_collective_operations_fail_once_they_are_aborted() -> None:
    # In a process of its own, since it can have none afterwards.
    program = (
        "import tensorflow as tf\n"
        "from modelspec.backend.tensorflow_private import collective_abort\n"
        "def total():\n"
        "    one = tf.raw_ops.CollectiveReduceV2(input=[1.0], group_size=1, group_key=1,\n"
        "        instance_key=1, ordering_token=[], merge_op='Add', final_op='Id')\n"
        "    return float(one[0])\n"
        "print(total())\n"
        "collective_abort()('worker 7 hangs')\n"
        "try:\n"
        "    total()\n"
        "except tf.errors.UnavailableError as error:\n"
        "    print('worker 7 hangs' in str(error))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.stdout.split() == ["1.0", "True"], ran.stderr


@pytest.mark.parametrize("name", start._SPARED)
def test_modules_of_jax_that_are_left_out(name: str) -> None:
    pytest.importorskip("jax")
    assert importlib.util.find_spec(name) is not None


# Where a part is missing


def missing(part: str) -> Any:
    return pytest.raises(MissingPartError, match=f"{keras.__version__} has no .*{part}")


@pytest.mark.parametrize(
    ("part", "use"),
    [
        ("_nodes_by_depth", graph_nodes),
        ("_inbound_nodes", calls_of),
        ("_symbolic_build", lambda model: build_metrics(model, (ROWS, ROWS))),
        ("_loss_tracker", loss_tracker),
        ("_compile_loss", compiled_losses),
        ("_flatten_layers", all_layers),
    ],
)
def test_a_missing_part_of_a_model(part: str, use: Any) -> None:
    class Without:
        """A model without one part."""

        def __init__(self, model: Any) -> None:
            self._model = model

        def __getattr__(self, name: str) -> Any:
            if name == part:
                raise AttributeError(name)
            return getattr(self._model, name)

    model = compiled()
    use(model)
    with missing(part):
        use(Without(model))


def test_a_sequential_without_its_functional_is_no_plain_layer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sequential = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model = keras.Sequential([keras.Input((2,)), sequential])
    assert sum(layer.flops for layer in costs(model, None).layers) >= 2 * 2 * 3
    monkeypatch.delattr(sequential, "_functional")
    with missing("_functional"):
        costs(model, None)


@pytest.mark.parametrize(
    ("module", "part", "use"),
    [
        ("random", "randint", lambda: replaced_draws(lambda draw: draw, lambda draw: draw)),
        ("nn", "_compute_moments_sync", lambda: replaced_moments(None)),
    ],
)
def test_missing_functions_of_shared_batches(
    module: str, part: str, use: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(f"keras.src.backend.tensorflow.{module}.{part}")
    with missing(part), use():
        pass


def test_without_the_check_of_other_workers_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(tensorflow_private._STRATEGY)
    monkeypatch.delattr(module.CollectiveAllReduceExtended, "_check_health_interval")
    with pytest.raises(ModelError, match="_check_health_interval, which training with several"):
        tensorflow_private.check_peers_every(7)


def test_without_an_abort_there_are_no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    context = importlib.import_module(tensorflow_private._CONTEXT)
    monkeypatch.delattr(context.Context, "abort_collective_ops")
    with pytest.raises(ModelError, match=r"Context\.abort_collective_ops, which training"):
        tensorflow_private.collective_abort()


@pytest.mark.parametrize("mask", [True, False])
def test_masks_that_cannot_be_seen(monkeypatch: pytest.MonkeyPatch, *, mask: bool) -> None:
    model = masked(mask=mask)
    model.compile(loss="mse")
    assert is_batch_size_invariant(model) != mask
    monkeypatch.delattr(keras_backend, "get_keras_mask")
    with missing("get_keras_mask"):
        is_batch_size_invariant(model)
    heard: list[str] = []
    assert _batch_size(model, 32, heard.append) == 32
    [warning] = heard
    assert "get_keras_mask" in warning
    assert "batches of 32" in warning


SPEC = """\
modelspec: 1
inputs: {x: {shape: [2]}}
layers:
  - Dense: {units: 4}
  - Dropout: {rate: 0.5}
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
"""


def trained(folder: Path, *options: str, text: str = SPEC) -> tuple[modelspec.Run, Recorder]:
    heard = Recorder()
    np.savez(folder / "d.npz", x_train=ROWS, y_train=ROWS[:, :1])
    source = modelspec.loads(text, ["training.epochs=2", *options])
    run = modelspec.train(source, folder / "d.npz", run=folder / "run", listener=heard)
    return run, heard


CALLBACK = """\
training:
  validation_split: 0.5
  callbacks: [{EarlyStopping: {monitor: val_loss}}]
"""


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.EarlyStopping(),
        keras.callbacks.ReduceLROnPlateau(),
        keras.callbacks.ModelCheckpoint("x.keras"),
    ],
)
def test_callbacks_whose_direction_cannot_be_told(callback: Any) -> None:
    del callback.monitor_op
    with missing("monitor_op"):
        State(compiled(), [callback])


def test_a_run_whose_callbacks_cannot_be_kept_does_not_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Renamed(keras.callbacks.EarlyStopping):  # type: ignore[misc]
        """A callback of a Keras that calls this part otherwise."""

        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            del self.monitor_op

    monkeypatch.setattr(keras.callbacks, "EarlyStopping", Renamed)
    with missing("monitor_op"):
        trained(tmp_path, text=SPEC + CALLBACK)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("tensorflow.python.ops.random_ops_util", "get_key_counter_alg"),
        ("tensorflow.python.ops.gen_stateless_random_ops_v2", "stateless_random_uniform_v2"),
        ("tensorflow.python.ops.random_ops_util", None),
        ("tensorflow.python.ops.gen_stateless_random_ops_v2", None),
    ],
)
def test_without_a_part_of_tensorflow_xla_does_not_draw(
    module: str, name: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    random = modelspec.loads(SPEC).build()
    plain = modelspec.loads(SPEC.replace("  - Dropout: {rate: 0.5}\n", "")).build()
    assert choose(random, 1_000_000) is True
    # After the import: what TensorFlow itself needs of them stays where it is.
    if name is None:
        monkeypatch.setitem(sys.modules, module, None)
    else:
        monkeypatch.setattr(tensorflow_private, "_KEY" if "key" in name else "_UNIFORM", "moved")
    missing_random_part.cache_clear()
    assert choose(random, 1_000_000) is False
    assert choose(plain, 1_000_000) is True
    assert find_obstacle(plain) is None

    run, heard = trained(tmp_path)
    assert any(module in note for note in heard.notes)
    assert heard.warnings == []
    assert len(run.history) == 2

    (tmp_path / "told").mkdir()
    run, heard = trained(tmp_path / "told", "training.jit=true")
    [warning] = heard.warnings
    assert module in warning
    assert "training.jit: false" in warning
    assert len(run.history) == 2


def test_nothing_is_said_where_nothing_is_missing(tmp_path: Path) -> None:
    _, heard = trained(tmp_path, "training.jit=true", "training.validation_split=0.5")
    assert heard.warnings == []
    assert not any(" has no " in note for note in heard.notes)


def test_saved_state_is_what_a_file_of_weights_holds(tmp_path: Path) -> None:
    x = keras.Input((3, 2), name="x")
    h = keras.layers.Bidirectional(keras.layers.GRU(2, dropout=0.5), name="both")(x)
    h = keras.layers.BatchNormalization(name="norm", trainable=False)(h)
    model = keras.Model(x, keras.layers.Dense(1, name="y")(h))
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5") as file:
        names = {group["vars"].attrs["name"]: group for group in file["layers"].values()}
        for layer, slots in zip(model.layers, saved_state(model.layers), strict=True):
            for slot, variable in slots.items():
                value = keras.ops.convert_to_numpy(variable)
                np.testing.assert_array_equal(names[layer.name][slot][()], value)
    # Keras saves no random states of recurrent cells.
    learned = [variable for variable in model.variables if "seed" not in variable.path]
    assert sum(map(len, saved_state(model.layers))) == len(learned)
    norm = model.get_layer("norm")
    assert [v.path for v in learned_variables(norm)] == ["norm/gamma", "norm/beta"]


def test_constants_of_a_function_are_found_by_their_names() -> None:
    outside, variable = tf.constant([1.0, 2.0]), tf.Variable([3.0])
    function = tf.function(lambda x: x + outside + variable, input_signature=[tf.TensorSpec([2])])
    [(name, value)] = captured_constants(function).items()
    assert name in {tensor.name for tensor in function.get_concrete_function().inputs}
    np.testing.assert_array_equal(value, [1.0, 2.0])


def test_unseeded_draws_are_those_of_layers_without_a_seed() -> None:
    state = unseeded_draws().state
    before = keras.ops.convert_to_numpy(state)
    first = keras.random.normal((3,))
    assert np.any(keras.ops.convert_to_numpy(state) != before)
    state.assign(before)
    np.testing.assert_array_equal(keras.random.normal((3,)), first)


def test_the_initializer_of_a_weight() -> None:
    layer = keras.layers.Dense(2, bias_initializer=keras.initializers.Constant(3.0))
    with keras.StatelessScope(initialize_variables=False):
        layer(keras.KerasTensor((None, 4)))
        assert [initializer_of(weight) for weight in layer.weights] == [
            layer.kernel_initializer,
            layer.bias_initializer,
        ]
    made = keras.layers.Dense(2)
    made.build((None, 4))
    assert [initializer_of(weight) for weight in made.weights] == [None, None]
