"""``--set PATH=VALUE``: changed values, new keys, and refusals."""

from typing import Any

import pytest

from modelspec.language.document import Document, read_text
from modelspec.language.overrides import apply_overrides
from modelspec.language.parameters import put_parameters
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import Diagnostic, Span
from modelspec.problems.problem import Place

TEXT = """\
modelspec: 1
params: {units: 3, deep: {filters: [8, 16]}}
inputs:
  x: {shape: [4]}
layers:
  - Dense
  - Dense: {units: "${units}"}
    name: y
  - Flatten: null
outputs: y
optimizer: Adam
losses: {Huber: {delta: 2}}
training:
  class_weights: {y: {0: 1.0, 1: 2.0}}
"""


def applied(*options: str, text: str = TEXT) -> tuple[Document, list[Diagnostic]]:
    document, problems = read_text(text, "spec.yaml")
    assert problems == []
    assert document is not None
    return apply_overrides(document, options)


def at(data: Any, path: str) -> Any:
    for step in path.split("/"):
        data = data[int(step) if isinstance(data, list) or step.isdecimal() else step]
    return data


SET: list[tuple[str, str, Any]] = [
    ("params.units=64", "params/units", 64),
    ("params.units=1e-3", "params/units", 1e-3),
    ("params.units=no", "params/units", "no"),
    ("params.units='64'", "params/units", "64"),
    ("params.units=", "params/units", None),
    ("params.units=[1, {a: b}]", "params/units", [1, {"a": "b"}]),
    ("params.units=a=b", "params/units", "a=b"),
    ("params.units=${deep}", "params/units", "${deep}"),
    ("params.units=é # c", "params/units", "é"),
    ("params.deep.filters.1=32", "params/deep/filters", [8, 32]),
    ("training.epochs=5", "training", {"class_weights": {"y": {0: 1.0, 1: 2.0}}, "epochs": 5}),
    ("training.class_weights.y.1=7", "training/class_weights/y", {0: 1.0, 1: 7}),
    ("training.class_weights.y.3=7", "training/class_weights/y", {0: 1.0, 1: 2.0, 3: 7}),
    ("optimizer=sgd", "optimizer", "sgd"),
    ("optimizer.Adam.learning_rate=0.1", "optimizer", {"Adam": {"learning_rate": 0.1}}),
    ("losses.Huber.delta=3", "losses", {"Huber": {"delta": 3}}),
    ("layers.0.Dense.units=5", "layers/0", {"Dense": {"units": 5}}),
    ("layers.1.Dense.units=5", "layers/1", {"Dense": {"units": 5}, "name": "y"}),
    ("layers.y.Dense.units=5", "layers/1", {"Dense": {"units": 5}, "name": "y"}),
    ("layers.y.name=z", "layers/1/name", "z"),
    ("layers.2.Flatten.data_format=x", "layers/2", {"Flatten": {"data_format": "x"}}),
    ("layers.2=Flatten", "layers/2", "Flatten"),
    ("inputs.x.shape.0=9", "inputs/x/shape", [9]),
    ("inputs.z.shape=[1]", "inputs/z", {"shape": [1]}),
    ("data.x=X", "data", {"x": "X"}),
    ("name=m", "name", "m"),
]


@pytest.mark.parametrize(("option", "path", "value"), SET)
def test_sets(option: str, path: str, value: Any) -> None:
    document, problems = applied(option)
    assert problems == []
    assert at(document.data, path) == value


@pytest.mark.parametrize(("option", "path", "value"), SET)
def test_leaves_the_rest_alone(option: str, path: str, value: Any) -> None:  # noqa: ARG001
    before, _ = read_text(TEXT)
    after, _ = applied(option)
    assert before is not None
    top = path.split("/", maxsplit=1)[0]
    assert {k: v for k, v in after.data.items() if k != top} == {
        k: v for k, v in before.data.items() if k != top
    }


def test_in_turn() -> None:
    document, problems = applied(
        "optimizer.Adam.learning_rate=0.1", "optimizer.Adam.beta_1=0.5", "params.units=1",
        "params.units=2",
    )  # fmt: skip
    assert problems == []
    assert document.data["optimizer"] == {"Adam": {"learning_rate": 0.1, "beta_1": 0.5}}
    assert document.data["params"]["units"] == 2


def test_arguments_for_an_optimizer_with_arguments() -> None:
    text = TEXT.replace("optimizer: Adam", "optimizer: {Adam: {beta_1: 0.5}}")
    document, _ = applied("optimizer.Adam.learning_rate=0.1", text=text)
    assert document.data["optimizer"] == {"Adam": {"beta_1": 0.5, "learning_rate": 0.1}}


def test_quoted_number_key_is_found() -> None:
    document, _ = applied("data.1=b", text="data: {'1': a}")
    assert document.data == {"data": {"1": "b"}}


MISTAKES = [
    # option, part of the message, part of the hint, column
    ("params.unit=3", "no parameter unit", "did you mean units?", 1),
    ("params.zzz=3", "no parameter zzz", "declare it", 1),
    ("params={units: 3}", "one parameter at a time", "params.units=32", 1),
    ("training.epochs", "PATH=VALUE", "training.epochs=5", 1),
    ("=3", "PATH=VALUE", "", 1),
    ("", "PATH=VALUE", "", 1),
    (".a=3", "PATH=VALUE", "", 1),
    ("a..b=3", "PATH=VALUE", "", 1),
    ("params.units=[1", "not YAML", "", 16),
    ("params.units={a: ${b}}", "not YAML", "quotes", 19),
    ("params.units=!!x 1", "tags", "", 14),
    ("params.units={a: 1, a: 2}", "defined twice", "", 21),
    ("params.units=*a", "no anchor", "", 14),
    ("params.units=a: b: c", "not YAML", "': '", 18),
    ("params.units=\x1b", "control character", "", 14),
    ("params.units=\udce9", "control character", "", 14),
    ("optimizer.adam.learning_rate=1", "no adam in 'Adam'", "the spec writes it Adam", 1),
    ("optimizer.SGD.learning_rate=1", "no SGD in 'Adam'", "", 1),
    ("modelspec.x=1", "no x in 1", "", 1),
    ("layers.3=Dense", "no item 3", "0 to 2", 1),
    ("layers.-1=Dense", "no item -1", "0 to 2", 1),
    ("layers.z.Dense.units=1", "no item z", "", 1),
    ("layers.²=1", "no item ²", "", 1),
    (f"layers.{'9' * 5000}=1", "no item 9999", "", 1),
]


@pytest.mark.parametrize(("option", "message", "hint", "column"), MISTAKES)
def test_mistakes(option: str, message: str, hint: str, column: int) -> None:
    document, [problem] = applied(option)
    assert (problem.code, problem.file) == ("bad-override", f"--set {option}")
    assert message in problem.message
    assert hint in (problem.hint or "")
    assert problem.span is not None
    assert (problem.span.line, problem.span.column) == (1, column)
    assert document.data == applied()[0].data


def test_into_an_empty_list() -> None:
    _, [problem] = applied("layers.0=Dense", text="layers: []")
    assert problem.message == "there is no item 0"


def test_every_mistake_is_reported_and_the_rest_applied() -> None:
    document, problems = applied("params.a=1", "params.units=7", "x", "training.epochs=3")
    assert [problem.file for problem in problems] == ["--set params.a=1", "--set x"]
    assert document.data["params"]["units"] == 7
    assert document.data["training"]["epochs"] == 3


@pytest.mark.parametrize(
    ("option", "code", "span"),
    [
        ("training.epochs=zehn", "wrong-type", Span(1, 17, 1, 21)),
        ("training.epochz=10", "unknown-key", Span(1, 10, 1, 16)),
        ("training={epochz: 10}", "unknown-key", Span(1, 11, 1, 17)),
        ("inputs.x.shape=[4, -1]", "wrong-value", Span(1, 20, 1, 22)),
        ("layers.y.Dense.units=", None, None),
        ("params.units=${nope}", "bad-expression", Span(1, 14, 1, 21)),
        ("layers=[{Dense: {units: 1}, nam: y}]", "unknown-key", Span(1, 29, 1, 32)),
    ],
)
def test_problems_inside_a_value(option: str, code: str | None, span: Span | None) -> None:
    document, _ = applied(option)
    document, problems = put_parameters(document)
    problems += Spec.from_document(document)[1]
    actual = [
        (problem.code, document.locate(problem.route, problem.anchor)) for problem in problems
    ]
    expected = [] if code is None or span is None else [(code, Place(f"--set {option}", span))]
    assert actual == expected
