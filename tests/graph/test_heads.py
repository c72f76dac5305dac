"""Losses, loss weights and metrics: matched to outputs by name, exactly."""

from typing import Any

import pytest

from modelspec.api.reading import loads
from modelspec.catalog import load
from modelspec.checks.semantics import check_semantics
from modelspec.graph.expansion import expand
from modelspec.graph.heads import Head, check_names, make_heads
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Route

ONE = ("age",)
THREE = ("age", "income", "gender")


def spec_of(outputs: tuple[str, ...], **parts: Any) -> Spec:
    layers = [{"Dense": {"units": 1}, "name": name, "from": "x"} for name in outputs]
    named = outputs[0] if len(outputs) == 1 else list(outputs)
    inputs = {"x": {"shape": [4]}}
    top = {"modelspec": 1, "inputs": inputs, "layers": layers, "outputs": named}
    return Spec.model_validate({**top, **parts})


def made(
    outputs: tuple[str, ...], **parts: Any
) -> tuple[list[tuple[Any, float, list[Any]]], list[Diagnostic]]:
    heads, problems = make_heads(spec_of(outputs, **parts), outputs, load())
    assert tuple(head.output for head in heads) == outputs
    values = [(head.loss, head.weight, [metric.value for metric in head.metrics]) for head in heads]
    return values, problems


HUBER = {"Huber": {"delta": 2}}

GOOD: list[tuple[tuple[str, ...], dict[str, Any], list[tuple[Any, float, list[Any]]]]] = [
    (ONE, {}, [(None, 1.0, [])]),
    (ONE, {"losses": "mse"}, [("mse", 1.0, [])]),
    (ONE, {"losses": ["mse"]}, [("mse", 1.0, [])]),
    (ONE, {"losses": {"age": "mse"}}, [("mse", 1.0, [])]),
    (ONE, {"losses": HUBER}, [(HUBER, 1.0, [])]),
    (ONE, {"losses": {"mse": None}}, [({"mse": None}, 1.0, [])]),
    (ONE, {"losses": [HUBER]}, [(HUBER, 1.0, [])]),
    (ONE, {"losses": {"age": HUBER}}, [(HUBER, 1.0, [])]),
    (("Huber",), {"losses": {"Huber": "mse"}}, [("mse", 1.0, [])]),
    (("Huber",), {"losses": {"Huber": HUBER}}, [(HUBER, 1.0, [])]),
    (ONE, {"loss_weights": 2}, [(None, 2.0, [])]),
    (ONE, {"loss_weights": [0.5]}, [(None, 0.5, [])]),
    (ONE, {"loss_weights": {"age": 0}}, [(None, 0.0, [])]),
    (ONE, {"metrics": "acc"}, [(None, 1.0, ["acc"])]),
    (ONE, {"metrics": ["acc", "mae"]}, [(None, 1.0, ["acc", "mae"])]),
    (ONE, {"metrics": {"age": ["acc", "mae"]}}, [(None, 1.0, ["acc", "mae"])]),
    (ONE, {"metrics": {"TopKCategoricalAccuracy": {"k": 3}}},
     [(None, 1.0, [{"TopKCategoricalAccuracy": {"k": 3}}])]),
    (ONE, {"metrics": []}, [(None, 1.0, [])]),
    (ONE, {"metrics": {}}, [(None, 1.0, [])]),
    (THREE, {"losses": ["mse", None, HUBER]},
     [("mse", 1.0, []), (None, 1.0, []), (HUBER, 1.0, [])]),
    (THREE, {"losses": {"gender": "mse", "age": HUBER}},
     [(HUBER, 1.0, []), (None, 1.0, []), ("mse", 1.0, [])]),
    (THREE, {"loss_weights": [1, 2.5, None]}, [(None, 1.0, []), (None, 2.5, []), (None, 1.0, [])]),
    (THREE, {"loss_weights": {"income": 3, "age": None}},
     [(None, 1.0, []), (None, 3.0, []), (None, 1.0, [])]),
    (THREE, {"metrics": [["acc", "mae"], "acc", None]},
     [(None, 1.0, ["acc", "mae"]), (None, 1.0, ["acc"]), (None, 1.0, [])]),
    (THREE, {"metrics": {"income": ["acc"], "age": "mae"}},
     [(None, 1.0, ["mae"]), (None, 1.0, ["acc"]), (None, 1.0, [])]),
]  # fmt: skip


@pytest.mark.parametrize(("outputs", "parts", "heads"), GOOD)
def test_matched(
    outputs: tuple[str, ...],
    parts: dict[str, Any],
    heads: list[tuple[Any, float, list[Any]]],
) -> None:
    assert made(outputs, **parts) == (heads, [])


MISMATCHES: list[tuple[tuple[str, ...], dict[str, Any], str, Route, str, str]] = [
    # outputs, parts, code, route, anchor, part of the hint
    (THREE, {"losses": "mse"}, "one-for-several", ("losses",), "value", "age, income, gender"),
    (THREE, {"losses": HUBER}, "one-for-several", ("losses",), "value", "age, income, gender"),
    (THREE, {"metrics": "acc"}, "one-for-several", ("metrics",), "value", "output: value"),
    (THREE, {"loss_weights": 2}, "one-for-several", ("loss_weights",), "value", "age"),
    (THREE, {"losses": ["mse"]}, "wrong-length", ("losses",), "value", "in order"),
    (THREE, {"losses": []}, "wrong-length", ("losses",), "value", "in order"),
    (THREE, {"metrics": ["acc"] * 4}, "wrong-length", ("metrics",), "value", "in order"),
    (ONE, {"losses": ["mse", "mse"]}, "wrong-length", ("losses",), "value", "age"),
    (ONE, {"loss_weights": []}, "wrong-length", ("loss_weights",), "value", "age"),
    (THREE, {"losses": {"agee": "mse"}}, "unknown-output", ("losses", "agee"), "key", "age?"),
    (THREE, {"losses": {"xyz": "mse"}}, "unknown-output", ("losses", "xyz"), "key", "outputs are"),
    (ONE, {"losses": {"agee": HUBER}}, "unknown-output", ("losses", "agee"), "key", "age?"),
    (THREE, {"losses": {"agee": HUBER}}, "unknown-output", ("losses", "agee"), "key", "age?"),
    (ONE, {"metrics": {"agee": ["acc"]}}, "unknown-output", ("metrics", "agee"), "key", "age?"),
    (THREE, {"metrics": {0: "acc"}}, "unknown-output", ("metrics", 0), "key", "outputs are"),
    (THREE, {"loss_weights": {"Age": 2}}, "unknown-output", ("loss_weights", "Age"), "key", "age?"),
    (ONE, {"loss_weights": "2"}, "wrong-type", ("loss_weights",), "value", ""),
    (ONE, {"loss_weights": True}, "wrong-type", ("loss_weights",), "value", ""),
    (THREE, {"loss_weights": [1, [2], 3]}, "wrong-type", ("loss_weights", 1), "value", ""),
    (THREE, {"loss_weights": {"age": {}}}, "wrong-type", ("loss_weights", "age"), "value", ""),
    (ONE, {"loss_weights": float("inf")}, "wrong-value", ("loss_weights",), "value", ""),
    (ONE, {"loss_weights": float("nan")}, "wrong-value", ("loss_weights",), "value", ""),
    (ONE, {"loss_weights": 10**400}, "wrong-value", ("loss_weights",), "value", ""),
]


@pytest.mark.parametrize(("outputs", "parts", "code", "route", "anchor", "hint"), MISMATCHES)
def test_mismatched(
    *,
    outputs: tuple[str, ...],
    parts: dict[str, Any],
    code: str,
    route: Route,
    anchor: str,
    hint: str,
) -> None:
    heads, [problem] = made(outputs, **parts)
    assert (problem.code, problem.route, problem.anchor) == (code, route, anchor)
    assert hint in (problem.hint or "")
    assert all(weight in {1.0, 3.0} for _, weight, _ in heads)


def test_each_mistake_by_name() -> None:
    _, problems = made(
        THREE,
        losses={"age": "mse", "x": "mse", "y": "mse"},
        loss_weights={"age": "heavy", "gender": True},
        metrics=["acc"],
    )
    assert [(problem.code, problem.route) for problem in problems] == [
        ("unknown-output", ("losses", "x")),
        ("unknown-output", ("losses", "y")),
        ("wrong-length", ("metrics",)),
        ("wrong-type", ("loss_weights", "age")),
        ("wrong-type", ("loss_weights", "gender")),
    ]


def test_routes() -> None:
    def routes(**parts: Any) -> list[tuple[Route, list[Route]]]:
        heads, _ = make_heads(spec_of(THREE, **parts), THREE, load())
        return [(head.route, [metric.route for metric in head.metrics]) for head in heads]

    assert routes(losses={"income": "mse"}, metrics={"income": ["acc", "mae"], "age": "mae"}) == [
        (("outputs",), [("metrics", "age")]),
        (("losses", "income"), [("metrics", "income", 0), ("metrics", "income", 1)]),
        (("outputs",), []),
    ]
    assert routes(losses=["mse", "mse", None], metrics=["acc", None, ["acc"]]) == [
        (("losses", 0), [("metrics", 0)]),
        (("losses", 1), []),
        (("outputs",), [("metrics", 2, 0)]),
    ]


def test_unknown_values_are_silent() -> None:
    heads, problems = made(
        THREE, losses=[UNKNOWN, "mse", UNKNOWN], loss_weights=UNKNOWN, metrics={"age": [UNKNOWN]}
    )
    assert heads == [(None, 1.0, []), ("mse", 1.0, []), (None, 1.0, [])]
    assert problems == []


def test_names_in_data_and_class_weights() -> None:
    spec = spec_of(
        THREE,
        data={"x": "X", "age": "AGE", "agee": "A"},
        training={"class_weights": {"income": {0: 1.0}, "x": {0: 1.0}}},
    )
    problems = check_names(spec, THREE)
    assert [
        (problem.code, problem.route, problem.anchor, problem.hint) for problem in problems
    ] == [
        ("unknown-output", ("data", "agee"), "key", "did you mean age?"),
        (
            "unknown-output",
            ("training", "class_weights", "x"),
            "key",
            "there are age, income, gender",
        ),
    ]


def meant(**parts: Any) -> list[tuple[str, Route]]:
    spec = spec_of(ONE, **parts)
    graph, problems = expand(spec, "m")
    assert graph is not None
    heads, faults = make_heads(spec, ONE, load())
    problems += faults + check_semantics(spec, graph, heads, load())
    return [(problem.code, problem.route) for problem in problems]


def test_meaning() -> None:
    assert meant(losses="mse", metrics=["mae", {"MeanSquaredError": None}]) == []
    assert meant(losses={"agee": {"x": 1}}) == [("unknown-loss", ("losses", "agee"))]
    assert meant(
        losses="msee",
        metrics=["mae", "nope", {"age": 1}],
        optimizer={"Adam": {"learnin_rate": 1}},
        training={"callbacks": ["EarlyStopping", "Early", {"LambdaCallback": {}}]},
    ) == [
        ("unknown-argument", ("optimizer", "Adam", "learnin_rate")),
        ("unknown-loss", ("losses",)),
        ("unknown-metric", ("metrics", 1)),
        ("unknown-metric", ("metrics", 2, "age")),
        ("unknown-callback", ("training", "callbacks", 1)),
        ("refused-object", ("training", "callbacks", 2, "LambdaCallback")),
    ]


def test_meaning_of_unknown_values_is_silent() -> None:
    problems = meant(
        losses=UNKNOWN,
        metrics=["mae", UNKNOWN],
        optimizer={"Adam": {"learning_rate": UNKNOWN, "nope": 1}},
        training={"callbacks": [UNKNOWN]},
    )
    assert problems == [("unknown-argument", ("optimizer", "Adam", "nope"))]
    assert meant(optimizer=UNKNOWN) == []


def test_heads_are_values() -> None:
    head = Head("age", "mse", 1.0, (), ("losses",))
    assert head == Head("age", "mse", 1.0, (), ("losses",))


HEADS = """modelspec: 1
inputs: {x: {shape: [4]}}
layers:
  - {Dense: {units: 1}, name: digit, from: x}
  - {Dense: {units: 1}, name: age, from: x}
"""


@pytest.mark.parametrize(
    "rest",
    [
        "outputs: [digit, agee]\nlosses: {digit: mse, age: mse}",
        "outputs: [digit, agee]\nmetrics: {age: mae}\nloss_weights: {age: 2}\ndata: {age: years}",
        "outputs: [digit, agee]\ntraining: {class_weights: {age: {0: 2}}}",
        "outputs: answer\nlosses: {digit: mse}",
        "outputs: [digit, agee]\nlosses: {digit: mse, ages: mse}",
        """outputs: [digit, agee]
losses: [mse, mse]
metrics: {age: mae}
training: {callbacks: [{EarlyStopping: {monitor: val_age_mae, mode: min}}]}""",
    ],
)
def test_a_misspelt_output_is_one_problem(rest: str) -> None:
    [problem] = loads(HEADS + rest).problems
    assert (problem.code, problem.place.span.line) == ("unknown-name", 6)


@pytest.mark.parametrize(
    "rest",
    [
        "outputs: [digit, agee]\nlosses: {digit: mse, wurst: mse}",
        "outputs: {d: digit, a: agee}\nlosses: {d: mse, age: mse}",
    ],
)
def test_another_mistake_is_still_a_problem_of_its_own(rest: str) -> None:
    codes = [problem.code for problem in loads(HEADS + rest).problems]
    assert codes == ["unknown-name", "unknown-output"]
