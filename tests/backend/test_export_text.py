"""Vocabularies and texts in ONNX files, against Keras's own layers."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from modelspec.backend.export.onnx import write_onnx
from modelspec.backend.export.random_rows import random_rows
from modelspec.backend.export.runtime import load_onnx
from modelspec.problems.errors import ModelError

pytestmark = pytest.mark.keras

layers = keras.layers

TEXTS = [
    "Good film, GOOD!  It's\tgreat...", "", "bad\n\nfilm xyz É É-é", "   ",
    "a_b{c}|d~ e@f [g] \\h ^i` 'j' \"k\" #$%&()*+-./:;<=>?", "!!!", "\v\f\r good",
]  # fmt: skip
WORDS = [["a", "b"], ["zz", "a"], ["", "c"]]
NUMBERS = [[10, 20], [-3, 7], [0, -8]]


def vectorized(**arguments: Any) -> Any:
    layer = layers.TextVectorization(**arguments)
    layer.adapt(np.asarray(["good film its great", "É é bad", "abc it's"], object))
    return layer


def strings(**arguments: Any) -> Any:
    return layers.StringLookup(vocabulary=["a", "b", "c"], **arguments)


def integers(**arguments: Any) -> Any:
    return layers.IntegerLookup(vocabulary=[10, 20, -3], **arguments)


def in_onnx(layer: Any, rows: Any, path: Path, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Return the results of Keras and of onnxruntime for some rows."""
    runtime = pytest.importorskip("onnxruntime")
    array = np.asarray(rows, object if isinstance(np.ravel(rows)[0], str) else np.int64)
    inputs = keras.Input(shape, dtype="string" if array.dtype == object else "int64", name="x")
    model = keras.Model(inputs, layer(inputs))
    write_onnx(model, path)
    assert "call" not in vars(layer)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(model(tf.constant(array))), session.run(None, {"x": array})[0]


SETS = {"max_tokens": 12, "pad_to_max_tokens": True}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"output_sequence_length": 3},
        {"standardize": "lower"},
        {"standardize": "strip_punctuation"},
        {"standardize": None},
        {"split": None},
        {"split": "character", "output_sequence_length": 9},
        {"output_mode": "multi_hot", **SETS},
        {"output_mode": "count", **SETS},
        {"output_mode": "tf_idf", **SETS},
    ],
    ids=str,
)
def test_texts(arguments: dict[str, Any], tmp_path: Path) -> None:
    wanted, got = in_onnx(vectorized(**arguments), TEXTS, tmp_path / "m.onnx", ())
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize(
    ("layer", "rows"),
    [
        (strings(), WORDS),
        (strings(mask_token=""), WORDS),
        (strings(output_mode="multi_hot"), WORDS),
        (strings(output_mode="count", max_tokens=6, pad_to_max_tokens=True), WORDS),
        (strings(output_mode="one_hot"), [["a"], ["zz"]]),
        (integers(), NUMBERS),
        (integers(mask_token=0, num_oov_indices=3), NUMBERS),
        (integers(invert=True), [[1, 2], [3, 9]]),
    ],
)
def test_vocabularies(layer: Any, rows: Any, tmp_path: Path) -> None:
    wanted, got = in_onnx(layer, rows, tmp_path / "m.onnx", (len(rows[0]),))
    assert got.dtype == wanted.dtype
    np.testing.assert_array_equal(got, wanted)


def test_ids_become_texts(tmp_path: Path) -> None:
    wanted, got = in_onnx(strings(invert=True), [[1, 2], [3, 9]], tmp_path / "m.onnx", (2,))
    assert [text.decode() for text in wanted.ravel()] == got.ravel().tolist()


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (strings(num_oov_indices=2), "hashes"),
        (vectorized(ngrams=2), "ngrams"),
        (layers.Hashing(num_bins=3), "StringToHashBucketFast"),
    ],
)
def test_what_onnx_lacks_is_refused(layer: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=said):
        in_onnx(layer, ["a", "b"], tmp_path / "m.onnx", ())


@pytest.mark.parametrize("opset", [15, 21])
def test_texts_need_an_opset(opset: int, tmp_path: Path) -> None:
    inputs = keras.Input((), dtype="string", name="x")
    model = keras.Model(inputs, vectorized()(inputs))
    with pytest.raises(ModelError, match="opset 20"):
        write_onnx(model, tmp_path / "m.onnx", opset=opset)


def test_values_that_keras_refuses_are_noted(tmp_path: Path) -> None:
    inputs = keras.Input((1,), dtype="string", name="x")
    model = keras.Model(inputs, strings(num_oov_indices=0)(inputs))
    [note] = write_onnx(model, tmp_path / "m.onnx")
    assert "gives it -1" in note


def test_rows_of_texts_have_several_words_and_marks() -> None:
    inputs = keras.Input((), dtype="string", name="x")
    rows = random_rows(keras.Model(inputs, vectorized()(inputs)), 8)["x"]
    assert all(len(row.split()) > 3 and row.endswith("!") and row[0].isupper() for row in rows)


def test_fitted_constants_are_in_the_file(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    rows = np.random.default_rng(0).normal(5, 3, (40, 3)).astype("f")
    inputs = keras.Input((3,), name="x")
    normal = layers.Normalization()
    normal.adapt(rows)
    model = keras.Model(inputs, layers.Dense(2)(normal(inputs)))
    write_onnx(model, tmp_path / "m.onnx")
    session = runtime.InferenceSession(str(tmp_path / "m.onnx"))
    assert [value.name for value in session.get_inputs()] == ["x"]
    [got] = session.run(None, {"x": rows})
    np.testing.assert_allclose(got, model(rows), rtol=1e-5, atol=1e-6)


def test_the_branch_that_is_not_taken_does_not_count(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    inputs = keras.Input((1,), name="x")
    numbers = keras.ops.nan_to_num(inputs, nan=7.0, posinf=5.0, neginf=-5.0)
    ordered = keras.ops.logical_and(
        keras.ops.where(inputs > 0, inputs > 3, inputs < -3), inputs < 9
    )
    model = keras.Model(
        inputs,
        {"numbers": numbers, "large": keras.ops.cast(ordered, "int32"),
         "kept": keras.ops.where(keras.ops.isfinite(inputs), inputs, 0.5)},
    )  # fmt: skip
    write_onnx(model, tmp_path / "m.onnx")
    session = runtime.InferenceSession(str(tmp_path / "m.onnx"))
    rows = np.asarray([[1], [np.nan], [np.inf], [-np.inf], [4], [-4]], "f")
    names = [value.name for value in session.get_outputs()]
    got = dict(zip(names, session.run(None, {"x": rows}), strict=True))
    for name, wanted in model(rows).items():
        np.testing.assert_array_equal(got[name], wanted, name)


def test_texts_reach_the_runtime_as_texts(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    inputs = keras.Input((2,), dtype="string", name="x")
    write_onnx(keras.Model(inputs, strings()(inputs)), tmp_path / "m.onnx")
    loaded = load_onnx(tmp_path / "m.onnx")
    for rows in (np.asarray(WORDS, object), np.asarray(np.char.encode(WORDS), object)):
        [ids] = loaded.run({"x": rows}).values()
        np.testing.assert_array_equal(ids, [[1, 2], [0, 1], [0, 3]])
