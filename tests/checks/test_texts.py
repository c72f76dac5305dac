"""Layers that take text or numbers: what is refused is what Keras cannot compute."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml

import modelspec
from modelspec.problems.problem import Problem

pytestmark = pytest.mark.keras

TEXT, INTEGERS = np.array([["1", "2"]]), np.array([[1, 2]])
WORDS = "StringLookup: {vocabulary: ['1', '2']}"
NUMBERS = "IntegerLookup: {vocabulary: [1, 2]}"


def spec(dtype: str, *layers: str) -> str:
    lines = "".join(f"  - {layer}\n" for layer in layers)
    return (
        f"modelspec: 1\ninputs: {{x: {{shape: [2], dtype: {dtype}}}}}\nlayers:\n{lines}"
        "  - Identity:\n    name: y\noutputs: y\n"
    )


def problems(text: str) -> list[Problem]:
    return modelspec.loads(text).problems


@pytest.mark.parametrize(
    ("dtype", "layers", "hint"),
    [
        ("string", ["Embedding: {input_dim: 5, output_dim: 2}"], "StringLookup"),
        ("string", ["Dense: {units: 1}"], "leave out dtype: string"),
        ("string", ["Normalization: {mean: 0, variance: 1}"], "Hashing"),
        ("string", ["Discretization: {bin_boundaries: [1]}"], "Hashing"),
        ("string", ["CategoryEncoding: {num_tokens: 5}"], "Hashing"),
        ("string", [NUMBERS], "StringLookup"),
        ("string", ["Flatten", "Rescaling: {scale: 2}"], "Hashing"),
        ("int32", [WORDS], "IntegerLookup"),
        ("float32", [WORDS], "dtype: string"),
        ("int32", ["TextVectorization: {vocabulary: [a], output_sequence_length: 3}"], "Embedding"),
        ("int32", ["Reshape: {target_shape: [2, 1]}", WORDS], "IntegerLookup"),
        ("string", [WORDS, WORDS], "IntegerLookup"),
        ("int64", ["StringLookup: {vocabulary: [a, b, c], invert: true}", NUMBERS], "StringLookup"),
    ],
)
def test_what_keras_cannot_compute(dtype: str, layers: list[str], hint: str) -> None:
    text = spec(dtype, *layers)
    [problem] = problems(text)
    assert (problem.code, problem.severity) == ("wrong-dtype", "error")
    assert problem.place.span.line == 3 + len(layers)
    assert hint in str(problem.hint)
    with pytest.raises((TypeError, ValueError, tf.errors.OpError)):
        by_hand(layers, TEXT if dtype == "string" else INTEGERS.astype(dtype))


@pytest.mark.parametrize(
    ("dtype", "layers"),
    [
        ("string", [WORDS, "Embedding: {input_dim: 5, output_dim: 2}"]),
        ("string", ["Reshape: {target_shape: [2, 1]}", "Flatten", WORDS, "Rescaling: {scale: 2}"]),
        ("string", ["Hashing: {num_bins: 3}", "Dense: {units: 1}"]),
        ("string", ["Permute: {dims: [1]}", "RepeatVector: {n: 2}", "Identity"]),
        ("int32", ["Hashing: {num_bins: 3}", NUMBERS]),
        ("float32", [NUMBERS, "Embedding: {input_dim: 5, output_dim: 2}"]),
        ("int64", ["StringLookup: {vocabulary: [a, b, c], invert: true}", WORDS]),
        ("string", [WORDS, "StringLookup: {vocabulary: ['1', '2'], invert: true}", WORDS]),
        ("int64", ["IntegerLookup: {vocabulary: [1, 2, 3], invert: true}", NUMBERS]),
    ],
)
def test_what_keras_computes(dtype: str, layers: list[str]) -> None:
    assert problems(spec(dtype, *layers)) == []
    by_hand(layers, TEXT if dtype == "string" else INTEGERS.astype(dtype))


def by_hand(layers: list[str], values: Any) -> None:
    tensor = tf.constant(values)
    for layer in map(yaml.safe_load, layers):
        name, arguments = next(iter(layer.items())) if isinstance(layer, dict) else (layer, {})
        tensor = getattr(keras.layers, name)(**arguments)(tensor)


@pytest.mark.parametrize("first", ["x", "z"])
def test_one_dtype_for_a_concatenation(first: str) -> None:
    second = "z" if first == "x" else "x"
    text = (
        "modelspec: 1\ninputs: {x: {shape: [2], dtype: string}, z: {shape: [2]}}\nlayers:\n"
        f"  - Concatenate:\n    from: [{first}, {second}]\n    name: y\noutputs: y\n"
    )
    [problem] = problems(text)
    assert (problem.code, problem.place.span.line) == ("wrong-dtype", 4)
    assert problems(text.replace("[x, z]", "[x, x]").replace("[z, x]", "[z, z]"))[0].code == (
        "unused-input"
    )


def test_operations_and_plugins_are_not_judged() -> None:
    """``ops`` compute some functions of text, and a plugin may do anything."""
    assert problems(spec("string", "ops.reshape: {newshape: [-1, 1]}", WORDS)) == []


def test_encodings_tell_of_ids_that_they_drop(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.repeat(INTEGERS, 9, 0), y=np.ones((9, 2)))
    text = spec("int32", "CategoryEncoding: {num_tokens: 2}") + "losses: mse\n"
    [problem] = modelspec.loads(text).check(tmp_path / "d.npz")
    assert (problem.code, problem.severity) == ("id-out-of-range", "warning")
    assert "num_tokens must be at least 3" in str(problem.hint)
    np.savez(tmp_path / "d.npz", x=np.repeat(INTEGERS, 9, 0) - 1, y=np.ones((9, 2)))
    assert modelspec.loads(text).check(tmp_path / "d.npz") == []
