"""One mistake hides only what depends on it."""

import pytest

import modelspec

pytestmark = pytest.mark.keras

HEAD = "modelspec: 1\ninputs: {x: {shape: [8]}}\nlayers:\n"
WRONG = "  - Dense: {unit: 4}\n    name: a\n    from: x\n"
TAIL = "  - Dense: {units: 1}\n    name: y\n    from: x\noutputs: [a, y]\n"


@pytest.mark.parametrize(
    ("layer", "code"),
    [
        ("Dropout: {rate: 1.5}", "bad-argument"),
        ("Reshape: {target_shape: [3]}", "shape-mismatch"),
        ("Conv2D: {filters: 2, kernel_size: 3}", "shape-mismatch"),
    ],
)
def test_a_branch_apart_is_judged(layer: str, code: str) -> None:
    text = f"{HEAD}{WRONG}  - {layer}\n    name: b\n    from: x\n{TAIL}".replace(
        "[a, y]", "[a, b, y]"
    )
    source = modelspec.loads(text)
    assert sorted(problem.code for problem in source.check()) == sorted(["unknown-argument", code])
    assert [problem.code for problem in source.check(fast=True)] == ["unknown-argument"]


@pytest.mark.parametrize(
    "layer", ["Reshape: {target_shape: [3]}", "Conv2D: {filters: 2, kernel_size: 3}"]
)
def test_what_depends_on_a_mistake_is_not(layer: str) -> None:
    text = f"{HEAD}{WRONG}  - {layer}\n    name: b\n    from: a\n{TAIL}".replace("[a, y]", "[b, y]")
    assert [problem.code for problem in modelspec.loads(text).check()] == ["unknown-argument"]
