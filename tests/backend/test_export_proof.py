"""The comparison of a file's outputs with Keras's, and the rows that are made for it."""

import math
from typing import Any

import numpy as np
import pytest

import modelspec
from modelspec.backend.start import start

start()
from modelspec.backend.export.proof import compare  # noqa: E402 - after Keras was started
from modelspec.backend.export.random_rows import random_rows  # noqa: E402

pytestmark = pytest.mark.keras


def values() -> Any:
    """Two units, one a million times the other."""
    return np.random.default_rng(0).random((50, 2)).astype("f4") * np.asarray([1e6, 1.0], "f4")


def test_equal_outputs_pass() -> None:
    proof = compare("x", values(), values(), 1e-5)
    assert proof.passed
    assert (proof.largest_absolute, proof.largest_relative, proof.same_argmax) == (0, 0, 1)


def test_a_unit_of_small_values_counts_as_much_as_one_of_large_values() -> None:
    got = values()
    got[3, 1] += 0.01
    proof = compare("x", values(), got, 1e-4)
    assert not proof.passed
    assert proof.largest_absolute == pytest.approx(0.01, rel=1e-4)
    assert proof.largest_relative == pytest.approx(0.01 / values()[:, 1].max(), rel=1e-4)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_on_one_side_differs(value: float) -> None:
    got = values()
    got[0, 0] = value
    assert not compare("x", values(), got, 1e-4).passed
    assert not compare("x", got, values(), 1e-4).passed
    assert compare("x", got, got, 1e-4).passed


@pytest.mark.parametrize("shape", [(49, 2), (50, 1), (50,)])
def test_another_shape_differs(shape: tuple[int, ...]) -> None:
    assert not compare("x", values(), np.zeros(shape, "f4"), 1e9).passed


def test_rounding_of_zeros_passes_and_more_does_not() -> None:
    zeros = np.zeros((4, 3), "f4")
    assert compare("x", zeros, zeros + np.float32(1e-7), 1e-5).passed
    assert not compare("x", zeros, zeros + np.float32(1e-3), 1e-5).passed


def test_argmax_is_compared_by_row() -> None:
    wanted, got = np.eye(4, dtype="f4"), np.eye(4, dtype="f4")
    got[0] = got[1]
    assert compare("x", wanted, got, 9.0).same_argmax == 0.75


READERS = {
    "directly": "  - Embedding: {input_dim: 5, output_dim: 2}\n    from: ids",
    "after a reshape": "  - Reshape: {target_shape: [6, 1]}\n    from: ids\n"
    "  - Embedding: {input_dim: 5, output_dim: 2}",
    "in a wrapper": "  - Reshape: {target_shape: [6, 1]}\n    from: ids\n"
    "  - TimeDistributed: {layer: {Embedding: {input_dim: 5, output_dim: 2}}}",
    "twice": "  - Embedding: {input_dim: 9, output_dim: 2}\n    from: ids\n"
    "  - Embedding: {input_dim: 5, output_dim: 2}\n    from: ids\n"
    "  - Add:\n    from: [embedding, embedding_1]",
    "as counts": "  - CategoryEncoding: {num_tokens: 5, output_mode: count}\n    from: ids",
}


@pytest.mark.parametrize("layers", READERS.values(), ids=READERS)
@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32"])
def test_ids_are_in_range_and_reach_its_end(layers: str, dtype: str) -> None:
    text = (
        f"modelspec: 1\ninputs: {{ids: {{shape: [6], dtype: {dtype}}}}}\nlayers:\n{layers}\n"
        "  - Flatten\n  - Dense: {units: 1}\n    name: y\noutputs: y\n"
    )
    rows = random_rows(modelspec.loads(text).build(), 40)["ids"]
    assert rows.dtype == dtype
    assert set(rows.ravel()) == {0, 1, 2, 3, 4}


def test_a_length_that_the_layers_accept_is_found() -> None:
    model = modelspec.load("specs/author_profile.yaml").build()
    assert random_rows(model, 2)["posts"].shape == (2, 512)
