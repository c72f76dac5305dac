"""What people write as layers, and Keras has none for, is answered with what can be done."""

import pytest

import modelspec

TEXT = "modelspec: 1\ninputs: {x: {shape: [8]}}\nlayers:\n  - LAYER\noutputs: y\n"


@pytest.mark.parametrize(
    "layer",
    ["{Abs: , name: y}", "{Slice: {begin: 0}, name: y}", "{reduce_mean: {axis: 1}, name: y}"],
)
def test_operations(layer: str) -> None:
    [problem] = modelspec.loads(TEXT.replace("LAYER", layer)).problems
    assert problem.code == "unknown-layer"
    assert problem.hint is not None
    assert "operations on tensors cannot be written" in problem.hint


def test_an_operation_as_an_activation() -> None:
    layer = "{Activation: {activation: abs}, name: y}"
    [problem] = modelspec.loads(TEXT.replace("LAYER", layer)).problems
    assert problem.code == "unknown-activation"
    assert "operations on tensors" in (problem.hint or "")


@pytest.mark.parametrize("name", ["Sampling", "SamplingLayer", "Reparameterize"])
def test_code_of_examples(name: str) -> None:
    [problem] = modelspec.loads(TEXT.replace("LAYER", f"{{{name}: , name: y}}")).problems
    assert "did you mean" not in (problem.hint or "")
    assert "code of an example" in (problem.hint or "")


@pytest.mark.parametrize(("name", "right"), [("Dens", "Dense"), ("Maximun", "Maximum")])
def test_misspelt_layers_keep_their_hint(name: str, right: str) -> None:
    layer = f"{{{name}: {{units: 2}}, name: y}}"
    [problem] = modelspec.loads(TEXT.replace("LAYER", layer)).problems
    assert problem.hint == f"did you mean {right}?"
