"""The history of a run: the best epoch, outputs, CSV, and its curves."""

import csv
import io
import math
from pathlib import Path
from typing import Any

import pytest

from modelspec.report import curves
from modelspec.report.curves import draw_curves, panels
from modelspec.runs.history import Best, best, groups, history_csv

pytestmark = pytest.mark.process
"""Matplotlib asks another program for the fonts."""

TRAINING, VALIDATION = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)
ORANGE_AREA = (0xEB, 0xB2, 0x33)
HEADS = ("digit", "parity", "ink")


def epoch(number: int, *, heads: int = 1, validation: bool = True) -> dict[str, Any]:
    """Return a record as training writes it, with a falling loss."""
    low = math.exp(-number / 10)
    record = {"loss": 4 * low}
    if heads == 1:
        record["accuracy"] = 1 - low
    else:
        names = HEADS[:heads]
        record |= {f"{name}_loss": 1000 * low**3 for name in names}
        record |= {f"{name}_mae": low for name in names}
    if validation:
        record |= {f"val_{name}": value * 1.1 for name, value in record.items()}
    if heads > 1:
        record |= {f"{name}_share": 1 / heads for name in HEADS[:heads]}
    return {"epoch": number, **record, "seconds": 0.02}


def history(epochs: int, **options: Any) -> list[dict[str, Any]]:
    return [epoch(number, **options) for number in range(1, epochs + 1)]


def lost(record: dict[str, Any]) -> dict[str, Any]:
    """An epoch whose values were not finite, as the history has it."""
    return {name: value if name in {"epoch", "seconds"} else None for name, value in record.items()}


def test_the_best_epoch_is_that_of_validation() -> None:
    records: list[dict[str, Any]] = [
        {"epoch": 1, "loss": 3.0, "val_loss": math.nan},
        {"epoch": 2, "loss": 1.0, "val_loss": 0.5},
        {"epoch": 3, "loss": 2.0, "val_loss": 0.25},
        {"epoch": 4, "loss": None, "val_loss": 0.25},
    ]
    assert best(records) == Best(3, "val_loss", 0.25)
    without = [{name: row[name] for name in ("epoch", "loss")} for row in records]
    assert best(without) == Best(2, "loss", 1.0)
    assert best([]) is best([{"epoch": 1, "loss": None}]) is None


def test_groups_of_one_output() -> None:
    [whole] = groups(epoch(1))
    assert (whole.output, list(whole.names)) == (
        "",
        ["loss", "accuracy", "val_loss", "val_accuracy"],
    )


def test_groups_of_several_outputs_whose_names_begin_alike() -> None:
    names = ["epoch", "loss", "a_mae", "a_b_mae", "a_loss", "a_b_loss", "learning_rate", "seconds"]
    names += ["val_loss", "val_a_mae", "val_a_b_loss", "a_share"]
    assert {group.output: dict(group.names) for group in groups(names)} == {
        "": {"loss": "loss", "learning_rate": "learning_rate", "val_loss": "val_loss"},
        "a": {"loss": "a_loss", "share": "a_share", "mae": "a_mae", "val_mae": "val_a_mae"},
        "a_b": {"loss": "a_b_loss", "mae": "a_b_mae", "val_loss": "val_a_b_loss"},
    }
    assert list(groups(names)[1].names) == ["loss", "share", "mae", "val_mae"]


def test_an_output_called_as_validation_is() -> None:
    names = ["loss", "val_x_loss", "y_loss", "val_loss", "val_val_x_loss", "val_y_loss"]
    assert [(group.output, list(group.names)) for group in groups(names)] == [
        ("", ["loss", "val_loss"]),
        ("val_x", ["loss", "val_loss"]),
        ("y", ["loss", "val_loss"]),
    ]


def test_csv_has_every_column_that_appears() -> None:
    records: list[dict[str, Any]] = [
        {"epoch": 1, "loss": 0.1, "seconds": 2},
        {"epoch": 2, "loss": None, "seconds": 3, "learning_rate": 1e-4},
    ]
    rows = list(csv.reader(io.StringIO(history_csv(records))))
    assert rows == [
        ["epoch", "loss", "seconds", "learning_rate"],
        ["1", "0.1", "2", ""],
        ["2", "", "3", "0.0001"],
    ]


def test_panels() -> None:
    [row] = panels(groups(epoch(1)))
    assert [(panel.title, list(panel.lines)) for panel in row] == [
        ("loss", ["training", "validation"]),
        ("accuracy", ["training", "validation"]),
    ]
    rows = panels(groups(epoch(1, heads=3, validation=False)))
    assert [[panel.title for panel in row] for row in rows] == [
        ["loss", "shares of the loss"],
        ["digit loss", "digit mae"],
        ["parity loss", "parity mae"],
        ["ink loss", "ink mae"],
    ]
    assert rows[0][1].lines == {name: f"{name}_share" for name in HEADS}


CASES = {
    "one output": history(20),
    "three outputs": history(25, heads=3),
    "one epoch": history(1, heads=3),
    "a thousand epochs": history(1000, validation=False),
    "gaps": [*history(4, heads=2), lost(epoch(5, heads=2)), epoch(6, heads=2)],
    "nothing finite": [lost(epoch(1)), lost(epoch(2))],
    "names that come later": [epoch(1, validation=False), epoch(2) | {"learning_rate": 0.1}],
    "a constant": [{"epoch": 1, "loss": 0.0}, {"epoch": 2, "loss": 0.0}],
    "names of matplotlib": [{"epoch": 1, "loss": 1.0, "_a_loss": 1.0, "_a_share": 1.0}],
    "many outputs": [{"epoch": 1, "loss": 1.0} | {f"y{number}_loss": 1.0 for number in range(50)}],
}


@pytest.mark.parametrize("name", CASES)
def test_curves_are_drawn(name: str, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    draw_curves(CASES[name], tmp_path / "curves.png")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
    with image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 300
        assert max(picture.size) < 15_000
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    validated = any("val_loss" in record for record in CASES[name])
    assert {TRAINING, VALIDATION} & colours == ({TRAINING, VALIDATION} if validated else {TRAINING})


@pytest.mark.parametrize("epochs", [1, 2, 9])
def test_shares_fill_their_panel(epochs: int, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    draw_curves(history(epochs, heads=3), tmp_path / "curves.png")
    with image.open(tmp_path / "curves.png") as picture:
        counts = {colour: count for count, colour in picture.convert("RGB").getcolors(1 << 24)}
    panel = 120**2 * 3.0 * 1.7
    assert counts[ORANGE_AREA] > 0.25 * panel


def test_a_style_of_the_user_changes_nothing(tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    draw_curves(history(3), tmp_path / "plain.png")
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "black"}):
        draw_curves(history(3), tmp_path / "styled.png")
        assert matplotlib.rcParams["text.usetex"]
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "styled.png").read_bytes()


def test_the_old_picture_stays_where_the_new_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = pytest.importorskip("matplotlib.figure")
    path = tmp_path / "curves.png"
    path.write_bytes(b"old")

    def full(self: Any, aside: Path, **options: Any) -> None:
        del self, options
        aside.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figure.Figure, "savefig", full)
    with pytest.raises(OSError, match="No space"):
        draw_curves(history(2), path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"curves.png": b"old"}


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "find_spec", lambda _: None)
    assert not curves.can_draw()
