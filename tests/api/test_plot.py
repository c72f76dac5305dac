"""Graphs of specs, runs and ``.keras`` files, against what Keras knows of the same models."""

import math
import re
from pathlib import Path
from typing import Any

import keras
import pytest
from mermaid_parser import parse
from node_packages import NotHereError

import modelspec
from modelspec.api.costs import LengthError, estimate
from modelspec.api.plot import network
from modelspec.backend.model.symbols import symbols_only
from modelspec.backend.model.tracing import trace
from modelspec.cli import modelspec as group
from modelspec.report.pictures.mermaid import MOST_CHARACTERS, MOST_EDGES, mermaid
from modelspec.results.network import Network

pytestmark = pytest.mark.keras

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"
APPLICATIONS = sorted(
    name for name in vars(keras.applications) if name[0].isupper() and name != "Any"
)
SHAPES = ("digits_heads", "residual", "siamese", "siamese_l1")
REPRESENTATIVE = ("ResNet152",)


def spec(name: str, *overrides: str) -> modelspec.ModelSpec:
    return modelspec.load(SPECS / f"{name}.yaml", overrides)


def graph(name: str) -> Network:
    return network(modelspec.open_target(SPECS / f"{name}.yaml"))


def links(drawn: Network) -> set[tuple[str, str, str]]:
    names = {vertex.key: f"{vertex.kind} {vertex.name}" for vertex in drawn.vertices}
    return {(names[link.source], names[link.target], link.label) for link in drawn.links}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(path.stem, marks=[] if path.stem in SHAPES else pytest.mark.sweep)
        for path in sorted(SPECS.glob("*.yaml"))
    ],
)
def test_a_shipped_spec_has_the_layers_shapes_and_parameters_of_its_model(name: str) -> None:
    source = spec(name)
    if any(node.adapt for node in source.require().graph.nodes):
        pytest.skip("its model needs data")
    model = source.build()
    layers = {layer.name: layer for layer in model.layers}
    drawn = graph(name)
    ours = {vertex.name: vertex for vertex in drawn.vertices if vertex.kind != "head"}
    operations = {layer.name for layer in model.operations} - layers.keys()
    assert ours.keys() == layers.keys() | operations
    for key, vertex in ours.items():
        assert vertex.shape
        if key in operations:
            assert vertex.params == 0
            continue
        assert vertex.params == layers[key].count_params()
        assert vertex.shape == str(tuple(layers[key].output.shape))
        text = (SPECS / f"{name}.yaml").read_text().splitlines()[(vertex.line or 0) - 1]
        assert vertex.type in text or key in text
    assert drawn.params == model.count_params()


def test_heads_have_their_loss_and_weight() -> None:
    heads = {
        vertex.name: vertex.notes
        for vertex in graph("digits_heads").vertices
        if vertex.kind == "head"
    }
    assert heads == {
        "digit": ("loss: sparse_categorical_crossentropy", "weight: 1"),
        "parity": ("loss: binary_crossentropy", "weight: 1"),
        "ink": ("loss: mse", "weight: 0.0001"),
    }
    auto = network(modelspec.api.target.Target(spec("digits_heads", "loss_weights=auto")))
    assert {v.notes[1] for v in auto.vertices if v.kind == "head"} == {"weight: set while training"}


def test_a_shared_block_is_drawn_once_with_both_calls() -> None:
    calls = links(graph("siamese"))
    assert ("input left", "layer encoder.reshape", "call 1") in calls
    assert ("input right", "layer encoder.reshape", "call 2") in calls
    assert ("layer encoder.code", "layer difference", "call 1") in calls
    assert ("layer encoder.code", "layer difference", "call 2") in calls
    assert sum(target == "layer encoder.conv2d" for _, target, _ in calls) == 1
    text = modelspec.plot(modelspec.open_target(SPECS / "siamese.yaml")).decode()
    assert text.count("Conv2D<br/>") == 2
    assert "encoder: image_encoder" in text


def test_repeats_of_a_block_are_one_box_when_closed() -> None:
    text = mermaid(graph("residual"), 0)
    [closed] = re.findall(r"n\d+\[\[(.*?)\]\]", text)
    assert "residual … residual_2, 3 times" in closed
    assert "15 layers" in closed
    assert "13,920 parameters" in closed


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that calls a nested one twice, with an operation, saved."""
    inner = keras.Sequential(
        [
            keras.Input((8,), name="inside"),
            keras.layers.Dense(4, activation="relu", name="wide"),
            keras.layers.Dense(2, name="narrow"),
        ],
        name="enc",
    )
    left, right = keras.Input((8,), name="left"), keras.Input((8,), name="right")
    apart = keras.ops.abs(keras.layers.Subtract(name="sub")([inner(left), inner(right)]))
    model = keras.Model([left, right], keras.layers.Dense(1, name="same")(apart), name="pair")
    model.compile("sgd", loss={"same": keras.losses.Huber(delta=2.0)}, loss_weights={"same": 0.5})
    path = tmp_path_factory.mktemp("models") / "pair.keras"
    model.save(path)
    return path


def test_a_keras_file_shows_nested_models_operations_and_losses(shared: Path) -> None:
    drawn = network(modelspec.open_target(shared))
    [absolute] = [vertex.name for vertex in drawn.vertices if vertex.type == "Absolute"]
    assert links(drawn) == {
        ("input left", "layer inside", "call 1"),
        ("input right", "layer inside", "call 2"),
        ("layer inside", "layer wide", ""),
        ("layer wide", "layer narrow", ""),
        ("layer narrow", "layer sub", "call 1"),
        ("layer narrow", "layer sub", "call 2"),
        ("layer sub", f"layer {absolute}", ""),
        (f"layer {absolute}", "layer same", ""),
        ("layer same", "head same", ""),
    }
    [head] = [vertex for vertex in drawn.vertices if vertex.kind == "head"]
    assert head.notes == ("loss: Huber", "weight: 0.5")
    dense = next(vertex for vertex in drawn.vertices if vertex.params == 36)
    assert dense.arguments == ("units: 4", "activation: relu")
    assert [group.name for group in dense.groups] == ["enc"]
    assert drawn.params == 36 + 10 + 3


@pytest.mark.parametrize("by", ["params", "flops", "memory"])
def test_costs_are_those_of_summary(by: Any, shared: Path) -> None:
    target = modelspec.open_target(SPECS / "digits_heads.yaml")
    drawn, costs = network(target, by=by), estimate(target)
    ours = {v.name: v.cost for v in drawn.vertices if v.kind != "head"}
    params = {v.name: v.params for v in drawn.vertices if v.kind != "head"}
    wanted = {
        "params": params,
        "flops": {layer.name: layer.flops for layer in costs.layers},
        "memory": {
            layer.name: 32 * layer.activations + 4 * params[layer.name] for layer in costs.layers
        },
    }
    assert ours == wanted[by]
    nested = network(modelspec.open_target(shared), by=by)
    outer = next(group for v in nested.vertices for group in v.groups)
    whole = {layer.name: layer for layer in estimate(modelspec.open_target(shared)).layers}
    if by == "flops":
        assert outer.cost == whole["enc"].flops > 0
    elif by == "memory":
        assert outer.cost == 32 * whole["enc"].activations + 4 * 46
    drawn = network(modelspec.open_target(shared), by="params")
    assert "46 parameters (93.9#37;)" in mermaid(drawn, 0)


def test_unknown_lengths_must_be_given_for_costs() -> None:
    target = modelspec.open_target(SPECS / "author_profile.yaml")
    with pytest.raises(LengthError, match="posts"):
        network(target, by="flops")
    assert network(target, by="flops", lengths={"posts": (500,)}).measure == "flops"
    assert network(target, by="params").measure == "params"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"rubbish", "not a .keras file"),
        (b"PK\x03\x04rubbish", "cannot be read"),
        (b"", "not a .keras file"),
    ],
)
def test_a_file_that_is_no_model_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(content)
    with pytest.raises(modelspec.ModelError, match=message):
        modelspec.plot(modelspec.open_target(path))


def test_a_file_with_code_is_not_run(tmp_path: Path) -> None:
    x = keras.Input((2,))
    path = tmp_path / "code.keras"
    keras.Model(x, keras.layers.Lambda(lambda x: x * 2)(x)).save(path)
    with pytest.raises(modelspec.ModelError, match="Lambda"):
        modelspec.plot(modelspec.open_target(path))


def run(*arguments: str) -> int:
    try:
        group.main([*arguments], standalone_mode=False)
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_the_command_writes_what_the_function_returns(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path, target = SPECS / "residual.yaml", modelspec.open_target(SPECS / "residual.yaml")
    run("plot", str(path))
    assert capfd.readouterr().out == modelspec.plot(target).decode()
    out = tmp_path / "picture.dot"
    run(
        "plot",
        str(path),
        "-o",
        str(out),
        "--by",
        "params",
        "--depth",
        "0",
        "--set",
        "params.filters=4",
    )
    assert capfd.readouterr().out == f"{out}\n"
    smaller = modelspec.open_target(path, ["params.filters=4"])
    assert out.read_bytes() == modelspec.plot(smaller, "dot", by="params", depth=0)


@pytest.mark.process
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in REPRESENTATIVE else pytest.mark.sweep)
        for name in APPLICATIONS
    ],
)
def test_an_application_is_drawn_within_mermaids_limits(name: str) -> None:
    keras.backend.clear_session()
    with symbols_only():
        model = getattr(keras.applications, name)(weights=None)
    traced = trace(model)
    assert traced.count("layer") + traced.count("input") >= len(model.layers)
    assert sum(vertex.params for vertex in traced.vertices) == sum(
        math.prod(weight.shape) for weight in model.weights
    )
    text = mermaid(traced)
    assert len(text) <= MOST_CHARACTERS
    assert text.count("-->") <= MOST_EDGES
    try:
        [read] = parse([text])
    except NotHereError as error:
        pytest.skip(str(error))
    assert read["error"] is None
    assert len(read["labels"]) <= 110
