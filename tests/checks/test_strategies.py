"""Strategies in ``loss_weights``: their forms, the difference from weights, and their checks."""

from functools import cache
from typing import Any

import pytest
from jsonschema import Draft7Validator

import modelspec
from modelspec import catalog
from modelspec.language.loss_weights import (
    STRATEGIES,
    Auto,
    EqualContribution,
    GradNorm,
    Strategy,
    Uncertainty,
    find_strategy,
    read_strategy,
)
from modelspec.problems.diagnostic import UNKNOWN, Route
from modelspec.schema import language_schema

TWO = ("a", "b")

WRITTEN: list[tuple[Any, Strategy]] = [
    ("auto", Auto()),
    ("uncertainty", Uncertainty()),
    ("equal_contribution", EqualContribution()),
    ("gradnorm", GradNorm()),
    ({"gradnorm": None}, GradNorm()),
    ({"gradnorm": {}}, GradNorm()),
    ({"gradnorm": {"alpha": 1}}, GradNorm(alpha=1.0)),
    ({"gradnorm": {"alpha": 0.5, "from_first_batch": False}},
     GradNorm(alpha=0.5, from_first_batch=False)),
    ({"uncertainty": {"learning_rate": 0.1}}, Uncertainty(learning_rate=0.1)),
    ({"equal_contribution": {"momentum": 0.9}}, EqualContribution(momentum=0.9)),
]  # fmt: skip


@pytest.mark.parametrize(("value", "strategy"), WRITTEN)
def test_written_as_objects_are(value: Any, strategy: Strategy) -> None:
    assert read_strategy(value, TWO) == (strategy, [])


@pytest.mark.parametrize(
    ("value", "outputs"),
    [
        (None, TWO),
        (2.0, ("a",)),
        ([1.0, 2.0], TWO),
        ({"a": 1.0}, TWO),
        ({"a": 1.0, "b": 2.0}, TWO),
        ({"gradnorm": 0.5}, ("gradnorm", "b")),
        ({"auto": 1.0, "b": 2.0}, ("auto", "b")),
        ({"uncertainty": {}}, ("uncertainty", "b")),
        ("half", ("a",)),
        ("2", TWO),
        (UNKNOWN, TWO),
    ],
)
def test_what_names_an_output_or_is_a_number_is_no_strategy(value: Any, outputs: Any) -> None:
    assert find_strategy(value, outputs) is None
    assert read_strategy(value, outputs) == (None, [])


def test_a_text_is_a_strategy_even_where_an_output_has_its_name() -> None:
    assert read_strategy("auto", ("auto", "b")) == (Auto(), [])


WRONG: list[tuple[Any, str, Route, str]] = [
    ("grad_norm", "unknown-strategy", ("loss_weights",), "did you mean gradnorm?"),
    ("Auto", "unknown-strategy", ("loss_weights",), "did you mean auto?"),
    ("xyz", "unknown-strategy", ("loss_weights",), "auto, equal_contribution, gradnorm"),
    ({"gradnrom": {"alpha": 1}}, "unknown-strategy", ("loss_weights", "gradnrom"), "gradnorm?"),
    ({"gradnorm": 1.5}, "not-an-object", ("loss_weights", "gradnorm"), ""),
    ({"gradnorm": {"alhpa": 1}}, "unknown-argument", ("loss_weights", "gradnorm", "alhpa"),
     "did you mean alpha?"),
    ({"auto": {"alpha": 1}}, "unknown-argument", ("loss_weights", "auto", "alpha"), "no arguments"),
    ({"gradnorm": {"alpha": "x"}}, "wrong-type", ("loss_weights", "gradnorm", "alpha"), ""),
    ({"gradnorm": {"alpha": -1}}, "wrong-value", ("loss_weights", "gradnorm", "alpha"), ""),
    ({"uncertainty": {"learning_rate": 0}}, "wrong-value",
     ("loss_weights", "uncertainty", "learning_rate"), ""),
    ({"equal_contribution": {"momentum": 1}}, "wrong-value",
     ("loss_weights", "equal_contribution", "momentum"), ""),
]  # fmt: skip


@pytest.mark.parametrize(("value", "code", "route", "hint"), WRONG)
def test_mistakes_at_their_places(value: Any, code: str, route: Route, hint: str) -> None:
    strategy, [problem] = read_strategy(value, TWO)
    assert strategy is None
    assert (problem.code, problem.route) == (code, route)
    assert hint in (problem.hint or "")


def test_an_unknown_value_is_silent() -> None:
    assert read_strategy({"gradnorm": UNKNOWN}, TWO) == (None, [])
    assert read_strategy({"gradnorm": {"alpha": UNKNOWN}}, TWO) == (None, [])


HEADS = """
modelspec: 1
inputs: {{x: {{shape: [4]}}}}
params: {{strength: 0.5}}
layers:
  - Dense: {{units: 4}}
    name: shared
  - {{Dense: {{units: 1}}, name: {0}, from: shared}}
  - {{Dense: {{units: 1}}, name: b, from: shared}}
outputs: [{0}, b]
losses: [mse, {1}]
loss_weights: {2}
"""


def told(name: str, loss: str, weights: str) -> list[tuple[str, int]]:
    problems = modelspec.loads(HEADS.format(name, loss, weights)).problems
    return [(problem.code, problem.place.span.line) for problem in problems]


def test_whole_specs() -> None:
    assert told("a", "mse", "auto") == []
    assert told("a", "mse", '{gradnorm: {alpha: "${strength}"}}') == []
    assert told("gradnorm", "mse", "{gradnorm: 0.5}") == []
    assert told("auto", "mse", "auto") == []
    assert told("a", "mse", "{agee: 0.5}") == [("unknown-output", 12)]
    assert told("a", "mse", "gradnrom") == [("unknown-strategy", 12)]
    assert told("a", "null", "auto") == [("single-head", 12)]


def test_the_weights_of_a_strategy_start_at_one() -> None:
    heads = modelspec.loads(HEADS.format("a", "mse", "uncertainty")).heads
    assert [head.weight for head in heads] == [1.0, 1.0]


VALID: list[Any] = [
    *("auto", {"gradnorm": None}, {"gradnorm": {"alpha": 1}}, {"gradnorm": {"alpha": "${x}"}}),
    *({"gradnorm": 0.5}, {"a": 1, "b": "${x}"}, [1, 2], 2, None, "${x}"),
]
INVALID: list[Any] = [
    *("atuo", {"gradnorm": {"alhpa": 1}}, {"gradnorm": {"alpha": -1}}, {"a": "heavy"}),
]


@cache
def schema() -> Any:
    return language_schema(catalog.load())["properties"]["loss_weights"]


@pytest.mark.parametrize("value", [*VALID, *INVALID])
def test_the_schema_knows_them(value: Any) -> None:
    assert Draft7Validator(schema()).is_valid(value) == (value in VALID)


def test_the_schema_helps() -> None:
    assert schema()["anyOf"][0]["enum"] == list(STRATEGIES)
    shown = schema()["anyOf"][1]["properties"]["gradnorm"]["anyOf"][0]["properties"]["alpha"]
    assert shown["default"] == 1.5
    assert "slowly" in shown["description"]
