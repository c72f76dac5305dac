"""Models that were not created here, and files that are not specs."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import modelspec
from modelspec.problems.errors import ModelError

pytestmark = pytest.mark.keras

layers = keras.layers
N, RELATIVE = 40, 1e-5
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(N, 4)).astype("f")
Y, Z = RANDOM.normal(size=(2, N, 1)).astype("f")


def sequential() -> tuple[Any, Any, dict[str, Any]]:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model, Y, {"x": X, "y": Y}


def sequential_in_sequential() -> tuple[Any, Any, dict[str, Any]]:
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu")])
    model = keras.Sequential([inner, layers.Dense(1)])
    model.compile("sgd", "huber")
    return model, Y, {"x": X, "y": Y}


def nested() -> tuple[Any, Any, dict[str, Any]]:
    x = keras.Input((4,), name="x")
    tree = {"k": {"y": layers.Dense(1)(x), "z": layers.Dense(1)(x)}}
    model = keras.Model(x, tree)
    model.compile("sgd", {"k": {"y": "mse", "z": "mae"}})
    return model, {"k": {"y": Y, "z": Z}}, {"x": X, "k/y": Y, "k/z": Z}


@pytest.mark.parametrize("make", [sequential, sequential_in_sequential, nested])
def test_numbers_are_those_of_keras(make: Any, tmp_path: Path) -> None:
    model, targets, arrays = make()
    path, data = tmp_path / "model.keras", tmp_path / "data.npz"
    model.save(path)
    np.savez(data, **arrays)
    expected = model.evaluate(X, targets, verbose=0, return_dict=True)
    target = modelspec.open_target(path)
    evaluated = modelspec.evaluate(target, data)
    assert evaluated["loss"] == pytest.approx(expected["loss"], rel=RELATIVE)
    predicted = keras.tree.flatten(model.predict(X, verbose=0))
    for ours, theirs in zip(
        modelspec.predict(target, data).arrays.values(), predicted, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=RELATIVE, atol=1e-6)
    assert target.summary().params.total == model.count_params()


def test_an_output_whose_name_has_spaces(tmp_path: Path) -> None:
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(1, name="my y")(x))
    model.compile(loss="mse")
    model.save(tmp_path / "m.keras")
    np.savez(tmp_path / "d.npz", **{"x": X, "my y": Y})
    target = modelspec.open_target(tmp_path / "m.keras")
    assert [output.name for output in target.summary().outputs] == ["my y"]
    by_hand = float(np.mean((np.asarray(model(X)) - Y) ** 2))
    evaluated = modelspec.evaluate(target, tmp_path / "d.npz")["loss"]
    assert evaluated == pytest.approx(by_hand, rel=RELATIVE)


def test_a_loss_of_its_author_is_needed_by_evaluate_alone(tmp_path: Path) -> None:
    def own_loss(truth: Any, prediction: Any) -> Any:
        return keras.ops.mean(keras.ops.abs(truth - prediction))

    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    keras.saving.register_keras_serializable("theirs")(own_loss)
    model.compile("sgd", own_loss)
    model.save(tmp_path / "m.keras")
    del keras.saving.get_custom_objects()["theirs>own_loss"]
    np.savez(tmp_path / "d.npz", x=X, y=Y)
    target = modelspec.open_target(tmp_path / "m.keras")
    assert target.summary().params.total == model.count_params()
    predicted = modelspec.predict(target, tmp_path / "d.npz")
    assert len(predicted.arrays) == 1
    with pytest.raises(ModelError, match="own_loss"):
        modelspec.evaluate(target, tmp_path / "d.npz")


def test_files_that_hold_code_or_another_format(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x * 2)])
    model.save(tmp_path / "code.keras")
    with pytest.raises(ModelError, match="Lambda layer in it contains Python code") as raised:
        modelspec.open_target(tmp_path / "code.keras").summary()
    assert "safe_mode" not in str(raised.value)
    sequential()[0].save(tmp_path / "old.h5")
    with pytest.raises(ModelError, match=r"HDF5.*compile=False.*old\.keras"):
        modelspec.open_target(tmp_path / "old.h5").summary()
    sequential()[0].save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(ModelError, match="weights of a model"):
        modelspec.open_target(tmp_path / "only.weights.h5").summary()


@pytest.mark.parametrize(
    ("name", "raw", "what"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n", "PNG image"),
        ("a.csv", b"a,b\n1,2\n", "a table"),
        ("a.npy", b"\x93NUMPY\x01\x00", "NumPy array"),
        ("a.pkl", b"\x80\x04\x95", "pickle"),
        ("a.h5", b"\x89HDF\r\n", "HDF5"),
    ],
)
def test_a_file_that_is_not_a_spec(name: str, raw: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    [problem] = modelspec.load(path).problems
    assert what in problem.message
    assert problem.hint


def test_models_and_data_are_not_specs(tmp_path: Path) -> None:
    sequential()[0].save(tmp_path / "m.keras")
    np.savez(tmp_path / "d.npz", x=X)
    [of_model] = modelspec.load(tmp_path / "m.keras").problems
    [of_data] = modelspec.load(tmp_path / "d.npz").problems
    assert "Keras model" in of_model.message
    assert "npz" in of_data.message
