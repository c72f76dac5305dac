"""Every file in ``mistakes/`` is wrong, and its first lines contain the expected problems.

``# expect: LINE:COLUMN CODE`` is an error, ``# expect: LINE:COLUMN warning CODE`` a warning, and
``data`` in place of the line and the column means the data file. No other problem may be reported.
``# data: NAME`` is the function of ``wrong_data`` that writes the data, ``# set: PATH=VALUE`` an
override, and ``# from: ADDRESS`` the public thread in which someone made the mistake. With ``#
missed: WHY`` the mistake is not found yet. ``# before Keras MAJOR.MINOR: ...`` is what is reported
with an older Keras, in place of all that is expected.
"""

import re
from collections import Counter
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest
import wrong_data
from _pytest.mark import ParameterSet

import modelspec
from modelspec.backend.start import start
from modelspec.problems.problem import Problem

pytestmark = pytest.mark.keras

FILES = sorted((Path(__file__).parents[1] / "mistakes").glob("*.yaml"))
_LINE = re.compile(r"# (expect|data|from|set|missed): (\S.*)")
_BEFORE = re.compile(r"# before Keras (\d+)\.(\d+): (\S.*)")
_EXPECTED = re.compile(r"(\d+:\d+|data|set:\d+) (?:warning )?[a-z0-9-]+")


def header(file: Path) -> dict[str, list[str]]:
    """Return the header's lines by their first word."""
    values: dict[str, list[str]] = {"expect": [], "data": [], "from": [], "set": [], "missed": []}
    older: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if match := _LINE.fullmatch(line):
            values[match[1]].append(match[2])
        elif match := _BEFORE.fullmatch(line):
            older += [match[3]] if _keras_version() < (int(match[1]), int(match[2])) else []
        else:
            break
    return values | ({"expect": older} if older else {})


@cache
def _keras_version() -> tuple[int, int]:
    major, minor, *_ = version("keras").split(".")
    return int(major), int(minor)


def told(problem: Problem, spec: Path) -> str:
    """Return a problem in the form of the headers."""
    span, file = problem.place.span, problem.place.file
    place = f"{span.line}:{span.column}" if file == str(spec) else "data"
    if file.startswith("--set "):
        place = f"set:{span.column}"
    return f"{place} {'warning ' if problem.severity == 'warning' else ''}{problem.code}"


def _parameter(file: Path) -> ParameterSet:
    missed = [pytest.mark.xfail(reason=why, strict=True) for why in header(file)["missed"]]
    return pytest.param(file, marks=missed, id=file.stem)


@pytest.mark.parametrize("file", [_parameter(file) for file in FILES])
def test_mistake(file: Path, tmp_path: Path) -> None:
    head = header(file)
    data = None
    if head["data"]:
        data = tmp_path / ("data.csv" if head["data"][0].startswith("csv_") else "data.npz")
        getattr(wrong_data, head["data"][0])(data)
    problems = modelspec.load(file, head["set"]).check(data)
    assert Counter(told(problem, file) for problem in problems) == Counter(head["expect"])
    for problem in problems:
        assert problem.message
        assert "\n" not in problem.message
        assert "Traceback" not in problem.message


def test_headers_are_whole() -> None:
    for file in FILES:
        head = header(file)
        assert head["expect"], file
        assert all(_EXPECTED.fullmatch(line) for line in head["expect"]), file
        assert len(head["data"]) <= 1, file
        assert all(line.startswith("https://github.com/") for line in head["from"]), file


def test_enough_of_each() -> None:
    data = sum(bool(header(file)["data"]) for file in FILES)
    shapes = sum(any("shape-mismatch" in line for line in header(file)["expect"]) for file in FILES)
    threads = sum(bool(header(file)["from"]) for file in FILES)
    assert len(FILES) >= 150
    assert data >= 25
    assert shapes >= 25
    assert threads >= 50


@pytest.mark.parametrize(
    "head",
    [
        "- Dense: {units: 1}|mse|mae",
        "- Dense: {units: 1}|{BinaryCrossentropy: {from_logits: true}}|{BinaryIoU: {threshold: 0}}",
        "- Dense: {units: 1, activation: sigmoid}|mse|accuracy",
        "- Dense: {units: 1, activation: sigmoid}|crossentropy|[AUC, Precision]",
        "- Dense: {units: 1, activation: tanh}|hinge|mae",
        "- Dense: {units: 3}|{SparseCategoricalCrossentropy: {from_logits: true}}|accuracy",
        "- Dense: {units: 3, activation: softmax}|crossentropy|accuracy",
        "- Dense: {units: 3, activation: softmax}|kld|[AUC, Recall, F1Score]",
        "- Dense: {units: 3, activation: softmax}|sparse_categorical_crossentropy|acc",
        "- Dense: {units: 3, activation: sigmoid}|binary_crossentropy|[binary_accuracy, AUC]",
        "- Dense: {units: 6}\n  - Softmax|categorical_crossentropy|top_k_categorical_accuracy",
        "- Dense: {units: 4}\n  - Reshape: {target_shape: [4]}|categorical_crossentropy|acc",
        "- LayerNormalization|mse|RootMeanSquaredError",
    ],
)
@pytest.mark.parametrize("monitor", ["loss", "val_loss", "learning_rate, mode: min"])
def test_no_alarm(head: str, monitor: str) -> None:
    layers, loss, metrics = head.split("|")
    first, last = (
        "inputs: {x: {shape: [8]}}\nlayers:\n  ",
        "\n  - Identity:\n    name: y\noutputs: y\n",
    )
    callbacks = f"training: {{callbacks: [{{EarlyStopping: {{monitor: {monitor}}}}}]}}\n"
    text = f"modelspec: 1\n{first}{layers}{last}losses: {loss}\nmetrics: {metrics}\n{callbacks}"
    assert modelspec.loads(text).problems == []


@pytest.mark.parametrize(
    ("metric", "monitor"),
    [
        ("accuracy", "val_accuracy"),
        ("[acc]", "acc"),
        ("AUC", "val_AUC"),
        ("{AUC: {name: area}}", "val_area"),
        *(
            pytest.param(*case, marks=pytest.mark.sweep)
            for case in (
                ("{AUC: {curve: PR}}", "val_auc"),
                ("{BinaryAccuracy: {threshold: 0.4}}", "binary_accuracy"),
                ("{PrecisionAtRecall: {recall: 0.5}}", "val_precision_at_recall"),
                ("[{F1Score: {threshold: 0.5}}]", "val_f1_score"),
            )
        ),
    ],
)
def test_monitored_names_are_keras_own(metric: str, monitor: str, tmp_path: Path) -> None:
    """Trained for an epoch, the name is in the history, so it must not be called unknown."""
    spec = modelspec.loads(
        "modelspec: 1\ninputs: {x: {shape: [4]}}\nlayers:\n"
        "  - Dense: {units: 1, activation: sigmoid}\n    name: y\noutputs: y\n"
        f"losses: binary_crossentropy\nmetrics: {metric}\n"
        "training:\n  epochs: 1\n  validation_split: 0.5\n"
        f"  callbacks: [{{EarlyStopping: {{monitor: {monitor}, mode: max}}}}]\n"
    )
    assert spec.problems == []
    data = tmp_path / "data.npz"
    wrong_data.binary(data)
    start().utils.clear_session()  # Keras numbers the metrics of a process
    run = modelspec.train(spec, data, run=tmp_path / "run")
    assert monitor in run.history[0]
