"""``pytest -m "not keras and not process"`` needs neither Keras nor another process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
QUICK = "not keras and not process"

LISTED = """
import sys, pytest
code = pytest.main(sys.argv[1:])
print("IMPORTED", sorted({"keras", "tensorflow", "jax"} & sys.modules.keys()))
sys.exit(code)
"""


def run(*arguments: str) -> tuple[int, list[str]]:
    """The exit code and the lines of pytest, and what it has imported in the end."""
    command = [sys.executable, "-c", LISTED, "-q", "-p", "no:cacheprovider", *arguments]
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ
        | {"PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{ROOT / 'tests' / 'support'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout.splitlines()


@pytest.mark.sweep
def test_the_quick_tests_are_collected_without_keras() -> None:
    """The hook in ``conftest`` makes sure that no test imports it while it runs."""
    code, lines = run("-m", QUICK, "--collect-only")
    assert code == 0, "\n".join(lines)
    assert "IMPORTED []" in lines


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import keras", "pytest.mark.keras"),
        ("import modelspec; modelspec.loads(SPEC).build()", "pytest.mark.keras"),
        ("import subprocess; subprocess.run(['true'], check=True)", "pytest.mark.process"),
        ("import os; os._exit(0) if not os.fork() else os.wait()", "pytest.mark.process"),
    ],
)
def test_a_test_without_its_marker_fails(body: str, said: str, tmp_path: Path) -> None:
    spec = "{modelspec: 1, inputs: {x: {shape: [2]}}, layers: [Dense: {units: 1}], outputs: dense}"
    path = tmp_path / "test_unmarked.py"
    path.write_text(f"SPEC = '{spec}'\ndef test_it():\n    {body}\n", encoding="utf-8")
    settings = ("-c", "pyproject.toml", "-p", "conftest", "--rootdir", ".")
    code, lines = run("-m", QUICK, *settings, str(path))
    assert code == 1, "\n".join(lines)
    assert any(said in line for line in lines)
