"""Files of other runtimes: their names and numbers, and the refusal of a file that differs."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelspec
from modelspec.api import export as exporting
from modelspec.problems.errors import ModelError
from modelspec.results.export import FORMATS, Format, Proof

pytestmark = [pytest.mark.keras, pytest.mark.process]

SPECS, DATA = Path("specs"), Path("data")
DATA_OF = {
    "attention": "digits",
    "breast_cancer_heads": "breast_cancer",
    "digits_conv": "digits",
    "digits_restored": "digits",
    "residual": "digits",
    "siamese": "digit_pairs",
    "siamese_l1": "digit_pairs",
    "siamese_ops": "digit_pairs",
}

UNFITTED = [path for path in sorted(SPECS.glob("*.yaml")) if path.stem not in ("reviews", "wine")]
"""The specs whose layers need not be fitted to data before the model can be used."""

TEXT = """
modelspec: 1
name: small
inputs:
  Ids: {shape: [null], dtype: int32}
  other-one: {shape: [3]}
layers:
  - Embedding: {input_dim: 7, output_dim: 4}
    from: Ids
  - GlobalAveragePooling1D
  - Concatenate:
    from: [global_average_pooling1d, other-one]
  - Dense: {units: 5, activation: softmax}
    name: kind
  - Dense: {units: 1}
    name: size-of
    from: concatenate
outputs: {Kind: kind, size-of: size-of}
"""


def small() -> Any:
    from modelspec.api.target import Target

    return Target(modelspec.loads(TEXT))


@pytest.fixture(scope="module")
def proofs(tmp_path_factory: pytest.TempPathFactory) -> dict[Format, Proof]:
    folder = tmp_path_factory.mktemp("exports")
    target = modelspec.open_target(SPECS / "digits_heads.yaml")
    return {
        form: modelspec.export(target, form, folder / form, data=DATA / "digits_heads.npz")
        for form in FORMATS
    }


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_computes_what_keras_computes(form: Format, proofs: dict[Format, Proof]) -> None:
    proof = proofs[form]
    assert proof.passed
    assert [output.name for output in proof.outputs] == ["digit", "parity", "ink"]
    assert proof.outputs[0].same_argmax == 1
    assert proof.rows == 360
    assert proof.bytes > 100_000
    assert proof.milliseconds > 0
    assert proof.after == pytest.approx(proof.before, rel=1e-4)
    assert json.loads(Path(f"{proof.path}.json").read_text())["passed"] is True


def test_metrics_are_those_of_evaluate(proofs: dict[Format, Proof]) -> None:
    target = modelspec.open_target(SPECS / "digits_heads.yaml")
    told = modelspec.evaluate(target, DATA / "digits_heads.npz")
    assert proofs["onnx"].before == pytest.approx(told, rel=1e-4)


def test_names_of_onnx_are_those_of_the_spec_in_its_order(tmp_path: Path) -> None:
    import onnxruntime

    proof = modelspec.export(small(), "onnx", tmp_path / "small.onnx", opset=17)
    session = onnxruntime.InferenceSession(proof.path)
    assert [value.name for value in session.get_inputs()] == ["Ids", "other-one"]
    assert [value.name for value in session.get_outputs()] == ["Kind", "size-of"]
    for rows, length in ((3, 2), (1, 9)):
        feed = {"Ids": np.ones((rows, length), "i4"), "other-one": np.ones((rows, 3), "f4")}
        assert session.run(["Kind"], feed)[0].shape == (rows, 5)


def test_names_of_litert_are_those_of_the_spec(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    proof = modelspec.export(small(), "litert", tmp_path / "small.tflite")
    runner = Interpreter(proof.path).get_signature_runner("serving_default")
    feed = {"Ids": np.ones((3, 2), "i4"), "other-one": np.ones((3, 3), "f4")}
    assert {name: array.shape for name, array in runner(**feed).items()} == {
        "Kind": (3, 5),
        "size-of": (3, 1),
    }


@pytest.mark.sweep
def test_names_of_saved_model_are_those_of_the_spec(tmp_path: Path) -> None:
    import tensorflow as tf

    proof = modelspec.export(small(), "saved_model", tmp_path / "small")
    function = tf.saved_model.load(proof.path).signatures["serving_default"]
    feed = {"Ids": tf.ones((3, 2), tf.int32), "other-one": tf.ones((3, 3))}
    assert set(function(**feed)) == {"Kind", "size-of"}


def break_a_weight(model: Any, path: Path) -> None:
    """Change one number of the kernel of ``kind`` in a file, or in a folder of files."""
    kernel = model.get_layer("kind").kernel.numpy()
    files = [file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
    for raw in (kernel.tobytes(), kernel.T.copy().tobytes()):
        for file in files:
            data = file.read_bytes()
            if raw in data:
                number = np.frombuffer(raw[:4], "f4") + 1
                file.write_bytes(data.replace(raw, number.astype("f4").tobytes() + raw[4:]))
                return
    raise AssertionError("the kernel is not in the file")


def breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    write = exporting._write

    def write_and_break(model: Any, form: Format, path: Path, *rest: Any) -> Any:
        notes = write(model, form, path, *rest)
        break_a_weight(model, path)
        return notes

    monkeypatch.setattr(exporting, "_write", write_and_break)


@pytest.mark.parametrize("form", ["onnx", "litert"])
def test_a_broken_weight_is_refused(
    form: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch)
    with pytest.raises(modelspec.ExportError, match="differs from the model in Kind") as caught:
        modelspec.export(small(), form, tmp_path / "broken")
    assert [output.passed for output in caught.value.proof.outputs] == [False, True]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.sweep
def test_a_broken_weight_of_a_saved_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The checksum of the file finds it before the numbers do.
    breaking(monkeypatch)
    with pytest.raises(ModelError):
        modelspec.export(small(), "saved_model", tmp_path / "broken")
    assert list(tmp_path.iterdir()) == []


def test_force_keeps_a_file_that_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(monkeypatch)
    proof = modelspec.export(small(), "onnx", tmp_path / "broken.onnx", force=True)
    assert not proof.passed
    assert {path.name for path in tmp_path.iterdir()} == {"broken.onnx", "broken.onnx.json"}


@pytest.mark.sweep
def test_operations_of_tensorflow_are_refused(tmp_path: Path) -> None:
    from modelspec.api.target import Target

    text = (
        "modelspec: 1\ninputs: {x: {shape: [4, 4, 4, 1]}}\n"
        "layers:\n  - MaxPooling3D\noutputs: max_pooling3d\n"
    )
    target = Target(modelspec.loads(text))
    with pytest.raises(ModelError, match=r"LiteRT has no MaxPool3D.*--allow-flex"):
        modelspec.export(target, "litert", tmp_path / "flex.tflite")
    assert list(tmp_path.iterdir()) == []
    try:
        proof = modelspec.export(target, "litert", tmp_path / "flex.tflite", allow_flex=True)
    except ModelError as error:
        assert "was not compared" in str(error)  # noqa: PT017 - a TensorFlow with Flex proves it
        assert "saved_model" in str(error)  # noqa: PT017 - and so does another format
        assert list(tmp_path.iterdir()) == []
        path = tmp_path / "flex.tflite"
        proof = modelspec.export(target, "litert", path, allow_flex=True, force=True)
        assert not proof.passed
        assert "was not compared" in proof.notes[-1]
    assert "(Flex)" in proof.notes[0]
    assert (tmp_path / "flex.tflite").stat().st_size == proof.bytes


@pytest.mark.parametrize("form", FORMATS)
def test_a_missing_package_is_named(
    form: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda _: None)
    if form == "saved_model":
        exporting._require_packages(form)
        return
    with pytest.raises(ModelError, match=f"install the extra {form}"):
        modelspec.export(small(), form, tmp_path / "x")


def test_a_folder_of_something_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(ModelError, match="is not a SavedModel"):
        modelspec.export(small(), "saved_model", tmp_path / "mine")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


def test_a_name_of_an_input_and_an_output_is_refused_for_onnx(tmp_path: Path) -> None:
    from modelspec.api.target import Target

    text = (
        "modelspec: 1\ninputs: {x: {shape: [4]}}\nlayers:\n  - ReLU:\n    name: y\n"
        "outputs: {x: y}\n"
    )
    with pytest.raises(ModelError, match="x is the name of an input and of an output"):
        modelspec.export(Target(modelspec.loads(text)), "onnx", tmp_path / "x.onnx")


@pytest.mark.parametrize("shape", [(20,), (20, 1)])
def test_rows_may_lack_the_last_axis_as_in_keras(shape: tuple[int, ...], tmp_path: Path) -> None:
    from modelspec.api.target import Target

    text = (
        "modelspec: 1\ninputs: {x: {shape: [1]}}\nlayers:\n  - Dense: {units: 3}\n    name: y\n"
        "outputs: y\n"
    )
    data = {"x": np.random.default_rng(0).random(shape).astype("f4")}
    target = Target(modelspec.loads(text))
    assert modelspec.export(target, "onnx", tmp_path / "x.onnx", data=data).passed


def test_a_script_is_written_to_a_file_or_to_standard_output(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from modelspec.cli import modelspec as group

    path = tmp_path / "script.py"
    arguments = ["export", "specs/mlp.yaml", "--format", "python"]
    group.main(arguments, standalone_mode=False)
    printed = capfd.readouterr().out
    group.main([*arguments, "-o", str(path)], standalone_mode=False)
    assert (capfd.readouterr().out, path.read_text("utf-8")) == (f"{path}\n", printed)
    compile(printed, "script.py", "exec")


@pytest.mark.parametrize(
    "options",
    [
        ["--format", "saved_model", "--opset", "15"],
        ["--format", "onnx", "--int8"],
        ["--format", "onnx", "--allow-flex"],
        ["--format", "litert", "--int8"],
        ["--format", "python", "--opset", "15"],
        ["--format", "python", "--data", "a.npz", "--data", "b.npz"],
    ],
)
def test_options_of_other_formats_are_wrong_usage(options: list[str]) -> None:
    import click

    from modelspec.cli import modelspec as group

    with pytest.raises(click.UsageError):
        group.main(["export", "specs/mlp.yaml", *options], standalone_mode=False)


@pytest.mark.sweep
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("path", UNFITTED, ids=lambda path: path.stem)
def test_every_shipped_spec(form: Format, path: Path, tmp_path: Path) -> None:
    if "adapt: true" in path.read_text("utf-8"):
        pytest.skip("it must be trained first, and reads text, which ONNX and LiteRT do not")
    data = DATA / f"{DATA_OF.get(path.stem, path.stem)}.npz"
    proof = modelspec.export(modelspec.open_target(path), form, tmp_path / "x", data=data)
    assert proof.passed
    assert proof.before


RECURRENT = """
modelspec: 1
name: recurrent
inputs: {x: {shape: [LENGTH, 3]}}
layers:
  - KIND
  - Dense: {units: 2}
    name: y
outputs: y
losses: mse
"""


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("length", "kind", "said"),
    [
        ("4", "LSTM: {units: 128}", "written out one by one"),
        ("4", "Bidirectional: {layer: {GRU: {units: 128}}}", "written out one by one"),
        ("null", "LSTM: {units: 128}", "only the weights"),
        ("300", "GRU: {units: 128}", "only the weights"),
    ],
)
def test_eight_bits_of_recurrent_layers(length: str, kind: str, said: str, tmp_path: Path) -> None:
    from modelspec.api.target import Target

    random = np.random.default_rng(0)
    steps = 6 if length == "null" else int(length)
    rows: dict[str, Any] = {
        "x": random.normal(size=(30, steps, 3)).astype("f"),
        "y": random.random((30, 2)),
    }
    np.savez(tmp_path / "rows.npz", **rows)
    text = RECURRENT.replace("LENGTH", length).replace("KIND", kind)
    target = Target(modelspec.loads(text))
    proof = modelspec.export(
        target, "litert", tmp_path / "m.tflite", data=tmp_path / "rows.npz", int8=True
    )
    assert proof.passed
    assert any(said in note for note in proof.notes)
    model = target.model(compiled=False)
    assert proof.bytes < 4 * model.count_params() / 1.5
    assert not any(getattr(layer, "unroll", False) for layer in model.layers)


@pytest.mark.sweep
@pytest.mark.parametrize("name", ["digits_conv", "digits_heads", "attention", "question_answering"])
def test_eight_bits(name: str, tmp_path: Path) -> None:
    data = DATA / f"{DATA_OF.get(name, name)}.npz"
    target = modelspec.open_target(SPECS / f"{name}.yaml")
    plain = modelspec.export(target, "litert", tmp_path / "plain", data=data)
    proof = modelspec.export(target, "litert", tmp_path / "small", data=data, int8=True)
    assert proof.passed
    assert proof.bytes < plain.bytes / (3 if name.startswith("digits") else 1.5)
