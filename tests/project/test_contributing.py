"""The paths, targets and hooks in the instructions for contributors exist."""

import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TO_BE_WRITTEN = {"modelspec/explain/pages/CODE.md", "modelspec/cli/NAME.py"}


def hooks() -> list[dict[str, Any]]:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    [local] = config["repos"]
    assert local["repo"] == "local"
    return list(local["hooks"])


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return listed.stdout.splitlines()


def test_the_paths_exist() -> None:
    named = re.findall(r"`((?:\w[\w.-]*/)*\w[\w-]*(?:\.(?:py|md|toml|txt)|/))`", GUIDE)
    assert len(named) > 10
    missing = {path for path in named if not (ROOT / path).exists()}
    assert missing <= TO_BE_WRITTEN | {"dist/"}
    for path in TO_BE_WRITTEN:
        assert (ROOT / path).parent.is_dir()


def test_the_targets_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z-]+)\b(?=`|    )|^    make ([a-z]+)", GUIDE, re.MULTILINE))
    targets = {target for target in chain.from_iterable(named) if target}
    assert {"lint", "test", "bench"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE), target


def test_the_programs_are_installed_by_make() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = " ".join(project["optional-dependencies"]["dev"])
    packages = {"lint-imports": "import-linter", "python": "pytest", "modelspec": "modelspec"}
    for program in set(re.findall(r"\.venv/bin/([\w-]+)", GUIDE)):
        assert packages.get(program, program) in required


def test_the_hooks_run_the_linters_of_make() -> None:
    block = re.search(r"^lint: .*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert block is not None
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in block[1].splitlines()]
    assert [hook["entry"] for hook in hooks()][: len(commands)] == commands
    assert {hook["language"] for hook in hooks()} == {"system"}


@pytest.mark.parametrize(
    ("hook", "chosen", "passed_over"),
    [
        ("mypy", "modelspec/graph/graph.py", "README.md"),
        ("lint-imports", "pyproject.toml", "specs/mlp.yaml"),
        ("modelspec-check", "specs/mlp.yaml", "tests/mistakes/argument-as-text.yaml"),
    ],
)
def test_the_hooks_look_at(hook: str, chosen: str, passed_over: str) -> None:
    [entry] = [candidate for candidate in hooks() if candidate["id"] == hook]
    files = tracked()
    assert {chosen, passed_over} <= set(files)
    assert re.search(entry["files"], chosen)
    assert not re.search(entry["files"], passed_over)
