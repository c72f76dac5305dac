"""Predictions as a table: names of classes, kept columns, values."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelspec.data.table_writer import Layout, save_table
from modelspec.problems.errors import RunError


def written(path: Path, pieces: Any, layout: Layout | None = None) -> list[list[str]]:
    save_table(path, pieces, layout or Layout())
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


def test_classes_values_and_kept_columns(tmp_path: Path) -> None:
    shares = np.array([[0.25, 0.75], [0.5, 0.125]], "f")
    pieces = [
        {"kind": shares[:1], "price": np.array([[1.5]], "f"), "yes": np.array([[0.5]], "f")},
        {"kind": shares[1:], "price": np.array([[-2]], "f"), "yes": np.array([[0.75]], "f")},
    ]
    layout = Layout(
        kept={"id": np.array([b"007", b'a,\n"b"']), "n": np.array([1, 2])},
        classes={"kind": ("flat", "house"), "yes": ("no", "yes")},
    )
    for name in ("p.csv", "p.tsv"):
        assert written(tmp_path / name, pieces, layout) == [
            ["id", "n", "kind", "kind_flat", "kind_house", "price", "yes", "yes_yes"],
            ["007", "1", "house", "0.25", "0.75", "1.5", "no", "0.5"],
            ['a,\n"b"', "2", "flat", "0.5", "0.125", "-2.0", "yes", "0.75"],
        ]


def test_logits_have_their_threshold(tmp_path: Path) -> None:
    layout = Layout(classes={"y": (0, 1)}, thresholds={"y": 0.0})
    rows = written(tmp_path / "p.csv", [{"y": np.array([0.25, -0.25], "f")}], layout)
    assert [row[0] for row in rows] == ["y", "1", "0"]


def test_units_without_names_are_numbered(tmp_path: Path) -> None:
    rows = written(tmp_path / "p.csv", [{"y": np.arange(12.0).reshape(2, 2, 3)}])
    assert rows[0] == ["y_0_0", "y_0_1", "y_0_2", "y_1_0", "y_1_1", "y_1_2"]
    assert rows[2] == ["6.0", "7.0", "8.0", "9.0", "10.0", "11.0"]


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    layout = Layout(kept={"y": np.array([b"a"])})
    with pytest.raises(RunError, match="called y"):
        save_table(tmp_path / "p.csv", [{"y": np.zeros((1, 1))}], layout)
    assert not list(tmp_path.iterdir())
