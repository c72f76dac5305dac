"""Scripts with models as layers, starting weights, rates of parts and Parquet tables."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from scripts import trained_apart

import modelspec
from modelspec.api.python import to_python
from modelspec.problems.errors import ModelError

pytestmark = pytest.mark.keras

RANDOM = np.random.default_rng(0)
TRUNK = Path(__file__).parents[1] / "mistakes" / "models" / "trunk.keras"
HEAD = """
  - Dense: {units: 3}
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
optimizer: {SGD: {learning_rate: 0.05}}
training: {epochs: 2, batch_size: 8, shuffle: false, jit: false}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.npz"
    x, y = RANDOM.normal(size=(24, 8)).astype("f"), RANDOM.normal(size=(24, 1)).astype("f")
    np.savez(path, x=x, y=y, z=x[:, :2], k=np.full((3, 1), 0.25, "f"))
    return path


@pytest.mark.parametrize(
    ("trainable", "written"),
    [
        ('["hid*"]', 'layer.trainable = layer.name.startswith("hid")'),
        pytest.param(
            '["*dden"]',
            "any(fnmatchcase(layer.name, pattern) for pattern in patterns)",
            marks=pytest.mark.sweep,
        ),
        pytest.param(
            "[hidden]", 'layer.trainable = layer.name in ["hidden"]', marks=pytest.mark.sweep
        ),
        pytest.param("false", "trunk_model.trainable = False", marks=pytest.mark.sweep),
    ],
)
def test_a_part_of_a_model_in_a_file(
    trainable: str, written: str, data: Path, tmp_path: Path
) -> None:
    text = (
        "modelspec: 1\nname: cut\ninputs: {x: {shape: [8]}}\n"
        f"models: {{trunk: {{path: {TRUNK}, until: norm}}}}\n"
        f"layers:\n  - trunk:\n    trainable: {trainable}{HEAD}"
    )
    source = modelspec.loads(text)
    script = to_python(source)
    assert written in script
    assert 'saved.get_layer("norm").output' in script
    assert trained_apart(source, data, tmp_path) < 1e-6


@pytest.mark.parametrize(
    ("until", "trainable", "optimizer", "why"),
    [
        ("inner.hidden", "true", "sgd", "until: inner.hidden, inside of a model"),
        ("inner", "[inner.hidden]", "sgd", "patterns of layers in a model that contains models"),
        ("inner", "true", "{Muon: {adam_weight_decay: 0.1}}", "two weight decays"),
    ],
)
def test_what_no_script_says(
    until: str, trainable: str, optimizer: str, why: str, tmp_path: Path
) -> None:
    inner = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2, name="hidden")])
    x = keras.Input((8,))
    inner.name = "inner"
    keras.Model(x, inner(x)).save(tmp_path / "m.keras")
    text = (
        "modelspec: 1\nname: cut\ninputs: {x: {shape: [8]}}\n"
        f"models: {{trunk: {{path: {tmp_path / 'm.keras'}, until: {until}}}}}\n"
        f"layers:\n  - trunk:\n    trainable: {trainable}{HEAD}"
    )
    text = text.replace("{SGD: {learning_rate: 0.05}}", optimizer)
    text = text.replace("epochs: 2", "learning_rates: {trunk: 0.1}, epochs: 2")
    source = modelspec.loads(text)
    assert [problem for problem in source.check() if problem.severity == "error"] == []
    with pytest.raises(ModelError, match=why):
        to_python(source)


@pytest.mark.sweep
def test_inputs_by_name_and_one_model_called_twice(data: Path, tmp_path: Path) -> None:
    x, z = keras.Input((8,), name="x"), keras.Input((2,), name="z")
    both = keras.layers.Concatenate()([x, z]) * 2.0
    late = keras.layers.Dense(2, name="late")(both)
    keras.Model({"x": x, "z": z}, {"late": late, "both": both}).save(tmp_path / "m.keras")
    (tmp_path / "s.yaml").write_text(
        "modelspec: 1\ninputs: {x: {shape: [8]}, z: {shape: [2]}}\n"
        "models: {ends: {path: m.keras}, sums: {path: m.keras, until: multiply}}\n"
        "layers:\n  - ends:\n    from: {z: z, x: x}\n    as: [a, b]\n"
        "  - ends:\n    from: [x, z]\n    as: [c, d]\n"
        "  - sums:\n    from: [x, z]\n"
        "  - Concatenate:\n    from: [a, b, c, d, sums]" + HEAD
    )
    assert trained_apart(modelspec.load(tmp_path / "s.yaml"), data, tmp_path) < 1e-6


@pytest.mark.parametrize("layer", ["  - MODEL:\n    preprocess: true\n    name: trunk\n"])
@pytest.mark.sweep
def test_a_model_of_keras_applications(layer: str, tmp_path: Path) -> None:
    model = "MobileNet: {include_top: false, input_shape: [32, 32, 3], alpha: 0.25, weights: null}"
    layer = layer.replace("MODEL:", model) + '    trainable: ["conv_pw_13*"]\n'
    text = (
        "modelspec: 1\nname: images\ninputs: {x: {shape: [32, 32, 3]}}\n"
        f"layers:\n{layer}  - GlobalAveragePooling2D{HEAD}"
    )
    source = modelspec.loads(text)
    assert "x = keras.applications.mobilenet.preprocess_input" not in to_python(source)
    assert "trunk_model(keras.applications.mobilenet.preprocess_input(x))" in to_python(source)
    images = RANDOM.integers(0, 256, (12, 32, 32, 3)).astype("f")
    np.savez(tmp_path / "data.npz", x=images, y=images[:, 0, 0, :1] / 255)
    assert trained_apart(source, tmp_path / "data.npz", tmp_path) < 1e-6


@pytest.mark.parametrize(
    ("optimizer", "precision"),
    [
        ("{SGD: {learning_rate: 0.05, momentum: 0.9}}", "float32"),
        *(
            pytest.param(*case, marks=pytest.mark.sweep)
            for case in (
                ("{AdamW: {learning_rate: 0.01, weight_decay: 0.1}}", "float32"),
                ("{AdamW: {learning_rate: 0.01}}", "mixed_float16"),
            )
        ),
    ],
)
def test_parts_learn_more_slowly(
    optimizer: str, precision: str, data: Path, tmp_path: Path
) -> None:
    text = (
        "modelspec: 1\nname: slow\ninputs: {x: {shape: [8]}}\n"
        f"models: {{trunk: {{path: {TRUNK}, until: norm}}}}\n"
        "blocks:\n  part:\n    inputs: [a]\n    layers:\n      - Dense: {units: 4}\n"
        "        from: a\n      - Dense: {units: 4}\n        name: z\n    outputs: z\n"
        f"layers:\n  - trunk:\n  - part:{HEAD}"
    )
    rates = '{"trunk.hid*": 0.1, part: 0.5}'
    options = [f"optimizer={optimizer}", f"training.precision={precision}"]
    source = modelspec.loads(text, [*options, f"training.learning_rates={rates}"])
    assert trained_apart(source, data, tmp_path) < (1e-6 if precision == "float32" else 1e-3)
    assert "scale_learning_rates(model, {" in to_python(source)


def sequences() -> Any:
    x = keras.Input((6, 3), name="x")
    h = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True), name="both")(x)
    h = keras.layers.MultiHeadAttention(2, 3, name="attention")(h, h)
    h = keras.layers.BatchNormalization(name="norm")(h)
    h = keras.layers.GRU(3, name="gru")(h)
    return keras.Model(x, keras.layers.Dense(1, name="y")(h))


SEQUENCES = """
modelspec: 1
name: sequences
inputs: {x: {shape: [6, 3]}}
layers:
  - Bidirectional: {layer: {LSTM: {units: 3, return_sequences: true}}}
    name: both
  - MultiHeadAttention: {num_heads: 2, key_dim: 3}
    from: {query: both, value: both}
    name: attention
  - BatchNormalization
    name: norm
  - GRU: {units: 3}
    name: gru
  - Dense: {units: 1}
    name: y
outputs: y
""".replace("BatchNormalization\n", "BatchNormalization:\n")


@pytest.mark.parametrize(
    ("file", "settings", "written"),
    [
        ("m.weights.h5", "", "model.load_weights("),
        pytest.param("m.weights.h5", "skip: [y], ", "load_weights(\n", marks=pytest.mark.sweep),
        pytest.param("m.h5", "skip: [y], ", "keras.saving.load_model(", marks=pytest.mark.sweep),
        ("m.keras", "skip: [y], layers: {y.kernel: {array: k}}, ", 'data["k"]'),
    ],
)
def test_a_model_starts_from_files(file: str, settings: str, written: str, tmp_path: Path) -> None:
    import runpy

    model = sequences()
    model.set_weights([RANDOM.random(weight.shape) for weight in model.get_weights()])
    (model.save_weights if "weights" in file else model.save)(tmp_path / file)
    np.savez(tmp_path / "data.npz", k=np.full((3, 1), 0.25, "f"))
    (tmp_path / "s.yaml").write_text(f"{SEQUENCES}weights: {{{settings}from: {file}}}\n")
    source = modelspec.load(tmp_path / "s.yaml")
    script = to_python(source)
    assert written in script
    (tmp_path / "script.py").write_text(script, "utf-8")
    keras.backend.clear_session()
    main = runpy.run_path(str(tmp_path / "script.py"))["main"]
    main(str(tmp_path / "data.npz"), str(tmp_path / "plain.keras"))
    plain = keras.saving.load_model(tmp_path / "plain.keras")
    for layer in model.layers:
        if layer.name == "y" and settings:
            continue
        for one, other in zip(
            layer.get_weights(), plain.get_layer(layer.name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    if "layers" in settings:
        np.testing.assert_array_equal(plain.get_layer("y").kernel, np.full((3, 1), 0.25))


BLOCK = """
modelspec: 1
name: block
inputs: {x: {shape: [8]}}
blocks:
  part:
    inputs: [a]
    layers:
      - Normalization:
        from: a
        adapt: ADAPT
      - Dense: {units: 4}
    outputs: dense
layers:
  - part:
""".removesuffix("\n")


@pytest.mark.sweep
def test_a_block_starts_from_a_run(data: Path, tmp_path: Path) -> None:
    first = modelspec.loads(BLOCK.replace("ADAPT", "true") + HEAD)
    modelspec.train(first, data, run=tmp_path / "first")
    (tmp_path / "s.yaml").write_text(
        f"{BLOCK.replace('ADAPT', 'false')}{HEAD}weights: {{from: first, skip: [y]}}\n", "utf-8"
    )
    source = modelspec.load(tmp_path / "s.yaml")
    script = to_python(source)
    assert '"part.dense"' in script
    assert 'model.get_layer("part.normalization").finalize_state()' in script
    assert trained_apart(source, data, tmp_path) < 1e-6


@pytest.mark.process
def test_scripts_are_formatted(tmp_path: Path) -> None:
    model = sequences()
    model.save_weights(tmp_path / "m.weights.h5")
    (tmp_path / "s.yaml").write_text(
        f"{SEQUENCES}weights: {{from: m.weights.h5, skip: [y]}}\n", "utf-8"
    )
    patterns = '["conv_*_bn", "conv?"]'
    (tmp_path / "t.yaml").write_text(
        "modelspec: 1\ninputs: {x: {shape: [32, 32, 3]}, z: {shape: [8]}}\n"
        f"models: {{trunk: {{path: {TRUNK}, until: norm}}}}\n"
        "layers:\n  - trunk:\n    from: z\n    trainable: [hidden]\n"
        "  - MobileNet: {include_top: false, input_shape: [32, 32, 3], weights: null}\n"
        f"    from: x\n    preprocess: true\n    trainable: {patterns}\n    dtype: bfloat16\n"
        f"  - GlobalAveragePooling2D\n  - Concatenate:\n    from: [trunk, global_average_pooling2d]"
        f"{HEAD.replace('jit: false', 'learning_rates: {trunk: 0.1}')}"
        "weights: {layers: {y.kernel: {array: k}}}\n",
        "utf-8",
    )
    for name in "st":
        source = modelspec.load(tmp_path / f"{name}.yaml")
        (tmp_path / f"{name}.py").write_text(to_python(source), "utf-8")
    for arguments in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_parquet_table(tmp_path: Path) -> None:
    polars = pytest.importorskip("polars")
    rows = 24
    table = polars.DataFrame(
        {
            "x": RANDOM.normal(size=rows),
            "flag": RANDOM.integers(0, 2, rows) > 0,
            "kind": RANDOM.choice(["red", "blue"], rows),
            "y": RANDOM.normal(size=rows).astype("f"),
        }
    )
    table.write_parquet(tmp_path / "t.parquet")
    source = modelspec.loads(
        """
modelspec: 1
name: table
inputs: {x: {shape: [2]}, kind: {shape: [], dtype: string}}
layers:
  - StringLookup: {output_mode: one_hot, vocabulary: [red, blue]}
    from: kind
  - Concatenate:
    from: [x, string_lookup]
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
data: {x: [x, flag]}
training: {epochs: 2, batch_size: 8, shuffle: false, jit: false}
"""
    )
    assert trained_apart(source, tmp_path / "t.parquet", tmp_path) < 1e-6
