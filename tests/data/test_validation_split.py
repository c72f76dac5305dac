"""The samples held out to validate on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelspec.data.arrays import load, read_headers
from modelspec.data.concatenated import Concatenated
from modelspec.data.dataset import Dataset
from modelspec.data.validation_split import ValidationSplit, split_validation
from modelspec.language.training import GroupedRows, LastRows
from modelspec.problems.diagnostic import Route

SPARSE = {"SparseCategoricalCrossentropy": {"from_logits": True}}


@dataclass(frozen=True)
class Head:
    output: str
    loss: Any
    route: Route = ()


def draw(
    losses: dict[str, Any], fraction: float = 0.2, seed: int = 0, **targets: Any
) -> ValidationSplit:
    samples = len(next(iter(targets.values())))
    dataset = Dataset({"x": np.zeros((samples, 1))}, targets, {}, {}, samples)
    held = split_validation(dataset, [Head(*head) for head in losses.items()], fraction, seed)
    everything = np.sort(np.concatenate([held.rows, held.held]))
    np.testing.assert_array_equal(everything, np.arange(samples))
    assert len(held.held) == round(samples * fraction)
    assert np.all(np.diff(held.held) > 0)
    assert np.all(np.diff(held.rows) > 0)
    return held


def test_plain_draw_is_as_it_always_was() -> None:
    drawn = np.random.default_rng([7, 50]).permutation(np.arange(50))
    held = draw({"y": "mse"}, 0.3, 7, y=np.zeros(50))
    np.testing.assert_array_equal(held.held, np.sort(drawn[:15]))
    assert held.phrase == "15 of 50 samples used for validation"


def test_nothing_is_held_out() -> None:
    held = draw({"y": SPARSE}, 0.0, y=np.arange(9) % 3)
    assert held.phrase == ""
    assert len(held.held) == 0


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.2, 0.37, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_class_keeps_its_share(fraction: float, seed: int) -> None:
    classes = np.random.default_rng(3).choice(5, 1797, p=[0.5, 0.3, 0.15, 0.04, 0.01])
    held = draw({"digit": SPARSE}, fraction, seed, digit=classes)
    assert held.phrase.endswith(" of 1,797 samples used for validation, stratified by digit")
    share = np.bincount(classes) * len(held.held) / 1797
    counts = np.bincount(classes[held.held], minlength=5)
    assert np.all(np.abs(counts - share) < 1)


def test_repeats_with_the_seed_alone() -> None:
    classes = np.arange(100) % 3
    one, two, other = (draw({"y": SPARSE}, 0.2, seed, y=classes) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.held, two.held)
    assert not np.array_equal(one.held, other.held)


def test_one_class_is_the_plain_draw() -> None:
    one = draw({"y": SPARSE}, 0.25, 5, y=np.zeros(40, int))
    np.testing.assert_array_equal(one.held, draw({"y": "mse"}, 0.25, 5, y=np.zeros(40)).held)


CLASSES = np.arange(60) % 4


@pytest.mark.parametrize(
    ("loss", "target", "classes"),
    [
        ("sparse_categorical_crossentropy", CLASSES, CLASSES),
        ("sparse_categorical_crossentropy", CLASSES[:, None].astype("f4"), CLASSES),
        ("sparse_categorical_crossentropy", CLASSES - 1, CLASSES),
        ("categorical_crossentropy", np.eye(4)[CLASSES], CLASSES),
        ("CategoricalFocalCrossentropy", np.eye(4)[CLASSES] * 0.9 + 0.025, CLASSES),
        ({"CategoricalCrossentropy": {"axis": -1}}, np.eye(4, dtype="u1")[CLASSES], CLASSES),
        ("crossentropy", CLASSES, CLASSES),
        ("binary_crossentropy", CLASSES > 0, CLASSES > 0),
        ("BinaryFocalCrossentropy", (CLASSES[:, None] > 2).astype("f4"), CLASSES > 2),
    ],
)
def test_targets_of_classes(loss: Any, target: Any, classes: Any) -> None:
    for seed in range(20):
        held = draw({"y": loss}, 0.3, seed, y=target)
        assert held.phrase.endswith("stratified by y")
        share = np.bincount(classes) * 0.3
        assert np.all(np.abs(np.bincount(classes[held.held]) - share) < 1)


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        ("mse", CLASSES),
        (None, CLASSES),
        ("sparse_categorical_crossentropy", np.tile(CLASSES[:, None], 5)),
        ("crossentropy", np.tile(CLASSES[:, None], 5)),
        ("categorical_crossentropy", np.tile(np.eye(4)[CLASSES][:, None], (5, 1))),
        ("binary_crossentropy", np.tile(CLASSES[:, None] > 0, 3)),
        ("binary_crossentropy", CLASSES / 3),
        ("sparse_categorical_crossentropy", np.where(np.arange(60) == 7, 9, CLASSES)),
    ],
)
def test_targets_that_are_not_one_class_a_sample(loss: Any, target: Any) -> None:
    plain = draw({"y": "mse"}, 0.25, y=CLASSES)
    held = draw({"y": loss}, 0.25, y=target)
    assert "stratified" not in held.phrase
    np.testing.assert_array_equal(held.held, plain.held)


def test_the_first_output_that_allows_it() -> None:
    losses = {"age": "mse", "rare": SPARSE, "missing": SPARSE, "income": SPARSE, "more": "bce"}
    held = draw(losses, age=CLASSES, rare=np.arange(60), income=CLASSES, more=CLASSES > 0)
    assert held.phrase.endswith("stratified by income")


def test_mapped_and_stacked_targets_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelspec.data.validation_split._BLOCK", 64)
    np.savez(tmp_path / "d.npz", y=np.eye(4)[CLASSES])
    mapped, _ = load(read_headers(tmp_path / "d.npz")[0]["y"])
    assert mapped is not None
    expected = draw({"y": "categorical_crossentropy"}, y=np.eye(4)[CLASSES])
    for target in (mapped, Concatenated([mapped[:11], mapped[11:]])):
        held = draw({"y": "categorical_crossentropy"}, y=target)
        np.testing.assert_array_equal(held.held, expected.held)


def split_rows(split: Any, samples: int = 20, groups: Any = None, seed: int = 0) -> ValidationSplit:
    dataset = Dataset({"x": np.zeros((samples, 1))}, {}, {}, {}, samples, groups)
    return split_validation(dataset, [], split, seed)


@pytest.mark.parametrize(("share", "count"), [(0.2, 4), (0.5, 10), (0.07, 1)])
def test_the_last_rows(share: float, count: int) -> None:
    parts = split_rows(LastRows(last=share))
    np.testing.assert_array_equal(parts.held, np.arange(20 - count, 20))
    np.testing.assert_array_equal(parts.rows, np.arange(20 - count))


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("names", [list("abcdefghij"), list(range(10))])
def test_groups_stay_whole(names: list[Any], seed: int) -> None:
    groups = np.repeat(names, 2)
    parts = split_rows(GroupedRows(fraction=0.3, groups="patient"), 20, groups, seed)
    assert len(parts.held) == 6
    assert not {*groups[parts.held].tolist()} & {*groups[parts.rows].tolist()}
    again = split_rows(GroupedRows(fraction=0.3, groups="patient"), 20, groups, seed)
    np.testing.assert_array_equal(parts.held, again.held)


def test_groups_of_several_sizes_come_near_the_share() -> None:
    groups = np.repeat(np.arange(8), np.arange(1, 9))
    parts = split_rows(GroupedRows(fraction=0.25, groups="g"), 36, groups)
    assert abs(len(parts.held) - 9) <= 4
    assert len(parts.held) + len(parts.rows) == 36
