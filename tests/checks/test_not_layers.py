"""Names that users write as layers, although Keras has no such layer, get a hint."""

import pytest

import modelspec

TEXT = "modelspec: 1\ninputs: {x: {shape: [8]}}\nlayers:\n  - LAYER\noutputs: y\n"


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("Abs", "ops.abs"),
        ("Slice", "ops.get_item"),
        ("StridedSlice", "ops.get_item"),
        ("Mean", "ops.mean"),
        ("ReduceMean", "ops.mean"),
        ("reduce_mean", "ops.mean"),
        ("tf.reduce_sum", "ops.sum"),
        ("keras.ops.mean", "ops.mean"),
        ("Square", "ops.square"),
        ("ExpandDims", "ops.expand_dims"),
        ("Gather", "ops.take"),
        ("mean", "ops.mean"),
    ],
)
def test_names_of_operations(name: str, operation: str) -> None:
    layer = f"{{{name}: , name: y}}"
    [problem] = modelspec.loads(TEXT.replace("LAYER", layer)).problems
    assert problem.code == "unknown-layer"
    assert problem.hint == f"the operation {operation} is a separate item"


@pytest.mark.parametrize("name", ["TensorFlowOpLayer", "TFOpLambda", "SlicingOpLambda", "Lambda"])
def test_layers_that_kept_operations(name: str) -> None:
    [problem] = modelspec.loads(TEXT.replace("LAYER", f"{{{name}: , name: y}}")).problems
    assert "ops.mean, ops.get_item, ops.where" in (problem.hint or "")


@pytest.mark.parametrize(
    ("name", "right"),
    [("ops.maen", "ops.mean"), ("ops.Mean", "ops.mean"), ("ops.reduce_sum", "ops.sum")],
)
def test_misspelt_operations(name: str, right: str) -> None:
    layer = f"{{{name}: {{axis: 1}}, name: y}}"
    [problem] = modelspec.loads(TEXT.replace("LAYER", layer)).problems
    assert problem.code == "unknown-operation"
    assert problem.hint == f"did you mean {right}?"


def test_an_operation_as_an_activation() -> None:
    layer = "{Activation: {activation: abs}, name: y}"
    [problem] = modelspec.loads(TEXT.replace("LAYER", layer)).problems
    assert problem.code == "unknown-activation"
    assert "ops.abs" in (problem.hint or "")


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
