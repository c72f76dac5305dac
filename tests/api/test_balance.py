"""Shares of the total loss, `modelspec balance`, and the constructed case of issue 6."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import constructed
import numpy as np
import pytest
import tensorflow as tf
import yaml
from rounding import rounding
from warm_command import WarmCommand

import modelspec
from modelspec.api.balance import measure
from modelspec.backend.loss_weights.gradients import shared_variables, weighted_layers
from modelspec.backend.loss_weights.measuring import mean, measuring_step
from modelspec.graph.shared_layers import outputs_of_layers
from modelspec.problems.errors import SpecError
from modelspec.results.balance import (
    contributions,
    dominance,
    even_out,
    loss_weights_line,
    shares,
)

pytestmark = [pytest.mark.keras, pytest.mark.process]

LOGS = {"loss": 5.0, "a_loss": 4.0, "b_loss": 0.5, "a_mae": 1.0}


def test_contributions_are_weighted_losses_and_their_shares() -> None:
    first, second = contributions(LOGS, {"a": 0.25, "b": 6.0})
    assert (first.output, first.loss, first.weight, first.weighted, first.share) == (
        ("a", 4.0, 0.25, 1.0, 0.25)
    )
    assert (second.weighted, second.share) == (3.0, 0.75)
    assert shares(LOGS, {"a": 0.25, "b": 6.0}) == {"a_share": 0.25, "b_share": 0.75}


def test_shares_where_a_loss_is_negative_zero_or_missing() -> None:
    assert shares({"a_loss": -1.0, "b_loss": 3.0}, {"a": 1.0, "b": 1.0}) == {
        "a_share": 0.25,
        "b_share": 0.75,
    }
    assert shares({"a_loss": 0.0, "b_loss": 0.0}, {"a": 1.0, "b": 1.0}) == {
        "a_share": 0.5,
        "b_share": 0.5,
    }
    assert shares({"loss": 1.0}, {"a": 1.0}) == {}
    assert math.isnan(shares({"a_loss": math.nan, "b_loss": 1.0}, {"a": 1, "b": 1})["b_share"])


def test_a_head_that_drowns_the_others_is_named() -> None:
    text = dominance(LOGS, {"a": 3.0, "b": 1.0})
    assert text
    assert text.startswith("a makes up 96.0% of the total loss")
    assert "`loss_weights: auto`" in text
    already = dominance(LOGS, {"a": 3.0, "b": 1.0}, strategy=True)
    assert already is not None
    assert "auto" not in already
    assert dominance(LOGS, {"a": 2.0, "b": 1.0}) is None
    assert dominance({"loss": 1.0}, {"a": 1.0}) is None
    assert dominance({"a_loss": math.nan, "b_loss": 1.0}, {"a": 1, "b": 1}) is None


def test_weights_that_even_out_average_one() -> None:
    weights = even_out({"a": 1.0, "b": 1000.0})
    assert weights["a"] / weights["b"] == pytest.approx(1000)
    assert sum(weights.values()) == pytest.approx(2)
    assert even_out({"a": 1.0, "b": 0.0, "c": 1.0}) == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert loss_weights_line({"a": 1.99800, "b": 1.2345e-5}) == (
        "loss_weights: {a: 2, b: 1.23e-05}"
    )


FORK = """
modelspec: 1
inputs: {x: {shape: [4]}, z: {shape: [4]}}
layers:
  - {Dense: {units: 5, activation: tanh}, name: trunk, from: x}
  - {Dense: {units: 4, activation: tanh}, name: branch}
  - {Dense: {units: 1}, name: a, from: branch}
  - {Dense: {units: 3, activation: softmax}, name: b, from: branch}
  - {Dense: {units: 1}, name: c, from: trunk}
  - {Dense: {units: 1}, name: apart, from: z}
  - {Flatten: , name: frozen, from: trunk}
  - {Dense: {units: 1}, name: idle, from: frozen}
outputs: [a, b, c, apart, idle]
losses: {a: mse, b: categorical_crossentropy, c: mae, apart: mse}
"""
OUTPUTS = ["a", "b", "c", "apart"]


def test_layers_and_the_outputs_they_serve() -> None:
    graph = modelspec.loads(FORK).require().graph
    served = {
        name: "".join(sorted(outputs)) for name, outputs in outputs_of_layers(graph, "abc").items()
    }
    assert served == {
        "trunk": "abc", "branch": "ab", "a": "a", "b": "b", "c": "c",
        "apart": "", "frozen": "", "idle": "",
    }  # fmt: skip


def fork() -> tuple[Any, Any, Any]:
    """The graph, the model, and a batch with weights for one output."""
    source = modelspec.loads(FORK)
    graph = source.require().graph
    model = source.build()
    random = np.random.default_rng(0)
    x, z = (tf.constant(random.normal(size=(8, 4)), tf.float32) for _ in range(2))
    a, c, apart = (tf.constant(random.normal(size=(8, 1)), tf.float32) for _ in range(3))
    b = tf.constant(np.eye(3, dtype="f")[random.integers(3, size=8)])
    weight = tf.constant(random.uniform(0.5, 2, 8), tf.float32)
    one = tf.ones(8)
    batch = ([x, z], [a, b, c, apart, tf.zeros((8, 1))], [weight, one, one, one, one])
    model._symbolic_build(data_batch=batch)
    return graph, model, batch


def test_gradient_norms_and_cosines_by_hand() -> None:
    graph, model, batch = fork()
    assert list(weighted_layers(model, graph, OUTPUTS)) == ["trunk", "branch", *OUTPUTS]
    step = tf.function(measuring_step(model, OUTPUTS, shared_variables(model, graph, OUTPUTS)))
    gauge = mean([step(batch)])

    inputs, (a, b, c, apart, _), (weight, *_) = batch
    with tf.GradientTape(persistent=True) as tape:
        predicted = model(inputs, training=True)
        losses = [
            tf.reduce_mean(weight * tf.reduce_mean((predicted[0] - a) ** 2, axis=1)),
            tf.reduce_mean(-tf.reduce_sum(b * tf.math.log(predicted[1]), axis=1)),
            tf.reduce_mean(tf.abs(predicted[2] - c)),
            tf.reduce_mean((predicted[3] - apart) ** 2),
        ]
    shared = [
        variable
        for name in ("trunk", "branch")
        for variable in model.get_layer(name).trainable_variables
    ]
    flat = [flattened(tape.gradient(loss, shared), shared) for loss in losses]
    norms = [np.linalg.norm(gradient) for gradient in flat]
    tolerance = rounding(8 * (4 + 5 + 4 + 3))  # samples, and the numbers of each layer
    np.testing.assert_allclose(gauge.losses, [float(loss) for loss in losses], rtol=tolerance)
    np.testing.assert_allclose(gauge.norms, norms, rtol=tolerance)
    assert norms[3] == 0
    for one in range(3):
        for other in range(3):
            cosine = flat[one] @ flat[other] / (norms[one] * norms[other])
            assert gauge.cosines[one][other] == pytest.approx(cosine, rel=tolerance, abs=tolerance)
    assert gauge.cosines[0][3] == 0


def flattened(gradients: Any, variables: Any) -> Any:
    parts = [
        np.zeros(variable.shape) if part is None else part.numpy().astype("d")
        for part, variable in zip(gradients, variables, strict=True)
    ]
    return np.concatenate([part.ravel() for part in parts])


def written(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "d.npz", **arrays)
    return folder / "d.npz"


TWINS = """
modelspec: 1
inputs: {x: {shape: [12]}}
layers:
  - Dense: {units: 32, activation: relu}
    name: shared
  - {Dense: {units: 1}, name: one, from: shared}
  - {Dense: {units: 1}, name: other, from: shared}
outputs: [one, other]
losses: [mse, mse]
optimizer: adam
"""


def twins(scale: float) -> dict[str, Any]:
    """Two heads alike; each sample of the second weighs ``scale``."""
    random = np.random.default_rng(0)
    x = random.normal(size=(1000, 12)).astype("f")
    targets = np.tanh(x @ random.normal(size=(12, 2))).astype("f")
    weight = np.full(1000, scale, "f")
    return {"x": x, "one": targets[:, :1], "other": targets[:, 1:], "other_weight": weight}


@pytest.mark.sweep
def test_a_loss_scaled_by_a_thousand_is_found(tmp_path: Path) -> None:
    source = modelspec.loads(TWINS)
    scaled = measure(source, written(tmp_path, **twins(1000)))
    weights = scaled.equal_contributions
    assert weights["one"] / weights["other"] == pytest.approx(1000, rel=0.2)
    plain = measure(source, written(tmp_path, **twins(1)))
    for large, small in (
        (scaled.equal_contributions, plain.equal_contributions),
        (scaled.equal_gradients, plain.equal_gradients),
    ):
        factor = (large["one"] / large["other"]) / (small["one"] / small["other"])
        assert factor == pytest.approx(1000, rel=0.2)
    assert [(use.name, use.line, use.outputs) for use in scaled.layers] == [
        ("shared", 5, ("one", "other")),
        ("one", 7, ("one",)),
        ("other", 8, ("other",)),
    ]
    assert measure(source, written(tmp_path, **twins(1))) == plain


def test_half_precision_changes_no_advice(tmp_path: Path) -> None:
    data = written(tmp_path, **twins(1000))
    half = measure(modelspec.loads(TWINS, ["training.precision=mixed_float16"]), data)
    assert half == measure(modelspec.loads(TWINS), data)


def test_what_is_not_finite_gives_no_advice(tmp_path: Path) -> None:
    diverging = modelspec.loads(TWINS, ["optimizer={SGD: {learning_rate: 1e20}}"])
    with pytest.raises(modelspec.RunError, match="not finite after the warm-up"):
        measure(diverging, written(tmp_path, **twins(1)))


def test_a_metric_that_does_not_fit_its_target_is_told_of(tmp_path: Path) -> None:
    options = ["metrics={one: {PearsonCorrelation: {axis: 5}}}"]
    with pytest.raises(modelspec.SpecError, match="PearsonCorrelation cannot be computed"):
        measure(modelspec.loads(TWINS, options), written(tmp_path, **twins(1)))


@pytest.fixture(scope="module")
def alone() -> dict[str, float]:
    """Each head's test metric where it is trained alone."""
    kind = constructed.results("[1.0, 0.0]")["kind_accuracy"]
    return {"kind": kind, "size": constructed.results("[0.0, 1.0]")["size_mae"]}


@pytest.mark.sweep
def test_without_weights_the_larger_loss_drowns_the_other(alone: dict[str, float]) -> None:
    assert constructed.results("[1.0, 1.0]")["kind_accuracy"] < 0.8 * alone["kind"]


@pytest.mark.parametrize(
    "strategy",
    [
        "gradnorm",
        pytest.param("uncertainty", marks=pytest.mark.sweep),
        pytest.param("equal_contribution", marks=pytest.mark.sweep),
    ],
)
def test_strategies_bring_each_head_to_what_it_reaches_alone(
    strategy: str, alone: dict[str, float]
) -> None:
    results = constructed.results(strategy)
    assert results["kind_accuracy"] > 0.97 * alone["kind"]
    assert results["size_mae"] < 1.03 * alone["size"]


def problems(text: str, folder: Path, *overrides: str) -> list[tuple[str, str]]:
    data = written(folder, **twins(1))
    with pytest.raises(SpecError) as caught:
        measure(modelspec.loads(text, list(overrides)), data)
    return [(problem.code, problem.message) for problem in caught.value.problems]


def test_where_there_is_nothing_to_balance(tmp_path: Path) -> None:
    assert problems(TWINS, tmp_path, "losses=null") == [("missing-losses", "balance needs losses")]
    [(code, message), *_] = problems(TWINS, tmp_path, "losses=[mse, null]")
    assert (code, message.split(",")[0]) == ("single-head", "one is the only output with a loss")
    apart = TWINS.replace("from: shared", "from: x")
    [(code, message)] = [
        problem for problem in problems(apart, tmp_path) if problem[0] != "unused-layer"
    ]
    assert (code, message) == ("no-shared-layers", "no layer is shared by one, other")
    weightless = TWINS.replace("Dense: {units: 32, activation: relu}", "Flatten:")
    [(code, message)] = problems(weightless, tmp_path)
    assert (code, message) == (
        ("no-shared-layers", "the layers that one, other share have no trainable weights")
    )


def test_the_command(warm: WarmCommand, tmp_path: Path) -> None:
    spec, data = tmp_path / "twins.yaml", str(written(tmp_path, **twins(1000)))
    spec.write_text(TWINS)
    done = warm.run("balance", str(spec), "--data", data, "--batches", "5", folder=tmp_path)
    assert (done.code, done.err) == (0, "")
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0][:6] == ["output", "loss", "loss", "after", "5", "batches"]
    assert ["shared", "5", "shared", "by", "one,", "other"] in lines
    assert "loss_weights:" in done.out


@pytest.mark.sweep
def test_the_command_in_other_forms(warm: WarmCommand, tmp_path: Path) -> None:
    spec, data = tmp_path / "twins.yaml", str(written(tmp_path, **twins(1000)))
    spec.write_text(TWINS)
    balance = partial(
        warm.run, "balance", str(spec), "--data", data, "--batches", "5", folder=tmp_path
    )
    done = balance()
    pasted = yaml.safe_load(done.out[done.out.index("loss_weights:") :])["loss_weights"]

    report = balance("--format", "json").data
    assert report["shared"] == [{"name": "shared", "line": 5, "outputs": ["one", "other"]}]
    assert [head["output"] for head in report["heads"]] == ["one", "other"]
    assert report["loss_weights"]["equal_gradients"] == pytest.approx(pasted, rel=0.01)
    assert -1 <= report["cosines"][0]["warm_cosine"] <= 1

    text = balance("--format", "yaml").out
    assert modelspec.loads(TWINS + text).problems == []
    assert len(text.splitlines()) == 2

    done = balance("--set", "losses=[mse, null]")
    assert (done.code, done.out) == (1, "")
    assert "[single-head]" in done.err
    assert balance("--batches", "100000").code == 2
