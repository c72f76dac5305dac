from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelspec.data.arrays import Member
from modelspec.data.claims import SUFFIXES
from modelspec.data.dataset import load_dataset
from modelspec.data.matching import has_validation, marked_arrays, match
from modelspec.problems.diagnostic import Diagnostic

PARTS = ("train", "val", "test")


def members(*names: str) -> dict[str, Member]:
    return {
        name: Member(name, np.dtype("f4"), (2,), fortran=False, file=Path("d.npz"))
        for name in names
    }


def chosen(held: str, inputs: str, outputs: str, **rest: Any) -> dict[str, str]:
    matched, _ = match(
        members(*held.split()), inputs=inputs.split(), outputs=outputs.split(), **rest
    )
    return {name: member.name for name, member in matched.items()}


def problems(held: str, inputs: str, outputs: str, **rest: Any) -> list[Diagnostic]:
    return match(members(*held.split()), inputs=inputs.split(), outputs=outputs.split(), **rest)[1]


@pytest.mark.parametrize(
    ("held", "part", "expected"),
    [
        ("a b c", "train", "a b c"),
        ("a b c", "test", "a b c"),
        ("a_train b_train c_train a_test b_test c_test", "train", "a_train b_train c_train"),
        ("a_train b_train c_train a_test b_test c_test", "test", "a_test b_test c_test"),
        ("a a_test b b_test c c_test", "train", "a b c"),
        ("a a_test b b_test c c_test", "test", "a_test b_test c_test"),
        ("a_train a b_train b c_train c", "test", "a b c"),
    ],
)
def test_parts(held: str, part: str, expected: str) -> None:
    assert chosen(held, "a b", "c", part=part) == dict(zip("abc", expected.split(), strict=True))


def test_keras_mnist_as_it_stands() -> None:
    held = "x_train y_train x_test y_test"
    assert chosen(held, "image", "digit") == {"image": "x_train", "digit": "y_train"}
    assert chosen(held, "image", "digit", part="test") == {"image": "x_test", "digit": "y_test"}
    assert problems(held, "image", "digit") == []
    assert chosen("x y", "image", "digit") == {"image": "x", "digit": "y"}


def test_x_and_y_are_for_one_input_and_one_output() -> None:
    assert chosen("x y", "a b", "c") == {}
    assert chosen("x y", "y", "x") == {"y": "y", "x": "x"}
    assert chosen("image x y", "image", "digit") == {"image": "image", "digit": "y"}


def test_the_spec_says_which_array() -> None:
    names = {"text": "X_text"}
    assert chosen("X_text text y", "text", "y", names=names)["text"] == "X_text"
    assert chosen("X_text_train X_text y", "text", "y", names=names)["text"] == "X_text_train"
    held, names = "x_train y_train x_test y_test", {"a": "x_train", "b": "y_train"}
    assert chosen(held, "a", "b", names=names, part="test") == {"a": "x_test", "b": "y_test"}
    assert chosen("x", "a", "b", names={"a": "x", "b": "x"}) == {"a": "x", "b": "x"}


@pytest.mark.parametrize("name", ["income_weight", "income_weight_train", "income_train_weight"])
def test_weights(name: str) -> None:
    held = f"text income_train income_test {name} age"
    assert chosen(held, "text", "age income")["income_weight"] == name
    assert problems(held, "text", "age income") == []


@pytest.mark.parametrize("suffix", ["val", "valid", "validation"])
def test_the_validation_part(suffix: str) -> None:
    held = f"x_train y_train x_{suffix} y_{suffix} x_test y_test"
    expected = {"x": f"x_{suffix}", "y": f"y_{suffix}"}
    assert chosen(held, "x", "y", part="validation") == expected
    assert chosen(held, "x", "y") == {"x": "x_train", "y": "y_train"}
    assert chosen(held, "x", "y", part="test") == {"x": "x_test", "y": "y_test"}
    for part in ("train", "validation", "test"):
        assert problems(held, "x", "y", part=part) == []
    assert has_validation(members(*held.split()), inputs=["x"], outputs=["y"])


def test_files_without_a_validation_part_validate_on_the_test_part() -> None:
    assert chosen("x_test y_test", "x", "y", part="validation") == {"x": "x_test", "y": "y_test"}
    assert chosen("x y", "x", "y", part="validation") == {"x": "x", "y": "y"}
    assert not has_validation(members("x_test", "y_test"), inputs=["x"], outputs=["y"])


def test_half_a_validation_part_is_told() -> None:
    [problem] = problems("x_train y_train x_val", "x", "y")
    assert (problem.severity, problem.code) == ("warning", "missing-array")
    assert "x_val" in problem.message
    assert "y_val" in problem.message
    assert not has_validation(members("x", "y", "x_val"), inputs=["x"], outputs=["y"])


@pytest.mark.parametrize("part", ["train", "validation", "test"])
@pytest.mark.parametrize("other", ["a_test", "a_train", "a_val", "a_valid"])
def test_an_array_that_the_spec_names_is_no_part_of_another(other: str, part: str) -> None:
    expected = {"a": "a", other: other, "y": "y"}
    assert chosen(f"a {other} y", f"a {other}", "y", part=part) == expected


def test_a_mapped_array_is_no_part_of_another() -> None:
    names = {"b": "a_test"}
    assert chosen("a a_test y", "a b", "y", names=names, part="test")["a"] == "a"


def test_what_a_suffix_decides_is_said(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {f"{name}_{part}": np.zeros((4, 2)) for name in "xy" for part in PARTS}
    np.savez(tmp_path / "parts.npz", **arrays)
    np.savez(tmp_path / "plain.npz", x=np.zeros((4, 2)), y=np.zeros((4, 2)))
    notes: list[str] = []
    for file in ("parts.npz", "plain.npz"):
        for part in SUFFIXES:
            load_dataset(tmp_path / file, inputs=["x"], outputs=["y"], part=part, say=notes.append)
    assert notes == [
        "arrays in use: x_train, y_train",
        "arrays to validate on: x_val, y_val",
        "arrays in use: x_test, y_test",
    ]


def test_arrays_from_memory() -> None:
    arrays = {"x": [[1.0, 2.0], [3.0, 4.0]], "y": np.zeros(2, ">f4")}
    dataset, problems = load_dataset(arrays, inputs=["x"], outputs=["y"])
    assert problems == []
    assert dataset
    assert dataset.samples == 2
    assert dataset.targets["y"].dtype == np.dtype("f4")
    np.testing.assert_array_equal(dataset.inputs["x"][:], arrays["x"])


@pytest.mark.parametrize("values", [[[1.0], [1.0, 2.0]], np.array(["a", None]), {"a": 1}])
def test_what_is_not_an_array_is_told(values: Any) -> None:
    dataset, problems = load_dataset({"x": values, "y": [1.0]}, inputs=["x"], outputs=["y"])
    assert dataset is None
    assert problems[0].code == "bad-array"


def test_weights_of_y_and_of_mapped_names() -> None:
    assert chosen("x y y_weight", "a", "b")["b_weight"] == "y_weight"
    assert chosen("a X X_weight", "a", "b", names={"b": "X"})["b_weight"] == "X_weight"
    assert chosen("a b w", "a", "b", names={"b_weight": "w"})["b_weight"] == "w"


def test_weights_of_the_other_part_are_not_used() -> None:
    assert "b_weight" not in chosen("a b b_weight_train", "a", "b", part="test")


def test_an_input_may_be_called_like_weights() -> None:
    assert chosen("b_weight b", "b_weight", "b") == {"b_weight": "b_weight", "b": "b"}


def test_missing_input_and_output() -> None:
    first, second, _ = problems("other", "posts", "age")
    assert (first.code, first.route, first.anchor) == ("missing-array", ("inputs", "posts"), "key")
    assert (second.code, second.route) == ("missing-array", ("outputs",))
    assert first.message == "the data has no array posts or x; it has other"


def test_near_names_are_offered_once() -> None:
    [problem] = problems("post_train post_test b c", "posts", "b c")
    assert problem.hint == "did you mean post? data: {posts: post} matches it"


def test_a_part_before_the_name_is_told_once() -> None:
    first, second = problems("train_x train_y val_x val_y", "x", "y")
    assert (first.code, first.hint) == (
        "missing-array",
        "save train_x as x_train: the part stands after the name",
    )
    assert second.hint == "save train_y as y_train: the part stands after the name"
    hints = [problem.hint for problem in problems("x y val_x val_y", "x", "y")]
    assert hints == [
        f"save val_{name} as {name}_val: the part stands after the name" for name in "xy"
    ]


def test_missing_mapped_array() -> None:
    [problem] = problems("a b", "a", "b", names={"a": "A_text"})[:1]
    assert (problem.code, problem.route, problem.anchor) == (
        "missing-array",
        ("data", "a"),
        "value",
    )


def test_only_the_other_part_is_there() -> None:
    first, second = problems("x_train y_train", "image", "digit", part="test")
    assert first.message == "the data has x_train, but evaluation needs x_test or x"
    assert second.code == "missing-array"


def test_optional_targets() -> None:
    assert problems("a", "a", "b", targets="optional", names={"b": "B", "b_weight": "W"}) == []
    assert [problem.code for problem in problems("b", "a", "b", targets="optional")] == [
        "missing-array"
    ]


def test_unknown_arrays_are_warned_of() -> None:
    [problem] = problems("a b c c_weights", "a b", "c")
    assert (problem.code, problem.severity) == ("unknown-array", "warning")
    assert problem.file == "d.npz"
    assert problem.hint == "did you mean c_weight?"


@pytest.mark.parametrize(
    ("held", "hint"),
    [
        ("image_train image_test label_train", None),  # the labels, which an autoencoder leaves
        ("image_train image_tset", "did you mean image_test?"),
        ("image_train image_test imege_val", "did you mean image_val?"),
        ("image_train image_test image_train2", None),
        ("image_train image_test text_test", None),
    ],
)
def test_an_unused_array_is_taken_for_one_that_lacks(held: str, hint: str | None) -> None:
    told = problems(held, "image", "decoded", names={"decoded": "image"})
    assert [problem.hint for problem in told] == [hint]


def test_many_unknown_arrays_are_counted() -> None:
    told = problems(" ".join(f"n{i}" for i in range(5000)) + " a b", "a", "b")
    assert len(told) == 11
    assert "4990 more" in told[-1].message


def test_loads_in_the_order_of_the_spec(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, c=[[1], [2]], b=[3, 4], a=[5, 6], c_weight=[1.0, 0.5])
    dataset, problems = load_dataset(path, inputs=["a", "b"], outputs=["c"])
    assert problems == []
    assert dataset is not None
    assert list(dataset.inputs) == ["a", "b"]
    assert dataset.targets["c"][:].tolist() == [[1], [2]]
    assert dataset.weights["c"][:].tolist() == [1.0, 0.5]
    assert dataset.array_names == {"a": "a", "b": "b", "c": "c", "c_weight": "c_weight"}
    assert dataset.samples == 2


def test_pickled_array_is_not_also_missing(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, a=np.array([{}], object), b=[1])
    dataset, problems = load_dataset(path, inputs=["a"], outputs=["b"])
    assert dataset is None
    assert [problem.code for problem in problems] == ["pickled-array"]


def test_unreadable_file_is_one_problem(tmp_path: Path) -> None:
    dataset, problems = load_dataset(tmp_path / "none.npz", inputs=["a"], outputs=["b"])
    assert dataset is None
    assert [problem.code for problem in problems] == ["data-not-found"]


def test_empty_npz_misses_everything(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz")
    _, problems = load_dataset(tmp_path / "d.npz", inputs=["a"], outputs=["b"])
    assert [problem.code for problem in problems] == ["missing-array"] * 2
    assert "no arrays at all" in problems[0].message


def test_checksum_is_compared_on_loading(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez_compressed(path, a=np.random.default_rng(0).random(5000), b=[1])
    content = bytearray(path.read_bytes())
    content[20_000] ^= 0x55
    path.write_bytes(content)
    dataset, problems = load_dataset(path, inputs=["a"], outputs=["b"])
    assert dataset is None
    assert [problem.code for problem in problems] == ["bad-array"]


def test_an_array_that_is_used_twice_is_named_once() -> None:
    names = {"decoded": "image"}
    matched, _ = match(
        members("image_train", "image_test"), inputs=["image"], outputs=["decoded"], names=names
    )
    assert marked_arrays(matched, names) == "image_train"
