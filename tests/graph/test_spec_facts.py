"""Specs by meaning: what is written in two ways agrees, and what differs has its path."""

import pytest

import modelspec
from modelspec.graph.spec_facts import spec_facts

SPEC = """
modelspec: 1
name: m
params: {width: 4}
inputs: {x: {shape: [3]}}
layers:
  - {Dense: {units: "${width}", activation: relu}, name: a}
  - {Dense: {units: "${width}"}, name: b, repeat: 2}
  - {Dense: {units: 1}, name: y, from: a}
  - {Dense: {units: 1}, name: z, from: b}
outputs: [y, z]
losses: {y: mse, z: mae}
loss_weights: [1, 0.5]
optimizer: {Adam: {learning_rate: 1e-3}}
"""


def facts(text: str) -> dict[str, str]:
    return spec_facts(modelspec.loads(text).require())


SAME = {
    "a value in place of a parameter": SPEC.replace("${width}", "4").replace('"4"', "4"),
    "losses in a list": SPEC.replace("{y: mse, z: mae}", "[mse, mae]"),
    "weights by name": SPEC.replace("[1, 0.5]", "{z: 5.0e-1}"),
    "a comment": "# nothing\n" + SPEC,
    "defaults": SPEC + "training: {epochs: 10, batch_size: 32}\n",
    "an optimizer by its short name": SPEC.replace("Adam:", "adam:"),
    "a number": SPEC.replace("1e-3", "0.001"),
    "items one by one": SPEC.replace(
        '- {Dense: {units: "${width}"}, name: b, repeat: 2}',
        "- {Dense: {units: 4}, name: b_0, from: a}\n  - {Dense: {units: 4}, name: b_1}",
    ).replace("from: b}", "from: b_1}"),
}


@pytest.mark.parametrize("name", SAME)
def test_two_ways_of_writing_agree(name: str) -> None:
    assert SAME[name] != SPEC
    assert facts(SAME[name]) == facts(SPEC)


@pytest.mark.parametrize(
    ("old", "new", "path", "values"),
    [
        ("activation: relu", "activation: tanh", "layers.a.activation", ("relu", "tanh")),
        ("1e-3", "1e-4", "optimizer.learning_rate", ("0.001", "0.0001")),
        ("z: mae", "z: {Huber: {delta: 2}}", "losses.z", ("mae", "Huber(delta: 2)")),
        ("0.5", "0.25", "loss_weights.z", ("0.5", "0.25")),
        ("from: a", "from: x", "layers.y.from", ("a", "x")),
        ("shape: [3]", "shape: [4]", "inputs.x", ("[3] float32", "[4] float32")),
    ],
)
def test_a_difference_has_its_path(old: str, new: str, path: str, values: tuple[str, str]) -> None:
    before, after = facts(SPEC), facts(SPEC.replace(old, new, 1))
    differing = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    assert differing == {path}
    assert (before[path], after[path]) == values
