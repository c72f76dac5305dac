"""Training, evaluation and prediction against the same models written by hand in plain Keras."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from rounding import rounding

import modelspec

pytestmark = [pytest.mark.keras, pytest.mark.slow]

layers = keras.layers
Arrays = dict[str, NDArray[Any]]
SPECS = Path(__file__).parents[2] / "specs"

SAMPLES, BATCH = 70, 16
"""The last batch of an epoch is a short one."""

RELATIVE = rounding(200)
"""Both sides run the same kernels of TensorFlow on the same batches. What differs is the order in
which losses, metrics, and the gradients of several heads are summed, over 70 samples and the units
of a layer, and the kernels chosen for batches of another length."""


class Twin(NamedTuple):
    """A spec, the same model in plain Keras, and plain Keras's arguments for its training.

    ``hand`` builds the model; ``given`` goes to ``compile``.
    """

    text: str
    arrays: Arrays
    hand: Callable[[], keras.Model]
    compile_arguments: Mapping[str, Any]
    targets: Any
    """The form of the targets that plain Keras takes: a name, a list of names, or a mapping."""


def shipped(name: str, *changes: tuple[str, str]) -> str:
    text = (SPECS / f"{name}.yaml").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def without(text: str, *keys: str) -> str:
    """A spec's text without some of its top-level keys, each on lines of its own."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith((" ", "#", "-")) and line:
            inside = line.split(":")[0] in keys
        if not inside:
            kept.append(line)
    return "\n".join(kept) + "\n"


def one_hot(random: np.random.Generator, classes: int) -> NDArray[Any]:
    return np.eye(classes, dtype="f")[random.integers(0, classes, SAMPLES)]


def flags(random: np.random.Generator) -> NDArray[Any]:
    return random.integers(0, 2, (SAMPLES, 1)).astype("f")


# ---------------------------------------------------------------- the models by hand


def mlp() -> keras.Model:
    features = keras.Input((64,), name="features")
    x = layers.Dense(32, activation="relu")(features)
    x = layers.Dense(32, activation="relu")(x)
    return keras.Model(features, layers.Dense(10, activation="softmax", name="label")(x))


def question_answering() -> keras.Model:
    text = keras.Input((None,), dtype="int32", name="text")
    question = keras.Input((None,), dtype="int32", name="question")
    read = layers.LSTM(32)(layers.Embedding(50, 64)(text))
    asked = layers.LSTM(16)(layers.Embedding(40, 64)(question))
    both = layers.Concatenate(axis=-1)([read, asked])
    answer = layers.Dense(12, activation="softmax", name="answer")(both)
    return keras.Model([text, question], answer)


def author_profile() -> keras.Model:
    posts = keras.Input((None,), dtype="int32", name="posts")
    x = layers.Embedding(60, 256)(posts)
    x = layers.MaxPooling1D(5)(layers.Conv1D(128, 5, activation="relu")(x))
    x = layers.Conv1D(256, 5, activation="relu")(x)
    x = layers.MaxPooling1D(5)(layers.Conv1D(256, 5, activation="relu")(x))
    x = layers.Conv1D(256, 5, activation="relu")(x)
    x = layers.Conv1D(256, 5, activation="relu")(x)
    profile = layers.Dense(128, activation="relu")(layers.GlobalMaxPooling1D()(x))
    age = layers.Dense(1, name="age")(profile)
    income = layers.Dense(10, activation="softmax", name="income")(profile)
    gender = layers.Dense(1, activation="sigmoid", name="gender")(profile)
    return keras.Model(posts, [age, income, gender])


def digits_heads(*, mapping: bool = False) -> keras.Model:
    image = keras.Input((8, 8), name="image")
    x = layers.Reshape((8, 8, 1))(image)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.Dropout(0.25)(layers.Flatten()(x))
    features = layers.Dense(64, activation="relu")(x)
    digit = layers.Dense(10, activation="softmax", name="digit")(features)
    parity = layers.Dense(1, activation="sigmoid", name="parity")(features)
    ink = layers.Dense(1, name="ink")(features)
    if mapping:
        return keras.Model(image, {"which": digit, "odd": parity, "amount": ink})
    return keras.Model(image, [digit, parity, ink])


# ---------------------------------------------------------------- specs and what Keras is told


def mlp_twin() -> Twin:
    random = np.random.default_rng(1)
    arrays = {"features": random.random((SAMPLES, 64), "f"), "label": one_hot(random, 10)}
    compile_arguments = {"loss": "categorical_crossentropy", "metrics": ["accuracy", "mae"]}
    text = shipped("mlp") + "metrics: [accuracy, mae]\n"
    return Twin(text, arrays, mlp, compile_arguments, "label")


def question_answering_twin() -> Twin:
    random = np.random.default_rng(2)
    arrays = {
        "text": random.integers(0, 50, (SAMPLES, 9), "int32"),
        "question": random.integers(0, 40, (SAMPLES, 5), "int32"),
        "answer": one_hot(random, 12),
    }
    small = "{text_vocabulary: 50, question_vocabulary: 40, answers: 12}"
    large = "{text_vocabulary: 10000, question_vocabulary: 10000, answers: 500}"
    text = without(shipped("question_answering", (large, small)), "training")
    compile_arguments = {"loss": "categorical_crossentropy", "metrics": ["acc"]}
    return Twin(text, arrays, question_answering, compile_arguments, "answer")


AUTHOR_OUTPUTS = ("age", "income", "gender")
AUTHOR_LOSSES = ("mse", "categorical_crossentropy", "binary_crossentropy")


def author_profile_twin(form: str) -> Twin:
    random = np.random.default_rng(3)
    arrays = {
        "posts": random.integers(0, 60, (SAMPLES // 2, 280), "int32"),
        "age": random.normal(size=(SAMPLES // 2, 1)).astype("f"),
        "income": one_hot(random, 10)[: SAMPLES // 2],
        "gender": flags(random)[: SAMPLES // 2],
    }
    text = shipped("author_profile", ("input_dim: 50000", "input_dim: 60"))
    text = without(text, "losses", "loss_weights", "training")
    losses, weights = list(AUTHOR_LOSSES), [0.25, 1.0, 10.0]
    if form == "list":
        compile_arguments: dict[str, Any] = {"loss": losses, "loss_weights": weights}
        text += "losses: [mse, categorical_crossentropy, binary_crossentropy]\n"
        text += "loss_weights: [0.25, 1.0, 10.0]\n"
        return Twin(text, arrays, author_profile, compile_arguments, list(AUTHOR_OUTPUTS))
    # In another order than the outputs': names alone must decide.
    text += "losses: {gender: binary_crossentropy, age: mse, income: categorical_crossentropy}\n"
    text += "loss_weights: {gender: 10.0, income: 1.0, age: 0.25}\n"
    compile_arguments = {
        "loss": dict(zip(AUTHOR_OUTPUTS, losses, strict=True)),
        "loss_weights": dict(zip(AUTHOR_OUTPUTS, weights, strict=True)),
    }
    return Twin(
        text, arrays, author_profile, compile_arguments, {name: name for name in AUTHOR_OUTPUTS}
    )


HEADS_LOSSES = ("sparse_categorical_crossentropy", "binary_crossentropy", "mse")


def digits_heads_twin(form: str) -> Twin:
    random = np.random.default_rng(4)
    names = ["which", "odd", "amount"] if form == "outputs" else ["digit", "parity", "ink"]
    arrays = {
        "image": random.random((SAMPLES, 8, 8), "f"),
        names[0]: random.integers(0, 10, SAMPLES, "int32"),
        names[1]: flags(random),
        names[2]: random.normal(size=(SAMPLES, 1)).astype("f"),
    }
    parts: dict[str, Sequence[Any]] = {
        "losses": HEADS_LOSSES,
        "loss_weights": (1.0, 2.0, 0.5),
        "metrics": (["accuracy"], ["accuracy", "mae"], ["mae"]),
    }
    written = {"losses": "loss", "loss_weights": "loss_weights", "metrics": "metrics"}
    text = without(shipped("digits_heads"), "training", *parts)
    compile_arguments: dict[str, Any] = {}
    for part, values in parts.items():
        shown = [str(value).replace("'", "") for value in values]
        named = dict(zip(names, values, strict=True))
        compile_arguments[written[part]] = list(values) if form == "list" else named
        pairs = [f"{name}: {value}" for name, value in zip(names, shown, strict=True)]
        text += f"{part}: [{', '.join(shown)}]\n" if form == "list" else ""
        text += f"{part}: {{{', '.join(reversed(pairs))}}}\n" if form != "list" else ""
    if form == "outputs":
        text = text.replace(
            "outputs: [digit, parity, ink]", "outputs: {which: digit, odd: parity, amount: ink}"
        )
    mapping = form == "outputs"
    # Keras 3.14 computes metrics of other outputs where outputs are a list and targets a mapping.
    targets = {name: name for name in names} if mapping else list(names)
    return Twin(text, arrays, lambda: digits_heads(mapping=mapping), compile_arguments, targets)


TWINS: dict[str, Callable[[], Twin]] = {
    "mlp": mlp_twin,
    "question_answering": question_answering_twin,
    "author_profile, lists": lambda: author_profile_twin("list"),
    "author_profile, mappings": lambda: author_profile_twin("mapping"),
    "digits_heads, lists": lambda: digits_heads_twin("list"),
    "digits_heads, mappings": lambda: digits_heads_twin("mapping"),
    "mapping of outputs": lambda: digits_heads_twin("outputs"),
}


# ---------------------------------------------------------------- both trainings


class Outcome(NamedTuple):
    """The results of both trainings; ``hand`` and ``plain`` are plain Keras's."""

    run: modelspec.Run
    hand: keras.Model
    plain: dict[str, float]
    data: Path
    twin: Twin


def inputs_of(model: keras.Model, arrays: Arrays) -> Any:
    values = [arrays[tensor.name] for tensor in model.inputs]
    return values if len(values) > 1 else values[0]


def in_form(names: Any, arrays: Arrays) -> Any:
    if isinstance(names, str):
        return arrays[names]
    if isinstance(names, dict):
        return {name: arrays[name] for name in names}
    return [arrays[name] for name in names]


def hand_model(source: modelspec.ModelSpec, twin: Twin) -> keras.Model:
    """The model by hand with the spec's first weights, and the same seeds for its dropout."""
    assert source.spec is not None
    keras.utils.set_random_seed(source.spec.training.seed)
    hand = twin.hand()
    hand.set_weights(source.build().get_weights())
    optimizer = "adam" if source.spec.optimizer == "adam" else "rmsprop"
    hand.compile(optimizer=optimizer, jit_compile=False, **twin.compile_arguments)
    return hand


def settings(**more: Any) -> list[str]:
    training = {"epochs": 1, "batch_size": BATCH, "shuffle": "false", **more}
    return [f"training.{name}={value}" for name, value in training.items()]


def saved(arrays: Arrays, folder: Path) -> Path:
    """The arrays in an npz file."""
    path = folder / "data.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


def first_epoch(model: keras.Model, *data: Any, **options: Any) -> dict[str, float]:
    """Return Keras's logs of an epoch of ``fit``, with the same batches."""
    history = model.fit(*data, batch_size=BATCH, shuffle=False, verbose=0, **options).history
    return {name: values[0] for name, values in history.items()}


def train_both(twin: Twin, folder: Path) -> Outcome:
    data = saved(twin.arrays, folder)
    source = modelspec.loads(twin.text, settings())
    run = modelspec.train(source, data, run=folder / "run")
    hand = hand_model(source, twin)
    plain = first_epoch(hand, inputs_of(hand, twin.arrays), in_form(twin.targets, twin.arrays))
    return Outcome(run, hand, plain, data, twin)


SWEPT = {
    *("author_profile, lists", "author_profile, mappings"),
    *("digits_heads, lists", "question_answering"),
}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.sweep if name in SWEPT else ()) for name in TWINS],
)
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return train_both(TWINS[request.param](), tmp_path_factory.mktemp("twin"))


def logs(record: Mapping[str, Any]) -> dict[str, float]:
    """Return the values that Keras reports too."""
    return {
        name: value
        for name, value in record.items()
        if name not in {"epoch", "seconds"} and not name.endswith("_share")
    }


def flat(outputs: Any) -> dict[str, Any]:
    """Return outputs by name if they have names, otherwise by position."""
    if isinstance(outputs, Mapping):
        return dict(sorted(outputs.items()))
    return dict(enumerate(outputs if isinstance(outputs, list) else [outputs]))  # type: ignore[arg-type]


def trained(outcome: Outcome) -> keras.Model:
    return keras.saving.load_model(outcome.run.model_path, safe_mode=True)


def test_outputs_are_equal_before_training(outcome: Outcome) -> None:
    source = modelspec.loads(outcome.twin.text, settings())
    ours = source.build()
    hand = hand_model(source, outcome.twin)
    inputs = inputs_of(hand, outcome.twin.arrays)
    assert type(ours.output) is type(hand.output)
    expected = flat(hand.predict(inputs, verbose=0))
    results = flat(ours.predict(inputs, verbose=0))
    assert list(results) == list(expected)
    for name, result in results.items():
        np.testing.assert_allclose(result, expected[name], rtol=RELATIVE)


def test_losses_and_metrics_are_equal_after_an_epoch(outcome: Outcome) -> None:
    assert logs(outcome.run.history[0]) == pytest.approx(outcome.plain, rel=RELATIVE)


def test_weights_are_equal_after_an_epoch(outcome: Outcome) -> None:
    ours, theirs = trained(outcome).get_weights(), outcome.hand.get_weights()
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=RELATIVE, atol=1e-7)


def test_evaluation_is_equal(outcome: Outcome) -> None:
    hand, twin = outcome.hand, outcome.twin
    results = modelspec.evaluate(modelspec.open_target(outcome.run.path), outcome.data)
    expected = hand.evaluate(
        inputs_of(hand, twin.arrays),
        in_form(twin.targets, twin.arrays),
        batch_size=BATCH,
        return_dict=True,
        verbose=0,
    )
    assert results == pytest.approx(expected, rel=RELATIVE)


def test_predictions_are_equal(outcome: Outcome) -> None:
    hand = outcome.hand
    results = modelspec.predict(modelspec.open_target(outcome.run.path), outcome.data).arrays
    expected = hand.predict(inputs_of(hand, outcome.twin.arrays), verbose=0)
    if not isinstance(expected, dict):
        names = (
            [outcome.twin.targets]
            if isinstance(outcome.twin.targets, str)
            else list(outcome.twin.targets)
        )
        expected = dict(zip(names, flat(expected).values(), strict=True))
    assert set(results) == set(expected)
    for name, result in results.items():
        np.testing.assert_allclose(result, expected[name], rtol=RELATIVE, atol=1e-7)


# ---------------------------------------------------------------- forms


def test_lists_and_mappings_are_the_same_model_and_history(tmp_path: Path) -> None:
    runs = []
    for form in ("list", "mapping"):
        twin = author_profile_twin(form)
        data = tmp_path / f"{form}.npz"
        np.savez(data, **twin.arrays)  # type: ignore[arg-type]
        source = modelspec.loads(twin.text, settings(epochs=2, shuffle="true"))
        runs.append(modelspec.train(source, data, run=tmp_path / form))
    assert [logs(epoch) for epoch in runs[0].history] == [logs(epoch) for epoch in runs[1].history]
    first, second = (keras.saving.load_model(run.model_path).get_weights() for run in runs)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def test_order_of_names_decides_nothing() -> None:
    """Keras has matched by position what did not match by name; here the loss must be age's."""
    source = modelspec.loads(author_profile_twin("mapping").text)
    assert {head.output: (head.loss, head.weight) for head in source.heads} == {
        "age": ("mse", 0.25),
        "income": ("categorical_crossentropy", 1.0),
        "gender": ("binary_crossentropy", 10.0),
    }


@pytest.mark.parametrize("part", ["losses", "loss_weights"])
def test_mistyped_name_is_an_error(part: str) -> None:
    text = author_profile_twin("mapping").text
    place = text.index(f"{part}: {{")
    wrong = text[:place] + text[place:].replace("gender:", "gendre:", 1)
    [problem] = modelspec.loads(wrong).problems
    assert problem.severity == "error"
    assert "gendre" in problem.message
    assert "gender" in str(problem.hint)
    line = wrong[: wrong.index("gendre")].count("\n") + 1
    assert problem.place.span.line == line
    with pytest.raises(modelspec.SpecError, match="gendre"):
        modelspec.loads(wrong).build()


# ---------------------------------------------------------------- weights of samples and classes


def class_weight_of(ids: NDArray[Any], weights: Mapping[int, float]) -> NDArray[Any]:
    return np.array([weights.get(int(class_id), 1.0) for class_id in ids], "f")


def test_sample_weights_and_class_weights_together(tmp_path: Path) -> None:
    """By output; one output has both, one has either, one has neither."""
    twin = digits_heads_twin("mapping")
    random = np.random.default_rng(5)
    arrays = {
        **twin.arrays,
        "digit_weight": random.random(SAMPLES, "f"),
        "ink_weight": random.random((SAMPLES, 1), "f"),
    }
    data = saved(arrays, tmp_path)
    classes = {"digit": {0: 3.0, 7: 0.0}, "parity": {1: 5.0}}
    text = f"{twin.text}training: {{class_weights: {classes}}}\n"
    source = modelspec.loads(text, settings())
    run = modelspec.train(source, data, run=tmp_path / "run")
    hand = hand_model(source, twin)
    weights = {
        "digit": arrays["digit_weight"] * class_weight_of(arrays["digit"], classes["digit"]),
        "parity": class_weight_of(arrays["parity"][:, 0], classes["parity"]),
        "ink": arrays["ink_weight"][:, 0],
    }
    names = list(weights)
    expected = first_epoch(
        hand,
        arrays["image"],
        [arrays[name] for name in names],
        sample_weight=[weights[name] for name in names],
    )
    assert logs(run.history[0]) == pytest.approx(expected, rel=RELATIVE)
    # Evaluation has the samples' weights, and no class weights, as in Keras; a model alone
    # is evaluated by Keras's own batch size.
    evaluated = hand.evaluate(
        arrays["image"],
        [arrays[name] for name in names],
        sample_weight=[arrays["digit_weight"], np.ones(SAMPLES, "f"), arrays["ink_weight"][:, 0]],
        batch_size=32,
        return_dict=True,
        verbose=0,
    )
    ours = modelspec.evaluate(modelspec.open_target(run.model_path), data)
    assert ours == pytest.approx(evaluated, rel=RELATIVE)


@pytest.mark.parametrize("kind", ["one-hot", "ids"])
def test_class_weights_of_a_single_output(kind: str, tmp_path: Path) -> None:
    twin = mlp_twin()
    arrays = dict(twin.arrays)
    text = f"{twin.text}training: {{class_weights: {{label: {{0: 2.0, 3: 0.5}}}}}}\n"
    compile_arguments = dict(twin.compile_arguments)
    if kind == "ids":
        arrays["label"] = arrays["label"].argmax(-1).astype("int32")[:, None]
        text = text.replace(": categorical_", ": sparse_categorical_")
        text = text.replace("[accuracy, mae]", "[accuracy]")
        compile_arguments = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"]}
    data = saved(arrays, tmp_path)
    source = modelspec.loads(text, settings())
    run = modelspec.train(source, data, run=tmp_path / "run")
    hand = hand_model(source, twin._replace(compile_arguments=compile_arguments))
    expected = first_epoch(hand, arrays["features"], arrays["label"], class_weight={0: 2.0, 3: 0.5})
    assert logs(run.history[0]) == pytest.approx(expected, rel=RELATIVE)


SEQUENCES = """
modelspec: 1
inputs: {x: {shape: [6, 3]}}
layers:
  - Dense: {units: 4, activation: softmax}
    name: tag
outputs: tag
losses: LOSS
metrics: accuracy
training: {epochs: 1, batch_size: 16, shuffle: false}
"""


@pytest.mark.parametrize("shape", [(6,), (1,)])
@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_weights_of_steps(loss: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    """Sequences may have a weight for each step, or one for all of them."""
    random = np.random.default_rng(6)
    ids = random.integers(0, 4, (SAMPLES, 6), "int32")
    arrays = {
        "x": random.random((SAMPLES, 6, 3), "f"),
        "tag": ids if loss.startswith("sparse") else np.eye(4, dtype="f")[ids],
        "tag_weight": random.random((SAMPLES, *shape), "f"),
    }
    data = saved(arrays, tmp_path)
    source = modelspec.loads(SEQUENCES.replace("LOSS", loss))
    run = modelspec.train(source, data, run=tmp_path / "run")
    hand = source.build()
    weight = arrays["tag_weight"]
    expected = first_epoch(hand, arrays["x"], arrays["tag"], sample_weight=weight)
    assert logs(run.history[0]) == pytest.approx(expected, rel=RELATIVE)


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_class_weights_of_steps(loss: str, tmp_path: Path) -> None:
    """Each step by its own class; Keras leaves this out, so its sample weights stand in."""
    random = np.random.default_rng(7)
    ids = random.integers(0, 4, (SAMPLES, 6), "int32")
    arrays = {
        "x": random.random((SAMPLES, 6, 3), "f"),
        "tag": ids if loss.startswith("sparse") else np.eye(4, dtype="f")[ids],
        "tag_weight": random.random((SAMPLES, 1), "f"),
    }
    data = saved(arrays, tmp_path)
    text = SEQUENCES.replace("LOSS", loss).replace(
        "shuffle", "class_weights: {tag: {1: 4.0}}, shuffle"
    )
    source = modelspec.loads(text)
    run = modelspec.train(source, data, run=tmp_path / "run")
    weight = np.where(ids == 1, 4.0, 1.0) * arrays["tag_weight"]
    hand = source.build()
    expected = first_epoch(hand, arrays["x"], arrays["tag"], sample_weight=weight.astype("f"))
    assert logs(run.history[0]) == pytest.approx(expected, rel=RELATIVE)


def test_weights_of_one_output_beside_a_sequence(tmp_path: Path) -> None:
    """The output without weights has a loss for each step, and counts whole."""
    random = np.random.default_rng(8)
    text = SEQUENCES.replace("LOSS", "{tag: categorical_crossentropy, sum: mse}")
    text = text.replace("outputs: tag", "outputs: [tag, sum]").replace("metrics: accuracy\n", "")
    text = text.replace(
        "outputs", "  - Flatten:\n    from: x\n  - Dense: {units: 1}\n    name: sum\noutputs", 1
    )
    arrays = {
        "x": random.random((SAMPLES, 6, 3), "f"),
        "tag": np.eye(4, dtype="f")[random.integers(0, 4, (SAMPLES, 6))],
        "sum": random.random((SAMPLES, 1), "f"),
        "sum_weight": random.random(SAMPLES, "f"),
    }
    data = saved(arrays, tmp_path)
    source = modelspec.loads(text)
    run = modelspec.train(source, data, run=tmp_path / "run")
    expected = first_epoch(
        source.build(),
        arrays["x"],
        [arrays["tag"], arrays["sum"]],
        sample_weight=[np.ones((SAMPLES, 6), "f"), arrays["sum_weight"]],
    )
    assert logs(run.history[0]) == pytest.approx(expected, rel=RELATIVE)


# ---------------------------------------------------------------- validation


def test_validation_file(tmp_path: Path) -> None:
    twin = digits_heads_twin("mapping")
    other = {name: array[:37] for name, array in digits_heads_twin("list").arrays.items()}
    other["image"] = other["image"][::-1]
    paths = {"data": twin.arrays, "held": other}
    for name, arrays in paths.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)  # type: ignore[arg-type]
    source = modelspec.loads(twin.text, settings(epochs=2))
    run = modelspec.train(
        source, tmp_path / "data.npz", validation=tmp_path / "held.npz", run=tmp_path / "run"
    )
    hand = hand_model(source, twin)
    names = ("digit", "parity", "ink")
    history = hand.fit(
        twin.arrays["image"],
        [twin.arrays[name] for name in names],
        validation_data=(other["image"], [other[name] for name in names]),
        epochs=2,
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
    ).history
    for epoch, record in enumerate(run.history):
        expected = {name: values[epoch] for name, values in history.items()}
        assert logs(record) == pytest.approx(expected, rel=RELATIVE)


# Keras says so, rightly, of the layers that only make outputs without a loss.
@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")
def test_outputs_without_a_loss_are_left_alone(tmp_path: Path) -> None:
    twin = digits_heads_twin("mapping")
    text = without(twin.text, "losses", "loss_weights", "metrics")
    text += "losses: {ink: mse}\nmetrics: {digit: accuracy}\n"
    arrays = {name: array for name, array in twin.arrays.items() if name != "parity"}
    data = saved(arrays, tmp_path)
    source = modelspec.loads(text, settings())
    run = modelspec.train(source, data, run=tmp_path / "run")
    compile_arguments = {"loss": [None, None, "mse"], "metrics": [["accuracy"], [], []]}
    hand = hand_model(source, twin._replace(compile_arguments=compile_arguments))
    targets = [arrays["digit"], np.zeros((SAMPLES, 1), "f"), arrays["ink"]]
    expected = first_epoch(hand, arrays["image"], targets)
    assert logs(run.history[0]) == pytest.approx(expected, rel=RELATIVE)


def test_compiled_steps_agree_with_keras(tmp_path: Path) -> None:
    """Each step through XLA, the last short one too; which rounds a little differently."""
    twin = mlp_twin()
    data = saved(twin.arrays, tmp_path)
    source = modelspec.loads(twin.text, settings(jit="true"))
    run = modelspec.train(source, data, run=tmp_path / "run")
    hand = hand_model(source, twin)
    arguments = inputs_of(hand, twin.arrays), in_form(twin.targets, twin.arrays)
    expected = first_epoch(hand, *arguments)
    assert logs(run.history[0]) == pytest.approx(expected, rel=RELATIVE)
