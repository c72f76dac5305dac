"""The promises of ``modelspec/CLI.md`` to scripts, compared with real processes.

Starting TensorFlow takes seconds, so one process serves as many assertions as possible, and what
does not depend on the start is asked of processes that are forked after it (``quick``).
"""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from ending import PATIENCE
from warm_command import Ended, WarmCommand

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SPECS, DATA = ROOT / "specs", ROOT / "data"
DIGITS, DIGITS_DATA = str(SPECS / "digits.yaml"), str(DATA / "digits.npz")

PROBLEM_KEYS = {
    *("code", "severity", "message", "file", "line", "column", "end_line", "end_column"),
    *("hint", "related"),
}
LAYER_KEYS = {
    *("name", "type", "output_shape", "dtype", "params", "trainable_params", "from", "line"),
}
CHATTER = r"(?i)tensorflow|keras|cuda|onednn|xla|jax|warning|I0000|^[IWE]\d{4} "
NUMBER = r"-?\d+(\.\d+)?(e[-+]\d+)?"

BROKEN = """\
modelspec: 1
inputs:
  image: {shape: [8, 8]}
layers:
  - Flatten
  - Dense: {unit: 10}
  - Dnese: {units: 10}
    name: digit
    from: dens
outputs: digit
losses: msee
"""
WARNED = """\
modelspec: 1
inputs:
  image: {shape: [8, 8]}
layers:
  - Flatten
  - Dense: {units: 10}
    name: digit
outputs: digit
losses: sparse_categorical_crossentropy
"""


def environment(**changes: str) -> dict[str, str]:
    """Return this process's own environment, without variables that make programs quieter."""
    quiet = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "KERAS_BACKEND"}
    kept = {name: value for name, value in os.environ.items() if name not in quiet}
    return {name: value for name, value in kept.items() if not name.startswith("TF_CPP_")} | changes


def start(*arguments: str, folder: Path, **options: Any) -> "subprocess.Popen[bytes]":
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "env": environment()}
    pipes |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-m", "modelspec", *arguments]
    return subprocess.Popen(command, cwd=folder, **{**pipes, **options})


Run = Callable[..., Ended]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def run(*arguments: str, stdin: bytes | None = None, **changes: str) -> Ended:
        process = start(
            *arguments,
            folder=tmp_path,
            env=environment(**changes),
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        )
        out, err = process.communicate(stdin, timeout=PATIENCE)
        return Ended(process.returncode, out, err.decode())

    return run


@pytest.fixture
def quick(warm: WarmCommand, tmp_path: Path) -> Run:
    """The command as ``run`` has it, in this process's environment."""
    return partial(warm.run, folder=tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A run of two epochs on the shipped digits, and what the command said."""
    folder = tmp_path_factory.mktemp("trained")
    process = start(
        *("train", DIGITS, "--data", DIGITS_DATA, "--epochs", "2", "--run", "first"),
        *("--validation", DIGITS_DATA, "--batch-size", "64", "--set", "training.seed=3"),
        folder=folder,
    )
    out, err = process.communicate(timeout=PATIENCE)
    return folder / "first", Ended(process.returncode, out, err.decode())


def written(folder: Path, text: str, name: str = "spec.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return name


# Checking


def test_check_of_a_broken_spec(run: Run, quick: Run, tmp_path: Path) -> None:
    spec = written(tmp_path, BROKEN)
    expected = [(6, 5), (6, 13), (7, 5), (9, 11), (11, 9)]

    text = run("check", spec)
    assert (text.code, text.out) == (1, "")
    places = re.findall(r"^spec\.yaml:(\d+):(\d+): error: .* \[[a-z-]+\]$", text.err, re.MULTILINE)
    assert [(int(line), int(column)) for line, column in places] in (expected, expected[1:])
    assert "    6 |   - Dense: {unit: 10}\n      |             ^^^^\n" in text.err
    assert "  hint: did you mean Dense?\n" in text.err
    assert "\x1b" not in text.err

    for command in (("check",), ("train", "--data", DIGITS_DATA), ("summary",)):
        piped = quick(*command, "-", stdin=BROKEN.encode())
        assert (piped.code, piped.out) == (1, "")
        assert piped.err == text.err.replace("spec.yaml:", "<stdin>:")

    listed = quick("check", spec, "--format", "json")
    assert (listed.code, listed.err) == (1, "")
    assert all(set(problem) == PROBLEM_KEYS for problem in listed.data)
    assert [(problem["line"], problem["column"]) for problem in listed.data] in (
        expected,
        expected[1:],
    )
    assert {problem["file"] for problem in listed.data} == {"spec.yaml"}
    assert all(problem["end_column"] > problem["column"] for problem in listed.data)
    [layer] = [problem for problem in listed.data if problem["code"] == "unknown-layer"]
    assert (layer["hint"], layer["severity"]) == ("did you mean Dense?", "error")

    github = quick("check", spec, "--format", "github")
    assert (github.code, github.err) == (1, "")
    commands = github.out.splitlines()
    assert len(commands) == len(listed.data)
    assert all(line.startswith("::error file=spec.yaml,line=") for line in commands)
    assert "title=unknown-layer::Keras has no layer named Dnese" in github.out


def test_check_of_good_specs(run: Run, quick: Run, tmp_path: Path) -> None:
    clean = run("check", DIGITS, str(SPECS / "mlp.yaml"), "--data", DIGITS_DATA, "--format", "json")
    assert clean.code == 1, "digits.npz is not mlp's data"
    assert {problem["code"] for problem in clean.data} == {"missing-array", "unknown-array"}
    assert {problem["file"] for problem in clean.data} == {str(SPECS / "mlp.yaml"), DIGITS_DATA}

    listed = quick("check", DIGITS, "--data", DIGITS_DATA, "--format", "json")
    assert (listed.code, listed.data, listed.err) == (0, [], "")

    warned = quick("check", written(tmp_path, WARNED), "--format", "json")
    assert warned.code == 0
    [problem] = warned.data
    assert (problem["severity"], problem["line"], problem["column"]) == ("warning", 9, 9)
    [related] = problem["related"]
    assert set(related) == {"message", "file", "line", "column"}
    assert (related["line"], related["column"]) == (6, 5)


def test_problem_of_set_names_the_option(quick: Run) -> None:
    problems = quick("check", DIGITS, "--set", "optimizer.Adam.learning_rate=fast", "--format=json")
    assert problems.code == 1
    [problem] = problems.data
    assert problem["file"] == "--set optimizer.Adam.learning_rate=fast"
    assert (problem["line"], problem["column"], problem["end_column"]) == (1, 30, 34)
    text = quick("check", DIGITS, "--set", "params.unit=3", "--set", "training.epochs")
    assert text.code == 1
    assert "--set params.unit=3:1:1: error: " in text.err
    assert "--set training.epochs:1:1: error: " in text.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "no.yaml"), r"no\.yaml:1:1: error: cannot read no\.yaml: No such file.*\[spec"),
        (("check", "."), r"\.:1:1: error: cannot read \.: Is a directory \[spec-not-read\]"),
        (("train", DIGITS, "--data", "no.npz"), r"no\.npz:1:1: error: .*\[data-not-found\]"),
        (
            ("train", DIGITS, "--data", "."),
            r"\.:1:1: error: this folder contains no npz.*\[not-npz\]",
        ),
        (("evaluate", "runs/none", "--data", DIGITS_DATA), r".*runs/none: No such file"),
        (
            ("predict", ".", "--data", DIGITS_DATA),
            r"error: \. contains no run: it has no run\.json",
        ),
        (("summary", "bad.keras"), r"error: bad\.keras is not a \.keras file"),
        (("summary", "binary.yaml"), r"binary\.yaml:1:1: error: byte 0xff is not UTF-8"),
    ],
)
def test_input_that_cannot_be_read(
    quick: Run, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    (tmp_path / "bad.keras").write_bytes(b"garbage")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\x1b[2J\x00")
    result = quick(*arguments)
    assert (result.code, result.out) == (1, "")
    assert re.match(said, result.err), result.err
    assert "Traceback" not in result.err
    assert "\x1b" not in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("frobnicate",), "frobnicate"),
        (("check",), "Missing argument 'SPEC...'"),
        (("check", DIGITS, "--format", "xml"), "'xml' is not one of"),
        (("train", DIGITS), "Missing option '--data'"),
        (("train", DIGITS, "--data", "x.npz", "--epochs", "0"), "--epochs"),
        (("train", DIGITS, "--data", "x.npz", "--resume"), "--run"),
        (("build", DIGITS, "-o", "model.h5"), "must end in .keras"),
        (("layers", "Dens"), "did you mean Dense?"),
        (("new", "digit"), "unknown template digit: did you mean digits?"),
    ],
)
def test_wrong_usage(quick: Run, arguments: tuple[str, ...], said: str) -> None:
    result = quick(*arguments)
    assert (result.code, result.out) == (2, "")
    assert said in result.err


def test_fault_of_ours(tmp_path: Path) -> None:
    code = """
import modelspec.cli.layers as verb
def fail(): raise ZeroDivisionError("secret\\nsecond line")
verb.catalog.load = fail
verb.main = None
from modelspec.cli import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "layers"],
        cwd=tmp_path,
        env=environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 2
    log = Path(re.findall(r"\S+\.log", done.stderr)[0])
    assert "ZeroDivisionError" in log.read_text(encoding="utf-8")


# Lists and templates


def test_layers(run: Run) -> None:
    listed = run("layers")
    assert (listed.code, listed.err) == (0, "")
    names = [line.split()[0] for line in listed.out.splitlines() if line.strip()]
    assert {"Dense", "LSTM", "Bidirectional", "MultiHeadAttention"} <= set(names)
    assert "Lambda" not in names
    one = run("layers", "Dense")
    assert (one.code, one.err) == (0, "")
    assert re.search(r"\bunits\b", one.out)
    assert re.search(r"\bkernel_initializer\b.*glorot_uniform", one.out)


def test_reader_that_leaves(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{sys.executable} -m modelspec layers | head -1"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1


def test_new(run: Run, quick: Run, tmp_path: Path) -> None:
    templates = sorted(path.stem for path in SPECS.glob("*.yaml"))
    default = run("new")
    assert (default.code, default.err) == (0, "")
    assert default.out.lstrip().startswith("#")
    for name in templates:
        printed = quick("new", name)
        assert (printed.code, printed.err) == (0, "")
        written(tmp_path, printed.out, f"{name}.yaml")
    checked = quick("check", *(f"{name}.yaml" for name in templates), "--format", "json")
    assert (checked.code, checked.data) == (0, [])


# Summaries and models


def test_summary_in_all_forms(run: Run, quick: Run, tmp_path: Path) -> None:
    long = "a_layer_whose_name_is_longer_than_any_terminal_is_wide_" * 3
    text = Path(DIGITS).read_text(encoding="utf-8").replace("name: digit\n", f"name: {long}\n")
    text = text.replace("outputs: digit", f"outputs: {long}")
    assert text.count(long) == 2
    spec = written(tmp_path, text)

    table = run("summary", spec, FORCE_COLOR="", COLUMNS="40")
    assert (table.code, table.err) == (0, "")
    row = next(line for line in table.out.splitlines() if line.startswith(long))
    assert row.split()[1] == "Dense"
    assert row.split()[-1] == "20"
    assert "\x1b" not in table.out
    assert "9,610" in table.out

    piped = run("summary", stdin=text.encode(), NO_COLOR="1")
    assert piped.code == 0
    assert long in piped.out

    several = quick("summary", DIGITS, str(SPECS / "siamese.yaml"), "--format", "json")
    assert (several.code, several.err) == (0, "")
    digits, siamese = several.data
    assert set(digits) == {"name", "inputs", "layers", "outputs", "params"}
    assert digits["inputs"] == [{"name": "image", "shape": [None, 8, 8], "dtype": "float32"}]
    assert digits["outputs"] == [{"name": "digit", "shape": [None, 10], "dtype": "float32"}]
    assert digits["params"] == {
        "total": 9610,
        "trainable": 9610,
        "non_trainable": 0,
        "bytes": 4 * 9610,
    }
    assert all(set(layer) == LAYER_KEYS for layer in digits["layers"])
    [layer] = [layer for layer in digits["layers"] if layer["name"] == "digit"]
    assert (layer["type"], layer["params"], layer["from"]) == ("Dense", 1290, ["dropout"])
    assert Path(DIGITS).read_text(encoding="utf-8").splitlines()[layer["line"] - 1].count("Dense")
    assert [entry["name"] for entry in siamese["inputs"]] == ["left", "right"]

    table = quick("summary", DIGITS, str(SPECS / "mlp.yaml"), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(table.out)))
    assert {row["model"] for row in rows} == {"digits", "mlp"}
    assert sum(int(row["params"]) for row in rows if row["model"] == "mlp") == 3466
    marked = quick("summary", DIGITS, "--format", "markdown")
    assert re.search(r"^\| digit +\| Dense +\|", marked.out, re.MULTILINE)


def test_build_into_a_pipe(tmp_path: Path) -> None:
    builder = start("build", DIGITS, "-o", "-", folder=tmp_path)
    reader = start("summary", "--format", "json", folder=tmp_path, stdin=builder.stdout)
    assert builder.stdout is not None
    builder.stdout.close()
    out, err = reader.communicate(timeout=PATIENCE)
    _, said = builder.communicate(timeout=PATIENCE)
    assert (builder.returncode, reader.returncode, said, err) == (0, 0, b"", b"")
    summary = json.loads(out)
    assert summary["params"]["total"] == 9610
    assert [entry["name"] for entry in summary["outputs"]] == ["digit"]
    assert list(tmp_path.iterdir()) == []


def test_colours_on_a_terminal_only(run: Run, tmp_path: Path) -> None:
    spec = written(tmp_path, BROKEN)
    coloured = on_a_terminal("check", spec, folder=tmp_path)
    assert re.search(r"\x1b\[[0-9;]*3\d", coloured)
    plain = on_a_terminal("check", spec, folder=tmp_path, NO_COLOR="1")
    assert not re.search(r"\x1b\[(\d+;)*[34]\d", plain)
    assert "unknown-layer" in plain
    assert run("check", spec).err.replace("\n", "").count("\x1b") == 0


def on_a_terminal(*arguments: str, folder: Path, **changes: str) -> str:
    """Return the standard error of a command on a terminal."""
    ours, theirs = os.openpty()
    process = start(
        *arguments, folder=folder, stderr=theirs, env=environment(TERM="xterm-256color", **changes)
    )
    os.close(theirs)
    text = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        text += piece
    os.close(ours)
    process.communicate(timeout=PATIENCE)
    return text.decode()


# Training


def test_train_says(trained: tuple[Path, Ended]) -> None:
    _, result = trained
    assert (result.code, result.out) == (0, "first\n")
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    values = "  ".join(f"{name} {NUMBER}" for name in names)
    assert "next: modelspec evaluate first" in result.err
    lines = [line for line in result.err.splitlines() if line.startswith("epoch ")]
    assert [re.sub(r"  \S+ s$", "", line).split("  ")[0] for line in lines] == [
        "epoch 1/2",
        "epoch 2/2",
    ], result.err
    assert all(re.fullmatch(rf"epoch \d/2  {values}  {NUMBER} s", line) for line in lines)


def test_run_folder(trained: tuple[Path, Ended]) -> None:
    folder, _ = trained
    files = {path.name for path in folder.iterdir()}
    assert {"spec.yaml", "run.json", "history.jsonl", "model.keras", "checkpoints"} <= files
    assert not [name for name in files if name.startswith(".")]

    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "completed"
    assert record["seed"] == 3
    assert {"keras", "tensorflow", "numpy", "python"} <= set(record["versions"])
    assert record["data"]["sha256"].keys() == {"image_train", "digit_train"}
    assert all(
        re.fullmatch(r"[0-9a-f]{64}", digest) for digest in record["data"]["sha256"].values()
    )
    assert {"started", "ended"} <= set(record)

    history = (folder / "history.jsonl").read_text(encoding="utf-8").splitlines()
    epochs = [json.loads(line) for line in history]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]
    assert all({"loss", "val_loss", "val_accuracy", "seconds"} <= set(epoch) for epoch in epochs)
    assert epochs[1]["loss"] < epochs[0]["loss"]

    spec = yaml.safe_load((folder / "spec.yaml").read_text(encoding="utf-8"))
    settings = {"epochs": 2, "batch_size": 64, "seed": 3, "shuffle": True}
    assert settings.items() <= spec["training"].items()


def test_run_folder_is_not_used_twice(trained: tuple[Path, Ended], quick: Run) -> None:
    folder, _ = trained
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != "lock"}
    again = quick("train", DIGITS, "--data", DIGITS_DATA, "--epochs", "1", "--run", str(folder))
    assert (again.code, again.out) == (1, "")
    *_, error = again.err.splitlines()
    assert re.fullmatch(rf"error: {re.escape(str(folder))} already contains a run.*", error)
    after = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != "lock"}
    assert after == before


def test_evaluate(trained: tuple[Path, Ended], run: Run, quick: Run) -> None:
    folder, _ = trained
    listed = run("evaluate", str(folder), "--data", DIGITS_DATA, "--format", "json")
    in_use = "note: arrays in use: image_test, digit_test\n"
    assert (listed.code, listed.err) == (0, in_use)
    assert list(listed.data) == ["loss", "accuracy"]
    last = json.loads((folder / "history.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    # The test part was the validation too.
    assert listed.data["loss"] == pytest.approx(last["val_loss"], rel=1e-4)
    table = quick("evaluate", str(folder / "model.keras"), "--data", DIGITS_DATA)
    assert (table.code, table.err) == (0, in_use)
    assert re.search(rf"^loss +{NUMBER}$", table.out, re.MULTILINE)
    assert re.search(rf"^accuracy +{NUMBER}$", table.out, re.MULTILINE)


def test_predict(trained: tuple[Path, Ended], run: Run, quick: Run, tmp_path: Path) -> None:
    folder, _ = trained
    saved = run("predict", str(folder), "--data", DIGITS_DATA, "-o", "p.npz")
    assert (saved.code, saved.out) == (0, "p.npz\n")
    assert not re.search(CHATTER, saved.err)
    piped = quick("predict", str(folder), "--data", DIGITS_DATA, "-o", "-")
    assert piped.code == 0
    assert not re.search(CHATTER, piped.err)
    with np.load(tmp_path / "p.npz") as file, np.load(io.BytesIO(piped.raw)) as stream:
        assert file.files == stream.files == ["digit"]
        np.testing.assert_array_equal(file["digit"], stream["digit"])
        np.testing.assert_allclose(file["digit"].sum(1), 1, rtol=1e-5)
        with np.load(DIGITS_DATA) as data:
            assert len(file["digit"]) == len(data["digit_test"])


def test_interrupted(warm: WarmCommand, tmp_path: Path) -> None:
    process = warm.start(
        *("train", DIGITS, "--data", DIGITS_DATA, "--epochs", "100000", "--run", "long"),
        folder=tmp_path,
    )
    warm.wait_for(lambda text: "\nepoch 3/" in text)
    os.kill(process, signal.SIGINT)
    ended = warm.end()
    assert (ended.code, ended.out) == (130, "")
    assert "Traceback" not in ended.err
    assert "interrupted" in ended.err
    record = json.loads((tmp_path / "long" / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "interrupted"
    history = (tmp_path / "long" / "history.jsonl").read_text(encoding="utf-8")
    assert len(history.splitlines()) >= 2


# Starting quickly

FRAMEWORKS = {"keras", "tensorflow", "jax", "jaxlib", "torch"}
LOADED = """
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), file=open("modules", "w")))
sys.argv[0] = "modelspec"
from modelspec.cli import main
main()
"""


def modules_loaded(folder: Path, *arguments: str) -> set[str]:
    """Return the modules that a command has imported when it ends."""
    subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return set((folder / "modules").read_text(encoding="utf-8").split())


@pytest.mark.parametrize(
    "arguments",
    [
        *(("--help",), ("train", "--help"), ("layers",), ("layers", "Dense"), ("schema",)),
        *(("new",), ("runs",), ("explain",), ("check", "spec.yaml"), ("summary", "spec.yaml")),
    ],
    ids=" ".join,
)
def test_starts_without_frameworks(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    written(tmp_path, BROKEN)
    loaded = modules_loaded(tmp_path, *arguments)
    assert "modelspec.cli" in loaded
    assert not loaded & FRAMEWORKS


def test_loaded_frameworks_would_be_seen(tmp_path: Path) -> None:
    """The check of shapes loads one, so that the test above can fail."""
    spec: Mapping[str, Any] = {
        "modelspec": 1,
        "inputs": {"x": {"shape": [int(time.time_ns() % 10**9) + 1]}},
        "layers": [{"Dense": {"units": 1}, "name": "y"}],
        "outputs": "y",
    }
    written(tmp_path, yaml.safe_dump(spec))
    loaded = modules_loaded(tmp_path, "check", "spec.yaml")
    assert loaded & FRAMEWORKS >= {"keras"}


@pytest.mark.parametrize("stderr", ["2>/dev/full", pytest.param("2>&-", marks=pytest.mark.sweep)])
def test_standard_error_costs_no_run(tmp_path: Path, stderr: str) -> None:
    arguments = f"train {SPECS}/mlp.yaml --data {ROOT}/data/mlp.npz --epochs 1 --run {tmp_path}/run"
    command = f"{sys.executable} -m modelspec {arguments} {stderr}"
    ran = subprocess.run(
        ["sh", "-c", command], stdout=subprocess.PIPE, check=False, timeout=PATIENCE
    )
    assert (ran.returncode, ran.stdout) == (0, f"{tmp_path}/run\n".encode())


@pytest.mark.parametrize("verb", ["schema", pytest.param("layers", marks=pytest.mark.sweep)])
def test_a_full_disk_behind_standard_output(verb: str) -> None:
    command = f"{sys.executable} -m modelspec {verb} > /dev/full"
    ran = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, check=False, timeout=PATIENCE
    )
    message = b"error: cannot read or write: No space left on device\n"
    assert (ran.returncode, ran.stderr) == (1, message)


@pytest.mark.parametrize("verb", ["schema", "layers", "summary specs/mlp.yaml --format json"])
def test_a_reader_that_leaves_is_no_error(verb: str) -> None:
    command = f"{sys.executable} -m modelspec {verb} | true; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, check=False, timeout=PATIENCE
    )
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_an_empty_path_is_wrong_usage(run: Run) -> None:
    ran = run("train", f"{SPECS}/mlp.yaml", "--data", f"{DATA}/mlp.npz", "--run", "")
    assert (ran.code, ran.out) == (2, "")
    assert "the path is empty" in ran.err


def test_a_missing_file_among_several_is_one_mistake(run: Run) -> None:
    ran = run("train", f"{SPECS}/mlp.yaml", "--data", f"{DATA}/mlp.npz", "--data", "nosuch.npz")
    assert ran.code == 1
    assert ran.err.count(": error: ") == 1


def test_validation_data_is_called_that(quick: Run, tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", features=np.full((4, 64), np.nan, "f"), label=np.eye(4, 10))
    data = ("--data", f"{DATA}/mlp.npz", "--validation", "bad.npz")
    ran = quick("train", f"{SPECS}/mlp.yaml", *data)
    assert ran.code == 1
    assert "validation data: " in ran.err


@pytest.mark.parametrize(
    "name",
    ["p.xlsx", *(pytest.param(name, marks=pytest.mark.sweep) for name in ("p.txt", "p.json"))],
)
def test_predictions_are_npz_or_a_table(name: str, trained: tuple[Path, Ended], quick: Run) -> None:
    folder, _ = trained
    refused = quick("predict", str(folder), "--data", DIGITS_DATA, "-o", str(folder / name))
    assert refused.code == 2
    assert ".npz" in refused.err
    assert not (folder / name).exists()


def test_predictions_as_a_table(trained: tuple[Path, Ended], quick: Run) -> None:
    folder, _ = trained
    ran = quick("predict", str(folder), "--data", DIGITS_DATA, "-o", str(folder / "p.csv"))
    assert ran.code == 0
    lines = (folder / "p.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(f"digit_{unit}" for unit in range(10))
    assert len(lines) == 361
    refused = quick("predict", str(folder), "--data", DIGITS_DATA, "--columns", "id")
    assert refused.code == 2
    assert "-o P.csv" in refused.err
    absent = quick(
        *("predict", str(folder), "--data", DIGITS_DATA, "-o", str(folder / "q.csv")),
        *("--columns", "digits_test"),
    )
    assert absent.code == 1
    assert "did you mean digit_test?" in absent.err


def test_set_on_a_run(trained: tuple[Path, Ended], quick: Run) -> None:
    """It may change what judges a trained model, and not the model."""
    folder, _ = trained
    judged = quick(
        *("evaluate", str(folder), "--data", DIGITS_DATA, "--format", "json"),
        *("--set", "metrics=sparse_categorical_crossentropy"),
    )
    assert list(json.loads(judged.out)) == ["loss", "sparse_categorical_crossentropy"]
    for command in ("evaluate", "predict"):
        changed = quick(command, str(folder), "--data", DIGITS_DATA, "--set", "layers.digit.name=d")
        assert changed.code == 1
        assert "--set" in changed.err
        model = quick(
            *(command, str(folder / "model.keras"), "--data", DIGITS_DATA),
            *("--set", "metrics=accuracy"),
        )
        assert model.code == 1
        assert "has no spec" in model.err


def test_a_check_of_a_spec_alone_starts_without_numpy(tmp_path: Path) -> None:
    """NumPy takes as long to import as the rest of a check that stops before shapes."""
    written(tmp_path, BROKEN)
    assert "numpy" not in modules_loaded(tmp_path, "check", "--fast", "spec.yaml")
