"""Predictions beside their targets: classes as classes, and values as values on both sides."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

import modelspec
from modelspec.api.prediction import predicting
from modelspec.api.target import open_target
from modelspec.report.predictions import ClassNames, FirstRows, print_predictions

pytestmark = pytest.mark.keras


def shown(predictions: Any, targets: Any, **of_classes: bool) -> list[str]:
    """The cells of the first row, without its number."""
    text = io.StringIO()
    arrays = {"y": np.asarray(predictions)}
    truth = {"y": np.asarray(targets)}
    print_predictions(Console(file=text, width=200), arrays, truth, of_classes)
    return text.getvalue().splitlines()[1].split(maxsplit=1)[1].split("  ")


@pytest.mark.parametrize(
    ("predictions", "targets", "cells"),
    [
        ([[0.5, -1.25, 3, 4, 5]], [[1, 2, 3, 4, 5.5]], ["[0.5, -1.25, 3, …]", "[1, 2, 3, …]"]),
        ([[0.5, 1]], [[0.25, 9]], ["[0.5, 1]", "[0.25, 9]"]),
        (
            np.full((1, 2, 3), 0.5),
            np.ones((1, 2, 3)),
            ["(2, 3) [0.5, 0.5, 0.5, …]", "(2, 3) [1, 1, 1, …]"],
        ),
        ([[0.5]], [[2.0]], ["0.5", "2"]),
        ([[0.25, 0.75]], [[0, 1]], ["1 (75.0%)", "1"]),
        ([[0.25, 0.75]], [1], ["1 (75.0%)", "1"]),
        # Shares of a whole, not classes: no row of the targets has a 1.
        ([[0.25, 0.75]], [[0.5, 0.5]], ["[0.25, 0.75]", "[0.5, 0.5]"]),
    ],
)
def test_what_values_tell(predictions: Any, targets: Any, cells: list[str]) -> None:
    assert [cell.strip() for cell in shown(predictions, targets) if cell.strip()] == cells


@pytest.mark.parametrize(
    ("predictions", "targets", "classes", "cells"),
    [
        ([[0.25, 0.75]], [[0, 1]], False, ["[0.25, 0.75]", "[0, 1]"]),
        ([[2.5, -1.0]], [0], True, ["0", "0"]),
        ([[[0.1, 0.9], [0.8, 0.2]]], [[1, 0]], True, ["[1, 0]", "[1, 0]"]),
        ([[[0.1, 0.9], [0.8, 0.2]]], [[[0, 1], [1, 0]]], True, ["[1, 0]", "[1, 0]"]),
    ],
)
def test_what_a_loss_tells(predictions: Any, targets: Any, classes: Any, cells: list[str]) -> None:
    printed = shown(predictions, targets, y=classes)
    assert [cell.strip() for cell in printed if cell.strip()] == cells


NAMES = ("no", "perhaps", "yes")


@pytest.mark.parametrize(
    ("predictions", "targets", "names", "limit", "cells"),
    [
        ([[0.2, 0.1, 0.7]], [2], NAMES, 0.5, ["yes (70.0%)", "yes"]),
        ([[0.2, 0.1, 0.7]], [[0, 1, 0]], NAMES, 0.5, ["yes (70.0%)", "perhaps"]),
        ([[2.5, 0.1, 0.7]], [1], NAMES, 0.5, ["no", "perhaps"]),
        ([[0.75]], [0], NAMES[::2], 0.5, ["yes (75.0%)", "no"]),
        ([[0.25]], [0], NAMES[::2], 0.5, ["no (75.0%)", "no"]),
        ([[1.25]], [0], NAMES[::2], 0.5, ["yes (1.25)", "no"]),
        ([[0.25]], [[1]], NAMES[::2], 0.0, ["yes (0.25)", "yes"]),
        # Names of another number of classes belong to another output.
        ([[0.2, 0.8]], [1], NAMES, 0.5, ["1 (80.0%)", "1"]),
    ],
)
def test_names_of_classes(
    predictions: Any, targets: Any, names: Any, limit: float, cells: list[str]
) -> None:
    known = ClassNames({"y": names}, {"y": limit})
    text = io.StringIO()
    arrays, truth = {"y": np.asarray(predictions)}, {"y": np.asarray(targets)}
    print_predictions(Console(file=text, width=200), arrays, truth, names=known)
    row = text.getvalue().splitlines()[1].split(maxsplit=1)[1]
    assert [cell.strip() for cell in row.split("  ") if cell.strip()] == cells


@pytest.mark.parametrize(
    ("last", "loss", "targets", "cell"),
    [
        ("units: 5", "mse", np.arange(20.0).reshape(4, 5), "[0, 1, 2, …]"),
        ("units: 3, activation: softmax", "mae", np.full((4, 3), 0.25), "[0.25, 0.25, 0.25]"),
        ("units: 3, activation: sigmoid", "bce", np.eye(3)[[1, 1, 1, 1]], "[0, 1, 0]"),
        ("units: 3, activation: softmax", "kld", np.eye(3)[[1, 1, 1, 1]], "[0, 1, 0]"),
        ("units: 3, activation: softmax", "crossentropy", np.eye(3)[[1, 1, 1, 1]], " 1\n"),
        ("units: 3, activation: softmax", "crossentropy", np.array([2, 2, 2, 2]), " 2\n"),
    ],
)
def test_predictions_of_a_run(
    last: str, loss: str, targets: Any, cell: str, tmp_path: Path
) -> None:
    data = tmp_path / "d.npz"
    np.savez(data, x=np.zeros((4, 2), "f"), y=targets)
    text = (
        "modelspec: 1\ninputs: {x: {shape: [2]}}\n"
        f"layers: [{{Dense: {{{last}}}, name: y}}]\n"
        f"outputs: y\nlosses: {loss}\ntraining: {{epochs: 1}}\n"
    )
    run = modelspec.train(modelspec.loads(text), data, run=tmp_path / "run")
    made = predicting(open_target(str(run.path), []), data)
    first = FirstRows()
    assert list(first.of(made.pieces))
    shown = io.StringIO()
    print_predictions(Console(file=shown), first.arrays, made.targets, made.of_classes)
    assert cell in shown.getvalue()
