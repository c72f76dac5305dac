"""Scripts of specs: their text, and the weights that they train."""

import ast
import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scripts import trained_apart, trained_weights

import modelspec
from modelspec.api.python import to_python

SPECS = sorted(Path("specs").glob("*.yaml"))
GUIDES = sorted((Path(__file__).parents[1] / "guides").glob("*.yaml"))
DATA_OF = {
    "breast_cancer_heads": "breast_cancer",
    "siamese": "digit_pairs",
    "siamese_l1": "digit_pairs",
    "siamese_ops": "digit_pairs",
}

NO_WEIGHT_GRADIENT = ("attention", "transformer", "ct_scans_3d")
"""Models with biases before a softmax over keys or before BatchNormalization.

Their exact gradients are 0, so that the optimizer turns rounding into steps: they are compared in
float64, and beside the largest weight of the model.
"""

NO_FLOAT64 = ("ct_scans_3d",)
"""TensorFlow has no MaxPool3D in float64, so that the rounding of float32 remains."""


def script(text: str, overrides: tuple[str, ...] = ()) -> str:
    return to_python(modelspec.loads(text, overrides))


@pytest.mark.process
def test_scripts_are_formatted_and_linted(tmp_path: Path) -> None:
    for path in [*SPECS, *GUIDES]:
        text = to_python(modelspec.load(path))
        assert text == to_python(modelspec.load(path))
        assert text.count("modelspec") == 1
        (tmp_path / f"{path.stem}.py").write_text(text, "utf-8")
    for arguments in (
        ["check"],
        ["format", "--check"],
        ["format", "--check", "--line-length", "100"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *arguments, "--isolated", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.keras
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_scripts_need_keras_and_numpy_alone(path: Path) -> None:
    nodes = list(ast.walk(ast.parse(to_python(modelspec.load(path)))))
    imported = {
        alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    # Keras has no gradients of its own, which strategies for loss weights need.
    strategy = modelspec.load(path).require().strategy
    assert imported <= {"keras", "numpy", "os", "sys"} | ({"tensorflow"} if strategy else set())


def test_blocks_are_functions_and_repeats_are_loops() -> None:
    text = to_python(modelspec.load("specs/residual.yaml"))
    assert "FILTERS = 16\n" in text
    assert "def residual(x, filters, kernel=3, dropout=0.0):\n" in text
    assert (
        "    for i in range(3):\n        x = residual(x, filters=FILTERS, dropout=0.1 * i)\n"
        in text
    )
    assert 'Dense(10, activation="softmax", name="digit")(x)\n' in text


HOSTILE = [
    "quote \" and ' and \\",
    '"""\nimport os\nos.abort()\n"""',
    "line\nbreak\r\u2028\x0c\0",
    '{__import__("os").abort()}',
    "\\",
    "\\N{BULLET} \\x41",
    "\u202e\U0001f600é",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_users_is_never_code(text: str) -> None:
    import yaml

    spec: dict[str, Any] = {
        "modelspec": 1,
        "description": text,
        "params": {"p": text, "n": 2},
        "inputs": {"x": {"shape": [4]}},
        "layers": [
            {"Dense": {"units": 2, "activation": text}},
            {"Dense": {"units": "${n}", "kernel_initializer": "a${n}" + text}, "name": "y"},
        ],
        "outputs": "y",
        "losses": "mse",
        "data": {"x": text},
    }
    source = modelspec.loads(yaml.safe_dump(spec))
    if source.graph is None or any(problem.severity == "error" for problem in source.problems):
        # Checked values do not reach the script: what the language refuses needs no escape here.
        spec["layers"] = [{"Dense": {"units": 2}, "name": "y"}]
        source = modelspec.loads(yaml.safe_dump(spec))
    if any(problem.severity == "error" for problem in source.problems):
        pytest.skip("the language refuses the text itself")
    tree = ast.parse(to_python(source))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert names.isdisjoint({"__import__", "abort"})
    assert all(not isinstance(node, ast.Global | ast.Lambda | ast.Await) for node in ast.walk(tree))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert text in strings


def test_a_data_path_is_a_string(tmp_path: Path) -> None:
    path = tmp_path / 'it"s \\ one.npz'
    np.savez(path, x=np.zeros((3, 4), "f"), y=np.zeros((3, 1), "f"))
    text = (
        "modelspec: 1\ninputs: {x: {shape: [4]}}\nlayers:\n  - Dense: {units: 1}\n    name: y\n"
        "outputs: y\nlosses: mse\n"
    )
    tree = ast.parse(to_python(modelspec.loads(text), path))
    assert str(path) in {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


NAMES = ["class", "l", "x", "h", "layers", "np", "keras", "model", "data", "print", "a-b", "lambda"]


@pytest.mark.keras
@pytest.mark.parametrize("name", NAMES)
def test_names_of_users_become_identifiers(name: str, tmp_path: Path) -> None:
    text = (
        f"modelspec: 1\nname: m\ninputs: {{{name}: {{shape: [4]}}, other: {{shape: [4]}}}}\n"
        "blocks:\n  block:\n    params: {units: 3}\n    inputs: [x]\n    layers:\n"
        f"      - Dense: {{units: '${{units}}'}}\n        from: x\n        name: {name}-y\n"
        f"    outputs: {name}-y\n"
        f"layers:\n  - block:\n    from: {name}\n  - Add:\n    from: [block, other-y]\n"
        f"    name: sum\n  - Dense: {{units: 3}}\n    from: other\n    name: other-y\n"
        f"  - Dense: {{units: 1}}\n    from: sum\n    name: {name}_\n"
        f"outputs: {name}_\nlosses: mse\n"
    )
    source = modelspec.loads(text)
    ours = source.build()
    (tmp_path / "script.py").write_text(to_python(source), "utf-8")
    import keras

    keras.utils.set_random_seed(0)
    theirs = runpy.run_path(str(tmp_path / "script.py"))["build_model"]()
    assert [tensor.name for tensor in theirs.inputs] == [name, "other"]
    assert theirs.output_names == ours.output_names
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "losses",
    ["mse", "{Huber: {delta: 2.0}}", "MeanSquaredError"],
)
def test_shared_blocks_and_names_of_keras_are_written_call_by_call(losses: str) -> None:
    text = (
        "modelspec: 1\nname: m\ninputs: {a: {shape: [4]}, b: {shape: [4]}}\n"
        "blocks:\n  code:\n    inputs: [x]\n    layers:\n      - Dense: {units: 3}\n"
        "        from: x\n        name: y\n    outputs: y\n"
        "layers:\n  - code:\n    from: a\n  - {share: code, from: b}\n"
        "  - Add:\n    from: [code, code_1]\n  - Dense: {units: 1}\n    name: dense_1\n"
        f"outputs: dense_1\nlosses: {losses}\n"
    )
    written = script(text)
    assert "code_y_layer = layers.Dense(3" in written
    assert written.count("code_y_layer(") == 2


ADAPTED = """
modelspec: 1
name: fitted
inputs: {ids: {shape: [2], dtype: int64}, x: {shape: [3]}}
blocks:
  scaling:
    inputs: [x]
    layers:
      - Rescaling: {scale: 2.0}
        from: x
      - Normalization:
        adapt: true
        name: normal
    outputs: normal
layers:
  - scaling:
    from: x
    name: first
  - IntegerLookup: {max_tokens: 5, output_mode: multi_hot, pad_to_max_tokens: true}
    from: ids
    adapt: true
  - Concatenate:
    from: [first, integer_lookup]
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
data: {x: [a, b, c], y: d}
training: {epochs: 2, batch_size: 8, shuffle: false, jit: false, validation_split: 0.25}
"""


@pytest.mark.keras
def test_layers_are_fitted_to_the_rows_that_train(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {name: random.normal(3, 2, 40).astype("f") for name in "abcd"}
    source = modelspec.loads(ADAPTED)
    np.savez(tmp_path / "data.npz", ids=random.integers(0, 4, (40, 2)), **arrays)
    assert trained_apart(source, tmp_path / "data.npz", tmp_path) < 1e-6


@pytest.mark.keras
def test_tables_are_read_without_other_packages(tmp_path: Path) -> None:
    text = to_python(modelspec.load("specs/wine.yaml"), "data/wine_train.csv")
    (tmp_path / "script.py").write_text(text, "utf-8")
    script = runpy.run_path(str(tmp_path / "script.py"))
    data = script["read_table"]("data/wine_train.csv", text=["body"])
    assert data["body"].dtype == object
    assert np.isnan(data["malic_acid"]).any()
    assert data["ash"].dtype == np.float64
    np.testing.assert_array_equal(
        script["class_ids"](np.array([" b", "a", "b"], object)), [1, 0, 1]
    )
    np.testing.assert_array_equal(script["class_ids"](np.array([7.0, 2.0]), [7, 2]), [0, 1])
    (tmp_path / "t.csv").write_text("a,b\n1,x\n?,y\n", "utf-8")
    data = script["read_table"](tmp_path / "t.csv", missing={"a": ["?"]})
    np.testing.assert_array_equal(data["a"], [1, np.nan])


@pytest.mark.keras
def test_a_script_starts_from_the_same_weights(tmp_path: Path) -> None:
    saved = modelspec.load("specs/digits.yaml", ["training.seed=9"]).build()
    saved.save(tmp_path / "saved.keras")
    kernel = saved.layers[-1].name
    options = ["training.epochs=1", "training.shuffle=false", "training.jit=false"]
    path = yaml.safe_dump(str(tmp_path / "saved.keras")).partition("\n")[0]
    weights = f"weights={{from: {path}, skip: [{kernel}]}}"
    source = modelspec.load("specs/digits.yaml", [*options, weights])
    assert f'"{kernel}"]' not in to_python(source)
    assert trained_apart(source, Path("data/digits.npz"), tmp_path) < 1e-6


@pytest.mark.keras
@pytest.mark.parametrize(
    "strategy",
    [
        *(
            pytest.param(strategy, marks=pytest.mark.sweep)
            for strategy in (
                "auto",
                "uncertainty",
                "{uncertainty: {from_first_batch: false, learning_rate: 0.1}}",
                "equal_contribution",
                "{gradnorm: {from_first_batch: false, alpha: 0.5}}",
            )
        ),
    ],
)
def test_strategies_choose_the_same_weights(strategy: str, tmp_path: Path) -> None:
    options = ["training.epochs=1", "training.shuffle=false", "training.jit=false"]
    source = modelspec.load("specs/digits_restored.yaml", [*options, f"loss_weights={strategy}"])
    with np.load("data/digits.npz") as stored:
        np.savez(tmp_path / "data.npz", **{name: stored[name][:200] for name in stored.files})
    assert trained_apart(source, tmp_path / "data.npz", tmp_path) < 1e-6


def rows_of(path: Path, source: modelspec.ModelSpec) -> dict[str, Any]:
    """Some rows for a spec: shipped ones, or random ones that fit."""
    if path in SPECS:
        data = Path("data") / f"{DATA_OF.get(path.stem, path.stem)}.npz"
        with np.load(data if data.exists() else Path("data/digits.npz")) as stored:
            return {name: stored[name][:200] for name in stored.files}
    from modelspec.api import timing
    from modelspec.api.costs import with_lengths
    from modelspec.backend.export.random_rows import random_rows

    rows = random_rows(source.build(), 12)
    graph = source.require().graph
    known = with_lengths(graph, {name: rows[name].shape[1:] for name in rows})
    arrays = timing._arrays(source, known, timing._output_shapes(source, known), 12)
    names = source.require().spec.data
    texts = {name: row.astype("U") if row.dtype == object else row for name, row in rows.items()}
    return {**arrays, **{str(names.get(name, name)): row for name, row in texts.items()}}


def trainable(path: Path) -> modelspec.ModelSpec:
    """A spec that trains two epochs in the order of the rows, without XLA."""
    options = ["training.epochs=2", "training.shuffle=false", "training.jit=false"]
    by_rounding = any(name in path.stem for name in NO_WEIGHT_GRADIENT)
    if by_rounding and path.stem not in NO_FLOAT64:
        options.append("training.precision=float64")
    source = modelspec.load(path)
    if not any(head.loss for head in source.heads):
        options.append(f"losses=[{', '.join(['mse'] * len(source.heads))}]")
        if len(source.heads) == 1:
            options[-1] = "losses=mse"
    return modelspec.load(path, options)


def difference(path: Path, folder: Path) -> float:
    """The largest difference of trained weights, relative to the largest weight of its array."""
    source = trainable(path)
    data = folder / "data.npz"
    if path.stem == "wine":
        data = Path("data/wine_train.csv")
    else:
        named: dict[str, Any] = rows_of(path, source)
        np.savez(data, **named)
    by_model = any(name in path.stem for name in NO_WEIGHT_GRADIENT)
    return trained_apart(source, data, folder, by_model=by_model)


@pytest.mark.keras
@pytest.mark.parametrize(
    "name", ["breast_cancer", pytest.param("residual", marks=pytest.mark.sweep)]
)
def test_a_script_trains_the_same_weights(name: str, tmp_path: Path) -> None:
    assert difference(Path(f"specs/{name}.yaml"), tmp_path) < 1e-6


@pytest.mark.keras
@pytest.mark.sweep
def test_attention_trains_the_same_weights_in_float64(tmp_path: Path) -> None:
    """The bias of the keys adds the same to all scores of a query, so its exact gradient is 0.

    Optimizers divide by the size of a gradient, so rounding moves it alone.
    """
    options = ["training.epochs=2", "training.shuffle=false", "training.jit=false"]
    source = modelspec.load("specs/attention.yaml", [*options, "training.precision=float64"])
    np.savez(tmp_path / "data.npz", **rows_of(Path("specs/attention.yaml"), source))
    weights = trained_weights(source, tmp_path / "data.npz", tmp_path)
    assert all(one.dtype == np.float64 for _, one, _ in weights)
    keys = [path for path, _, _ in weights if path.endswith("key/bias")]
    assert len(keys) == 1
    for path, one, other in weights:
        scale = 1.0 if path in keys else float(np.abs(one).max())
        assert np.abs(one - other).max() <= 1e-6 * scale, path


@pytest.mark.keras
@pytest.mark.process
@pytest.mark.sweep
def test_a_script_trains_the_same_weights_in_a_process_of_its_own(tmp_path: Path) -> None:
    source = modelspec.load("specs/residual.yaml", ["training.epochs=1", "training.shuffle=false"])
    (tmp_path / "script.py").write_text(to_python(source, "data/digits.npz"), "utf-8")
    modelspec.train(source, "data/digits.npz", run=tmp_path / "run")
    plain = tmp_path / "plain.keras"
    subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), "data/digits.npz", str(plain)],
        check=True,
        capture_output=True,
        env=os.environ | {"KERAS_BACKEND": "tensorflow"},
    )
    import keras

    ours, theirs = (
        keras.saving.load_model(path, compile=False).get_weights()
        for path in (tmp_path / "run" / "model.keras", plain)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * np.abs(one).max())


@pytest.mark.keras
@pytest.mark.sweep
@pytest.mark.parametrize("path", [*SPECS, *GUIDES], ids=lambda path: path.stem)
def test_every_script_trains_the_same_weights(path: Path, tmp_path: Path) -> None:
    assert difference(path, tmp_path) < (1e-3 if path.stem in NO_FLOAT64 else 1e-6)
