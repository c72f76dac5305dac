"""Parts that learn more slowly, against two optimizers of plain Keras written by hand."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import modelspec
from modelspec.catalog import load

pytestmark = pytest.mark.keras

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(40, 6)).astype("f"), RANDOM.normal(size=(40, 1)).astype("f")
SPEC = """
modelspec: 1
name: slower
inputs: {x: {shape: [6]}}
layers:
  - Dense: {units: 5, activation: tanh}
    name: trunk_1
  - Dense: {units: 4, activation: tanh}
    name: trunk_2
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
optimizer: OPTIMIZER
training:
  epochs: 2
  batch_size: 10
  shuffle: false
  jit: JIT
  learning_rates: {"trunk_*": 0.1}
"""


def spec(optimizer: str, jit: str = "false") -> modelspec.ModelSpec:
    return modelspec.loads(SPEC.replace("OPTIMIZER", optimizer).replace("JIT", jit))


def by_hand(start: list[Any], make: Any, rate: float) -> list[Any]:
    """Two optimizers, one with a tenth of the rate; each step of both from one gradient."""
    import tensorflow as tf

    model = spec("sgd").build()
    model.set_weights(start)
    slow, fast = make(rate * 0.1), make(rate)
    parts = model.trainable_variables[:4], model.trainable_variables[4:]
    slow.build(parts[0])
    fast.build(parts[1])
    for _ in range(2):
        for row in range(0, 40, 10):
            with tf.GradientTape() as tape:
                error = model([X[row : row + 10]]) - Y[row : row + 10]
                loss = tf.reduce_mean(tf.square(error))
            gradients = tape.gradient(
                loss, [variable.value for variable in model.trainable_variables]
            )
            slow.apply(gradients[:4], parts[0])
            fast.apply(gradients[4:], parts[1])
    return list(model.get_weights())


CASES = {
    "SGD: {learning_rate: 0.1, momentum: 0.9}": lambda r: keras.optimizers.SGD(r, momentum=0.9),
    "AdamW: {learning_rate: 0.01, weight_decay: 0.1}": lambda r: keras.optimizers.AdamW(
        r, weight_decay=0.1
    ),
    "Muon: {learning_rate: 0.01, weight_decay: 0.3, adam_weight_decay: 0.7}": (
        lambda r: keras.optimizers.Muon(r, weight_decay=0.3, adam_weight_decay=0.7)
    ),
}


@pytest.mark.parametrize("jit", ["true", pytest.param("false", marks=pytest.mark.sweep)])
@pytest.mark.parametrize("optimizer", CASES)
def test_numbers_are_those_of_two_optimizers(tmp_path: Path, optimizer: str, jit: str) -> None:
    source = spec(f"{{{optimizer}}}", jit)
    start = source.build().get_weights()
    rate = float(optimizer.partition("rate: ")[2].partition(",")[0])
    wanted = by_hand(start, CASES[optimizer], rate)
    run = modelspec.train(source, {"x": X, "y": Y}, run=tmp_path / "run")
    ours = keras.saving.load_model(run.model_path)
    for one, other in zip(ours.get_weights(), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_resumed_run_goes_on_bit_by_bit(tmp_path: Path) -> None:
    source = spec("{AdamW: {learning_rate: 0.01}}")
    longer = source.with_training(epochs=4)
    data = {"x": X, "y": Y}
    whole = modelspec.train(longer, data, run=tmp_path / "whole")
    modelspec.train(source, data, run=tmp_path / "run")
    part = modelspec.train(longer, data, run=tmp_path / "run", resume=True)
    models = [keras.saving.load_model(run.model_path) for run in (whole, part)]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


def optimizers() -> list[str]:
    return [name for name in load().names("optimizer") if name != "LossScaleOptimizer"]


@pytest.mark.sweep
@pytest.mark.parametrize("name", optimizers())
def test_a_factor_for_all_is_another_learning_rate(tmp_path: Path, name: str) -> None:
    weights = []
    for rate, factor in ((0.01, 0.1), (0.001, 1)):
        text = SPEC.replace("OPTIMIZER", f"{{{name}: {{learning_rate: {rate}}}}}")
        text = text.replace("JIT", "false").replace('"trunk_*": 0.1', f'"*": {factor}')
        run = modelspec.train(modelspec.loads(text), {"x": X, "y": Y}, run=tmp_path / str(factor))
        weights.append(keras.saving.load_model(run.model_path).get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("rates", "code"),
    [
        ("{trunks: 0.1}", "unmatched-pattern"),
        ('{"trunk_*": 0.1, trunk_1: 0.2}', "rate-set-twice"),
        ("{trunk_1: 0}", "wrong-value"),
        ("{trunk_1: slow}", "wrong-type"),
    ],
)
def test_mistakes_have_their_line(rates: str, code: str) -> None:
    text = SPEC.replace("OPTIMIZER", "sgd").replace("JIT", "false")
    [problem] = modelspec.loads(text.replace('{"trunk_*": 0.1}', rates)).check()
    assert (problem.code, problem.place.span.line) == (code, 20)
