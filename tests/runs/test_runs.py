"""``modelspec runs``, on folders as training leaves them and as accidents do."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelspec.problems.errors import RunError
from modelspec.runs.columns import Row
from modelspec.runs.history import Best
from modelspec.runs.listing import find_runs

FIELDS = ["folder", "name", "status", "started", "seconds", "epochs", "epochs_asked"]
FIELDS += ["best_epoch", "best_metric", "best_value"]
HOLDS = """
import sys
from pathlib import Path
from modelspec.runs.run import Run
from modelspec.runs.folder import locked
run = Run(Path(sys.argv[1]))
with locked(run):
    run.update(status="running", name="held")
    print("held", flush=True)
    sys.stdin.read()
"""


def made(folder: Path, losses: list[Any], **record: Any) -> Path:
    """A run's folder, with an epoch for each loss."""
    folder.mkdir(parents=True)
    defaults = {"status": "completed", "name": folder.name, "started": "2026-11-24T02:00:00+00:00"}
    (folder / "run.json").write_text(json.dumps(defaults | record), encoding="utf-8")
    lines = [
        json.dumps({"epoch": epoch, "loss": loss, "seconds": 0.25}) + "\n"
        for epoch, loss in enumerate(losses, 1)
    ]
    (folder / "history.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


def command(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "modelspec", "runs", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_newest_first_however_deep(tmp_path: Path) -> None:
    made(tmp_path / "a" / "old", [3.0, 1.0, 2.0], started="2026-11-23T09:00:00+00:00", epochs=5)
    made(tmp_path / "new", [], started="2026-11-24T09:00:00+00:00", status="failed")
    inside = made(tmp_path / "b" / "c" / "middle", [None], started="2026-11-23T10:00:00+00:00")
    made(inside / "checkpoints", [1.0])
    runs, refused = find_runs(tmp_path)
    assert refused == []
    assert [(run.name, run.status, run.epochs) for run in runs] == [
        ("new", "failed", 0),
        ("middle", "completed", 1),
        ("old", "completed", 3),
    ]
    assert [run.best for run in runs] == [None, None, Best(2, "loss", 1.0)]
    assert (runs[2].asked, runs[2].seconds) == (5, 0.75)


def test_a_folder_that_is_a_run(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", [1.0])
    assert [run.path for run in find_runs(folder)[0]] == [folder]


@pytest.mark.process
def test_a_killed_run_died(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        [alive], _ = find_runs(tmp_path)
        process.kill()
    [dead], _ = find_runs(tmp_path)
    assert (alive.status, dead.status) == ("running", "died")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '"running"', '{"name": "of another tool"}', '{"status": "ok"}', "[" * 100_000],
)
def test_what_is_no_run_is_told_of(tmp_path: Path, text: str) -> None:
    made(tmp_path / "good", [1.0])
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "run.json").write_text(text, encoding="utf-8")
    runs, [reason] = find_runs(tmp_path)
    assert [run.name for run in runs] == ["good"]
    assert reason.startswith(f"{tmp_path / 'bad' / 'run.json'} ")


@pytest.mark.parametrize("history", ["{", "[1]\n", b"\xff\n", '{"loss": 1}\n'])
def test_a_history_that_cannot_be_read(tmp_path: Path, history: str | bytes) -> None:
    folder = made(tmp_path / "run", [])
    raw = history if isinstance(history, bytes) else history.encode()
    (folder / "history.jsonl").write_bytes(raw)
    runs, refused = find_runs(tmp_path)
    assert (runs, len(refused)) == ([], 1)


def test_fields_of_other_types(tmp_path: Path) -> None:
    made(tmp_path / "history", ["high"])
    made(tmp_path / "truth", [True])
    made(tmp_path / "name", [1.0], name=3)
    made(tmp_path / "started", [1.0], started=4)
    made(tmp_path / "epochs", [1.0], epochs="five")
    [run], refused = find_runs(tmp_path)
    assert (run.path.name, run.asked) == ("epochs", None)
    assert len(refused) == 4
    assert all(
        "is not the record of a run" in r or "is not the history of a run" in r for r in refused
    )


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nosuch"):
        find_runs(tmp_path / "nosuch")


@pytest.mark.process
def test_formats(tmp_path: Path) -> None:
    made(tmp_path / "runs" / "first", [2.0, 1.5], epochs=2)
    (tmp_path / "runs" / "foreign").mkdir()
    (tmp_path / "runs" / "foreign" / "run.json").write_text("no", encoding="utf-8")
    table = command(tmp_path)
    assert table.returncode == 0
    assert table.stderr == "warning: runs/foreign/run.json is damaged: it is not JSON\n"
    lines = [line.split() for line in table.stdout.splitlines()]
    assert lines[0] == ["name", "status", "started", "epochs", "best", "folder"]
    assert lines[1][0:2] + lines[1][-5:] == [
        *("first", "completed"),
        *("2/2", "loss", "1.5", "(2)", "runs/first"),
    ]
    [row] = json.loads(command(tmp_path, "--format", "json").stdout)
    assert list(row) == FIELDS
    assert (row["folder"], row["best_metric"], row["best_value"]) == ("runs/first", "loss", 1.5)
    [line] = csv.DictReader(io.StringIO(command(tmp_path, "--format", "csv").stdout))
    assert list(line) == FIELDS
    assert line == {name: str(value) for name, value in row.items()}


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """Runs with other metrics and parameters each; ``d`` is newest."""
    wide = {"width": 64, "rate": 0.01, "act": "relu", "deep": {"a": [1, 2], "b": None}}
    narrow = {"width": 8, "rate": 0.3, "act": "a\nb", "deep": {"a": 7}}
    made(tmp_path / "a", [3.0, 2.0], parameters=wide, started="2026-11-20T01:00:00+00:00")
    made(tmp_path / "b", [1.0, 4.0], parameters=narrow, started="2026-11-21T01:00:00+00:00")
    made(tmp_path / "c", [], status="failed", started="2026-11-22T01:00:00+00:00", epochs=9)
    made(tmp_path / "d", [2.0, 3.0, 2.5], parameters={"width": "wide", "rate": float("inf")})
    for name, value in (("a", 0.25), ("b", None), ("d", 0.125)):
        file = tmp_path / name / "history.jsonl"
        lines = [
            json.loads(line) | {"val_loss": 1, "accuracy": 0.5}
            for line in file.read_text().splitlines()
        ]
        lines[-1]["val_loss"] = value
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return tmp_path


def listed(folder: Path, *options: str) -> list[dict[str, Any]]:
    done = command(folder, ".", "--format", "json", *options)
    assert (done.returncode, done.stderr) == (0, "")

    def refuse(name: str) -> None:
        pytest.fail(f"{name} is not JSON")

    rows: list[dict[str, Any]] = json.loads(done.stdout, parse_constant=refuse)
    return rows


@pytest.mark.process
@pytest.mark.parametrize(
    ("key", "order"),
    [
        *(("name", "abcd"), ("-name", "dcba"), ("folder", "abcd"), ("status", "dbac")),
        *(("started", "abcd"), ("-started", "dcba"), ("epochs", "cbad"), ("-epochs", "dbac")),
        *(("seconds", "cbad"), ("best", "dabc"), ("-best", "badc"), ("best_epoch", "badc")),
        *(("val_loss", "dacb"), ("-val_loss", "adcb"), ("loss", "adbc"), ("accuracy", "dbac")),
        *(("epochs_asked", "cdba"), ("params.act", "badc"), ("params.deep.a", "badc")),
        *(("params.width", "badc"), ("-params.width", "dabc"), ("params.rate", "abdc")),
    ],
)
def test_runs_are_sorted(several: Path, key: str, order: str) -> None:
    """Missing values come last; equal values stay newest first."""
    assert "".join(row["name"] for row in listed(several, "--sort", key)) == order


@pytest.mark.process
def test_chosen_columns_in_every_format(several: Path) -> None:
    chosen = "name,val_loss,loss,best,params.width,params.rate,params.deep,params.deep.a"
    rows = listed(several, "--columns", chosen, "--sort", "name")
    names = chosen.split(",")
    assert all(list(row) == FIELDS + [name for name in names if name not in FIELDS] for row in rows)
    assert [[row[name] for name in names] for row in rows] == [
        ["a", 0.25, 2.0, 0.25, 64, 0.01, {"a": [1, 2], "b": None}, [1, 2]],
        ["b", None, 4.0, 1.0, 8, 0.3, {"a": 7}, 7],
        ["c", None, None, None, None, None, None, None],
        ["d", 0.125, 2.5, 0.125, "wide", "inf", None, None],
    ]
    done = command(several, ".", "--format", "csv", "--columns", chosen, "--sort", "name")
    lines = list(csv.reader(io.StringIO(done.stdout)))
    assert lines[0] == names
    assert lines[1] == [
        "a",
        "0.25",
        "2.0",
        "0.25",
        "64",
        "0.01",
        '{"a": [1, 2], "b": null}',
        "[1, 2]",
    ]
    assert lines[3] == ["c", *[""] * 7]
    done = command(several, ".", "--columns", " name, best ,epochs,params.act,loss,name")
    table = [line.split("  ") for line in done.stdout.splitlines()]
    assert [[cell.strip() for cell in line if cell] for line in table] == [
        ["name", "best", "epochs", "params.act", "loss"],
        ["d", "val_loss 0.125 (3)", "3", "2.5"],
        ["c", "0/9"],
        ["b", "val_loss 1 (1)", "2", r"a\nb", "4"],
        ["a", "val_loss 0.25 (2)", "2", "relu", "2"],
    ]


@pytest.mark.process
@pytest.mark.parametrize("option", ["--sort", "--columns"])
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("val_los", "did you mean val_loss?"),
        ("params.widht", "did you mean params.width?"),
        ("Name", "did you mean name?"),
        *(("width", ""), ("", ""), ("nosuch", ""), ("params.deep.c", ""), ("params", "")),
    ],
)
def test_an_unknown_column_is_wrong_usage(several: Path, option: str, name: str, hint: str) -> None:
    done = command(several, ".", option, name)
    assert (done.returncode, done.stdout) == (2, "")
    assert option in done.stderr
    assert f"there is no column {name!r}" in done.stderr
    assert hint in done.stderr
    assert "name, status, started, seconds, epochs, best, folder, " in done.stderr
    assert done.stderr.rstrip().endswith("params.deep.a, params.deep.b")


@pytest.mark.parametrize("deep", [10, 60, 700])
def test_parameters_of_any_depth(tmp_path: Path, deep: int) -> None:
    parameters: dict[str, Any] = {}
    for _ in range(deep):
        parameters = {"a": parameters}
    made(tmp_path / "run", [1.0], parameters=parameters)
    [run] = find_runs(tmp_path)[0]
    row = Row.of(run)
    assert "params.a.a.a" in row.values
    json.dumps(dict(row.values), allow_nan=False)


@pytest.mark.parametrize("parameters", [[1], "width", 3])
def test_parameters_that_no_run_writes(tmp_path: Path, parameters: Any) -> None:
    made(tmp_path / "run", [1.0], parameters=parameters)
    runs, [reason] = find_runs(tmp_path)
    assert (runs, "parameters" in reason) == ([], True)


@pytest.mark.process
def test_without_runs_any_column_may_be_asked_for(tmp_path: Path) -> None:
    for form, text in (("json", "[]\n"), ("csv", "name,val_loss,params.x\n"), ("table", "")):
        chosen = ("--columns", "name,val_loss,params.x", "--sort", "-val_loss")
        done = command(tmp_path, "--format", form, *chosen)
        assert (done.returncode, done.stdout) == (0, text)


@pytest.mark.process
def test_without_runs(tmp_path: Path) -> None:
    default = command(tmp_path)
    assert (default.returncode, default.stdout) == (0, "")
    assert default.stderr == "no runs in runs\n"
    (tmp_path / "empty").mkdir()
    empty = command(tmp_path, "empty", "--format", "json")
    assert (empty.returncode, json.loads(empty.stdout)) == (0, [])
    missing = command(tmp_path, "nosuch")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr == "error: cannot list nosuch: No such file or directory\n"


@pytest.mark.process
def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    made(tmp_path / "run", [1.0])
    heavy = "{'numpy', 'keras', 'tensorflow', 'jax', 'matplotlib'}"
    code = (
        f"import sys; from modelspec.cli import modelspec; "
        f"modelspec(['runs', {str(tmp_path)!r}], standalone_mode=False); "
        f"sys.exit(bool({heavy} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
