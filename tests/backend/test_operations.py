"""Operations of ``keras.ops`` in specs, against the same functions called by hand."""

import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import yaml
from rounding import rounding
from sweep_operations import arrays_of, case_of, spec_of

import modelspec
from modelspec import catalog
from modelspec.backend.costs.costs import costs
from modelspec.backend.model.assembly import assemble
from modelspec.backend.model.functional import make_functional
from modelspec.backend.training.xla import choose

pytestmark = pytest.mark.keras

ops, layers = keras.ops, keras.layers
CATALOG = catalog.load()
RANDOM = np.random.default_rng(0)

CANNOT = {
    "ops.adaptive_average_pool": "Keras computes the shape",
    "ops.adaptive_max_pool": "Keras computes the shape",
    "ops.conv_transpose": "batches of any size",
    "ops.corrcoef": "batches of any size",
    "ops.gcd": "batches of any size",
    "ops.histogram": "batches of any size",
    "ops.image.map_coordinates": "batches of any size",
    "ops.isin": "batches of any size",
    "ops.kron": "batches of any size",
    "ops.lcm": "batches of any size",
    "ops.lstsq": "batches of any size",
    "ops.lu_factor": "not supported between instances of 'int' and 'NoneType'",
    "ops.nanmedian": "batches of any size",
    "ops.nanpercentile": "batches of any size",
    "ops.nanquantile": "batches of any size",
    "ops.rearrange": "NoneType",
    "ops.slogdet": "Keras computes the shape",
    "ops.unfold": "batches of any size",
    "ops.unravel_index": "batches of any size",
    "ops.view_as_complex": "batches of any size",
    "ops.vsplit": "batches of any size",
}
"""Operations that cannot work on the symbols of a model, with what is said of them at their line.

Those with Python functions, without tensors, and with other results are refused by the catalogue.
"""

FEW = ["ops.mean", "ops.subtract", "ops.where", "ops.get_item", "ops.split", "ops.einsum"]
FEW += ["ops.concatenate", "ops.top_k", "ops.image.resize", "ops.nan_to_num", "ops.isin"]


def model_of(name: str) -> tuple[Any, list[str]]:
    """The functional model of one operation, and why there is none."""
    spec = modelspec.loads(yaml.safe_dump(spec_of(name, case_of(CATALOG, name))))
    assert not spec.problems
    assert spec.graph is not None
    assembly = assemble(spec.graph, CATALOG)
    problems = [problem.message for problem in assembly.problems]
    return (None if problems else make_functional(spec.graph, assembly)), problems


def swept(name: str, folder: Path) -> None:
    """Build an operation, save it, load it in plain Keras, and compare what both compute."""
    model, problems = model_of(name)
    if name in CANNOT:
        assert any(CANNOT[name] in problem for problem in problems), problems
        return
    assert not problems
    case = case_of(CATALOG, name)
    inputs = [arrays_of(case)[key] for key in case.inputs]
    results = keras.tree.flatten(model(inputs))
    model.save(folder / "m.keras")
    loaded = keras.saving.load_model(folder / "m.keras", safe_mode=True)
    for ours, theirs in zip(results, keras.tree.flatten(loaded(inputs)), strict=True):
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))
    stated = [tuple(tensor.shape) for tensor in keras.tree.flatten(model.output)]
    for shape, result in zip(stated, results, strict=True):
        assert len(shape) == len(result.shape)
        assert all(one in (None, two) for one, two in zip(shape, result.shape, strict=True))


@pytest.mark.parametrize("name", FEW)
def test_a_few_operations_are_built_saved_and_loaded(name: str, tmp_path: Path) -> None:
    swept(name, tmp_path)


@pytest.mark.sweep
@pytest.mark.parametrize("name", CATALOG.names("operation"))
def test_every_operation_is_built_saved_and_loaded(name: str, tmp_path: Path) -> None:
    swept(name, tmp_path)


SIAMESE = """
modelspec: 1
name: siamese
inputs: {left: {shape: [6]}, right: {shape: [6]}}
layers:
  - {Dense: {units: 5, activation: relu}, name: encoder, from: left}
  - {share: encoder, name: other, from: right}
  - ops.subtract:
    from: [encoder, other]
  - ops.abs
  - ops.where: {x2: 0.0}
    from: {condition: large, x1: abs}
    name: kept
  - ops.greater: {x2: [0.1, 0.1, 0.2, 0.2, 0.0]}
    from: abs
    name: large
  - ops.get_item: {key: "[:, ::2]"}
    from: kept
  - {Dense: {units: 1, activation: sigmoid}, name: same}
outputs: same
losses: binary_crossentropy
metrics: binary_accuracy
optimizer: {SGD: {learning_rate: 0.1}}
training: {epochs: 3, batch_size: 8, shuffle: false, jit: JIT}
"""


def by_hand() -> Any:
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    encoder = layers.Dense(5, "relu", name="encoder")
    distance = ops.abs(ops.subtract(encoder(left), encoder(right)))
    large = ops.greater(distance, np.array([0.1, 0.1, 0.2, 0.2, 0.0], "float32"))
    kept = ops.where(large, distance, 0.0)[:, ::2]
    return keras.Model([left, right], layers.Dense(1, "sigmoid", name="same")(kept))


@pytest.fixture(scope="module")
def arrays() -> dict[str, Any]:
    pairs = {name: RANDOM.normal(size=(50, 6)).astype("f") for name in ("left", "right")}
    return {**pairs, "same": RANDOM.integers(0, 2, 50).astype("f")}


@pytest.mark.parametrize("jit", ["false", "true"])
def test_training_gives_the_weights_of_plain_keras(
    jit: str, arrays: dict[str, Any], tmp_path: Path
) -> None:
    spec = modelspec.loads(SIAMESE.replace("JIT", jit))
    run = modelspec.train(spec, arrays, run=tmp_path / "run")
    keras.utils.set_random_seed(0)
    hand = by_hand()
    hand.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    told = hand.fit(
        [arrays["left"], arrays["right"]],
        arrays["same"],
        epochs=3,
        batch_size=8,
        shuffle=False,
        verbose=0,
    )
    tolerance = rounding(3 * 7 * 10)
    losses = [line["loss"] for line in run.history]
    np.testing.assert_allclose(losses, told.history["loss"], rtol=tolerance)
    loaded = keras.saving.load_model(run.model_path)
    for ours, theirs in zip(loaded.get_weights(), hand.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    outputs = modelspec.predict(modelspec.open_target(run.path), arrays).arrays["same"]
    theirs = hand.predict([arrays["left"], arrays["right"]], verbose=0)
    np.testing.assert_allclose(outputs, theirs, rtol=1e-5)


def test_names_in_the_graph_in_the_file_and_in_the_summary() -> None:
    spec = modelspec.loads(SIAMESE.replace("JIT", "false"))
    model = spec.build()
    names = [operation.name for operation in model.operations]
    assert {"subtract", "abs", "kept", "large", "get_item"} <= set(names)
    rows = {row.name: row for row in spec.summary().layers}
    assert rows["subtract"].type == "ops.subtract"
    assert rows["kept"].sources == ("large", "abs")
    assert rows["get_item"].output_shape == (None, 3)
    assert rows["large"].dtype == "bool"
    assert rows["abs"].line is not None


BLOCKS = """
modelspec: 1
name: blocks
inputs: {x: {shape: [6, 4]}}
blocks:
  centred:
    params: {axis: null}
    inputs: [x]
    layers:
      - {ops.mean: {axis: "${axis}", keepdims: true}, from: x, name: mean}
      - {ops.subtract: , from: [x, mean], name: rest}
      - Dense: {units: 4}
        name: y
    outputs: y
layers:
  - centred: {axis: 1}
    repeat: 2
    trainable: false
  - ops.split: {indices_or_sections: 2, axis: -1}
    as: [one, two]
  - ops.maximum:
    from: [one, two]
  - ops.sqrt

  - ops.square:
    repeat: 3
    name: power
outputs: [power, one]
"""


def test_blocks_repeats_and_several_results() -> None:
    spec = modelspec.loads(BLOCKS)
    assert not spec.problems
    model = spec.build()
    names = [operation.name for operation in model.operations]
    assert "centred_1.mean" in names
    assert {"power_0", "power_1", "power_2"} <= set(names)
    assert model.count_params() == 2 * (4 * 4 + 4)
    x = RANDOM.normal(size=(3, 6, 4)).astype("f")
    results = model([x])
    weights = model.get_weights()
    hidden = x
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        hidden = (hidden - hidden.mean(1, keepdims=True)) @ kernel + bias
    one, two = hidden[..., :2], hidden[..., 2:]
    np.testing.assert_allclose(results["one"], one, rtol=1e-4, atol=1e-5)
    with np.errstate(invalid="ignore"):
        power = np.sqrt(np.maximum(one, two)) ** 8
    np.testing.assert_allclose(results["power"], power, rtol=1e-3, atol=1e-5)


def item(text: str, shape: str = "[6, 4]", outputs: str = "y") -> modelspec.ModelSpec:
    return modelspec.loads(
        f"modelspec: 1\nname: m\ninputs: {{x: {{shape: {shape}}}}}\nlayers:\n{text}"
        f"outputs: {outputs}\n"
    )


@pytest.mark.parametrize(
    ("operation", "pays"),
    [("ops.square", True), ("ops.mean: {axis: -1, keepdims: true}", True), ("ops.sort", False)],
)
def test_xla_is_chosen_where_it_compiles_the_operations_well(operation: str, pays: Any) -> None:
    text = f"  - Dense: {{units: 4}}\n  - {operation}\n  - Dense: {{units: 1}}\n    name: y\n"
    spec = item(text + "", "[4]")
    spec = modelspec.loads("".join(["losses: mse\n", _text(spec)]))
    assert choose(spec.build(), 1_000_000) is pays


def _text(spec: modelspec.ModelSpec) -> str:
    return spec.resolved_text()


@pytest.mark.parametrize(
    ("text", "flops"),
    [
        ("  - ops.matmul: {x2: [[1, 2], [3, 4], [5, 6], [7, 8]]}\n    name: y\n", 2 * 6 * 2 * 4),
        ("  - ops.mean: {axis: 1}\n    name: y\n", 6 * 4),
        ("  - ops.transpose: {axes: [0, 2, 1]}\n    name: y\n", 0),
        ('  - ops.get_item: {key: "[:, 0]"}\n    name: y\n', 0),
        ("  - ops.exp:\n    name: y\n", 6 * 4),
        ("  - ops.einsum: {subscripts: 'bij,bkj->bik'}\n    from: [x, x]\n    name: y\n", 288),
        ("  - ops.average_pool: {pool_size: 2}\n    name: y\n", 2 * 3 * 4),
        ("  - ops.softmax:\n    name: y\n", 5 * 24),
    ],
)
def test_arithmetic(text: str, flops: int) -> None:
    measured = costs(item(text).build(), None)
    assert sum(layer.flops for layer in measured.layers) == flops


def test_constants_have_the_type_that_the_model_computes_in() -> None:
    spec = item("  - ops.add: {x2: [0.1, 0.2, 0.3, 0.4]}\n    name: y\n").with_training(
        precision="float64"
    )
    x = np.zeros((1, 6, 4), "float64")
    y = spec.build()([x])
    assert np.asarray(y)[0, 0].tolist() == [
        pytest.approx(value, rel=1e-7) for value in (0.1, 0.2, 0.3, 0.4)
    ]


def test_values_of_a_spec_reach_nothing_but_arithmetic(tmp_path: Path) -> None:
    """A saved operation holds numbers, and names of Keras's own classes."""
    spec = item('  - ops.add: {x2: [1, 2, 3, 4]}\n  - ops.get_item: {key: "[:, 0]"}\n    name: y\n')
    spec.build().save(tmp_path / "m.keras")
    text = zipfile.ZipFile(tmp_path / "m.keras").read("config.json").decode()
    assert '"module": "keras.src.ops' in text
    assert "Lambda" not in text


MISSING = {
    "nan_to_num": ("  - ops.nan_to_num: {nan: 0.5}\n  - Dense: {units: 1}\n    name: y\n", True),
    "where": (
        (
            "  - {ops.isnan: , name: missing}\n"
            "  - {ops.where: {x1: 0.0}, from: {condition: missing, x2: x}, name: filled}\n"
            "  - {ops.cast: {dtype: float32}, from: missing, name: flags}\n"
            "  - {ops.concatenate: {axis: -1}, from: [filled, flags]}\n"
            "  - Dense: {units: 1}\n    name: y\n"
        ),
        True,
    ),
    "a slice first": (
        (
            '  - {ops.get_item: {key: "[:, :2]"}, name: a, from: x}\n'
            "  - {ops.nanmean: {axis: -1, keepdims: true}, name: b}\n"
            '  - {ops.get_item: {key: "[:, 2:]"}, name: c, from: x}\n'
            "  - {ops.nan_to_num: , name: d}\n"
            "  - {ops.concatenate: {axis: -1}, from: [b, d]}\n"
            "  - Dense: {units: 1}\n    name: y\n"
        ),
        True,
    ),
    "too late": ("  - Dense: {units: 1}\n  - ops.nan_to_num:\n    name: y\n", False),
    "beside": (
        (
            "  - {ops.nan_to_num: , name: a}\n  - {ops.add: , from: [a, x]}\n"
            "  - Dense: {units: 1}\n    name: y\n"
        ),
        False,
    ),
    "another condition": (
        (
            "  - {ops.greater: {x2: 0}, name: c}\n"
            "  - {ops.where: {x2: 0.0}, from: {condition: c, x1: x}}\n"
            "  - Dense: {units: 1}\n    name: y\n"
        ),
        False,
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_nan_is_an_error_unless_the_graph_replaces_it(name: str, tmp_path: Path) -> None:
    text, fine = MISSING[name]
    x = RANDOM.normal(size=(20, 4)).astype("f")
    x[3, 1] = np.nan
    data = {"x": x, "y": RANDOM.normal(size=(20, 1)).astype("f")}
    spec = modelspec.loads("losses: mse\n" + _text(item(text, "[4]")))
    problems = spec.check(data)
    if fine:
        assert not problems
        history = modelspec.train(spec.with_training(epochs=1), data, run=tmp_path / "run").history
        assert np.isfinite(history[0]["loss"])
        return
    [problem] = problems
    assert problem.code == "not-finite"
    assert "ops.nan_to_num" in (problem.hint or "")


def test_infinity_stays_an_error() -> None:
    x = np.ones((20, 4), "f")
    x[2] = np.inf
    spec = modelspec.loads("losses: mse\n" + _text(item(MISSING["nan_to_num"][0], "[4]")))
    codes = [problem.code for problem in spec.check({"x": x, "y": np.ones((20, 1), "f")})]
    assert codes == ["not-finite"]


@pytest.mark.parametrize(
    ("key", "wrong"), [("[:, 0]", True), ("[:, 1]", False), ("[:, 1:]", False), ("[..., :1]", True)]
)
def test_ids_of_a_column_are_checked_against_their_embedding(key: str, wrong: Any) -> None:
    text = (
        f'  - ops.get_item: {{key: "{key}"}}\n  - Embedding: {{input_dim: 10, output_dim: 4}}\n'
        "  - Flatten\n  - Dense: {units: 1}\n    name: y\n"
    )
    spec = modelspec.loads("losses: mse\n" + _text(item(text, "[3]")))
    x = np.stack([np.arange(20), np.arange(20) % 10, np.zeros(20)], axis=1).astype("f")
    problems = spec.check({"x": x, "y": np.zeros((20, 1), "f")})
    assert [problem.code for problem in problems] == ["id-out-of-range"] * wrong
    if wrong:
        assert "row 10" in problems[0].message


def test_a_loss_against_its_output_sees_through_an_activation_as_operation() -> None:
    text = "  - Dense: {units: 3}\n  - ops.softmax:\n    name: y\n"
    loss = "losses: {CategoricalCrossentropy: {from_logits: true}}\n"
    spec = modelspec.loads(loss + _text(item(text, "[4]")))
    assert [problem.code for problem in spec.problems] == ["loss-mismatch"]


def test_an_option_changes_an_argument_of_an_operation() -> None:
    text = _text(item("  - ops.mean: {axis: 1}\n    name: y\n"))
    spec = modelspec.loads(text, ["layers.y.ops.mean.axis=2"])
    assert spec.summary().outputs[0].shape == (None, 6)
