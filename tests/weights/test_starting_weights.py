"""Layers that start from trained weights, against the same done by hand in plain Keras."""

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from click.testing import CliRunner
from listeners import StopAfter

import modelspec
from modelspec.cli import modelspec as command
from modelspec.problems.errors import RunError, SpecError
from modelspec.problems.problem import Problem

pytestmark = pytest.mark.keras

BODY = """
modelspec: 1
name: {name}
inputs: {{x: {{shape: [6, 4]}}}}
layers:
  - Flatten
  - Dense: {{units: 6}}
    name: read
  - BatchNormalization:
    name: norm
  - Dense: {{units: {units}}}
    name: {head}
outputs: {outputs}
losses: mse
optimizer: adam
training: {{epochs: 1, batch_size: 8, shuffle: false, jit: false}}
{more}
"""
RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(20, 6, 4)).astype("f"), RANDOM.normal(size=(20, 2)).astype("f")
RELATIVE = 1e-5


def text(
    more: str = "", *, name: str = "spec", head: str = "y", units: int = 2, outputs: str = ""
) -> str:
    return BODY.format(name=name, head=head, units=units, more=more, outputs=outputs or head)


def by_hand(head: str = "y", units: int = 2) -> keras.Model:
    x = keras.Input((6, 4), name="x")
    h = keras.layers.Dense(6, name="read")(keras.layers.Flatten()(x))
    h = keras.layers.BatchNormalization(name="norm")(h)
    return keras.Model(x, keras.layers.Dense(units, name=head)(h))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, and what plain Keras saves: a model, its weights, half precision, quantized, LoRA."""
    folder = tmp_path_factory.mktemp("sources")
    modelspec.train(modelspec.loads(text(name="first")), {"x": X, "y": Y}, run=folder / "run")
    keras.utils.set_random_seed(3)
    model = by_hand()
    model.set_weights([RANDOM.normal(size=w.shape).astype(w.dtype) for w in model.get_weights()])
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    with zipfile.ZipFile(folder / "model.keras") as archive:
        packed = zipfile.ZipFile(folder / "packed.keras", "w", zipfile.ZIP_DEFLATED)
        with packed:
            for member in archive.namelist():
                packed.writestr(member, archive.read(member))
    model.get_layer("y").enable_lora(2)
    model.get_layer("y").lora_kernel_b.assign(np.ones((2, 2), "f"))
    model.save(folder / "lora.keras")
    other = by_hand(units=7)
    other.save_weights(folder / "seven.weights.h5")
    quantized = by_hand()
    quantized.get_layer("y").quantize("int8")
    quantized.save(folder / "int8.keras")
    return folder


def started(spec: str, folder: Path) -> dict[str, Any]:
    """The weights that a built model starts from, by layer."""
    folder.joinpath("spec.yaml").write_text(spec, encoding="utf-8")
    model = modelspec.load(folder / "spec.yaml").build()
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def problems_of(spec: str, folder: Path) -> list[Problem]:
    folder.joinpath("spec.yaml").write_text(spec, encoding="utf-8")
    return modelspec.load(folder / "spec.yaml").check()


@pytest.mark.parametrize("file", ["model.keras", "model.weights.h5", "packed.keras", "run"])
def test_layers_start_from_every_kind_of_source(sources: Path, tmp_path: Path, file: str) -> None:
    path = sources / file
    weights = started(text(f"weights: {{from: {path}}}"), tmp_path)
    saved = keras.saving.load_model((path if file == "run" else sources) / "model.keras")
    for name in ("norm", "y"):
        for ours, theirs in zip(weights[name], saved.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_layers_inside_of_layers_start_too(tmp_path: Path) -> None:
    """Keras keeps the states of dropout with them, which here follow from the spec's seed."""
    x = keras.Input((6, 4), name="x")
    both = keras.layers.Bidirectional(keras.layers.LSTM(3, dropout=0.2), name="both")
    attention = keras.layers.MultiHeadAttention(2, 3, dropout=0.1, name="attention")
    row = keras.layers.Reshape((2, 3))(both(x))
    h = attention(row, row)
    saved = keras.Model(x, keras.layers.Dense(2, name="y")(h))
    saved.set_weights([RANDOM.normal(size=w.shape).astype(w.dtype) for w in saved.get_weights()])
    saved.save_weights(tmp_path / "w.weights.h5")
    spec = """
modelspec: 1
inputs: {x: {shape: [6, 4]}}
layers:
  - Bidirectional: {layer: {LSTM: {units: 3, dropout: 0.2}}}
    name: both
  - Reshape: {target_shape: [2, 3]}
    name: row
  - MultiHeadAttention: {num_heads: 2, key_dim: 3, dropout: 0.1}
    from: {query: row, value: row}
    name: attention
  - Dense: {units: 2}
    name: y
outputs: y
losses: mse
weights: {from: w.weights.h5}
"""
    started(spec, tmp_path)
    model = modelspec.load(tmp_path / "spec.yaml").build()
    np.testing.assert_allclose(
        model.predict(X, verbose=0), saved.predict(X, verbose=0), rtol=RELATIVE, atol=1e-6
    )
    states = [w for layer in ("both", "attention") for w in model.get_layer(layer).weights]
    known = [w for layer in ("both", "attention") for w in saved.get_layer(layer).weights]
    learned = [w.path for w in states if "seed" not in w.path]
    assert len(learned) == 14
    for ours, theirs in zip(states, known, strict=True):
        assert np.array_equal(ours, theirs) == ("seed" not in ours.path)


@pytest.mark.parametrize(
    ("outputs", "form"),
    [
        ("z", "single"),
        pytest.param("[z]", "list", marks=pytest.mark.sweep),
        ("{z: z}", "dict"),
    ],
)
def test_partial_transfer_trains_as_plain_keras_does(
    sources: Path, tmp_path: Path, outputs: str, form: str
) -> None:
    """In float64: in float32 rounding alone changes weights near 0 by more than ``RELATIVE``."""

    def wide(spec: str) -> str:
        return spec.replace("jit: false", "jit: false, precision: float64").replace(
            "losses: mse", "losses: {z: mse}"
        )

    spec = wide(text(f"weights: {{from: {sources}/model.keras}}", head="z", outputs=outputs))
    tmp_path.joinpath("s.yaml").write_text(spec, encoding="utf-8")
    source = modelspec.load(tmp_path / "s.yaml")
    fresh = modelspec.loads(wide(text(head="z"))).build()
    dtype: dict[str, Any] = {"dtype": "float64"}
    x = keras.Input((6, 4), name="x")
    h = keras.layers.Dense(6, name="read", **dtype)(keras.layers.Flatten(**dtype)(x))
    h = keras.layers.BatchNormalization(name="norm", **dtype)(h)
    z = keras.layers.Dense(2, name="z", **dtype)(h)
    plain = keras.Model(x, {"single": z, "list": [z], "dict": {"z": z}}[form])
    saved = keras.saving.load_model(sources / "model.keras")
    for name in ("read", "norm"):
        plain.get_layer(name).set_weights(saved.get_layer(name).get_weights())
    plain.get_layer("z").set_weights(fresh.get_layer("z").get_weights())
    shaped = {"single": ("mse", Y), "list": (["mse"], [Y]), "dict": ({"z": "mse"}, {"z": Y})}[form]
    plain.compile("adam", shaped[0])
    history = plain.fit(X, shaped[1], batch_size=8, epochs=1, shuffle=False, verbose=0).history
    run = modelspec.train(source, {"x": X, "z": Y}, run=tmp_path / "run")
    np.testing.assert_allclose(run.history[0]["loss"], history["loss"][0], rtol=RELATIVE)
    ours = keras.saving.load_model(run.model_path)
    for one, other in zip(ours.weights, plain.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=RELATIVE)
    states = {layer["layer"]: layer["state"] for layer in run.record["weights"]["layers"]}
    assert states == {"read": "loaded", "norm": "loaded", "z": "fresh"}
    assert run.record["weights"]["unused"] == ["y"]
    assert len(run.record["weights"]["sha256"]) == 64


def test_the_spec_of_a_run_repeats_it(sources: Path, tmp_path: Path) -> None:
    place = tmp_path / "specs" / "s.yaml"
    place.parent.mkdir()
    place.write_text(text(f"weights: {{from: {sources}/model.weights.h5, skip: [y]}}"), "utf-8")
    first = modelspec.train(modelspec.load(place), {"x": X, "y": Y}, run=tmp_path / "a" / "b")
    again = modelspec.train(
        modelspec.load(first.spec_path), {"x": X, "y": Y}, run=tmp_path / "again"
    )
    assert again.history[0]["loss"] == first.history[0]["loss"]


@pytest.mark.parametrize(
    ("rename", "theirs"),
    [("read: lees, norm: maat", None), ('"*e*d": "*ee*d"', None), ('"?orm": maat', "norm")],
)
def test_layers_are_renamed_by_name_and_pattern(
    sources: Path, tmp_path: Path, rename: str, theirs: str | None
) -> None:
    spec = text(f"weights: {{from: {sources}/model.keras, rename: {{{rename}}}}}")
    spec = spec.replace("name: read", "name: lees" if "lees" in rename else "name: reead")
    spec = spec.replace("name: norm", "name: maat")
    weights = started(spec, tmp_path)
    saved = keras.saving.load_model(sources / "model.keras")
    renamed = {"lees": "read", "maat": "norm"} if "lees" in rename else {}
    renamed |= {"reead": "read"} if "*e*d" in rename else {}
    renamed |= {"maat": "norm"} if theirs else {}
    for ours, name in renamed.items():
        np.testing.assert_array_equal(weights[ours][0], saved.get_layer(name).get_weights()[0])


def test_skipped_layers_start_fresh(sources: Path, tmp_path: Path) -> None:
    fresh = started(text(), tmp_path)
    weights = started(text(f'weights: {{from: {sources}/model.keras, skip: ["*o*", y]}}'), tmp_path)
    for name in ("norm", "y"):
        np.testing.assert_array_equal(weights[name][0], fresh[name][0])
    assert not np.array_equal(weights["read"][0], fresh["read"][0])


def test_a_layer_that_only_the_file_has_needs_no_skip(sources: Path, tmp_path: Path) -> None:
    """The hint says so, instead of the layers of the spec."""
    other = f"weights: {{from: {sources}/model.keras, skip: [y]}}"
    [problem] = problems_of(text(other, head="z"), tmp_path)
    assert problem.code == "unmatched-pattern"
    assert problem.hint == "leave it out: layers that only the file has are not loaded"


def test_lora_is_merged_and_other_dtypes_are_cast(sources: Path, tmp_path: Path) -> None:
    lora = keras.saving.load_model(sources / "lora.keras").get_layer("y")
    weights = started(text(f"weights: {{from: {sources}/lora.keras}}"), tmp_path)
    np.testing.assert_allclose(weights["y"][0], keras.ops.convert_to_numpy(lora.kernel), rtol=1e-6)
    for dtype in ("float16", "bfloat16", "float64"):
        half = keras.Sequential([keras.Input((6, 4)), keras.layers.Dense(2, name="y", dtype=dtype)])
        half.save_weights(tmp_path / "half.weights.h5")
        spec = (
            "modelspec: 1\ninputs: {x: {shape: [6, 4]}}\nlayers: [{Dense: {units: 2}, name: y}]\n"
        )
        spec += "outputs: y\nlosses: mse\nweights: {from: half.weights.h5}\n"
        kernel = started(spec, tmp_path)["y"][0]
        wanted = keras.ops.convert_to_numpy(half.layers[0].kernel).astype("float32")
        np.testing.assert_array_equal(kernel, wanted)
        account = modelspec.load(tmp_path / "spec.yaml").account()
        assert account.layers[0].note == f"{dtype} → float32"


def test_quantized_weights_and_other_shapes_are_errors_at_the_layer(
    sources: Path, tmp_path: Path
) -> None:
    seven = "[6, 7], but here [6, 2]"
    for file, words in (("int8.keras", "quantized"), ("seven.weights.h5", seven)):
        [problem] = problems_of(text(f"weights: {{from: {sources / file}}}"), tmp_path)
        assert (problem.code, problem.place.span.line) == ("weights-mismatch", 11)
        assert words in problem.message
        with pytest.raises(SpecError):
            modelspec.load(tmp_path / "spec.yaml").build()


def test_one_weight_starts_from_an_array(tmp_path: Path) -> None:
    kernel = RANDOM.normal(size=(6, 2)).astype("f")
    np.save(tmp_path / "k.npy", kernel)
    np.savez(tmp_path / "k.npz", k=kernel, other=kernel)
    arrays = {"x": X, "y": Y, "start": kernel}
    data = "weights: {layers: {y.kernel: {array: start}}}"
    spec = modelspec.loads(text(data))
    assert spec.check(arrays) == []
    np.testing.assert_array_equal(spec.build(arrays).get_layer("y").get_weights()[0], kernel)
    record = modelspec.train(spec, arrays, run=tmp_path / "run").record["weights"]
    assert record["layers"][2]["state"] == "array"
    for source in ("{file: k.npz, array: k}", "{file: k.npy}"):
        weights = started(text(f"weights: {{layers: {{y.kernel: {source}}}}}"), tmp_path)
        np.testing.assert_array_equal(weights["y"][0], kernel)
    again = modelspec.load(tmp_path / "run" / "spec.yaml")
    assert again.check(arrays) == []
    with pytest.raises(SpecError, match="has no array start"):
        spec.build()


def test_a_stopped_run_gives_its_last_checkpoint(tmp_path: Path) -> None:
    spec = modelspec.loads(text().replace("epochs: 1", "epochs: 3"))
    with pytest.raises(KeyboardInterrupt):
        modelspec.train(spec, {"x": X, "y": Y}, run=tmp_path / "r", listener=StopAfter(1))
    kept = np.load(tmp_path / "r" / "checkpoints" / "epoch-000001.npz")
    [problem] = problems_of(text("weights: {from: r}"), tmp_path)
    assert (problem.code, problem.severity) == ("unfinished-run", "warning")
    weights = started(text("weights: {from: r}"), tmp_path)
    np.testing.assert_array_equal(weights["read"][0], kept["variable/0"])
    (tmp_path / "r" / "checkpoints" / "epoch-000001.npz").unlink()
    [problem] = problems_of(text("weights: {from: r}"), tmp_path)
    assert (problem.code, problem.severity) == ("weights-unreadable", "error")


def test_a_resumed_run_needs_the_file_no_more(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "w.weights.h5").write_bytes((sources / "model.weights.h5").read_bytes())
    tmp_path.joinpath("s.yaml").write_text(text("weights: {from: w.weights.h5}"), "utf-8")
    arrays = {"x": X, "y": Y}
    modelspec.train(modelspec.load(tmp_path / "s.yaml"), arrays, run=tmp_path / "r")
    (tmp_path / "w.weights.h5").unlink()
    longer = modelspec.load(tmp_path / "s.yaml", ["training.epochs=2"])
    run = modelspec.train(longer, arrays, run=tmp_path / "r", resume=True)
    assert len(run.history) == 2
    assert run.record["weights"]["source"] == "w.weights.h5"
    with pytest.raises(SpecError, match="there is no"):
        modelspec.train(longer, arrays, run=tmp_path / "new")
    with pytest.raises(RunError, match="the spec differs"):
        modelspec.train(modelspec.loads(text()), arrays, run=tmp_path / "r", resume=True)


def test_values_that_are_not_finite_are_an_error(sources: Path, tmp_path: Path) -> None:
    path = tmp_path / "nan.weights.h5"
    path.write_bytes((sources / "model.weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        file["layers/dense_1/vars/0"][0, 0] = np.nan
    with pytest.raises(SpecError, match="y would start from contain NaN"):
        started(text("weights: {from: nan.weights.h5}"), tmp_path)


def _soft(file: Any, folder: Path) -> None:
    del folder
    file["layers/dense/vars/2"] = h5py.SoftLink("/layers/dense/vars/0")


def _external(file: Any, folder: Path) -> None:
    file["layers/dense/vars/2"] = h5py.ExternalLink(str(folder / "x.h5"), "/a")


def _raw(file: Any, folder: Path) -> None:
    group = file["layers/dense/vars"]
    group.create_dataset("9", (4,), "f4", external=[(str(folder / "secret"), 0, 16)])


def _virtual(file: Any, folder: Path) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource(str(folder / "x.h5"), "a", (4,))
    file["layers/dense/vars"].create_virtual_dataset("9", layout)


def _ring(file: Any, folder: Path) -> None:
    del folder
    file["layers/dense/again"] = file["layers"]


def _bomb(file: Any, folder: Path) -> None:
    del folder, file["layers/dense/vars/0"]
    size = (1 << 20, 1 << 20)
    file["layers/dense/vars"].create_dataset("0", size, "f4", chunks=(1024, 1024))


@pytest.mark.parametrize("attack", [_soft, _external, _raw, _virtual, _ring, _bomb])
def test_hostile_files_are_refused(sources: Path, tmp_path: Path, attack: Any) -> None:
    path = tmp_path / "bad.weights.h5"
    path.write_bytes((sources / "model.weights.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        attack(file, tmp_path)
    [problem] = problems_of(text("weights: {from: bad.weights.h5}"), tmp_path)
    assert problem.code in ("weights-unreadable", "weights-mismatch")
    assert str(tmp_path / "secret") not in problem.message


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("a.pt", b"\x80\x02}q\x00.", "a pickle"),
        ("a.npy", b"\x93NUMPY\x01\x00", "a NumPy array"),
        ("a.safetensors", b"\x10" + bytes(7) + b'{"a":1}', "a safetensors file"),
        ("a.keras", b"PK\x03\x04 not a zip", "is damaged"),
        ("a.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(64), "is damaged"),
        ("a.weights.h5", b"", "not a file of weights"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path: Path, name: str, raw: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(raw)
    [problem] = problems_of(text(f"weights: {{from: {name}}}"), tmp_path)
    assert problem.code == "weights-unreadable"
    assert words in problem.message


def test_the_option_and_the_account(
    sources: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "s.yaml").write_text(text(head="z"), encoding="utf-8")
    (tmp_path / "w.weights.h5").write_bytes((sources / "model.weights.h5").read_bytes())
    monkeypatch.chdir(tmp_path)
    arguments = ["check", "specs/s.yaml", "--weights", "w.weights.h5"]
    done = CliRunner().invoke(command, [*arguments, "--account"])
    assert done.exit_code == 0, done.output
    [account] = json.loads(capfd.readouterr().out)
    assert [(layer["layer"], layer["state"], layer["line"]) for layer in account["layers"]] == [
        ("read", "loaded", 7),
        ("norm", "loaded", 9),
        ("z", "fresh", 11),
    ]
    assert account["unused"] == ["y"]
    done = CliRunner().invoke(command, arguments)
    assert "2 of 3 layers start from trained weights" in capfd.readouterr().err
    done = CliRunner().invoke(command, [*arguments, "--format", "json"])
    assert json.loads(capfd.readouterr().out) == []
    done = CliRunner().invoke(command, ["check", "specs/s.yaml", "--weights", "none.keras"])
    assert done.exit_code == 1
    assert "--set weights.from" in capfd.readouterr().err


@pytest.mark.parametrize("beside", ["trainable: false", "trainable: false\n    dtype: float32"])
def test_a_frozen_fresh_layer_is_a_warning(sources: Path, tmp_path: Path, beside: str) -> None:
    frozen = text("{more}").replace("name: norm", f"name: norm\n    {beside}")
    [problem] = problems_of(frozen.replace("{more}", ""), tmp_path)
    assert (problem.code, problem.place.span.line) == ("frozen-fresh", 9)
    loaded = frozen.replace("{more}", f"weights: {{from: {sources}/model.keras}}")
    assert problems_of(loaded, tmp_path) == []
    chosen = text().replace("Dense: {units: 2}", "Dense: {units: 2, kernel_initializer: ones}")
    chosen = chosen.replace("name: y", "name: y\n    trainable: false")
    assert problems_of(chosen, tmp_path) == []


def test_frozen_fresh_layers_of_a_block_are_one_warning(tmp_path: Path) -> None:
    problems = problems_of(
        "modelspec: 1\ninputs: {x: {shape: [3]}}\n"
        "blocks: {two: {inputs: [x], outputs: y, layers: [Dense: {units: 4}, "
        "{Dense: {units: 4}, name: y}]}}\nlayers:\n"
        "  - {two: {}, trainable: false, repeat: 2}\n"
        "  - {two: {}, trainable: false, name: more}\n"
        "  - {Dense: {units: 4}, trainable: false}\n"
        "  - Dense: {units: 2, bias_initializer: ones}\n    trainable: false\n"
        "  - {Dense: {units: 4}, trainable: false}\n"
        "  - {Dense: {units: 4}, name: y}\noutputs: y\n",
        tmp_path,
    )
    assert {problem.code for problem in problems} == {"frozen-fresh"}
    told = [(p.place.span.line, p.message.rpartition(": ")[2]) for p in problems]
    assert told == [
        (5, "two.dense, two.y, two_1.dense, two_1.y"),
        (6, "more.dense, more.y"),
        (7, "dense, dense_2"),
    ]
    assert problems[0].message.startswith("4 layers ")
    assert "--weights" in str(problems[0].hint)


def test_layers_of_a_nested_model_are_matched_by_their_names(tmp_path: Path) -> None:
    """Keras numbers them by class and place, and these have the other order in the other file."""

    def two(*names: str) -> Any:
        x = keras.Input((3,), name="x")
        return keras.Model(x, [keras.layers.Dense(3, name=name)(x) for name in names], name="inner")

    x = keras.Input((3,), name="x")
    model = keras.Model(x, keras.layers.Add(name="y")(two("one", "other")(x)))
    model.save(tmp_path / "m.keras")
    two("other", "one").save(tmp_path / "other.keras")
    (tmp_path / "s.yaml").write_text(
        "modelspec: 1\ninputs: {x: {shape: [3]}}\nmodels: {inner: {path: other.keras}}\n"
        "layers:\n  - inner:\n    as: [a, b]\n  - Add:\n    from: [a, b]\n    name: y\n"
        "outputs: y\nweights: {from: m.keras}\n",
        encoding="utf-8",
    )
    ours = modelspec.load(tmp_path / "s.yaml").build().get_layer("inner")
    for name in ("one", "other"):
        wanted = model.get_layer("inner").get_layer(name).get_weights()
        for one, other in zip(ours.get_layer(name).get_weights(), wanted, strict=True):
            np.testing.assert_array_equal(one, other)
