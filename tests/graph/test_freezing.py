"""``trainable`` on layers and blocks, at any depth."""

import pytest

import modelspec

BLOCKS = """
modelspec: 1
inputs: {x: {shape: [4]}}
blocks:
  inner:
    inputs: [x]
    layers:
      - Dense: {units: 4}
        name: low
        from: x
      - Dense: {units: 4}
        name: high
    outputs: high
  trunk:
    inputs: [x]
    layers:
      - inner:
        from: x
        repeat: 2
      - BatchNormalization:
        name: norm
    outputs: norm
layers:
  - trunk:
    trainable: TRAINABLE
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
"""


def frozen(trainable: str, *overrides: str) -> set[str]:
    """The layers inside the trunk that are not trained."""
    spec = modelspec.loads(BLOCKS.replace("TRAINABLE", trainable), overrides)
    assert spec.problems == []
    assert spec.graph is not None
    nodes = [node for node in spec.graph.nodes if node.name.startswith("trunk.")]
    return {
        node.name.removeprefix("trunk.") for node in nodes if node.options.get("trainable") is False
    }


ALL = {"inner.low", "inner.high", "inner_1.low", "inner_1.high", "norm"}


@pytest.mark.parametrize(
    ("trainable", "left"),
    [
        ("true", set()),
        ("false", ALL),
        ('["*high"]', {"inner.low", "inner_1.low", "norm"}),
        ('["inner_1.*", norm]', {"inner.low", "inner.high"}),
        ('["?orm"]', ALL - {"norm"}),
    ],
)
def test_flags_and_patterns_reach_every_layer_inside(trainable: str, left: set[str]) -> None:
    assert frozen(trainable) == left


@pytest.mark.parametrize("value", ["true", '["*"]'])
def test_an_option_thaws_an_item_that_uses_a_block(value: str) -> None:
    assert frozen("false", f"layers.trunk.trainable={value}") == set()


def test_what_stands_inside_counts_more_than_what_stands_outside() -> None:
    text = BLOCKS.replace("name: low\n", "name: low\n        trainable: true\n", 1)
    spec = modelspec.loads(text.replace("TRAINABLE", '["norm"]'))
    assert spec.graph is not None
    options = {node.name: node.options["trainable"] for node in spec.graph.nodes[:5]}
    assert options["trunk.inner.low"] is True
    assert options["trunk.inner.high"] is False


@pytest.mark.parametrize(
    ("trainable", "index"), [('["norm", "conv*"]', 1), ('["nrom"]', 0), ('["low"]', 0)]
)
def test_a_pattern_that_matches_nothing_is_an_error(trainable: str, index: int) -> None:
    spec = modelspec.loads(BLOCKS.replace("TRAINABLE", trainable))
    [problem] = spec.problems
    assert problem.code == "unmatched-pattern"
    assert problem.place.span.line == 25
    assert spec.diagnostics[0].route[-1] == index


@pytest.mark.parametrize("value", ['["*"]', "[a, b]", "3", "maybe"])
def test_a_layer_takes_true_or_false(value: str) -> None:
    text = BLOCKS.replace("TRAINABLE", "true").replace(
        "name: y\n", f"name: y\n    trainable: {value}\n"
    )
    [problem] = modelspec.loads(text).problems
    assert problem.place.span.line == 28
