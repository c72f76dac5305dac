"""The hooks that other repositories get from ``.pre-commit-hooks.yaml``."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hook() -> dict[str, Any]:
    [only] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert isinstance(only, dict)
    return only


def test_the_hook_is_complete(hook: dict[str, Any]) -> None:
    assert hook.keys() >= {"id", "name", "entry", "language", "files"}
    assert (hook["id"], hook["language"], hook["types"]) == ("modelspec-check", "python", ["yaml"])


@pytest.mark.parametrize(
    ("path", "chosen"),
    [
        ("specs/mlp.yaml", True),
        ("deep/specs/mlp.yml", True),
        ("models/mlp.modelspec.yaml", True),
        ("docker-compose.yaml", False),
        ("myspecs/mlp.yaml", False),
    ],
)
def test_the_hook_runs_on_specs(hook: dict[str, Any], path: str, *, chosen: bool) -> None:
    assert bool(re.search(hook["files"], path)) == chosen


def run(hook: dict[str, Any], *paths: Path) -> subprocess.CompletedProcess[str]:
    name, *options = shlex.split(hook["entry"])
    command = [str(Path(sys.executable).parent / name), *options, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_entry_passes_a_good_spec(hook: dict[str, Any]) -> None:
    assert run(hook, ROOT / "specs" / "mlp.yaml").returncode == 0


def test_the_entry_fails_on_a_wrong_one(hook: dict[str, Any], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((ROOT / "specs" / "mlp.yaml").read_text("utf-8").replace("units", "unist"))
    done = run(hook, wrong, ROOT / "specs" / "mlp.yaml")
    assert done.returncode == 1
    assert "did you mean units?" in done.stderr
