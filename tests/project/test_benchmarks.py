"""The benchmarks compare equal work, and print ratios in the right direction."""

import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import keras
import pytest

import modelspec
from modelspec.api.spec_data import trained_outputs

pytestmark = [pytest.mark.keras, pytest.mark.process]

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "tests" / "benchmarks"


@pytest.fixture
def harness(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import harness

    return harness


@pytest.mark.parametrize(
    ("unit", "ours", "theirs"), [("s", [1, 2], [3, 2]), ("MB", [1, 2], [3, 2])]
)
def test_less_time_and_memory_are_better(
    harness: ModuleType, unit: str, ours: list[float], theirs: list[float]
) -> None:
    row = harness.Row("work", "peer", unit, ours, theirs, 2.0)
    assert row.ratios == [3.0, 1.0]
    assert row.kept
    assert row.cells()[4:] == ["2.00 (1.00 to 3.00)", "2", "kept"]


def test_more_samples_are_better(harness: ModuleType) -> None:
    row = harness.Row("work", "peer", "samples/s", [300.0, 100.0], [100.0, 100.0], 2.5)
    assert row.ratios == [3.0, 1.0]
    assert not row.kept
    assert "MISSED" in row.cells()


def test_sides_take_turns(harness: ModuleType) -> None:
    ran: list[str] = []

    def run(name: str) -> int:
        ran.append(name)
        return len(ran)

    sides = {name: partial(run, name) for name in ("a", "b")}
    assert harness.alternate(sides, 2) == {"a": [2, 3], "b": [1, 4]}
    assert ran == ["b", "a", "a", "b"]


@pytest.mark.sweep
def test_a_quick_run_writes_the_table(tmp_path: Path) -> None:
    output = tmp_path / "table.md"
    script = str(BENCHMARKS / "training.py")
    ran = subprocess.run(
        [sys.executable, script, "--quick", "--only", "summary", "--output", str(output)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    versions, header, _, *rows = output.read_text().replace("\n\n", "\n").splitlines()
    assert f"keras {keras.__version__}" in versions
    assert header.startswith("| work | against |")
    assert len(rows) == 2
    for row in rows:
        ours, theirs, times = (float(figure) for figure in re.findall(r"\| ([\d.]+) ", row)[:3])
        assert times == pytest.approx(theirs / ours, rel=0.02)


def test_plain_models_are_those_of_the_specs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS / "plain"))
    import models

    assert models.MODELS.keys() == {path.stem for path in (ROOT / "specs").glob("*.yaml")} - {
        "reviews",
        "wine",
    }  # which plain scripts would have to adapt first
    for name, plain in models.MODELS.items():
        source = modelspec.load(ROOT / "specs" / f"{name}.yaml")
        assert source.spec is not None
        with keras.StatelessScope(initialize_variables=False):
            assert plain.build().count_params() == source.summary().params.total, name
        assert plain.epochs == source.spec.training.epochs
        assert plain.fitted.get("batch_size", 32) == source.spec.training.batch_size
        targets = [source.spec.data.get(name, name) for name in trained_outputs(source)]
        assert list(plain.outputs) == targets
