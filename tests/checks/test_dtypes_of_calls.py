"""Calls on integers and booleans: what is refused is what TensorFlow cannot compute."""

from functools import cache
from typing import Any

import keras
import numpy as np
import pytest
import sweep_operations
import tensorflow as tf
import yaml
from sweep_layers import CATALOG, LAYERS

import modelspec

pytestmark = pytest.mark.keras

DTYPES = ("bool", "int32")
NOT_KNOWN = {
    # Arguments of floats decide, or values.
    "ops.clip",
    "ops.image.affine_transform",
    "ops.image.perspective_transform",
    # Booleans are refused as integers are, although it computes with them.
    "GaussianDropout",
}


@cache
def specs(dtype: str) -> dict[str, str]:
    """Return a spec of every layer and operation that takes floats, with inputs of a dtype."""
    texts = {}
    for name, case in LAYERS.items():
        inputs = tuple(one if " of " in one else f"{one} of {dtype}" for one in case.inputs)
        if inputs != case.inputs:
            texts[name] = case._replace(inputs=inputs).spec(name)
    for name in CATALOG.names("operation"):
        entry = CATALOG.find("operation", name)
        if entry is None or entry.refused:
            continue
        spec = sweep_operations.spec_of(name, sweep_operations.case_of(CATALOG, name))
        inputs = spec["inputs"].values()
        changed = [one for one in inputs if one["dtype"] == "float32"]
        for one in changed:
            one["dtype"] = dtype
        if changed:
            texts[name] = yaml.safe_dump(spec, sort_keys=False)
    return texts


def tensor_for(symbol: Any) -> Any:
    shape = (3, *(4 if size is None else size for size in symbol.shape[1:]))
    dtype = keras.backend.standardize_dtype(symbol.dtype)
    if dtype == "string":
        return tf.fill(shape, "a")
    return tf.constant((np.arange(np.prod(shape)).reshape(shape) % 3 + 1).astype(dtype))


def fails(text: str) -> bool:
    """Return True where TensorFlow cannot compute the model of a spec."""
    try:
        model = modelspec.loads(text).build()
        inputs = [tensor_for(symbol) for symbol in model.inputs]
        step = tf.function(lambda *tensors: model(list(tensors), training=True), autograph=False)
        step(*inputs)
    except Exception:  # noqa: BLE001 - any refusal
        return True
    return False


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name",
    [
        *("MaxPooling2D", "Add", "ReLU", "Maximum", "SpatialDropout1D", "GlobalMaxPooling2D"),
        *("ops.relu", "ops.sigmoid", "ops.multiply", "ops.sum", "ops.equal", "Concatenate"),
        pytest.param("all", marks=pytest.mark.sweep),
    ],
)
def test_what_is_refused_is_what_tensorflow_cannot_compute(name: str, dtype: str) -> None:
    texts = specs(dtype)
    wrong = []
    for chosen in texts if name == "all" else [name]:
        codes = {problem.code for problem in modelspec.loads(texts[chosen]).check()}
        refused = "wrong-dtype" in codes
        # What is refused for another reason has tests elsewhere.
        if chosen not in NOT_KNOWN and (refused or not codes):
            by_hand = fails_by_hand if refused else fails
            if by_hand(texts[chosen]) is not refused:
                wrong.append(chosen)
    assert wrong == []


def fails_by_hand(text: str) -> bool:
    """Call the one layer or operation of a spec that is refused by plain Keras."""
    spec = yaml.safe_load(text)
    [item] = spec["layers"]
    name = next(key for key in item if key not in ("from", "name", "as"))
    symbols = [
        keras.KerasTensor((3, *entry["shape"]), entry["dtype"]) for entry in spec["inputs"].values()
    ]
    tensors = [tensor_for(symbol) for symbol in symbols]
    arguments = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in (item[name] or {}).items()
    }
    try:
        if name.startswith("ops."):
            member: Any = keras.ops
            for part in name.removeprefix("ops.").split("."):
                member = getattr(member, part)
            member(*tensors, **arguments)
        else:
            layer = getattr(keras.layers, name)(**arguments)
            more = {"training": True} if "Dropout" in name or "Noise" in name else {}
            layer(tensors if len(tensors) > 1 else tensors[0], **more)
    except Exception:  # noqa: BLE001 - any refusal
        return True
    return False


def test_a_computed_dtype_is_known() -> None:
    text = (
        "modelspec: 1\ninputs: {x: {shape: [4, 4, 1]}}\nlayers:\n  - ops.greater: {x2: 0.0}\n"
        "  - Identity\n  - MaxPooling2D\n  - Flatten:\n    name: y\noutputs: y\n"
    )
    [problem] = modelspec.loads(text).check()
    assert (problem.code, problem.place.span.line) == ("wrong-dtype", 6)
    assert "numbers" in problem.message
    cast = text.replace("Identity", "ops.cast: {dtype: float32}")
    assert modelspec.loads(cast).check() == []
