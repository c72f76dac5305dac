"""Specs, models and runs compared by what they mean."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import modelspec
from modelspec.cli.diff import diff as command
from modelspec.problems.errors import ModelError, SpecError
from modelspec.report.difference import difference_markdown, difference_text
from modelspec.results.difference import Difference

ROOT = Path(__file__).parents[2]

BASE = """
modelspec: 1
name: base
inputs: {x: {shape: [8]}, z: {shape: [8]}}
layers:
  - {Dense: {units: 16, activation: relu}, name: left, from: x}
  - {Dense: {units: 16}, name: right, from: z}
  - {Add: {}, name: both, from: [left, right]}
  - {Dense: {units: 4, activation: softmax}, name: kind}
outputs: kind
losses: mse
metrics: [mae]
optimizer: adam
training: {epochs: 3}
"""

EQUAL = {
    "defaults written out": BASE.replace(
        "{units: 16}",
        "{units: 16, activation: linear, use_bias: true, kernel_initializer: glorot_uniform}",
    ).replace("optimizer: adam", "optimizer: {Adam: {learning_rate: 0.001, beta_1: 0.9}}"),
    "other names of the same": BASE.replace("optimizer: adam", "optimizer: Adam")
    .replace("losses: mse", "losses: {kind: mean_squared_error}")
    .replace("metrics: [mae]", "metrics: mean_absolute_error"),
    "another order": BASE.replace(
        "  - {Dense: {units: 16, activation: relu}, name: left, from: x}\n"
        "  - {Dense: {units: 16}, name: right, from: z}\n",
        "  - {Dense: {units: 16}, name: right, from: z}\n"
        "  - {Dense: {units: 16, activation: relu}, name: left, from: x}\n",
    ),
    "parameters and comments": BASE.replace("name: base", "name: base\nparams: {width: 16}  # wide")
    .replace("{units: 16}", '{units: "${width}"}')
    .replace("epochs: 3", "epochs: 3, batch_size: 32"),
    "a block": BASE.replace(
        "layers:\n",
        """blocks:
  wide:
    params: {kind: null}
    inputs: [given]
    layers:
      - {Dense: {units: 16, activation: "${kind}"}, name: out}
    outputs: out
layers:
""",
        1,
    )
    .replace("{Dense: {units: 16, activation: relu}, name: left", "{wide: {kind: relu}, name: left")
    .replace("{Dense: {units: 16}, name: right", "{wide: {kind: null}, name: right"),
}


def compare(tmp_path: Path, one: str, other: str) -> Difference:
    (tmp_path / "a.yaml").write_text(one, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(other, encoding="utf-8")
    return modelspec.diff(tmp_path / "a.yaml", tmp_path / "b.yaml")


@pytest.mark.parametrize("name", EQUAL)
def test_spelling_is_not_compared(name: str, tmp_path: Path) -> None:
    assert EQUAL[name] != BASE
    assert compare(tmp_path, BASE, EQUAL[name]) == Difference(
        str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")
    )


@pytest.mark.parametrize(
    "path", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.stem
)
def test_a_spec_is_equal_to_itself_and_to_its_resolved_text(path: Path, tmp_path: Path) -> None:
    assert modelspec.diff(path, path).is_empty
    (tmp_path / path.name).write_text(modelspec.load(path).resolved_text(), encoding="utf-8")
    assert modelspec.diff(path, tmp_path / path.name).is_empty


def changed(difference: Difference) -> list[tuple[Any, ...]]:
    return [
        (layer.kind, layer.a, layer.b, *((c.name, c.a, c.b) for c in layer.changes))
        for layer in difference.layers
    ]


CHANGES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "an argument": (
        BASE.replace("units: 16, activation: relu", "units: 16, activation: gelu"),
        [("changed", "left", "left", ("activation", "relu", "gelu"))],
    ),
    "an argument that one side leaves out": (
        BASE.replace("{units: 16}", "{units: 16, use_bias: false}"),
        [("changed", "right", "right", ("use_bias", None, False))],
    ),
    "another class": (
        BASE.replace("{Add: {}, name: both", "{Multiply: {}, name: both"),
        [("changed", "both", "both", ("type", "Add", "Multiply"))],
    ),
    "a layer more": (
        BASE.replace("  - {Dense: {units: 4", "  - Dropout: {rate: 0.5}\n  - {Dense: {units: 4"),
        [
            ("added", None, "dropout"),
            ("rewired", "kind", "kind", ("from", ["both"], ["dropout"])),
        ],
    ),
    "a layer in front, that shifts Keras's names": (
        BASE.replace("name: kind}", "name: kind}")
        .replace("  - {Add", "  - {Dense: {units: 16}, from: right}\n  - {Add")
        .replace("[left, right]", "[left, dense]"),
        [
            ("added", None, "dense"),
            ("rewired", "both", "both", ("from", ["left", "right"], ["left", "dense"])),
        ],
    ),
    "a rename": (
        BASE.replace("left", "first"),
        [("renamed", "left", "first")],
    ),
    "other wires": (
        BASE.replace("from: [left, right]", "from: [right, left]"),
        [("rewired", "both", "both", ("from", ["left", "right"], ["right", "left"]))],
    ),
    "shared weights": (
        BASE.replace("{Dense: {units: 16}, name: right", "{share: left, name: right"),
        [
            ("changed", "left", "left", ("share", None, "left")),
            ("changed", "right", "right", ("activation", None, "relu"), ("share", None, "left")),
        ],
    ),
}


@pytest.mark.keras
@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_layers(name: str, tmp_path: Path) -> None:
    text, expected = CHANGES[name]
    assert changed(compare(tmp_path, BASE, text)) == expected


@pytest.mark.keras
def test_lines_parameters_operations_and_weights(tmp_path: Path) -> None:
    difference = compare(
        tmp_path, BASE, "\n" + BASE.replace("{units: 16}", "{units: 16, use_bias: false}")
    )
    [layer] = difference.layers
    assert (layer.line_a, layer.line_b) == (7, 8)
    # Each wide layer has 8 x 16 weights and 16 biases, the last one 16 x 4 and 4.
    assert difference.parameters == (2 * 144 + 68, 2 * 144 + 68 - 16)
    assert difference.flops is not None
    assert difference.flops[0] > difference.flops[1] > 2 * (2 * 128 + 64)
    assert difference.weights is not None
    assert dict(difference.weights.carried) == {"left": "left", "kind": "kind"}
    assert difference.weights.fresh == ("right",)


SETTINGS = {
    "losses.kind": ("losses: mse", "losses: mae"),
    "metrics.kind": ("metrics: [mae]", "metrics: [mae, mse]"),
    "optimizer": ("optimizer: adam", "optimizer: {Adam: {learning_rate: 0.01}}"),
    "training.epochs": ("epochs: 3", "epochs: 4"),
    "training.class_weights": ("epochs: 3", "epochs: 3, class_weights: {kind: {0: 2.0}}"),
    "loss_weights.kind": ("losses: mse", "losses: mse\nloss_weights: 2.0"),
    "data.x": ("losses: mse", "losses: mse\ndata: {x: other}"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_changes_of_settings(name: str, tmp_path: Path) -> None:
    text = BASE.replace(*SETTINGS[name])
    if "class_weights" in text:
        text = text.replace("losses: mse", "losses: sparse_categorical_crossentropy").replace(
            "[mae]", "[]"
        )
    difference = compare(tmp_path, BASE, text)
    assert name in [change.name for change in difference.settings]
    assert not difference.layers
    assert not difference.is_empty


@pytest.mark.keras
def test_inputs_and_outputs(tmp_path: Path) -> None:
    wider = compare(tmp_path, BASE, BASE.replace("{shape: [8]}, z", "{shape: [9]}, z"))
    assert [change.name for change in wider.inputs] == ["x"]
    public = compare(tmp_path, BASE, BASE.replace("outputs: kind", "outputs: {kinds: kind}"))
    assert [(c.name, c.a, c.b) for c in public.outputs] == [("renamed", "kind", "kinds")]


BRANCHES = """
modelspec: 1
inputs: {x: {shape: [8]}}
layers:
  - {Dense: {units: UNITS}, name: STEM}
  - {Dense: {units: 6, activation: relu}, name: ONE, from: STEM}
  - {Dropout: {rate: 0.1}, name: ONE_drop}
  - {Dense: {units: 6, activation: tanh}, name: TWO, from: STEM}
  - {Dropout: {rate: 0.1}, name: TWO_drop}
  - {Add: {}, name: SUM, from: [ONE_drop, TWO_drop]}
  - {Dense: {units: 6}, name: END}
  - {Dense: {units: 6}, name: LAST}
outputs: {y: LAST}
losses: mse
"""


def branches(names: str, units: int, *, swapped: bool = False) -> str:
    text = BRANCHES.replace("UNITS", str(units))
    for place, word in enumerate(("STEM", "ONE", "TWO", "SUM", "END", "LAST")):
        text = text.replace(word, f"{names}{place}")
    if not swapped:
        return text
    lines = text.splitlines()
    lines[5:7], lines[7:9] = lines[7:9], lines[5:7]
    return "\n".join(lines)


@pytest.mark.keras
def test_renamed_layers_are_told_by_their_place_in_the_graph(tmp_path: Path) -> None:
    """The first layer changes, all names and the order, so that nothing computes the same."""
    difference = compare(tmp_path, branches("a", 4), branches("b", 5, swapped=True))
    renamed = {layer.a: layer.b for layer in difference.layers if layer.kind == "renamed"}
    assert renamed == {
        f"a{place}{end}": f"b{place}{end}"
        for place in range(6)
        for end in (["", "_drop"] if place in (1, 2) else [""])
    }
    assert [(c.name, c.a, c.b) for layer in difference.layers for c in layer.changes] == [
        ("units", 4, 5)
    ]
    assert not difference.outputs
    assert difference.weights is not None
    assert dict(difference.weights.carried) == {"b4": "a4", "b5": "a5"}


@pytest.mark.keras
def test_settings_follow_an_output_that_is_renamed(tmp_path: Path) -> None:
    other = BASE.replace("kind", "class").replace("losses: mse", "losses: mae")
    difference = compare(tmp_path, BASE, other)
    assert [(c.name, c.a, c.b) for c in difference.outputs] == [("renamed", "kind", "class")]
    assert [change.name for change in difference.settings] == ["losses.class"]


@pytest.mark.keras
def test_forms_are_for_readers(tmp_path: Path) -> None:
    other = (
        BASE.replace("  - {Dense: {units: 4, ", "  - Dropout: {rate: 0.5}\n  - {Dense: {units: 5, ")
        .replace("left", "first")
        .replace("optimizer: adam", "optimizer: {Adam: {learning_rate: {CosineDecay: "
                 "{initial_learning_rate: 0.001, decay_steps: 1000, alpha: 0.1}}}}")
        .replace("{shape: [8]}}", "{shape: [null]}}")
        .replace("Dense: {units: 16}, name: right", "Reshape: {target_shape: [16]}, name: right")
    )  # fmt: skip
    difference = compare(tmp_path, BASE, other)
    text = difference_text(difference)
    assert "  ~ changed and rewired kind: Dense (line 9 → 10)\n      units: 4 → 5\n" in text
    assert "  z: {shape: [8]} → {shape: [null]}" in text
    assert "  optimizer:\n    Adam\n    → {Adam: {learning_rate: {CosineDecay: {" in text
    assert "  - Dense → Reshape" not in text
    assert "right: Dense → Reshape" in text
    assert "      units: 16 → none\n" in text
    assert all(len(line) <= 80 or line.lstrip().startswith("→ ") for line in text.splitlines()[1:])
    markdown = difference_markdown(difference)
    assert "| = | `left` → `first` | Dense | 6 | renamed |" in markdown
    assert "| + | `dropout` | Dropout | 9 | added |" in markdown
    for line in markdown.splitlines():
        if line.startswith("|"):  # every row of a table has as many cells as its head
            assert line.count(" | ") + line.count("|---") in (2, 3, 4, 5), line


def test_the_command_exits_by_what_it_finds(tmp_path: Path) -> None:
    for name, text in (
        ("a", BASE),
        ("b", EQUAL["a block"]),
        ("c", BASE.replace("epochs: 3", "epochs: 4")),
    ):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    a, b, c = (str(tmp_path / f"{name}.yaml") for name in "abc")
    assert CliRunner().invoke(command, [a, b]).exit_code == 0
    assert CliRunner().invoke(command, [a, c]).exit_code == 1


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_forms(form: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (tmp_path / "a.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(BASE.replace("epochs: 3", "epochs: 4"), encoding="utf-8")
    arguments = [str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), "--format", form]
    with pytest.raises(SystemExit) as ended:
        command.main(arguments, prog_name="diff")
    assert ended.value.code == 1
    out = capfdbinary.readouterr().out.decode()
    if form == "json":
        data = json.loads(out)
        assert data["equal"] is False
        assert data["settings"] == [{"name": "training.epochs", "a": 3, "b": 4}]
    else:
        wanted = (
            "| `training.epochs` | `3` | `4` |" if form == "markdown" else "training.epochs: 3 → 4"
        )
        assert wanted in out
        assert out.startswith("###") == (form == "markdown")


def test_specs_with_errors_and_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        compare(tmp_path, BASE, BASE.replace("units: 4", "unit: 4"))
    with pytest.raises(SpecError):
        modelspec.diff(tmp_path / "a.yaml", tmp_path / "none.yaml")
    (tmp_path / "m.keras").write_bytes(b"no model")
    with pytest.raises(ModelError):
        modelspec.diff(tmp_path / "a.yaml", tmp_path / "m.keras")


@pytest.mark.keras
def test_a_model_is_compared_by_its_graph(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BASE, encoding="utf-8")
    modelspec.load(tmp_path / "a.yaml").build().save(tmp_path / "m.keras")
    difference = modelspec.diff(tmp_path / "a.yaml", tmp_path / "m.keras")
    assert not difference.layers
    assert not difference.outputs
    # A model file does not hold how long it was trained, so that is no difference.
    assert difference.is_empty
    other = BASE.replace("optimizer: adam", "optimizer: sgd")
    assert other != BASE
    (tmp_path / "a.yaml").write_text(other, encoding="utf-8")
    [change] = modelspec.diff(tmp_path / "m.keras", tmp_path / "a.yaml").settings
    assert change.name == "optimizer"


@pytest.mark.keras
def test_runs_are_compared_by_their_data_and_results_too(tmp_path: Path) -> None:
    spec = modelspec.loads(BASE)
    random = np.random.default_rng(0)
    arrays = {
        name: random.random((40, size), "f") for name, size in (("x", 8), ("z", 8), ("kind", 4))
    }
    other = {**arrays, "x": arrays["x"] + 1}
    for name, data in (("one", arrays), ("again", arrays), ("other", other)):
        modelspec.train(spec, data, run=tmp_path / name)
    assert modelspec.diff(tmp_path / "one", tmp_path / "again").is_empty
    difference = modelspec.diff(tmp_path / "one", tmp_path / "other")
    names = [change.name for change in difference.run]
    assert "data.sha256.x" in names
    assert "data.sha256.z" not in names
    assert "last.loss" in names
    losses = next((change.a, change.b) for change in difference.run if change.name == "last.loss")
    assert f"  last.loss: {losses[0]:.6g} → {losses[1]:.6g}\n" in difference_text(difference) + "\n"
    assert not difference.layers
