"""The meaning of a run's history, in words."""

from collections.abc import Sequence
from typing import Any

import pytest

from modelspec.runs.verdict import verdict


def history(
    loss: Sequence[float | None], val_loss: Sequence[float | None] = (), **more: float
) -> list[dict[str, Any]]:
    rows = [{"epoch": number, "loss": value, **more} for number, value in enumerate(loss, 1)]
    for row, value in zip(rows, val_loss, strict=False):
        row["val_loss"] = value
    return rows


def said(rows: list[dict[str, Any]], outputs: Sequence[str] = ("y",), **record: Any) -> str:
    run = {"status": "completed", "epochs": len(rows), "model_epoch": len(rows), **record}
    return "\n".join(f"{finding.kind}: {finding.text}" for finding in verdict(rows, run, outputs))


FALLING = [2.0, 1.5, 1.2, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4]


def test_overfitting_names_the_epoch_and_both_losses() -> None:
    text = said(history(FALLING, [2, 1.6, 1.4, 1.3, 1.35, 1.4, 1.5, 1.6, 1.7, 1.8]))
    assert "warning: Overfitted after epoch 4" in text
    assert "(1 to 0.4)" in text
    assert "(1.3 to 1.8)" in text
    assert "best epoch is 4 of 10" in text
    assert "The model is of epoch 10" in text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (FALLING, "Still improving: val_loss fell by"),
        ([2, 1, 0.51, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], "levelled off"),
        ([2, 1, 0.5, 0.51, 0.505, 0.5, 0.51, 0.5, 0.505, 0.51], "levelled off"),
        ([-1, -2, -3, -4, -5, -6, -7, -8, -9, -10], "Still improving"),
    ],
)
def test_trends(values: list[float], words: str) -> None:
    text = said(history(FALLING, values))
    assert words in text
    assert "Overfitted" not in text


def test_a_best_epoch_that_was_restored_is_good_news() -> None:
    text = said(
        history(FALLING, [2, 1, 1.2, 1.4]),
        model_epoch=2,
        epochs=50,
        end_reason="stopped early by EarlyStopping on val_loss",
    )
    assert "good: The best epoch is 2" in text
    assert "Training stopped early by EarlyStopping on val_loss, after 10 of 50 epochs" in text


def test_without_validation_nothing_is_said_of_overfitting() -> None:
    text = said(history(FALLING))
    assert "no validation data" in text
    assert "Still improving: loss" in text
    assert "too short" in said(history([1.0]))


def test_outputs_that_drown_are_named() -> None:
    rows = history(FALLING, a_share=0.985, b_share=0.01, c_share=0.005)
    text = said(rows, "abc")
    assert "warning: a makes up 98.5% of the loss, and b, c nearly nothing." in text
    even = history(FALLING, a_share=0.6, b_share=0.4)
    assert "good: No loss dominates: a has the largest share, 60%" in said(even, "ab")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            {"status": "failed", "error": "the loss is not finite"},
            "The run failed: the loss is not",
        ),
        ({"status": "interrupted", "epochs": 40}, "The run is interrupted: 10 of 40 epochs"),
        ({"status": "running", "epochs": "many"}, "The run is running: 10 of many"),
    ],
)
def test_a_run_that_did_not_complete(record: dict[str, Any], words: str) -> None:
    assert words in said(history(FALLING), **record)


@pytest.mark.parametrize("rows", [[], history([None, None])])
def test_a_run_without_a_finite_loss(rows: list[dict[str, Any]]) -> None:
    assert said(rows).endswith("warning: No epoch has a finite loss.")
