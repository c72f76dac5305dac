"""The commands in the README are run, in order, and their output is compared."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from warm_command import WarmCommand

from modelspec.cli.commands import VERBS

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)


def commands() -> Iterator[tuple[str, str]]:
    """Each command of the README, with the output that follows it."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def as_pattern(expected: str) -> str:
    """``...`` alone on a line stands for any lines, inside one for any text."""
    expected = squeezed(expected)
    lines = [
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*?") + r"\n"
        for line in expected.splitlines()
    ]
    return "".join(lines)


def squeezed(text: str) -> str:
    """Remove the widths of columns, which depend on the numbers in them."""
    return re.sub(r"^ +", "", re.sub(r" +", " ", text), flags=re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    [spec] = [block for block in blocks("yaml") if block.startswith("# first.yaml\n")]
    (folder / "first.yaml").write_text(spec, encoding="utf-8")
    (folder / "data").mkdir()
    shutil.copy(ROOT / "data" / "digits.npz", folder / "data")
    return folder


def run(command: str | list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        shell=isinstance(command, str),
        cwd=folder,
        env=os.environ | {"PATH": tools},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def printed(command: str, folder: Path, warm: WarmCommand) -> str:
    """Return what a command prints; one of a shell has a process of its own."""
    verb, *options = shlex.split(command.removeprefix("modelspec "))
    if verb in VERBS and not {"|", ">"} & {*options}:
        return warm.run(verb, *options, folder=folder, together=True).out
    return run(command, folder).stdout


def test_commands_print_what_the_readme_shows(folder: Path, warm: WarmCommand) -> None:
    shown = list(commands())
    assert len(shown) >= 8
    for command, expected in shown:
        if " jq " in command and not shutil.which("jq"):
            continue
        output = printed(command, folder, warm)
        assert re.fullmatch(as_pattern(expected), squeezed(output)), f"$ {command}\n{output}"


def test_python_runs(folder: Path) -> None:
    [code] = [block for block in blocks("python") if "modelspec.train" in block]
    finished = run([sys.executable, "-c", code], folder)
    assert finished.returncode == 0, finished.stdout
    assert finished.stdout.startswith("completed ")


def test_every_command_is_in_the_readme() -> None:
    for verb in VERBS:
        assert re.search(rf"^\| `{verb}\b", TEXT, flags=re.MULTILINE), verb
