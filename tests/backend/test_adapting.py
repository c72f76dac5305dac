"""Layers with ``adapt: true``, against plain Keras: adapt by hand, then fit."""

import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from listeners import Recorder, StopBefore
from numpy.typing import NDArray

import modelspec
from modelspec.api.balance import measure
from modelspec.api.building import build_unfitted
from modelspec.api.training_data import load_training_arrays, make_phases
from modelspec.backend.training import adapting, fitted_rows
from modelspec.problems.errors import ModelError, RunError, RunInterrupted, SpecError

pytestmark = pytest.mark.keras

Arrays = dict[str, NDArray[Any]]

SAMPLES = 230
SPEC = """
modelspec: 1
name: fitted
inputs:
  area: {shape: [2]}
  rooms: {shape: [], dtype: int64}
  kind: {shape: [], dtype: string}
  review: {shape: [], dtype: string}
layers:
  - {Normalization: , name: scaled, from: area, adapt: true}
  - Discretization: {num_bins: 4, output_mode: multi_hot}
    name: bins
    from: scaled
    adapt: true
  - IntegerLookup: {max_tokens: 6, output_mode: one_hot, pad_to_max_tokens: true}
    name: rooms_known
    from: rooms
    adapt: true
  - StringLookup: {max_tokens: 5, output_mode: one_hot, pad_to_max_tokens: true}
    name: kinds
    from: kind
    adapt: true
  - TextVectorization: {max_tokens: 12, output_mode: tf_idf, pad_to_max_tokens: true}
    name: words
    from: review
    adapt: true
  - Concatenate:
    from: [scaled, bins, rooms_known, kinds, words]
  - Dense: {units: 1}
    name: price
outputs: price
losses: mse
optimizer: {SGD: {learning_rate: 0.01}}
training: {epochs: 2, batch_size: 32, validation_split: {last: 0.2}, shuffle: false, jit: false}
"""


def arrays() -> Arrays:
    random = np.random.default_rng(0)
    area = random.normal([120, -3], [40, 0.1], (SAMPLES, 2))
    words = np.array(["good", "bad", "film", "great", "awful", "plot", "the", "is", "ünï", "👍"])
    return {
        "area": area,
        "rooms": random.integers(1, 7, SAMPLES),
        "kind": np.array(["flat", "house", "boat", "", "castle"])[random.integers(0, 5, SAMPLES)],
        "review": np.array([" ".join(random.choice(words, k % 7 + 1)) for k in range(SAMPLES)]),
        "price": area[:, 0] / 100,
    }


def by_hand(data: Arrays, rows: slice) -> keras.Model:
    """Build the model of ``SPEC`` in plain Keras, fitted to some rows."""
    keras.utils.set_random_seed(0)
    area = keras.Input((2,), name="area")
    rooms = keras.Input((), dtype="int64", name="rooms")
    kind = keras.Input((), dtype="string", name="kind")
    review = keras.Input((), dtype="string", name="review")
    scaled = keras.layers.Normalization(name="scaled")
    scaled.adapt(data["area"][rows])
    bins = keras.layers.Discretization(num_bins=4, output_mode="multi_hot", name="bins")
    bins.adapt(np.asarray(scaled(data["area"][rows].astype("f"))))
    padded: dict[str, Any] = {"output_mode": "one_hot", "pad_to_max_tokens": True}
    rooms_known = keras.layers.IntegerLookup(max_tokens=6, name="rooms_known", **padded)
    rooms_known.adapt(data["rooms"][rows])
    kinds = keras.layers.StringLookup(max_tokens=5, name="kinds", **padded)
    kinds.adapt(data["kind"][rows].astype(object))
    words = keras.layers.TextVectorization(
        max_tokens=12, output_mode="tf_idf", pad_to_max_tokens=True, name="words"
    )
    words.adapt(data["review"][rows].astype(object))
    first = scaled(area)
    parts = [first, bins(first), rooms_known(rooms), kinds(kind), words(review)]
    price = keras.layers.Dense(1, name="price")(keras.layers.Concatenate()(parts))
    return keras.Model([area, rooms, kind, review], price)


def load(path: Path) -> Any:
    """Load a model with plain Keras, which warns of containers that have nothing to restore."""
    with warnings.catch_warnings(action="ignore"):
        return keras.saving.load_model(path)


def fitted(model: Any) -> dict[str, Any]:
    """Return the values to which the layers of a model were fitted."""
    state: dict[str, Any] = {}
    for layer in model.layers:
        if hasattr(layer, "get_vocabulary"):
            state[layer.name] = [str(entry) for entry in layer.get_vocabulary()]
        if isinstance(layer, keras.layers.Normalization):
            state[layer.name] = [np.asarray(layer.mean), np.asarray(layer.variance)]
        if isinstance(layer, keras.layers.Discretization):
            state[layer.name] = list(layer.bin_boundaries)
    return state


def assert_same(one: dict[str, Any], other: dict[str, Any], relative: float = 1e-5) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        if isinstance(values[0], str):
            assert values == other[name]
        else:
            np.testing.assert_allclose(values, other[name], relative, 1e-6)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> modelspec.Run:
    folder = tmp_path_factory.mktemp("fitted") / "run"
    return modelspec.train(modelspec.loads(SPEC), arrays(), run=folder)


@pytest.fixture(scope="module")
def loaded(run: modelspec.Run) -> Any:
    return load(run.model_path)


def test_fit_is_that_of_plain_keras(run: modelspec.Run, loaded: Any) -> None:
    data, rows = arrays(), slice(0, 184)
    hand = by_hand(data, rows)
    hand.compile(keras.optimizers.SGD(0.01), "mse")
    assert_same(fitted(loaded), fitted(hand))

    def x(part: slice) -> list[Any]:
        texts = [data[name][part].astype(object) for name in ("kind", "review")]
        return [
            keras.ops.convert_to_tensor(column)
            for column in (data["area"][part], data["rooms"][part], *texts)
        ]

    log = hand.fit(
        x(rows),
        data["price"][rows],
        batch_size=32,
        epochs=2,
        shuffle=False,
        verbose=0,
        validation_data=(x(slice(184, None)), data["price"][184:]),
    ).history
    for epoch, record in enumerate(run.history):
        for name in ("loss", "val_loss"):
            assert record[name] == pytest.approx(log[name][epoch], rel=1e-5)
    for mine, theirs in zip(loaded.get_weights(), hand.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, 1e-5, 1e-7)
    everything = x(slice(None))
    np.testing.assert_allclose(
        loaded.predict(everything, verbose=0), hand.predict(everything, verbose=0), 1e-5, 1e-6
    )
    predicted = modelspec.predict(modelspec.open_target(run.path), data).arrays["price"]
    np.testing.assert_allclose(predicted, loaded.predict(everything, verbose=0), 1e-5, 1e-6)


def test_rows_that_do_not_train_change_nothing(loaded: Any, tmp_path: Path) -> None:
    other = arrays()
    other["area"][184:] = 1e9
    other["rooms"][184:] = 6
    other["kind"][184:] = "castle"
    other["review"][184:] = "leaked leaked leaked"
    tests = {f"{name}_test": array[184:] for name, array in other.items()}
    trains = {f"{name}_train": array for name, array in other.items()}
    spec = modelspec.loads(SPEC, ["training.epochs=1"])
    ran = modelspec.train(spec, {**trains, **tests}, run=tmp_path / "run")
    assert_same(fitted(load(ran.model_path)), fitted(loaded), 0.0)


def test_stream_gives_what_arrays_give(
    loaded: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitted_rows, "RESIDENT_BYTES", 1)
    monkeypatch.setattr(fitted_rows, "CHUNK_BYTES", 1000)
    spec = modelspec.loads(SPEC, ["training.epochs=1"])
    ran = modelspec.train(spec, arrays(), run=tmp_path / "run")
    model = load(ran.model_path)
    state, whole = fitted(model), fitted(loaded)
    again = modelspec.train(spec, arrays(), run=tmp_path / "again")
    assert_same(fitted(load(again.model_path)), state, 0.0)
    # Keras's quantiles of a stream are estimates: those of its own adapt on the same batches.
    area = arrays()["area"][:184]
    batches = [area[start : start + 62] for start in range(0, 184, 62)]  # of 1,000 bytes
    scaled = [np.asarray(model.get_layer("scaled")(batch)) for batch in batches]
    shape = tf.TensorSpec([None, 2], tf.float32)
    hand = keras.layers.Discretization(num_bins=4)
    hand.adapt(tf.data.Dataset.from_generator(lambda: iter(scaled), output_signature=shape))
    np.testing.assert_allclose(state["bins"], hand.bin_boundaries, 1e-5)
    np.testing.assert_allclose(state.pop("bins"), whole["bins"], atol=0.2)
    assert_same(state, {name: value for name, value in whole.items() if name != "bins"})


def test_values_are_in_memory_once() -> None:
    """Keras itself copies what it takes quantiles of, as float32: it is not to have more."""
    text = """
modelspec: 1
inputs: {x: {shape: [4]}}
layers:
  - {Discretization: {num_bins: 8, output_mode: multi_hot}, name: bins, adapt: true}
  - {Dense: {units: 1}, name: y}
outputs: y
losses: mse
training: {precompute: false, jit: false}
"""
    source, listener = modelspec.loads(text), Recorder()
    x = np.random.default_rng(0).normal(size=(500_000, 4))
    source, loaded = load_training_arrays(source, {"x": x, "y": x[:, 0]}, None, listener)
    model = build_unfitted(source)
    batches = make_phases(source, loaded, listener).training
    tracemalloc.start()
    try:
        valid = source.require()
        assert adapting.adapt_layers(
            model, valid.graph, batches, say=listener.note, warn=listener.warn
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2.2 * x.nbytes
    hand = keras.layers.Discretization(num_bins=8)
    hand.adapt(x)
    assert model.get_layer("bins").bin_boundaries == hand.bin_boundaries


def test_interrupted_run_keeps_what_was_fitted(
    run: modelspec.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, source = tmp_path / "run", modelspec.loads(SPEC)
    with pytest.raises(RunInterrupted):
        modelspec.train(source, arrays(), run=folder, listener=StopBefore(2))
    scores = modelspec.evaluate(modelspec.open_target(folder), arrays())
    assert scores["loss"] > 0
    monkeypatch.setattr(adapting, "_adapt", None)  # nothing is fitted a second time
    again = modelspec.train(source, arrays(), run=folder, resume=True)
    for mine, theirs in zip(again.history, run.history, strict=True):
        assert {**mine, "seconds": 0} == {**theirs, "seconds": 0}


def test_fitted_values_of_another_model_are_refused(run: modelspec.Run, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(RunInterrupted):
        modelspec.train(modelspec.loads(SPEC), arrays(), run=folder, listener=StopBefore(1))
    for values in ({"scaled/0": np.zeros(3)}, {"words/vocabulary": np.zeros(3, np.uint8)}):
        np.savez(folder / "fitted.npz", **values)
        with pytest.raises(RunError, match=r"fitted\.npz cannot be read"):
            modelspec.train(modelspec.loads(SPEC), arrays(), run=folder, resume=True)
    (folder / "fitted.npz").unlink()
    (folder / "fitted.npz").symlink_to(run.path / "fitted.npz")
    with pytest.raises(RunError, match="a link"):
        modelspec.train(modelspec.loads(SPEC), arrays(), run=folder, resume=True)


def test_blocks_repeats_and_shared_layers(tmp_path: Path) -> None:
    text = """
modelspec: 1
inputs: {left: {shape: [], dtype: string}, right: {shape: [], dtype: string}, x: {shape: [2]}}
blocks:
  scale:
    inputs: [x]
    layers:
      - {Normalization: , name: n, from: x, adapt: true}
      - {Rescaling: {scale: 2.0}, name: y}
    outputs: y
layers:
  - {TextVectorization: {max_tokens: 9, output_sequence_length: 3}, name: words, from: left,
     adapt: true}
  - {share: words, name: words_right, from: right}
  - {scale: , name: twice, from: x, repeat: 2}
  - {Normalization: , name: ring, from: x, adapt: true}
  - {share: ring, name: ring_again}
  - {Embedding: {input_dim: 9, output_dim: 2}, name: e, from: words}
  - {share: e, name: e_right, from: words_right}
  - {Dense: {units: 2}, name: d, from: x}
  - {Normalization: , name: late, from: d, adapt: true}
  - {Flatten: , from: e, name: f}
  - {Flatten: , from: e_right, name: g}
  - Concatenate:
    from: [f, g, twice, ring_again, late]
  - {Dense: {units: 1}, name: y}
outputs: y
losses: mse
training: {epochs: 1}
"""
    random = np.random.default_rng(0)
    x = random.normal(5, 3, (50, 2)).astype("f")
    data = {
        "left": np.array(["a b", "a c"])[random.integers(0, 2, 50)],
        "right": np.array(["d", "e e"]).astype("S")[random.integers(0, 2, 50)][:, None],
        "x": x,
        "y": x[:, 0],
    }
    listener = Recorder()
    ran = modelspec.train(modelspec.loads(text), data, run=tmp_path / "run", listener=listener)
    state = fitted(load(ran.model_path))
    assert set(state["words"]) == {"", "[UNK]", "a", "b", "c", "d", "e"}
    mean, deviation = x.mean(0), x.std(0)
    np.testing.assert_allclose(state["twice_0.n"][0][0], mean, 1e-5)
    np.testing.assert_allclose(state["twice_1.n"][0][0], [0, 0], atol=1e-5)
    np.testing.assert_allclose(state["twice_1.n"][1][0], [4, 4], 1e-4)
    np.testing.assert_allclose(state["ring"][1][0], deviation**2, 1e-5)
    [warning] = listener.warnings
    assert warning.startswith("late is fitted once, before training, to the result of d,")
    assert "words is fitted to 50 samples, 7 entries" in listener.notes


def test_vocabularies_that_keras_alone_would_not_load(tmp_path: Path) -> None:
    text = """
modelspec: 1
inputs: {a: {shape: [], dtype: string}}
layers:
  - {StringLookup: {max_tokens: 9}, name: ids, from: a, adapt: true}
  - {StringLookup: {max_tokens: 9, output_mode: one_hot, pad_to_max_tokens: true}, name: hot,
     from: a, adapt: true}
  - {Embedding: {input_dim: 9, output_dim: 2}, name: e, from: ids}
  - Flatten
  - {Concatenate: , from: [flatten, hot], name: both}
  - {Dense: {units: 1}, name: y}
outputs: y
losses: mse
training: {epochs: 1}
"""
    a = np.array(["x", "a\u2028b", "c\nd", "x", "\r", "x", ""])
    data = {"a": a, "y": np.arange(7.0)}
    ran = modelspec.train(modelspec.loads(text), data, run=tmp_path / "run")
    state = fitted(load(ran.model_path))
    assert state["ids"] == ["[UNK]", "x", "c\nd", "a\u2028b", "\r", ""]
    assert state["hot"] == state["ids"]


def test_no_entries(tmp_path: Path) -> None:
    data = arrays()
    data["review"] = np.full(SAMPLES, " ")
    with pytest.raises(ModelError, match="words found no entries"):
        modelspec.train(modelspec.loads(SPEC), data, run=tmp_path / "run")


@pytest.mark.parametrize(
    ("layer", "dtype", "count"),
    [
        ("StringLookup: {num_oov_indices: 2}", "string", 9),
        ("IntegerLookup: {mask_token: 0}", "int64", 9),
        ("TextVectorization: {output_sequence_length: 1}", "string", 9),
    ],
)
def test_ids_that_no_embedding_has_end_a_run_before_its_first_step(
    layer: str, dtype: str, count: int, tmp_path: Path
) -> None:
    text = (
        f"modelspec: 1\ninputs: {{x: {{shape: [1], dtype: {dtype}}}}}\nlayers:\n"
        f"  - {layer}\n    adapt: true\n  - Embedding: {{input_dim: 8, output_dim: 2}}\n"
        "  - Flatten\n  - {Dense: {units: 1}, name: y}\noutputs: y\nlosses: mse\n"
    )
    ids = np.arange(1, 8)[:, None]
    data = {"x": ids.astype(str) if dtype == "string" else ids, "y": np.zeros((7, 1))}
    with pytest.raises(SpecError) as caught:
        modelspec.train(modelspec.loads(text), data, run=tmp_path / "run")
    [problem] = caught.value.problems
    assert (problem.code, problem.place.span.line) == ("id-out-of-range", 6)
    assert f"input_dim must be at least {count}" == problem.hint
    assert not modelspec.Run(tmp_path / "run").history
    enough = text.replace("input_dim: 8", f"input_dim: {count}")
    assert modelspec.train(modelspec.loads(enough), data, run=tmp_path / "more").status


def test_build_has_no_data_to_fit_a_layer_to() -> None:
    spec = modelspec.loads(SPEC)
    with pytest.raises(SpecError) as caught:
        spec.build()
    assert [problem.code for problem in caught.value.problems] == ["cannot-adapt"] * 5
    assert spec.summary().layers  # shapes are known without data


@pytest.mark.sweep
def test_balance_fits_the_layers() -> None:
    text = SPEC.replace("outputs: price", "outputs: [price, rent]").replace(
        "losses: mse", "losses: {price: mse, rent: mse}"
    )
    text = text.replace(
        "    name: price\n", "    name: price\n  - {Dense: {units: 1}, name: rent, from: shared}\n"
    ).replace(
        "  - Dense: {units: 1}\n    name: price",
        "  - {Dense: {units: 3}, name: shared}\n  - Dense: {units: 1}\n    name: price",
    )
    data = arrays() | {"rent": arrays()["price"]}
    assert all(map(np.isfinite, measure(modelspec.loads(text), data, batches=2).start.losses))


def test_xla_cannot_take_text(tmp_path: Path) -> None:
    spec = modelspec.loads(SPEC, ["training.jit=true", "training.precompute=false"])
    with pytest.raises(SpecError, match="XLA cannot compile a step that takes text"):
        modelspec.train(spec, arrays(), run=tmp_path / "run")


def test_text_is_looked_up_once(tmp_path: Path) -> None:
    """By itself, where there are epochs enough; the numbers stay what they are."""
    repository = Path(__file__).parents[2]
    data = repository / "data" / "reviews.npz"
    histories = []
    for name, more in (("auto", []), ("every", ["training.precompute=false"])):
        source = modelspec.load(
            repository / "specs" / "reviews.yaml",
            ["training.epochs=3", "training.jit=false", *more],
        )
        run = modelspec.train(source, data, run=tmp_path / name)
        histories.append([{**record, "seconds": 0} for record in run.history])
    assert "precompute: true" in (tmp_path / "auto" / "spec.yaml").read_text(encoding="utf-8")
    for ours, theirs in zip(*histories, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
