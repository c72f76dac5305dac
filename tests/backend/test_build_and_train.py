"""From spec to trained Keras model: graphs, forms, training, runs and their folders."""

import json
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from rounding import ADAM, assert_close, rounding

import modelspec
from modelspec.api.keras_files import save_model
from modelspec.api.spec_data import load_data
from modelspec.backend.model import compiling
from modelspec.backend.model.recursion import with_deep_stack
from modelspec.data.arrays import digest
from modelspec.data.batches import Batches
from modelspec.data.dataset import Dataset
from modelspec.data.npz_writer import save_npz
from modelspec.data.validation_split import split_validation
from modelspec.runs.progress import NullListener

pytestmark = [pytest.mark.keras, pytest.mark.slow]

Arrays = dict[str, NDArray[Any]]

SAMPLES = 50
HALF = "training: {precision: mixed_float16}"


def spec(
    layers: str, *, inputs: str = "x: {shape: [3]}", outputs: str = "y", more: str = ""
) -> modelspec.ModelSpec:
    """A spec from the items of ``layers``, one a line, with the keys beside one on the same line.

    ``- Dense: {units: 2} | name: y`` writes what stands behind each ``|`` on a line of its own.
    """
    items = "\n".join(
        "  " + re.sub(r" \| ", "\n    ", line.strip()) for line in layers.strip().splitlines()
    )
    text = f"modelspec: 1\ninputs: {{{inputs}}}\nlayers:\n{items}\noutputs: {outputs}\n{more}"
    return modelspec.loads(text)


def values(model: keras.Model, samples: int = 4) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(0)
    return {
        tensor.name: random.random((samples, *(length or 5 for length in tensor.shape[1:])), "f")
        for tensor in model.inputs
    }


def weights_of(run: modelspec.Run) -> list[NDArray[Any]]:
    weights: list[NDArray[Any]] = keras.saving.load_model(run.model_path).get_weights()
    return weights


def logs(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "seconds"}


SMALL = """
modelspec: 1
name: small
inputs: {x: {shape: [3]}}
layers:
  - Dense: {units: 4, activation: relu}
  - Dropout: {rate: 0.2}
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
training: {epochs: 3, batch_size: 8, validation_split: 0.2}
"""


def small(*overrides: str) -> modelspec.ModelSpec:
    return modelspec.loads(SMALL, overrides)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    x = random.random((SAMPLES, 3), "f")
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(path, x=x, y=x.sum(axis=1, keepdims=True))
    return path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------- order and repeatability


def feed(samples: int = SAMPLES) -> Batches:
    rows = np.arange(samples, dtype=np.int64)
    dataset = Dataset({"x": rows[:, None]}, {}, {}, {"x": "x"}, samples)
    return Batches(dataset, rows, 8, {"x": "int64"})


def test_order_differs_in_each_epoch_and_repeats_with_the_seed() -> None:
    orders = [feed().order(3, epoch).tolist() for epoch in range(4)]
    assert orders == [feed().order(3, epoch).tolist() for epoch in range(4)]
    assert len({tuple(order) for order in orders}) == 4
    assert feed().order(4, 0).tolist() != orders[0]
    assert all(sorted(order) == list(range(SAMPLES)) for order in orders)


def test_training_sees_the_samples_in_another_order_each_epoch(tmp_path: Path) -> None:
    """Without any learning, the loss of an epoch's last batch tells which samples were in it."""
    x = np.arange(8, dtype="f")[:, None]
    np.savez(tmp_path / "data.npz", x=x, y=10**x)
    source = spec(
        "- Dense: {units: 1, kernel_initializer: zeros} | name: y",
        inputs="x: {shape: [1]}",
        more="losses: mae\noptimizer: {SGD: {learning_rate: 0.0}}\n"
        "training: {epochs: 3, batch_size: 1, steps_per_call: 1}\n",
    )
    seen: list[list[float]] = []

    class Eyes(NullListener):
        def epoch_started(self, epoch: int, epochs: int, samples: int) -> None:
            del epoch, epochs, samples
            seen.append([])

        def samples_done(self, done: int, logs: Mapping[str, float]) -> None:
            seen[-1].append(logs["loss"] * done)

    modelspec.train(source, tmp_path / "data.npz", run=tmp_path / "run", listener=Eyes())
    assert len({tuple(epoch) for epoch in seen}) == 3


TEXTS = """
modelspec: 1
inputs: {ids: {shape: [null], dtype: int32}}
layers:
  - Embedding: {input_dim: 20, output_dim: 64}
  - Conv1D: {filters: 64, kernel_size: 5, activation: relu}
  - Dropout: {rate: 0.2}
  - BatchNormalization
  - LSTM: {units: 8}
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
training: {epochs: 2, batch_size: 16, validation_split: 0.2, seed: 5}
"""


def test_same_run_gives_the_same_bits(tmp_path: Path) -> None:
    """Ids that occur often are what TensorFlow's threads sum in any order, if they are let."""
    random = np.random.default_rng(0)
    ids = random.integers(0, 20, (128, 300), "int32")
    np.savez(tmp_path / "data.npz", ids=ids, y=random.random((128, 1), "f"))
    runs = [
        modelspec.train(modelspec.loads(TEXTS), tmp_path / "data.npz", run=tmp_path / name)
        for name in ("one", "two")
    ]
    first, second = ([logs(record) for record in run.history] for run in runs)
    assert first == second
    for one, other in zip(*map(weights_of, runs), strict=True):
        np.testing.assert_array_equal(one, other)
    another = modelspec.loads(TEXTS, ["training.seed=6"])
    third = modelspec.train(another, tmp_path / "data.npz", run=tmp_path / "three")
    assert [logs(record) for record in third.history] != first


# ---------------------------------------------------------------- graphs


@pytest.mark.sweep
def test_chain_of_a_thousand_residual_blocks() -> None:
    text = """
modelspec: 1
inputs: {x: {shape: [4]}}
blocks:
  residual:
    inputs: [x]
    layers:
      - Dense: {units: 4, activation: relu}
        from: x
        name: y
      - Add:
        from: [x, y]
        name: sum
    outputs: sum
layers:
  - residual:
    repeat: 1000
    name: chain
  - Dense: {units: 1}
    name: out
outputs: out
"""
    source = modelspec.loads(text)
    summary = source.summary()
    assert summary.params.total == 1000 * 20 + 5
    assert len(summary.layers) == 2002
    model = source.build()
    assert sum(weight.shape.num_elements() for weight in model.weights) == summary.params.total


def test_states_of_one_lstm_begin_another() -> None:
    source = spec(
        """
        - LSTM: {units: 4, return_sequences: true, return_state: true} | from: a | as: [seq, h, c]
        - LSTM: {units: 4} | name: y | from: {sequences: b, initial_state: [h, c]}
        """,
        inputs="a: {shape: [5, 3]}, b: {shape: [6, 2]}",
        outputs="[y, seq]",
    )
    assert source.check() == []
    model = source.build()
    a, b = keras.Input((5, 3)), keras.Input((6, 2))
    sequence, h, c = keras.layers.LSTM(4, return_sequences=True, return_state=True)(a)
    y = keras.layers.LSTM(4)(b, initial_state=[h, c])
    plain = keras.Model([a, b], [y, sequence])
    plain.set_weights(model.get_weights())
    inputs = values(model)
    results = model(inputs)
    for name, expected in zip(("y", "seq"), plain(list(inputs.values())), strict=True):
        np.testing.assert_array_equal(results[name].numpy(), expected.numpy())


def test_attention_by_names_of_call_arguments() -> None:
    source = spec(
        "- MultiHeadAttention: {num_heads: 2, key_dim: 3} | name: y | from: {query: a, value: b}",
        inputs="a: {shape: [5, 4]}, b: {shape: [7, 4]}",
    )
    model = source.build()
    a, b = keras.Input((5, 4)), keras.Input((7, 4))
    layer = keras.layers.MultiHeadAttention(2, 3)
    plain = keras.Model([a, b], layer(query=a, value=b))
    plain.set_weights(model.get_weights())
    inputs = values(model)
    np.testing.assert_array_equal(model(inputs).numpy(), plain(list(inputs.values())).numpy())


WRAPPERS = {
    "Bidirectional: {layer: {LSTM: {units: 2}}, merge_mode: sum}": (
        lambda: keras.layers.Bidirectional(keras.layers.LSTM(2), merge_mode="sum")
    ),
    "Bidirectional: {layer: {GRU: {units: 2}},"
    " backward_layer: {GRU: {units: 3, go_backwards: true}}}": (
        lambda: keras.layers.Bidirectional(
            keras.layers.GRU(2), backward_layer=keras.layers.GRU(3, go_backwards=True)
        )
    ),
    "TimeDistributed: {layer: {Dense: {units: 2, activation: tanh}}}": (
        lambda: keras.layers.TimeDistributed(keras.layers.Dense(2, activation="tanh"))
    ),
    "RNN: {cell: {GRUCell: {units: 2}}, return_sequences: true}": (
        lambda: keras.layers.RNN(keras.layers.GRUCell(2), return_sequences=True)
    ),
    "RNN: {cell: {StackedRNNCells: {cells: [{LSTMCell: {units: 2}}, {GRUCell: {units: 3}}]}}}": (
        lambda: keras.layers.RNN(
            keras.layers.StackedRNNCells([keras.layers.LSTMCell(2), keras.layers.GRUCell(3)])
        )
    ),
    "RNN: {cell: [{LSTMCell: {units: 2}}, {LSTMCell: {units: 3}}]}": (
        lambda: keras.layers.RNN([keras.layers.LSTMCell(2), keras.layers.LSTMCell(3)])
    ),
}


@pytest.mark.parametrize("written", WRAPPERS)
def test_wrapper_holds_what_it_is_given(written: str) -> None:
    source = spec(f"- {written} | name: y", inputs="x: {shape: [5, 3]}")
    assert source.check() == []
    model = source.build()
    x = keras.Input((5, 3))
    plain = keras.Model(x, WRAPPERS[written]()(x))
    plain.set_weights(model.get_weights())
    inputs = values(model)["x"]
    np.testing.assert_array_equal(model({"x": inputs}).numpy(), plain(inputs).numpy())


def test_shared_layer_has_one_set_of_weights() -> None:
    source = spec(
        """
        - Dense: {units: 2} | name: encoder | from: left
        - share: encoder | name: other | from: right
        - Subtract: | name: y | from: [encoder, other]
        """,
        inputs="left: {shape: [3]}, right: {shape: [3]}",
    )
    assert source.summary().params.total == 8
    model = source.build()
    assert len(model.weights) == 2
    same = np.ones((4, 3), "f")
    assert not model({"left": same, "right": same}).numpy().any()
    assert model({"left": same, "right": 2 * same}).numpy().any()


def test_siamese_training_moves_the_shared_weights_alone(tmp_path: Path) -> None:
    text = """
modelspec: 1
inputs: {left: {shape: [3]}, right: {shape: [3]}}
blocks:
  code:
    inputs: [x]
    layers:
      - Dense: {units: 4, activation: relu}
        from: x
      - Dense: {units: 2}
        name: z
    outputs: z
layers:
  - code:
    name: encoder
    from: left
  - {share: encoder, from: right, name: again}
  - Dot: {axes: 1}
    from: [encoder, again]
    name: y
outputs: y
losses: mse
training: {epochs: 1}
"""
    random = np.random.default_rng(0)
    arrays = {name: random.random((SAMPLES, 3), "f") for name in ("left", "right")}
    np.savez(tmp_path / "data.npz", y=random.random((SAMPLES, 1), "f"), **arrays)  # type: ignore[arg-type]
    source = modelspec.loads(text)
    before = source.build().get_weights()
    after = weights_of(modelspec.train(source, tmp_path / "data.npz", run=tmp_path / "run"))
    assert [weight.shape for weight in before] == [(3, 4), (4,), (4, 2), (2,)]
    assert all((one != other).any() for one, other in zip(before, after, strict=True))


def test_call_arguments_are_constants_of_the_call() -> None:
    """As in Keras, where what the whole model is told (``predict``: no training) goes before."""
    ones = {"x": np.ones((1, 99), "f")}
    inputs = "x: {shape: [99]}"
    always = spec("- Dropout: {rate: 0.5} | name: y | call: {training: true}", inputs=inputs)
    assert (always.build()(ones).numpy() == 0).any()
    plain = spec("- Dropout: {rate: 0.5} | name: y", inputs=inputs)
    assert (plain.build()(ones).numpy() == 1).all()


def test_frozen_layers_stay(data: Path, tmp_path: Path) -> None:
    source = spec(
        "- Dense: {units: 2} | trainable: false\n- Dense: {units: 1} | name: y",
        more="losses: mse\ntraining: {epochs: 1}\n",
    )
    params = source.summary().params
    assert (params.trainable, params.non_trainable) == (3, 8)
    before = source.build().get_weights()
    after = weights_of(modelspec.train(source, data, run=tmp_path / "run"))
    moved = [bool((one != other).any()) for one, other in zip(before, after, strict=True)]
    assert moved == [False, False, True, True]


def test_dtype_of_a_layer() -> None:
    source = spec("- Dense: {units: 2} | dtype: float64\n- Dense: {units: 1} | name: y")
    model = source.build()
    assert [weight.dtype for weight in model.weights] == ["float64"] * 2 + ["float32"] * 2
    assert [layer.dtype for layer in source.summary().layers[1:]] == ["float64", "float32"]
    assert source.summary().params.bytes == 8 * 8 + 3 * 4


def test_layer_that_returns_its_input_is_refused() -> None:
    [problem] = spec("- Equalization: | name: y", inputs="x: {shape: [8, 8, 3]}").check()
    assert problem.code == "returned-input"


def test_nested_objects_reach_their_layers() -> None:
    source = spec(
        "- Dense: {units: 2, kernel_initializer: {Constant: {value: 3.0}}, bias_initializer: ones,"
        " kernel_regularizer: {L2: {l2: 0.5}}, kernel_constraint: {MaxNorm: {max_value: 2.0}},"
        " activation: gelu} | name: y",
        more="losses: mse\noptimizer: {SGD: {learning_rate: {ExponentialDecay: "
        "{initial_learning_rate: 0.25, decay_steps: 1, decay_rate: 0.5}}}}\n",
    )
    model = source.build()
    layer = model.get_layer("y")
    assert (layer.kernel.numpy() == 3.0).all()
    assert (layer.bias.numpy() == 1.0).all()
    assert layer.activation is keras.activations.gelu
    assert float(sum(model.losses)) == pytest.approx(0.5 * 6 * 9.0)
    assert layer.kernel_constraint.max_value == 2.0
    assert float(model.optimizer.learning_rate) == 0.25
    model.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
    assert float(model.optimizer.learning_rate) == 0.125
    assert (np.linalg.norm(layer.kernel.numpy(), axis=0) <= 2.0 + 1e-5).all()


@pytest.mark.parametrize("own", ["float32", "float64", "mixed_bfloat16"])
@pytest.mark.parametrize("threads", [True, False])
def test_a_build_leaves_the_dtype_policy_of_the_process(
    own: str, *, threads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keras keeps one policy for each thread; without the build's own thread it is the same one."""
    if not threads:
        monkeypatch.setattr(compiling, "with_deep_stack", lambda function: function())
    keras.config.set_dtype_policy(own)
    try:
        model = small("training.precision=mixed_float16").build()
        assert model.get_layer("y").dtype_policy.name == "mixed_float16"
        assert keras.config.dtype_policy().name == own
        wrong = spec("- Conv2D: {filters: 2, kernel_size: 3} | name: y", more=HALF)
        with pytest.raises(modelspec.SpecError):
            wrong.build()
        assert keras.config.dtype_policy().name == own
        monkeypatch.setattr(compiling, "assemble", None)
        with pytest.raises(TypeError):
            small("training.precision=bfloat16").build()
        assert keras.config.dtype_policy().name == own
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16", "float64", "bfloat16"])
def test_precision_trains_predicts_and_leaves_no_trace(
    precision: str, data: Path, tmp_path: Path
) -> None:
    source = small(f"training.precision={precision}", "training.epochs=1")
    before = keras.config.dtype_policy().name
    run = modelspec.train(source, data, run=tmp_path / "run")
    assert np.isfinite(run.history[0]["loss"])
    assert keras.config.dtype_policy().name == before
    model = keras.saving.load_model(run.model_path)
    assert model.get_layer("y").dtype_policy.name == precision
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (precision == "mixed_float16")
    arrays = modelspec.predict(modelspec.open_target(run.path), data).arrays
    save_npz(tmp_path / "predictions.npz", [arrays])
    with np.load(tmp_path / "predictions.npz") as stored:
        assert stored["y"].shape == (SAMPLES, 1)
        assert stored["y"].dtype.kind == "f"


def test_averaged_weights_are_the_final_ones(data: Path, tmp_path: Path) -> None:
    averaging = "optimizer={Adam: {use_ema: true, ema_momentum: 0.5}}"
    source = small(averaging, "training.shuffle=false", "training.precision=float64")
    source = modelspec.loads(source.resolved_text().replace("rate: 0.2", "rate: 0.0"))
    run = modelspec.train(source, data, run=tmp_path / "run")
    plain = source.build()
    dataset, _ = load_data(source, data)
    assert dataset is not None
    rows = split_validation(dataset, source.heads, 0.2, 0).rows
    with np.load(data) as arrays:
        x, y = arrays["x"][rows], arrays["y"][rows]
    plain.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
    # Of three epochs over 32 samples of up to 16 numbers.
    tolerance = ADAM * rounding(3 * 32 * 16, "float64")
    assert_close(weights_of(run), plain.get_weights(), tolerance)


# ---------------------------------------------------------------- forms of inputs and outputs

TWO = "- Dense: {units: 2} | name: a | from: x\n- Dense: {units: 1} | name: b | from: x"
FORMS: dict[str, tuple[str, str, type, list[str]]] = {
    "name": (TWO, "b", keras.KerasTensor, ["b"]),
    "list": (TWO, "[b, a]", list, ["b", "a"]),
    "mapping": (TWO, "{second: b, first: a}", dict, ["second", "first"]),
    "mapping of one": (TWO, "{only: b}", dict, ["only"]),
    "a result by as": (
        "- GRU: {units: 2, return_state: true} | as: [whole, state]",
        "[state, whole]",
        dict,
        ["state", "whole"],
    ),
    "another call of a layer": (
        f"{TWO}\n- share: a | name: again | from: x2",
        "[again, a]",
        dict,
        ["again", "a"],
    ),
    "an input": (TWO, "[x, a]", dict, ["x", "a"]),
}


@pytest.mark.parametrize("form", FORMS)
def test_outputs_carry_the_names_of_the_spec(form: str, tmp_path: Path) -> None:
    layers, outputs, kind, names = FORMS[form]
    inputs = "x: {shape: [4, 3]}" if "GRU" in layers else "x: {shape: [3]}"
    inputs += ", x2: {shape: [3]}" if "x2" in layers else ""
    losses = ", ".join(f"{name}: mse" for name in names)
    source = spec(
        layers,
        inputs=inputs,
        outputs=outputs,
        more=f"losses: {{{losses}}}\ntraining: {{epochs: 1}}\n",
    )
    model = source.build()
    assert isinstance(model.output, kind)
    arrays = {
        tensor.name: np.random.default_rng(0).random((SAMPLES, *tensor.shape[1:]), "f")
        for tensor in model.inputs
    }
    results = outputs_by_name(model(arrays), names)
    targets = {name: np.zeros(array.shape, "f") for name, array in results.items() if name != "x"}
    np.savez(tmp_path / "data.npz", **arrays, **targets)  # type: ignore[arg-type]
    run = modelspec.train(source, tmp_path / "data.npz", run=tmp_path / "run")
    expected = {f"{name}_loss" for name in names} if len(names) > 1 else set()
    assert expected <= run.history[0].keys()
    predicted = modelspec.predict(modelspec.open_target(run.path), tmp_path / "data.npz").arrays
    assert set(predicted) == set(names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = keras.saving.load_model(run.model_path, safe_mode=True)
        again = outputs_by_name(loaded(arrays), names)
        also = outputs_by_name(loaded.predict(arrays, verbose=0), names)
    for name in names:
        np.testing.assert_array_equal(again[name], predicted[name])
        # Keras's batches have other lengths.
        assert_close([also[name]], [predicted[name]], rounding(16))


def outputs_by_name(results: Any, names: list[str]) -> Arrays:
    if not isinstance(results, Mapping):
        results = dict(zip(names, results if isinstance(results, list) else [results], strict=True))
    return {name: keras.ops.convert_to_numpy(results[name]) for name in names}


def test_saved_model_takes_inputs_by_name(tmp_path: Path) -> None:
    source = spec(
        "- Subtract: | from: [zebra, apple] | name: y",
        inputs="zebra: {shape: [2]}, apple: {shape: [2]}",
    )
    path = tmp_path / "model.keras"
    save_model(source.build(), path)
    inputs = {"apple": np.ones((3, 2), "f"), "zebra": np.full((3, 2), 5.0, "f")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = keras.saving.load_model(path, safe_mode=True)
        assert (loaded(inputs).numpy() == 4.0).all()
        assert (loaded.predict(inputs, verbose=0) == 4.0).all()
    np.savez(tmp_path / "data.npz", **inputs)  # type: ignore[arg-type]
    [result] = modelspec.predict(modelspec.open_target(path), tmp_path / "data.npz").arrays.values()
    assert (result == 4.0).all()


@pytest.mark.parametrize(
    ("dtype", "layer", "array"),
    [
        ("int64", "CategoryEncoding: {num_tokens: 5}", np.array([[0, 4]] * SAMPLES, np.int64)),
        (
            "string",
            "StringLookup: {vocabulary: [red, blue], output_mode: multi_hot}",
            np.array([["red", "green"]] * SAMPLES),
        ),
        ("uint8", "Rescaling: {scale: 0.5}", np.full((SAMPLES, 2), 200, np.uint8)),
        ("float64", "Rescaling: {scale: 0.5}", np.full((SAMPLES, 2), 1.0, np.float64)),
        ("bool", "CategoryEncoding: {num_tokens: 2}", np.array([[True, False]] * SAMPLES)),
    ],
)
def test_input_of_another_dtype(
    dtype: str, layer: str, array: NDArray[Any], tmp_path: Path
) -> None:
    source = spec(
        f"- {layer}\n- Dense: {{units: 1}} | name: y",
        inputs=f"x: {{shape: [2], dtype: {dtype}}}",
        more="losses: mse\ntraining: {epochs: 1}\n",
    )
    path = tmp_path / "data.npz"
    np.savez(path, x=array, y=np.ones((SAMPLES, 1), "f"))
    run = modelspec.train(source, path, run=tmp_path / "run")
    assert np.isfinite(run.history[0]["loss"])
    assert modelspec.predict(modelspec.open_target(run.path), path).arrays["y"].shape == (
        SAMPLES,
        1,
    )


# ---------------------------------------------------------------- callbacks


def test_early_stopping_stops_and_says_so_on_stderr(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = "{EarlyStopping: {monitor: loss, min_delta: 1000.0, patience: 1, verbose: 1}}"
    source = small(f"training.callbacks=[{stop}]", "training.epochs=9")
    run = modelspec.train(source, data, run=tmp_path / "run")
    assert len(run.history) == 2
    assert run.status == "completed"
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "early stopping" in printed.err


def test_callbacks_write_within_the_run_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    callbacks = """[
        {ModelCheckpoint: {filepath: best/model.keras, monitor: val_loss, save_best_only: true}},
        {CSVLogger: {filename: logs/epochs.csv}},
        TerminateOnNaN, History,
        {ReduceLROnPlateau: {monitor: loss, patience: 1}},
    ]"""
    source = small(f"training.callbacks={callbacks}")
    run = modelspec.train(source, data, run=tmp_path / "run")
    written = files(run.path)
    assert {"best/model.keras", "logs/epochs.csv"} <= written
    lines = (run.path / "logs/epochs.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 3
    assert set(lines[0].split(",")) >= {"epoch", "loss", "val_loss"}
    assert files(tmp_path) == {f"run/{name}" for name in written}


def test_tensorboard_writes_within_the_run_alone(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    monkeypatch.chdir(tmp_path)
    run = modelspec.train(small("training.callbacks=[TensorBoard]"), data, run="run")
    written = files(run.path)
    assert any(name.startswith("logs/train/events") for name in written)
    assert any(name.startswith("logs/validation/events") for name in written)
    assert files(tmp_path) == {f"run/{name}" for name in written}


def test_swapped_averages_are_those_that_are_validated(data: Path, tmp_path: Path) -> None:
    """SwapEMAWeights acts when a validation begins and ends."""
    optimizer = "optimizer={SGD: {learning_rate: 0.1, use_ema: true, ema_momentum: 0.99}}"
    with_swap = small(optimizer, "training.callbacks=[SwapEMAWeights]", "training.epochs=1")
    swapped = modelspec.train(with_swap, data, run=tmp_path / "one").history[0]
    plain = modelspec.train(
        small(optimizer, "training.epochs=1"), data, run=tmp_path / "two"
    ).history[0]
    assert swapped["loss"] == plain["loss"]
    assert swapped["val_loss"] != plain["val_loss"]


# ---------------------------------------------------------------- a run's folder


def test_what_a_run_leaves(data: Path, tmp_path: Path) -> None:
    run = modelspec.train(small(), data, run=tmp_path / "run")
    record = run.record
    assert record["status"] == run.status == "completed"
    assert record["name"] == "small"
    assert record["seed"] == 0
    assert {"python", "keras", "tensorflow", "numpy"} <= record["versions"].keys()
    assert record["versions"]["keras"] == keras.__version__
    with np.load(data) as arrays:
        assert record["data"]["sha256"] == {name: digest(arrays[name]) for name in ("x", "y")}
    assert record["data"]["samples"] == SAMPLES
    assert record["started"] <= record["ended"]
    lines = (run.path / "history.jsonl").read_text(encoding="utf-8").splitlines()
    history = [json.loads(line) for line in lines]
    assert history == run.history
    assert [epoch["epoch"] for epoch in history] == [1, 2, 3]
    assert all(epoch.keys() == {"epoch", "loss", "val_loss", "seconds"} for epoch in history)
    assert {"spec.yaml", "run.json", "history.jsonl", "model.keras"} <= files(run.path)


def test_spec_of_a_run_repeats_it(data: Path, tmp_path: Path) -> None:
    source = small("optimizer={Adam: {learning_rate: 1e-3}}", "training.seed=11")
    first = modelspec.train(source, data, run=tmp_path / "one")
    again = modelspec.train(modelspec.load(first.spec_path), data, run=tmp_path / "two")
    assert [logs(epoch) for epoch in first.history] == [logs(epoch) for epoch in again.history]


def test_spec_of_a_run_with_class_weights_can_be_read() -> None:
    source = spec(
        "- Dense: {units: 2, activation: softmax} | name: y",
        more="losses: categorical_crossentropy\n"
        "training: {epochs: 1, class_weights: {y: {0: 2.0, 1: 0.5}}}\n",
    )
    assert modelspec.loads(source.resolved_text()).problems == []


def test_run_without_a_folder_has_a_default_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = modelspec.train(small("training.epochs=1"), data)
    assert re.fullmatch(r"runs/small/\d{8}-\d{6}", run.path.as_posix())
    assert run.status == "completed"


def test_folder_with_a_run_is_refused(data: Path, tmp_path: Path) -> None:
    source = small("training.epochs=1")
    run = modelspec.train(source, data, run=tmp_path / "run")
    before = {name: (run.path / name).read_bytes() for name in files(run.path)}
    with pytest.raises(modelspec.RunError, match="contains a run"):
        modelspec.train(source, data, run=tmp_path / "run")
    assert {name: (run.path / name).read_bytes() for name in files(run.path)} == before


class Stop(NullListener):
    """Ends training with an error after some epochs."""

    def __init__(self, error: BaseException, after: int) -> None:
        self.error = error
        self.after = after

    def epoch_finished(self, record: Mapping[str, Any]) -> None:
        if record["epoch"] >= self.after:
            raise self.error


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), "interrupted"), (OSError("full"), "failed")]
)
def test_broken_training_says_how_it_ended(
    error: BaseException, status: str, data: Path, tmp_path: Path
) -> None:
    expected = modelspec.RunError if isinstance(error, OSError) else type(error)
    with pytest.raises(expected):
        modelspec.train(small(), data, run=tmp_path / "run", listener=Stop(error, 1))
    run = modelspec.Run.open(tmp_path / "run")
    assert run.status == status
    assert "full" in run.record.get("error", "full")
    assert [epoch["epoch"] for epoch in run.history] == [1]
    assert run.record["ended"] >= run.record["started"]
    assert not run.model_path.exists()
    notes: list[str] = []
    modelspec.evaluate(modelspec.open_target(run.path), data, say=notes.append)
    assert any("checkpoint, after 1 epochs" in note for note in notes)


def test_bad_data_leaves_no_run(data: Path, tmp_path: Path) -> None:
    source = modelspec.loads(SMALL.replace("shape: [3]", "shape: [4]"))
    with pytest.raises(modelspec.SpecError):
        modelspec.train(source, data, run=tmp_path / "run")
    assert not (tmp_path / "run" / "run.json").exists()


def test_a_loss_that_is_no_number_fails_the_run_and_names_the_step(tmp_path: Path) -> None:
    x = np.full((SAMPLES, 3), 1e18, "f")
    np.savez(tmp_path / "data.npz", x=x, y=np.full((SAMPLES, 1), -1e18, "f"))
    source = small("optimizer={SGD: {learning_rate: 10.0}}")
    with pytest.raises(modelspec.RunError, match=r"loss is inf after step 2 of epoch 1"):
        modelspec.train(source, tmp_path / "data.npz", run=tmp_path / "run")
    assert modelspec.Run.open(tmp_path / "run").status == "failed"


def test_history_is_json_where_a_value_is_not_finite(data: Path, tmp_path: Path) -> None:
    x = np.full((SAMPLES, 3), 1e30, "f")
    np.savez(tmp_path / "held.npz", x=x, y=np.full((SAMPLES, 1), -1e17, "f"))
    run = modelspec.train(small(), data, validation=tmp_path / "held.npz", run=tmp_path / "run")
    text = (run.path / "history.jsonl").read_text(encoding="utf-8")
    assert "NaN" not in text
    assert "Infinity" not in text
    assert run.history[-1]["val_loss"] is None


def test_deep_work_returns_and_raises_as_the_function_does() -> None:
    assert with_deep_stack(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        with_deep_stack(lambda: 1 // 0)
