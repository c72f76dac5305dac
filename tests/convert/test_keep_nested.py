"""``import --keep-nested``: nested models stay models of the file, and give the same outputs."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import modelspec
from modelspec.cli.import_ import import_
from modelspec.problems.errors import ModelError

pytestmark = pytest.mark.keras

layers = keras.layers


def nested() -> Any:
    """A model with two inputs and outputs called twice, a frozen one, and one inside of another."""
    a, b = keras.Input((3,), name="a"), keras.Input((4,), name="b")
    both = layers.Concatenate()([a, b])
    pair = keras.Model(
        [b, a], [layers.Dense(3, name="left")(both), layers.Dense(2)(b)], name="pair"
    )
    chain = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Dense(3)], name="chain")
    chain.trainable = False
    x = keras.Input((3,))
    deep = keras.Model(x, layers.Dense(2, name="end")(layers.Dense(4)(x)), name="deep")
    around = keras.Model(x, deep(x) * 2.0, name="around")
    one, two = keras.Input((4,), name="one"), keras.Input((3,), name="two")
    left, right = pair([one, two])
    again, _ = pair([one, chain(one)])
    end = layers.Concatenate()([left, right, around(again)])
    return keras.Model([one, two], layers.Dense(1, name="y")(end), name="outer")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    model = nested()
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=weight.shape) for weight in model.get_weights()])
    path = tmp_path_factory.mktemp("nested") / "m.keras"
    model.save(path)
    return model, path


def test_the_models_of_the_file_give_the_same_outputs(
    saved: tuple[Any, Path], tmp_path: Path
) -> None:
    model, path = saved
    spec = path.parent / "s.yaml"
    done = CliRunner().invoke(import_, [str(path), "-o", str(spec), "--keep-nested"])
    assert done.exit_code == 0, done.output
    text = spec.read_text("utf-8")
    assert "blocks:" not in text
    assert "  pair: {path: m.keras, layer: pair}\n" in text
    source = modelspec.load(spec)
    assert [problem.message for problem in source.check()] == []
    again = source.build()
    assert [layer.name for layer in again.layers if isinstance(layer, keras.Model)] == [
        layer.name for layer in model.layers if isinstance(layer, keras.Model)
    ]
    assert again.count_params() == model.count_params()
    trained, wanted = (
        sum(int(np.prod(weight.shape)) for weight in one.trainable_weights)
        for one in (again, model)
    )
    assert trained == wanted
    random = np.random.default_rng(1)
    arrays = [random.normal(size=(5, size)).astype("f") for size in (4, 3)]
    np.testing.assert_array_equal(np.asarray(again(arrays)), np.asarray(model(arrays)))
    again.save(tmp_path / "again.keras")
    np.testing.assert_array_equal(
        np.asarray(keras.saving.load_model(tmp_path / "again.keras")(arrays)),
        np.asarray(model(arrays)),
    )


def test_a_part_of_a_nested_model_is_a_layer(saved: tuple[Any, Path]) -> None:
    model, path = saved
    text = (
        "modelspec: 1\ninputs: {x: {shape: [3]}}\n"
        f"models: {{deep: {{path: {path}, layer: around.LAYER, until: UNTIL}}}}\n"
        "layers:\n  - deep:\n    name: y\noutputs: y\n"
    )
    first = model.get_layer("around").get_layer("deep").layers[1]
    text = text.replace("LAYER", "deep").replace("UNTIL", first.name)
    again = modelspec.loads(text).build()
    x = np.ones((2, 3), "f")
    np.testing.assert_array_equal(np.asarray(again([x])), np.asarray(first(x)))
    for wrong in ("aroun.deep", "around.dee", "pair.left"):
        problems = modelspec.loads(text.replace("around.deep", wrong)).problems
        assert [problem.code for problem in problems] == ["unknown-name"]
        assert (problems[0].place.span.line, problems[0].hint is None) == (3, False)


@pytest.mark.parametrize("keep", [False, True], ids=["block", "kept"])
def test_dicts_of_inputs_and_outputs_in_any_order(tmp_path: Path, *, keep: bool) -> None:
    """Keras counts tensors in dicts by their sorted keys, and layers by class and place."""
    x, z = keras.Input((3,), name="x"), keras.Input((3,), name="z")
    first, second = layers.Dense(2, name="b")(x), layers.Dense(2, name="a")(z)
    inner = keras.Model({"x": x, "z": z}, {"b": first, "a": second}, name="inner")
    p, q = keras.Input((3,), name="p"), keras.Input((3,), name="q")
    results = inner({"z": p, "x": q})
    y = layers.Subtract(name="y")([results["a"], results["b"]])
    model = keras.Model([p, q], y)
    model.save(tmp_path / "m.keras")
    text = modelspec.import_model(tmp_path / "m.keras", tmp_path / "s.yaml", keep_nested=keep).text
    (tmp_path / "s.yaml").write_text(text, "utf-8")
    again = modelspec.load(tmp_path / "s.yaml").build()
    random = np.random.default_rng(0)
    rows = [random.normal(size=(4, 3)).astype("f") for _ in "pq"]
    np.testing.assert_array_equal(np.asarray(again(rows)), np.asarray(model(rows)))


def test_what_cannot_be_kept(saved: tuple[Any, Path], tmp_path: Path) -> None:
    model, _ = saved
    model.save(tmp_path / "m.h5")
    with pytest.raises(ModelError, match=r"only a \.keras file"):
        modelspec.import_model(tmp_path / "m.h5", keep_nested=True)
    x = keras.Input((3,))
    inner = keras.Model(x, layers.Lambda(lambda t: t * 2)(layers.Dense(2)(x)), name="inner")
    outside = keras.Input((3,))
    keras.Model(outside, inner(outside)).save(tmp_path / "lambda.keras")
    imported = modelspec.import_model(tmp_path / "lambda.keras", keep_nested=True)
    assert [problem.code for problem in imported.problems] == ["cannot-import"]
    assert "blocks:" in imported.text
    assert any("no spec can use this file" in note for note in imported.notes)
