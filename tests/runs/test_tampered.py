"""Runs that somebody changed: refused with a message, and nothing outside is touched."""

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tampering import CHECKPOINTED, LOADED, RESUMED, Tamper

pytestmark = [pytest.mark.keras, pytest.mark.process, pytest.mark.slow]

SPEC = """
modelspec: 1
inputs: {x: {shape: [4]}}
layers:
  - Dense: {units: 3}
    name: dense
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
optimizer: {Adam: {use_ema: true}}
training:
  epochs: 2
  batch_size: 8
  validation_split: 0.25
  callbacks:
    - ModelCheckpoint: {filepath: b.weights.h5, save_weights_only: true}
    - CSVLogger: {filename: log.csv}
    - EarlyStopping: {patience: 9, restore_best_weights: true}
    - SwapEMAWeights
"""

CHILD = """
import json, os, sys, traceback
commands = json.loads(sys.stdin.read())
writes, watched = [], False
WRITING = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate",
           "os.chmod", "shutil.rmtree", "shutil.move", "shutil.copyfile", "os.system", "os.exec",
           "os.posix_spawn", "subprocess.Popen", "socket.connect"}
def hook(event, args):
    if not watched:
        return
    if event in WRITING:
        writes.append([event, [os.fsdecode(a) for a in args if isinstance(a, (str, bytes))]])
    if event == "open" and isinstance(args[0], (str, bytes)):
        flags = args[2] if isinstance(args[2], int) else 0
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
            writes.append([event, [os.fsdecode(args[0])]])
sys.addaudithook(hook)
from modelspec import cli
import modelspec.backend.start
modelspec.backend.start.start()
import modelspec.api.train, modelspec.backend.training.session, matplotlib.pyplot
results = {}
for name, argv in commands.items():
    sys.argv, writes, watched = ["modelspec", *argv], [], True
    print(f"== {name}", file=sys.stderr, flush=True)
    code = cli._run()
    watched = False
    results[name] = [code, writes]
sys.__stdout__.write("RESULTS" + json.dumps(results))
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run, and its spec and data."""
    folder = tmp_path_factory.mktemp("base")
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 4)).astype("f")
    np.savez(folder / "d.npz", x=x, y=x[:, :1])
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    command = [sys.executable, "-m", "modelspec", "train", "spec.yaml", "--data", "d.npz"]
    subprocess.run([*command, "--run", "run", "--quiet"], cwd=folder, check=True)
    return folder


def sandbox(base: Path, folder: Path, ways: dict[str, Tamper]) -> dict[str, Path]:
    """A copy of the run for each way, changed by it; and folders of the user's that must stay."""
    places = {}
    for index, (name, tamper) in enumerate(ways.items()):
        place = folder / f"{index}"
        shutil.copytree(base, place)
        victim = place / "victim"
        (victim / "folder").mkdir(parents=True)
        for file in (victim / "precious", victim / "folder" / "precious"):
            file.write_text("precious", encoding="utf-8")
        shutil.copytree(place / "run" / "checkpoints", victim / "folder" / "checkpoints")
        tamper(place / "run", victim)
        places[name] = place
    return places


def outside(folder: Path) -> dict[str, Any]:
    """Return the files of a tree, without those of the runs: kind, time and contents."""
    states: dict[str, Any] = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in ("run", "tmp")]
        for path in (Path(place, name) for name in [*folders, *files]):
            state = path.lstat()
            digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            states[str(path)] = (state.st_mode, state.st_mtime_ns, state.st_size, digest)
    return states


def modelspec(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "modelspec", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def judge(commands: dict[str, list[str]], places: dict[str, Path], folder: Path) -> list[str]:
    """Run each command in one process, and return the failures."""
    before = outside(folder)
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(commands),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        # Modules that nothing has imported yet would be compiled, beside their source.
        env={
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(folder / "tmp"),
            "MPLBACKEND": "agg",
        },
        timeout=1200,
    )
    assert "RESULTS" in done.stdout, done.stderr[-3000:]
    results = json.loads(done.stdout.partition("RESULTS")[2])
    parts = [part.partition("\n") for part in done.stderr.split("== ")[1:]]
    said = {name: text for name, _, text in parts}
    wrong = [
        f"{name}: exit {code}, {said[name][:300]!r}"
        for name, (code, _) in results.items()
        if code != 1 or "error: " not in said[name] or "Traceback" in said[name]
    ]
    for name, (_, writes) in results.items():
        own = (str(places[name] / "run"), str(folder / "tmp"))
        # Our cache too: a value is stored anew where a file of the package is newer than it.
        ours = (*own, os.devnull, os.environ["XDG_CACHE_HOME"], str(Path.home() / ".cache"))
        wrong += [
            f"{name}: {event} {paths}"
            for event, paths in writes
            if not all(os.path.abspath(path).startswith(ours) for path in paths)  # noqa: PTH100
        ]
    after = outside(folder)
    wrong += [f"changed: {path}" for path in before if before[path] != after.get(path)]
    wrong += [f"made: {path}" for path in after if path not in before]
    return wrong


# Changes next to each other are of one kind.
FEW = dict(itertools.islice(RESUMED.items(), 0, None, 8))
FEW_LOADED = dict(itertools.islice(LOADED.items(), 0, None, 3))


@pytest.mark.parametrize(
    "ways", [pytest.param(FEW, id="few"), pytest.param(RESUMED, id="all", marks=pytest.mark.sweep)]
)
def test_resumed(base: Path, tmp_path: Path, ways: dict[str, Tamper]) -> None:
    (tmp_path / "tmp").mkdir()
    places = sandbox(base, tmp_path, ways)
    commands = {
        name: [
            *("train", f"{place}/spec.yaml", "--data", f"{place}/d.npz", "--run", f"{place}/run"),
            *("--resume", "--epochs", "3", "--quiet"),
        ]
        for name, place in places.items()
    }
    wrong = judge(commands, places, tmp_path)
    assert not wrong, "\n".join(wrong)


def test_a_moved_run_goes_on_where_it_is(base: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(base / "run", moved)
    before = outside(base)
    done = modelspec(
        *("train", "spec.yaml", "--data", "d.npz", "--run", str(moved)),
        *("--resume", "--epochs", "3", "--quiet"),
        folder=base,
    )
    assert done.returncode == 0, done.stderr
    assert outside(base) == before
    assert (moved / "b.weights.h5").read_bytes() != (base / "run" / "b.weights.h5").read_bytes()


def test_a_record_gives_the_terminal_no_order(base: Path, tmp_path: Path) -> None:
    for index, name in enumerate(("a\x1b]0;TITLE\x07", "b\x1b[31m", "c\x9b2J\u202e", "d\r\x08x")):
        run = tmp_path / str(index)
        shutil.copytree(base / "run", run)
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        (run / "run.json").write_text(json.dumps(record | {"name": name}), encoding="utf-8")
        lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
        changed = [json.dumps(json.loads(line) | {name: 1.0}) + "\n" for line in lines]
        (run / "history.jsonl").write_text("".join(changed), encoding="utf-8")
    for form in ("table", "csv", "json"):
        done = modelspec("runs", str(tmp_path), "--format", form, folder=base)
        assert done.returncode == 0, done.stderr
        for text in (done.stdout, done.stderr):
            assert not set(text) & {*map(chr, range(10)), "\r", "\x1b", "\x9b", "\u202e"}, text
        assert form == "json" or "a\\x1b]0;TITLE" in done.stdout


@pytest.mark.parametrize("name", ["run.json", "history.jsonl", "lock"])
def test_runs_are_listed_without_following_links(base: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(base / "run", tmp_path / "run")
    (tmp_path / "run" / name).rename(tmp_path / "other")
    (tmp_path / "run" / name).symlink_to(tmp_path / "other")
    done = modelspec("runs", str(tmp_path), folder=base)
    assert done.returncode == 0
    assert name == "lock" or f"{name} cannot be read: it is a link" in done.stderr


@pytest.mark.parametrize(
    ("verb", "ways"),
    [
        pytest.param("predict", FEW_LOADED, id="predict-few"),
        pytest.param("predict", LOADED, id="predict", marks=pytest.mark.sweep),
        pytest.param("evaluate", LOADED, id="evaluate", marks=pytest.mark.sweep),
    ],
)
def test_loaded(base: Path, tmp_path: Path, verb: str, ways: dict[str, Tamper]) -> None:
    (tmp_path / "tmp").mkdir()
    places = sandbox(base, tmp_path, ways)
    commands = {
        name: [verb, f"{place}/run", "--data", f"{place}/d.npz"] for name, place in places.items()
    }
    wrong = judge(commands, places, tmp_path)
    assert not wrong, "\n".join(wrong)


@pytest.mark.sweep
@pytest.mark.parametrize("verb", ["evaluate", "predict"])
def test_judged_by_a_checkpoint(base: Path, tmp_path: Path, verb: str) -> None:
    (tmp_path / "tmp").mkdir()
    places = sandbox(base, tmp_path, CHECKPOINTED)
    commands = {
        name: [verb, f"{place}/run", "--data", f"{place}/d.npz"] for name, place in places.items()
    }
    wrong = judge(commands, places, tmp_path)
    assert not wrong, "\n".join(wrong)
