"""Runs that somebody changed: refused with a message, and nothing outside is touched."""

import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tampered_runs import wrong_answers
from tampering import CHECKPOINTED, LOADED, ODD, RESUMED, Tamper
from warm_command import WarmCommand
from watching import states

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


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, warm: WarmCommand) -> Path:
    """A folder with a finished run, and its spec and data."""
    folder = tmp_path_factory.mktemp("base")
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 4)).astype("f")
    np.savez(folder / "d.npz", x=x, y=x[:, :1])
    (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
    command = ("train", "spec.yaml", "--data", "d.npz", "--run", "run", "--quiet")
    assert warm.run(*command, folder=folder).code == 0
    return folder


VERBS: dict[str, str] = {
    "resume": "train spec.yaml --data d.npz --run run --resume --epochs 3 --quiet",
    "resume-itself": "train run/spec.yaml --data d.npz --run run --resume --epochs 3 --quiet",
    "evaluate": "evaluate run --data d.npz",
    "predict": "predict run --data d.npz -o run/p.npz",
    "summary": "summary run",
    "summary-model": "summary run/model.keras",
    "check": "check run/spec.yaml --data d.npz",
    "check-weights": "check spec.yaml --weights run",
    "runs": "runs run",
    "report": "report run --data d.npz",
    "plot": "plot run",
    "plot-model": "plot run/model.keras",
    "import": "import run/model.keras",
    "diff": "diff run spec.yaml",
    "export": "export run --format python",
}
"""Everything that reads a run; the paths are those of a folder with a run."""


ALL = {**RESUMED, **{f"loaded: {name}": way for name, way in LOADED.items()}, **ODD}

# Changes next to each other are of one kind.
FEW = dict(itertools.islice(RESUMED.items(), 0, None, 8))
FEW_LOADED = dict(itertools.islice(LOADED.items(), 0, None, 3))


@pytest.mark.parametrize(
    "ways",
    [
        pytest.param({"resume": FEW, "predict": FEW_LOADED}, id="few"),
        pytest.param({"resume": RESUMED}, id="resume", marks=pytest.mark.sweep),
        pytest.param({"predict": LOADED}, id="predict", marks=pytest.mark.sweep),
        pytest.param({"evaluate": LOADED}, id="evaluate", marks=pytest.mark.sweep),
    ],
)
def test_resumed_and_loaded(base: Path, tmp_path: Path, ways: dict[str, dict[str, Tamper]]) -> None:
    cases = {VERBS[verb]: ways_of_verb for verb, ways_of_verb in ways.items()}
    wrong = wrong_answers(base, tmp_path / "tree", cases)
    assert not wrong, "\n".join(wrong)


def test_a_moved_run_goes_on_where_it_is(base: Path, tmp_path: Path, warm: WarmCommand) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(base / "run", moved)
    before = states(base)
    done = warm.run(
        *("train", "spec.yaml", "--data", "d.npz", "--run", str(moved)),
        *("--resume", "--epochs", "3", "--quiet"),
        folder=base,
    )
    assert done.code == 0, done.err
    assert states(base) == before
    assert (moved / "b.weights.h5").read_bytes() != (base / "run" / "b.weights.h5").read_bytes()


def test_a_report_replaces_a_link(base: Path, tmp_path: Path, warm: WarmCommand) -> None:
    """Its file is one of a folder that is not trusted."""
    shutil.copytree(base / "run", tmp_path / "run")
    (tmp_path / "precious").write_text("precious", encoding="utf-8")
    (tmp_path / "run" / "report.md").symlink_to(tmp_path / "precious")
    done = warm.run(
        *("report", str(tmp_path / "run"), "--data", str(base / "d.npz")),
        *("--format", "markdown"),
        folder=base,
    )
    assert done.code == 0, done.err
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "precious"
    assert not (tmp_path / "run" / "report.md").is_symlink()


def test_a_record_gives_the_terminal_no_order(
    base: Path, tmp_path: Path, warm: WarmCommand
) -> None:
    for index, name in enumerate(("a\x1b]0;TITLE\x07", "b\x1b[31m", "c\x9b2J\u202e", "d\r\x08x")):
        run = tmp_path / str(index)
        shutil.copytree(base / "run", run)
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        (run / "run.json").write_text(json.dumps(record | {"name": name}), encoding="utf-8")
        lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
        changed = [json.dumps(json.loads(line) | {name: 1.0}) + "\n" for line in lines]
        (run / "history.jsonl").write_text("".join(changed), encoding="utf-8")
    for form in ("table", "csv", "json"):
        done = warm.run("runs", str(tmp_path), "--format", form, folder=base)
        assert done.code == 0, done.err
        for text in (done.out, done.err):
            assert not set(text) & {*map(chr, range(10)), "\r", "\x1b", "\x9b", "\u202e"}, text
        assert form == "json" or "a\\x1b]0;TITLE" in done.out


@pytest.mark.parametrize("name", ["run.json", "history.jsonl", "lock"])
def test_runs_are_listed_without_following_links(
    base: Path, tmp_path: Path, name: str, warm: WarmCommand
) -> None:
    shutil.copytree(base / "run", tmp_path / "run")
    (tmp_path / "run" / name).rename(tmp_path / "other")
    (tmp_path / "run" / name).symlink_to(tmp_path / "other")
    done = warm.run("runs", str(tmp_path), folder=base)
    assert done.code == 0
    assert name == "lock" or f"{name} cannot be read: it is a link" in done.err


@pytest.mark.sweep
@pytest.mark.parametrize("verb", ["evaluate", "predict"])
def test_judged_by_a_checkpoint(base: Path, tmp_path: Path, verb: str) -> None:
    wrong = wrong_answers(base, tmp_path / "tree", {VERBS[verb]: CHECKPOINTED})
    assert not wrong, "\n".join(wrong)


@pytest.mark.sweep
@pytest.mark.parametrize("verb", VERBS)
def test_every_command_does_no_harm(base: Path, tmp_path: Path, verb: str) -> None:
    # A pipe that the command line names is read, as in `check <(program)`.
    ways = {
        name: way
        for name, way in ALL.items()
        if not (
            "pipe for" in name and any(file in VERBS[verb] for file in ("model.keras", "run/spec"))
        )
    }
    wrong = wrong_answers(base, tmp_path / "tree", {VERBS[verb]: ways}, must_refuse=False)
    assert not wrong, "\n".join(wrong)
