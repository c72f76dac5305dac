"""Strategies in training: their papers' equations by hand, and otherwise Keras's own step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from rounding import assert_close, rounding

import modelspec
from modelspec.backend.loss_weights.factory import Strategy, check_strategy, make_strategy
from modelspec.backend.loss_weights.strategies import GradNormStep, UncertaintyStep
from modelspec.backend.model.model_io import batch_arrays
from modelspec.data.batches import Batch

pytestmark = [pytest.mark.keras, pytest.mark.slow]

Array = NDArray[Any]
Tensors = tuple[Any, ...]

TRUNK = """
modelspec: 1
name: heads
inputs: {{x: {{shape: [6]}}}}
layers:
  - Dense: {{units: 8, activation: tanh, kernel_regularizer: {{L2: {{l2: 0.01}}}}}}
  - Dense: {{units: 5, activation: tanh}}
    name: shared
  - Dropout: {{rate: 0.0}}
    name: kept
  - {{Dense: {{units: 1}}, name: size, from: kept}}
  - {{Dense: {{units: 3, activation: softmax}}, name: kind, from: kept}}
outputs: {outputs}
losses: {{size: mse, kind: sparse_categorical_crossentropy}}
metrics: {{size: mae, kind: accuracy}}
loss_weights: {weights}
optimizer: {optimizer}
training: {{precision: {precision}}}
"""
LIST, MAPPING = "[size, kind]", "{size: size, kind: kind}"

RATE = 0.01
"""One loss is near 1000: larger steps would blow up rounding from step to step."""

ROWS = 16
TERMS = ROWS + 6 + 8 + 5 + 3
"""The numbers of a step's sums: the rows of a batch, and the units of each layer."""

ON_WEIGHTS = 0.05 * np.sqrt(0.001) / 1e-5
"""The factor from a loss's rounding to the weights of ``uncertainty``: fitted to the first losses,
their gradient there is only rounding, and Adam multiplies it by its learning rate over its epsilon
of 1e-5. At the first step √v is √0.001 of the gradient, and m̂ the gradient itself.
"""


def built(
    weights: str,
    outputs: str = LIST,
    *,
    optimizer: str = f"{{SGD: {{learning_rate: {RATE}}}}}",
    precision: str = "float32",
) -> tuple[modelspec.ModelSpec, Any, Strategy | None]:
    """A spec, its model, and its strategy, after Keras has seen what batches look like."""
    spec = modelspec.loads(
        TRUNK.format(weights=weights, outputs=outputs, optimizer=optimizer, precision=precision)
    )
    assert spec.problems == []
    model = spec.build()
    strategy = make_strategy(model, spec.require())
    model._symbolic_build(data_batch=batches(model, 1)[0])
    return spec, model, strategy


def batches(model: Any, count: int, *, weighted: bool = True) -> list[Tensors]:
    """Batches of different length in the form that the model takes; one loss is much larger."""
    random = np.random.default_rng(3)
    tensors = []
    for number in range(count):
        rows = 16 if number % 3 else 12
        piece = Batch(
            inputs={"x": random.normal(size=(rows, 6)).astype("f")},
            targets={
                "size": 30 * random.normal(size=(rows, 1)).astype("f"),
                "kind": random.integers(3, size=rows).astype("i"),
            },
            weights={"kind": random.uniform(0.5, 2, rows).astype("f")} if weighted else {},
        )
        tensors.append(tf.nest.map_structure(tf.convert_to_tensor, batch_arrays(model, piece)))
    return tensors


def stepper(step: Callable[[Any], Any], **options: Any) -> Callable[[Any], Any]:
    """Trace a step for any number of rows, inside a loop as in the engine."""

    def looped(data: Any) -> Any:
        tf.while_loop(lambda at: at < 1, lambda at: (step(data) and at + 1,), [tf.constant(0)])

    traced: Callable[[Any], Any] = tf.function(
        looped, reduce_retracing=True, autograph=False, **options
    )
    return traced


def results(model: Any) -> dict[str, float]:
    return {name: float(value) for name, value in model.get_metrics_result().items()}


def all_variables(model: Any, strategy: Strategy | None) -> list[Array]:
    more = strategy.variables if strategy else []
    return list(map(values, (*model.variables, *model.optimizer.variables, *more)))


def values(variable: Any) -> Array:
    array: Array = keras.ops.convert_to_numpy(variable)
    return array


class ByHand:
    """The same model, trained only with a tape and arithmetic."""

    def __init__(self) -> None:
        _, self.model, _ = built("[1.0, 1.0]")

    def losses(self, batch: Tensors) -> tuple[Any, Any]:
        """The two losses and the tape that saw them."""
        x, (size, kind), (_, weight) = batch
        with tf.GradientTape(persistent=True) as tape:
            sizes, kinds = self.model(x, training=True)
            one = tf.reduce_mean((sizes - size) ** 2)
            picked = tf.gather(kinds, kind, batch_dims=1)
            other = tf.reduce_mean(-tf.math.log(picked) * weight)
            penalty = 0.01 * tf.reduce_sum(self.model.layers[1].kernel ** 2)
        return (one, other, penalty), tape

    def update(self, losses: Any, tape: Any, weights: Array) -> None:
        one, other, penalty = losses
        for variable in self.model.trainable_variables:
            parts = [tape.gradient(loss, variable) for loss in (one, other, penalty)]
            factors = (*weights, 1.0)
            total = sum(
                factor * part
                for factor, part in zip(factors, parts, strict=True)
                if part is not None
            )
            variable.assign_sub(RATE * total)

    def norms(self, losses: Any, tape: Any) -> Array:
        """Of the gradients on the weights of the last shared layer."""
        shared = self.model.get_layer("shared").trainable_variables
        gradients = [tape.gradient(loss, shared) for loss in losses[:2]]
        squares = [sum(float(tf.reduce_sum(part**2)) for part in parts) for parts in gradients]
        return np.sqrt(squares)


class Adam:
    """Kingma and Ba 2015, in the form at the end of their section 2, which is Keras's too."""

    def __init__(self, learning_rate: float, epsilon: float = 1e-7) -> None:
        self.learning_rate, self.epsilon = learning_rate, epsilon
        self.m, self.v, self.t = np.zeros(2), np.zeros(2), 0

    def step(self, values: Array, gradient: Array) -> Array:
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * gradient
        self.v = 0.999 * self.v + 0.001 * gradient**2
        rate = self.learning_rate * np.sqrt(1 - 0.999**self.t) / (1 - 0.9**self.t)
        moved: Array = values - rate * self.m / (np.sqrt(self.v) + self.epsilon)
        return moved


def numbers(losses: Any) -> Array:
    return np.array([float(loss) for loss in losses[:2]])


def averaging_one(weights: Array) -> Array:
    scaled: Array = weights * len(weights) / weights.sum()
    return scaled


def uncertainty_by_hand(hand: ByHand, data: list[Tensors], *, fitted: bool) -> list[Array]:
    forms, adam, s, used = np.array([0.5, 1.0]), Adam(0.05, 1e-5), np.zeros(2), []
    for number, batch in enumerate(data):
        losses, tape = hand.losses(batch)
        if fitted and number == 0:
            s = np.log(2 * forms * numbers(losses))
        weights = forms * np.exp(-s)
        hand.update(losses, tape, weights)
        # d/ds of form * exp(-s) * loss + s / 2
        s = adam.step(s, 0.5 - weights * numbers(losses))
        used.append(forms * np.exp(-s))
    return used


def gradnorm_by_hand(hand: ByHand, data: list[Tensors], *, fitted: bool) -> list[Array]:
    adam, relative, units, used = Adam(0.05), np.ones(2), np.ones(2), []
    first = np.ones(2)
    for number, batch in enumerate(data):
        losses, tape = hand.losses(batch)
        norms = hand.norms(losses, tape)
        if number == 0:
            first = numbers(losses)
            units = averaging_one(1 / norms) if fitted else units
        weights = relative * units
        hand.update(losses, tape, weights)
        pulls = weights * norms
        rates = numbers(losses) / first
        targets = pulls.mean() * (rates / rates.mean()) ** 1.5
        # d/dw of |w * norm - target|, for w in its unit
        apart = np.where(np.isclose(pulls, targets), 0, pulls - targets)
        moved = adam.step(relative, np.sign(apart) * norms * units)
        relative = moved * 2 / (moved * units).sum()
        used.append(relative * units)
    return used


def equal_by_hand(hand: ByHand, data: list[Tensors], *, fitted: bool) -> list[Array]:
    del fitted
    sums, used = np.zeros(2), []
    for batch in data:
        losses, tape = hand.losses(batch)
        sums = 0.9 * sums + 0.1 * numbers(losses)
        weights = averaging_one(1 / sums)
        hand.update(losses, tape, weights)
        used.append(weights)
    return used


BY_HAND = {
    "{uncertainty: {learning_rate: 0.05}}": (uncertainty_by_hand, True),
    "{uncertainty: {learning_rate: 0.05, from_first_batch: false}}": (uncertainty_by_hand, False),
    "{gradnorm: {learning_rate: 0.05}}": (gradnorm_by_hand, True),
    "{gradnorm: {learning_rate: 0.05, from_first_batch: false}}": (gradnorm_by_hand, False),
    "{equal_contribution: {momentum: 0.9}}": (equal_by_hand, True),
}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(written, marks=[pytest.mark.sweep] * ("from_first_batch" in written))
        for written in BY_HAND
    ],
)
def test_three_steps_by_hand(written: str) -> None:
    by_hand, fitted = BY_HAND[written]
    _, model, strategy = built(written)
    assert strategy is not None
    data = batches(model, 3)
    hand = ByHand()
    tolerance = rounding(3 * TERMS) + (
        ON_WEIGHTS * rounding(ROWS) if "uncertainty" in written else 0
    )
    expected = by_hand(hand, data, fitted=fitted)
    train = stepper(strategy.train_step)
    for batch, weights in zip(data, expected, strict=True):
        train(batch)
        used = [strategy.weights()[name] for name in ("size", "kind")]
        np.testing.assert_allclose(used, weights, rtol=tolerance)
    assert_close(model.weights, hand.model.weights, tolerance)


@pytest.mark.parametrize(
    ("outputs", "weighted"),
    [
        (LIST, True),
        (MAPPING, False),
        pytest.param(LIST, False, marks=pytest.mark.sweep),
        pytest.param(MAPPING, True, marks=pytest.mark.sweep),
    ],
)
def test_with_weights_of_one_the_step_is_keras_own(outputs: str, *, weighted: bool) -> None:
    still = "{gradnorm: {learning_rate: 1e-12, from_first_batch: false}}"
    _, ours, strategy = built(still, outputs)
    _, theirs, none = built("[1.0, 1.0]", outputs)
    assert strategy is not None
    assert none is None
    ours_step, their_step = stepper(strategy.train_step), stepper(theirs.train_step)
    for batch in batches(ours, 4, weighted=weighted):
        ours_step(batch)
        their_step(batch)
    expected = results(theirs)
    assert list(results(ours)) == list(expected)
    assert {"size_loss", "kind_loss", "size_mae", "kind_accuracy"} < expected.keys()
    assert results(ours) == pytest.approx(expected, rel=rounding(4 * TERMS))
    assert_close(ours.weights, theirs.weights, rounding(4 * TERMS))


STRATEGIES = ["equal_contribution", "uncertainty", "gradnorm"]


@pytest.mark.parametrize(
    "written",
    [pytest.param(name, marks=pytest.mark.sweep) for name in STRATEGIES[:2]] + ["gradnorm"],
)
def test_a_restored_state_goes_on_to_the_same_bits(written: str) -> None:
    _, whole, strategy = built(written, optimizer="adam")
    _, other, again = built(written, optimizer="adam")
    assert strategy
    assert again
    data = batches(whole, 6)
    train = stepper(strategy.train_step)
    for batch in data[:3]:
        train(batch)
    places = (*other.variables, *other.optimizer.variables, *again.variables)
    for variable, value in zip(places, all_variables(whole, strategy), strict=True):
        variable.assign(value)
    go_on = stepper(again.train_step)
    for batch in data[3:]:
        train(batch)
        go_on(batch)
    pairs = zip(all_variables(whole, strategy), all_variables(other, again), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize(
    "written",
    [pytest.param(name, marks=pytest.mark.sweep) for name in STRATEGIES],
)
def test_xla_and_half_precision(written: str) -> None:
    _, plain, one = built(written)
    _, compiled, two = built(written)
    _, half, three = built(written, optimizer="adam", precision="mixed_float16")
    assert one
    assert two
    assert three
    steps = [stepper(one.train_step), stepper(two.train_step, jit_compile=True)]
    for batch in batches(plain, 4):
        for step in steps:
            step(batch)
    tolerance = rounding(4 * TERMS) + (
        ON_WEIGHTS * rounding(ROWS) if written == "uncertainty" else 0
    )
    assert_close(plain.weights, compiled.weights, tolerance)
    assert isinstance(half.optimizer, keras.optimizers.LossScaleOptimizer)
    step = stepper(three.train_step)
    for batch in batches(half, 10):  # of which the first overflow, until Keras has found a scale
        step(batch)
    weights = three.weights()
    assert 0 < weights["size"] < 0.1 < weights["kind"]


def test_an_overflow_of_float16_leaves_the_weights_as_they_are() -> None:
    _, model, strategy = built("gradnorm", precision="mixed_float16")
    assert strategy
    train = stepper(strategy.train_step)
    first, second, *_ = batches(model, 2)
    train(first)
    before = strategy.weights()
    x, targets, weights = second
    train((x * 1e30, [targets[0] * 1e30, targets[1]], weights))
    assert strategy.weights() == pytest.approx(before, rel=0.1)
    train(second)
    assert all(np.isfinite(list(strategy.weights().values())))


@pytest.mark.parametrize(
    ("written", "outputs"),
    [
        ("gradnorm", LIST),
        pytest.param("equal_contribution", LIST, marks=pytest.mark.sweep),
        pytest.param("equal_contribution", MAPPING, marks=pytest.mark.sweep),
        pytest.param("uncertainty", MAPPING, marks=pytest.mark.sweep),
        pytest.param("uncertainty", LIST, marks=pytest.mark.sweep),
        pytest.param("gradnorm", MAPPING, marks=pytest.mark.sweep),
    ],
)
def test_what_is_saved_is_plain_keras_with_numbers(
    written: str, outputs: str, tmp_path: Path
) -> None:
    _, model, strategy = built(written, outputs, optimizer="adam")
    assert strategy
    train = stepper(strategy.train_step)
    for batch in batches(model, 4):
        train(batch)
    during = tmp_path / "during.keras"
    model.save(during)  # as ModelCheckpoint does
    state = list(map(values, model.optimizer.variables))
    weights = strategy.weights()
    strategy.finish()
    assert "compute_loss" not in vars(model)
    final = tmp_path / "final.keras"
    model.save(final)
    for path in (during, final):
        loaded = keras.saving.load_model(path, safe_mode=True)
        kept = loaded.get_compile_config()["loss_weights"]
        kept = kept if isinstance(kept, dict) else dict(zip(("size", "kind"), kept, strict=True))
        assert kept == pytest.approx(weights)
        for one, other in zip(loaded.optimizer.variables, state, strict=True):
            np.testing.assert_array_equal(values(one), other)
        x, y, weight = batches(model, 1)[0]
        scores = loaded.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True)
        heads = sum(weights[name] * scores[f"{name}_loss"] for name in weights)
        penalty = 0.01 * float(np.sum(values(loaded.layers[1].kernel) ** 2))
        assert scores["loss"] == pytest.approx(heads + penalty, rel=rounding(TERMS))


@pytest.mark.parametrize("written", STRATEGIES)
def test_validation_has_the_current_weights(written: str) -> None:
    _, model, strategy = built(written)
    assert strategy
    train, check = stepper(strategy.train_step), stepper(model.test_step)
    first, second = batches(model, 2)
    train(first)
    model.reset_metrics()
    before = all_variables(model, strategy)
    check(second)
    logs, weights = results(model), strategy.weights()
    heads = sum(weights[name] * logs[f"{name}_loss"] for name in weights)
    penalty = 0.01 * float(np.sum(values(model.layers[1].kernel) ** 2))
    beside = 0.0
    if written == "uncertainty":
        forms = {"size": 0.5, "kind": 1.0}
        beside = sum(np.log(forms[name] / weights[name]) / 2 for name in weights)
    assert logs["loss"] == pytest.approx(heads + penalty + beside, rel=rounding(TERMS))
    metrics = {id(variable) for metric in model.metrics for variable in metric.variables}
    places = (*model.variables, *model.optimizer.variables, *strategy.variables)
    after = all_variables(model, strategy)
    changed = [
        place.name
        for place, one, other in zip(places, before, after, strict=True)
        if id(place) not in metrics and not np.array_equal(one, other)
    ]
    assert changed == []


def test_a_head_that_is_not_trained_has_no_weight() -> None:
    text = TRUNK.format(
        weights="auto", outputs="[size, kind]", optimizer="adam", precision="float32"
    )
    more = "  - {Dense: {units: 1}, name: idle, from: kept}\noutputs: [idle, size, kind]"
    spec = modelspec.loads(text.replace(f"outputs: {LIST}", more))
    model = spec.build()
    strategy = make_strategy(model, spec.require())
    assert strategy
    x, targets, _ = batches(built("auto")[1], 1)[0]
    batch = (x, [tf.zeros((len(x), 1)), *targets])
    model._symbolic_build(data_batch=batch)
    with pytest.warns(UserWarning, match="idle"):  # Keras's own, as without a strategy
        stepper(strategy.train_step)(batch)
    assert list(strategy.weights()) == ["size", "kind"]
    strategy.finish()
    assert model.get_compile_config()["loss_weights"][0] == 1.0


FLAT = """
modelspec: 1
inputs: {x: {shape: [2, 3]}}
layers:
  - Flatten
  - {Dense: {units: 1}, name: a, from: flatten}
  - {Dense: {units: 1}, name: b, from: flatten}
outputs: [a, b]
losses: [mse, mse]
loss_weights: gradnorm
"""


def test_gradnorm_needs_shared_weights(tmp_path: Path) -> None:
    spec = modelspec.loads(FLAT)
    [problem] = check_strategy(spec.build(), spec.require())
    assert problem.code == "no-shared-layers"
    np.savez(tmp_path / "d.npz", x=np.zeros((4, 2, 3)), a=np.zeros((4, 1)), b=np.zeros((4, 1)))
    with pytest.raises(modelspec.SpecError) as caught:
        modelspec.train(spec, tmp_path / "d.npz", run=tmp_path / "run")
    assert "no-shared-layers" in {problem.code for problem in caught.value.problems}
    other = modelspec.loads(FLAT, ["loss_weights=uncertainty"])
    assert check_strategy(other.build(), other.require()) == []


@pytest.mark.parametrize(
    ("layers", "kind"),
    [
        ("Dense: {units: 4}", GradNormStep),
        ("Reshape: {target_shape: [3]}", UncertaintyStep),
        ("Identity: {}", UncertaintyStep),
    ],
)
def test_auto_is_what_the_heads_allow(layers: str, kind: type[Any]) -> None:
    text = FLAT.replace("- Flatten", f"- {layers}\n    name: flatten").replace("[2, 3]", "[3]")
    spec = modelspec.loads(text, ["loss_weights=auto"])
    assert type(make_strategy(spec.build(), spec.require())) is kind


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "heads.npz"
    random = np.random.default_rng(5)
    x = random.normal(size=(90, 6)).astype("f")
    size, kind = 30 * x[:, :1] + 1, (x[:, 1] > 0).astype("i") + (x[:, 2] > 0)
    np.savez(path, x=x, size=size, kind=kind.astype("i"))
    return path


def run(data: Path, folder: Path, written: str, epochs: int, **options: Any) -> modelspec.Run:
    text = TRUNK.format(weights=written, outputs=LIST, optimizer="adam", precision="float32")
    overrides = [f"training.epochs={epochs}", "training.validation_split=0.2"]
    return modelspec.train(modelspec.loads(text, overrides), data, run=folder, **options)


@pytest.mark.parametrize(
    "written",
    [
        "{gradnorm: {alpha: 1}}",
        pytest.param("auto", marks=pytest.mark.sweep),
        pytest.param("uncertainty", marks=pytest.mark.sweep),
    ],
)
def test_runs_tell_weights_and_shares_and_go_on_exactly(
    written: str, data: Path, tmp_path: Path
) -> None:
    whole = run(data, tmp_path / "whole", written, 4)
    run(data, tmp_path / "parts", written, 2)
    parts = run(data, tmp_path / "parts", written, 4, resume=True)
    histories = [
        [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in history]
        for history in (whole.history, parts.history)
    ]
    assert histories[0] == histories[1]
    last = histories[0][-1]
    assert last["size_share"] + last["kind_share"] == pytest.approx(1)
    for part in ("", "val_"):
        total = last[f"{part}size_loss"] + last[f"{part}kind_loss"]
        assert last[f"{part}loss_at_1"] == pytest.approx(total)
    models = [keras.saving.load_model(finished.model_path) for finished in (whole, parts)]
    for one, other in zip(*(model.weights for model in models), strict=True):
        np.testing.assert_array_equal(values(one), values(other))
    kept = models[0].get_compile_config()["loss_weights"]
    assert kept == [last["size_weight"], last["kind_weight"]]


def test_fixed_weights_tell_shares_alone(data: Path, tmp_path: Path) -> None:
    last = run(data, tmp_path / "run", "[0.25, 1.0]", 1).history[-1]
    weighted = 0.25 * last["size_loss"], last["kind_loss"]
    assert last["size_share"] == pytest.approx(weighted[0] / sum(weighted))
    assert "size_weight" not in last
