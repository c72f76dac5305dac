"""Warnings about targets and inputs that are far from the scale of new weights."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from listeners import Recorder

import modelspec
from modelspec.checks.at_mean import left_at_mean
from modelspec.data.dataset import load_dataset
from modelspec.problems.problem import Problem

pytestmark = pytest.mark.keras

_RANDOM = np.random.default_rng(2)
NORMAL = _RANDOM.normal(size=(400, 1))
PRICE = 270 * NORMAL + 210


def spec(layers: list[str], shape: str = "[4]", more: str = "", loss: str = "mse") -> str:
    items = "".join(f"  - {layer}\n" for layer in layers)
    return (
        f"modelspec: 1\ninputs: {{x: {{shape: {shape}}}}}\nlayers:\n{items}    name: y\n"
        f"outputs: y\nlosses: {loss}\n{more}"
    )


def check(text: str, folder: Path, y: Any, x: Any = None) -> list[Problem]:
    x = _RANDOM.normal(size=(len(y), 4)) if x is None else x
    np.savez(folder / "d.npz", x=x, y=y)
    return modelspec.loads(text).check(folder / "d.npz")


DENSE, ONE = "Dense: {units: 8, activation: relu}", "Dense: {units: 1}"


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log_cosh"])
@pytest.mark.parametrize(
    "y", [PRICE, 5000 + NORMAL, -3000 + 10 * NORMAL, 1e6 * NORMAL, 1e-5 * NORMAL]
)
def test_targets_far_from_a_fresh_head(loss: str, y: Any, tmp_path: Path) -> None:
    """The line to paste cures it, and brings the targets to a mean of 0 and a spread of 1."""
    [problem] = check(spec([DENSE, ONE], loss=loss), tmp_path, y)
    assert (problem.code, problem.severity) == ("target-scale", "warning")
    assert problem.place.span.line == 5
    [line] = re.findall(r"- (Rescaling: {.*?})", problem.hint or "")
    rescaling = yaml.safe_load(line)["Rescaling"]
    scaled = (y - rescaling["offset"]) / rescaling["scale"]
    assert scaled.std() == pytest.approx(1, rel=0.01)
    assert abs(scaled.mean()) < 0.2
    assert check(spec([DENSE, ONE, line], loss=loss), tmp_path, y) == []


@pytest.mark.parametrize(
    ("layers", "y"),
    [
        ([ONE], NORMAL),
        ([ONE], 300 + 40 * NORMAL),
        ([ONE], 90 * NORMAL),
        ([ONE, "Rescaling: {scale: 270, offset: 210}"], PRICE),
        ([ONE, "Rescaling: {scale: 270, offset: 210}", "Reshape: {target_shape: [1]}"], PRICE),
        (["Dense: {units: 1, bias_initializer: {Constant: {value: 5000}}}"], 5000 + NORMAL),
        (["BatchNormalization", "GaussianNoise: {stddev: 0.1}"], np.tile(PRICE, 4)),
        (["Dense: {units: 1, activation: sigmoid}"], _RANDOM.random((50, 1))),
        (["Dense: {units: 1, activation: relu}"], abs(NORMAL)),
    ],
)
def test_no_alarm_of_targets(layers: list[str], y: Any, tmp_path: Path) -> None:
    assert check(spec(layers), tmp_path, y) == []


LAYER = "Dense: {units: 64, activation: relu}"


@pytest.mark.parametrize(
    ("rows", "epochs", "optimizer", "mean", "deviation", "told"),
    [
        (1000, 30, "adam", 200, 90, True),  # not reached in 30 epochs, measured
        (300, 30, "adam", 10, 1, True),
        (300, 30, "{RMSprop: {learning_rate: 1e-3}}", 30, 10, True),
        (300, 30, "adam", 0, 50, True),
        (300, 30, "adam", 3, 1, False),
        (300, 30, "adam", 0, 10, False),
        (1000, 30, "adam", 30, 10, False),
        (5000, 30, "adam", 1000, 300, True),  # its spread is beyond 100
        (5000, 30, "adam", 300, 40, False),
        (1000, 30, "{Adam: {learning_rate: 0.01}}", 200, 90, False),
        (1000, 30, "{Adam: {learning_rate: 1e-5}}", 20, 9, True),
        (300, 30, "{SGD: {learning_rate: 0.001}}", 200, 90, False),
    ],
)
def test_targets_that_the_steps_do_not_reach(
    *,
    rows: int,
    epochs: int,
    optimizer: str,
    mean: float,
    deviation: float,
    told: bool,
    tmp_path: Path,
) -> None:
    y = mean + deviation * _RANDOM.normal(size=(rows, 1))
    more = f"optimizer: {optimizer}\ntraining: {{epochs: {epochs}}}\n"
    problems = check(spec([LAYER, ONE], more=more), tmp_path, y)
    assert [problem.code for problem in problems] == ["target-scale"] * told
    if told:
        [line] = re.findall(r"- (Rescaling: {.*?})", problems[0].hint or "")
        assert check(spec([LAYER, ONE, line], more=more), tmp_path, y) == []


@pytest.mark.parametrize(
    ("units", "rows", "told"), [(64, 1000, False), (64, 300, True), (256, 300, False)]
)
def test_deeper_heads_reach_farther(*, units: int, rows: int, told: bool, tmp_path: Path) -> None:
    """They reach a mean of 200 in epoch 7, 20 and 9 of 30."""
    y = 200 + 90 * _RANDOM.normal(size=(rows, 1))
    layer = f"Dense: {{units: {units}, activation: relu}}"
    more = "optimizer: adam\ntraining: {epochs: 30}\n"
    problems = check(spec([layer, layer, ONE], more=more), tmp_path, y)
    assert [problem.code for problem in problems] == ["target-scale"] * told


@pytest.mark.parametrize(
    ("layer", "told"),
    [
        ("Dense: {units: 64, activation: relu}", False),
        ("Dense: {units: 64, activation: tanh}", True),
        ("Dense: {units: 64, activation: sigmoid}", True),
        ("Dense: {units: 300, activation: tanh}", False),
    ],
)
def test_layers_of_bounded_values_move_a_head_less(
    *, layer: str, told: bool, tmp_path: Path
) -> None:
    y = 300 + 40 * _RANDOM.normal(size=(5000, 1))
    more = "optimizer: adam\ntraining: {epochs: 30}\n"
    for between in ([], ["Dropout: {rate: 0.1}"]):
        problems = check(spec([layer, *between, ONE], more=more), tmp_path, y)
        assert [problem.code for problem in problems] == ["target-scale"] * told


def test_raw_values_do_not_help_a_recurrent_layer(tmp_path: Path) -> None:
    y, x = 500 + 80 * _RANDOM.normal(size=(600, 1)), 500 + 80 * _RANDOM.normal(size=(600, 9, 1))
    more = "optimizer: {Adam: {learning_rate: 0.01}}\ntraining: {epochs: 4}\n"
    layers = ["GRU: {units: 16}", ONE]
    problems = check(spec(layers, "[9, 1]", more=more), tmp_path, y, x)
    assert [problem.code for problem in problems] == ["target-scale"]


def test_raw_inputs_move_a_head_farther_unless_a_layer_scales_them(tmp_path: Path) -> None:
    x, y = 100 * _RANDOM.normal(size=(300, 4)), 100 + 9 * _RANDOM.normal(size=(300, 1))
    told = [
        [problem.code for problem in check(spec([*first, LAYER, ONE]), tmp_path, y, x)]
        for first in ([], ["BatchNormalization"])
    ]
    assert told == [[], ["target-scale"]]


SPECS = Path(__file__).parents[2] / "specs"


@pytest.mark.parametrize("name", ["author_profile", "breast_cancer_heads", "digits_heads"])
def test_no_alarm_of_shipped_data(name: str) -> None:
    data = SPECS.parent / "data" / f"{name.removesuffix('_heads')}.npz"
    data = data if name != "digits_heads" else data.with_stem(name)
    assert modelspec.load(SPECS / f"{name}.yaml").check(data) == []


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint16"])
def test_integers_are_judged_as_other_quantities(dtype: str, tmp_path: Path) -> None:
    y = (100 + 9 * NORMAL).clip(0, 120).astype(dtype)
    [problem] = check(spec([LAYER, ONE], more="training: {epochs: 5}\n"), tmp_path, y)
    assert problem.code == "target-scale"


@pytest.mark.parametrize("loss", ["poisson", "cosine_similarity"])
def test_other_losses_have_no_scale(loss: str, tmp_path: Path) -> None:
    layers = ["Dense: {units: 2, activation: softplus}"]
    prices = np.repeat(abs(PRICE), 2, axis=1)
    assert check(spec(layers, loss=loss), tmp_path, prices) == []


@pytest.mark.parametrize(
    ("activation", "y", "says"),
    [
        ("sigmoid", 5 * abs(NORMAL), "0 to 1"),
        ("tanh", 3 * NORMAL, "-1 to 1"),
        ("relu", NORMAL - 2, "0 or more"),
    ],
)
def test_targets_beyond_an_activation(activation: str, y: Any, says: str, tmp_path: Path) -> None:
    layers = [DENSE, f"Dense: {{units: 1, activation: {activation}}}"]
    [problem] = check(spec(layers), tmp_path, y)
    assert says in problem.message


def test_the_column_that_is_far(tmp_path: Path) -> None:
    y = np.hstack([NORMAL, PRICE, NORMAL])
    [problem] = check(spec([DENSE, "Dense: {units: 3}"]), tmp_path, y)
    assert "in column 1" in problem.message
    [line] = re.findall(r"- (Rescaling: {.*?})", problem.hint or "")
    assert check(spec([DENSE, "Dense: {units: 3}", line]), tmp_path, y) == []


CONV = "Conv2D: {filters: 2, kernel_size: 3}"
FLAT = ["Flatten", ONE]
BYTES = _RANDOM.integers(0, 256, (20, 6, 6, 3)).astype("uint8")


@pytest.mark.parametrize(
    ("shape", "layers", "x"),
    [
        ("[6, 6, 3]", [CONV, *FLAT], BYTES),
        ("[6, 6, 3]", ["RandomFlip", CONV, *FLAT], BYTES.astype("f")),
        ("[6, 6, 3]", ["ZeroPadding2D", CONV, *FLAT], BYTES),
        ("[6, 6]", ["Reshape: {target_shape: [6, 6, 1]}", CONV, *FLAT], BYTES[..., 0]),
        ("[4]", [ONE], NORMAL[:20] * [1, 1, 1, 5000.0]),
        ("[4]", ["Dropout: {rate: 0.1}", ONE], NORMAL[:20] * [0.001, 1, 1, 2000.0]),
        ("[2]", [DENSE, ONE], NORMAL[:20] * [1e6, 1]),
        ("[2]", [DENSE, ONE], _RANDOM.integers(0, 65536, (20, 2)).astype("uint16")),
        ("[1]", [DENSE, ONE], 2000 + 9 * NORMAL[:20]),
        ("[6, 6, 3]", [CONV, *FLAT], 257 * BYTES.astype("uint16")),
        ("[null, 2]", ["LSTM: {units: 2}", ONE], 3e4 + 5e3 * _RANDOM.normal(size=(20, 5, 2))),
    ],
)
def test_raw_inputs(shape: str, layers: list[str], x: Any, tmp_path: Path) -> None:
    """The layer in the hint solves the problem."""
    [problem] = check(spec(layers, shape), tmp_path, NORMAL[:20], x)
    assert (problem.code, problem.severity) == ("input-scale", "warning")
    assert problem.place.span.line == 2
    [line] = re.findall(r"- ((?:Rescaling|Normalization): {[^}]*})", problem.hint or "")
    assert check(spec([line, *layers], shape), tmp_path, NORMAL[:20], x) == []


@pytest.mark.parametrize(
    ("shape", "layers", "x"),
    [
        ("[6, 6, 3]", [CONV, *FLAT], BYTES / 255),
        ("[6, 6, 3]", ["Rescaling: {scale: 0.0039}", CONV, *FLAT], BYTES),
        ("[6, 6, 3]", ["RandomFlip", "BatchNormalization", CONV, *FLAT], BYTES),
        ("[4]", ["BatchNormalization", ONE], NORMAL[:20] * [1, 1, 1, 5000.0]),
        ("[4]", ["LayerNormalization", ONE], NORMAL[:20] * [1, 1, 1, 5000.0]),
        ("[4]", [ONE], NORMAL[:20] * [1, 0, 1, 50.0]),
        ("[1]", [ONE], 900 + 99 * NORMAL[:20]),
        ("[null, 2]", ["LayerNormalization", "LSTM: {units: 2}", ONE], np.full((20, 5, 2), 2e4)),
        ("[4]", ["Embedding: {input_dim: 300, output_dim: 2}", *FLAT], np.full((20, 4), 255)),
    ],
)
def test_no_alarm_of_inputs(shape: str, layers: list[str], x: Any, tmp_path: Path) -> None:
    assert check(spec(layers, shape), tmp_path, NORMAL[:20], x) == []


@pytest.mark.parametrize(
    ("layers", "loss", "told"),
    [
        ([DENSE, ONE], "mse", True),
        ([DENSE, ONE], "mae", True),
        ([DENSE, ONE, "Rescaling: {scale: 270, offset: 210}"], "mse", False),
    ],
)
def test_a_head_left_at_its_mean(layers: list[str], loss: str, told: Any, tmp_path: Path) -> None:
    x = _RANDOM.normal(size=(400, 4)).astype("f")
    np.savez(tmp_path / "d.npz", x=x, y=270 * x[:, 0] + 210)
    more = "optimizer: {Adam: {learning_rate: 0.003}}\ntraining: {epochs: 8}\n"
    heard = Recorder()
    text = spec(layers, more=more, loss=loss)
    modelspec.train(modelspec.loads(text), tmp_path / "d.npz", run=tmp_path / "run", listener=heard)
    assert any("predicts no better than" in line for line in heard.warnings) is told


@pytest.mark.parametrize(
    ("ending", "loss", "told"),
    [
        ([], 0.9, None),
        ([], 9.0, None),
        ([], 11.0, "Rescaling"),
        (["Rescaling: {scale: 2, offset: 50}"], 11.0, "more epochs"),
    ],
)
def test_heads_far_worse_than_a_constant(ending: list[str], loss: float, told: str | None) -> None:
    """The targets are not in a raw scale; ``loss`` is some times their variance."""
    source = modelspec.loads(spec([ONE, *ending]))
    y = 50 + NORMAL
    dataset, _ = load_dataset({"x": np.zeros((len(y), 4)), "y": y}, inputs=["x"], outputs=["y"])
    assert dataset is not None
    assert source.graph is not None
    record = {"epoch": 1, "loss": float(loss * y.var())}
    warnings = list(left_at_mean(source.heads, source.graph, dataset, record, strategy=False))
    assert len(warnings) == (told is not None)
    assert all(str(told) in warning for warning in warnings)


def test_near_targets_need_no_rescaling() -> None:
    """Their head is far off because of its inputs, or its learning rate."""
    source = modelspec.loads(spec([ONE]))
    y = (NORMAL > 1).astype("f")
    dataset, _ = load_dataset({"x": np.zeros((len(y), 4)), "y": y}, inputs=["x"], outputs=["y"])
    assert dataset is not None
    assert source.graph is not None
    record = {"epoch": 1, "loss": 20.0}
    [warning] = left_at_mean(source.heads, source.graph, dataset, record, strategy=False)
    assert "Scaled inputs" in warning
    assert "Rescaling" not in warning


_SHARES = np.array([0.6, 0.3, 0.1])
_IDS = np.repeat([0, 1, 2], [240, 120, 40])


@pytest.mark.parametrize(
    ("loss", "target", "told"),
    [
        ("sparse_categorical_crossentropy", _IDS, 1),
        ("SparseCategoricalCrossentropy", _IDS[:, None], 1),
        ("categorical_crossentropy", np.eye(3)[_IDS], 1),
        ("binary_crossentropy", np.eye(3)[_IDS], 1),
        ("{CategoricalCrossentropy: {label_smoothing: 0.1}}", np.eye(3)[_IDS], 0),
    ],
)
@pytest.mark.parametrize("scale", [0.0, 0.98, 0.995, 2.0])
def test_a_head_left_at_the_shares_of_its_classes(
    loss: str, target: Any, told: int, scale: float
) -> None:
    """The loss is some times the entropy of the shares."""
    entropy = -float((_SHARES * np.log(_SHARES)).sum())
    if "binary" in loss:
        both = np.stack([_SHARES, 1 - _SHARES])
        entropy = -float((both * np.log(both)).sum(0).mean())
    source = modelspec.loads(spec(["Dense: {units: 3}"], loss=loss))
    dataset, _ = load_dataset({"x": np.zeros((400, 4)), "y": target}, inputs=["x"], outputs=["y"])
    assert dataset is not None
    for epoch, penalized, judged in ((3, False, True), (2, False, False), (3, True, False)):
        record = {"epoch": epoch, "loss": scale * entropy}
        assert source.graph is not None
        warning = left_at_mean(
            source.heads, source.graph, dataset, record, strategy=False, penalized=penalized
        )
        assert len(list(warning)) == (told if judged and scale > 0.99 else 0)


@pytest.mark.parametrize("factor", [1.0, 0.0])
def test_training_tells_of_a_head_left_at_its_shares(factor: float, tmp_path: Path) -> None:
    """Nothing can be learned from inputs of 0."""
    data: dict[str, Any] = {"x": factor * np.eye(3)[_IDS][:, [0, 1, 2, 2]], "y": _IDS}
    more = "optimizer: {Adam: {learning_rate: 0.05}}\ntraining: {epochs: 12}\n"
    dense = "Dense: {units: 3, activation: softmax}"
    source = modelspec.loads(spec([dense], more=more, loss="sparse_categorical_crossentropy"))
    heard = Recorder()
    modelspec.train(source, data, run=tmp_path / "run", listener=heard)
    assert any("the shares of its classes" in line for line in heard.warnings) == (factor == 0)
