"""Help, the version and completion: on standard output, and without an import of any command."""

import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

import modelspec
from modelspec.cli.commands import VERBS, Verb, attribute

pytestmark = pytest.mark.process

LOADED = """
import atexit, sys
atexit.register(lambda: print(*sorted(sys.modules), file=open("modules", "w")))
sys.argv[0] = "modelspec"
from modelspec.cli import main
main()
"""
COMMANDS = {f"modelspec.cli.{attribute(verb)}" for verb in VERBS}
HEAVY = {"numpy", "pydantic", "yaml", "keras", "tensorflow", "jax"}


def run(
    folder: Path, *arguments: str, words: str | None = None
) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """A command, or the completion of the last of ``words``, and the modules that it imported."""
    asked = {} if words is None else completion(words)
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        cwd=folder,
        env=os.environ | {"COLUMNS": "80"} | asked,
        capture_output=True,
        text=True,
        check=False,
    )
    return ran, set((folder / "modules").read_text(encoding="utf-8").split())


def completion(words: str) -> dict[str, str]:
    """Return the variables that bash sets when Tab is pressed at the end of ``words``."""
    last = str(len(words.split(" ")) - 1)
    return {"_MODELSPEC_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": last}


@pytest.mark.parametrize("option", ["--help", "-h", "--version"])
def test_help_imports_no_command(tmp_path: Path, option: str) -> None:
    ran, loaded = run(tmp_path, option)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "modelspec.cli" in loaded
    assert not loaded & (COMMANDS | HEAVY)


@pytest.mark.parametrize("words", ["modelspec ", "modelspec e", "modelspec --"])
def test_completion_imports_no_command(tmp_path: Path, words: str) -> None:
    ran, loaded = run(tmp_path, words=words)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert not loaded & (COMMANDS | HEAVY)


def test_an_imported_command_would_be_seen(tmp_path: Path) -> None:
    ran, loaded = run(tmp_path, "check", "--help")
    assert ran.returncode == 0
    assert loaded & COMMANDS == {"modelspec.cli.check"}
    assert loaded & HEAVY


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("modelspec ", list(VERBS)),
        ("modelspec e", ["explain", "evaluate", "export"]),
        ("modelspec sum", ["summary"]),
        ("modelspec --v", ["--version"]),
        ("modelspec check --form", ["--format"]),
        ("modelspec check --format g", ["github"]),
        ("modelspec nosuch --form", []),
    ],
)
def test_completion_offers(tmp_path: Path, words: str, offered: list[str]) -> None:
    ran, _ = run(tmp_path, words=words)
    completed = [line.partition(",")[2] for line in ran.stdout.splitlines() if line]
    assert (completed, ran.stderr) == (offered, "")


def test_the_script_for_a_shell_goes_to_standard_output() -> None:
    for shell in ("zsh", "fish"):
        ran = subprocess.run(
            [sys.executable, "-c", LOADED.replace("atexit.register", "id")],
            env=os.environ | {"_MODELSPEC_COMPLETE": f"{shell}_source"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "_MODELSPEC_COMPLETE" in ran.stdout


def test_the_line_for_bashrc_completes() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    [line] = [line for line in readme.splitlines() if line.startswith('eval "$(_MODELSPEC')]
    ask = "COMP_WORDS=(modelspec ev); COMP_CWORD=1; _modelspec_completion modelspec"
    ran = subprocess.run(
        ["bash", "-c", f"{line}; complete -p modelspec; {ask}; echo ${{COMPREPLY[@]}}"],
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    registered, completed = ran.stdout.splitlines()
    assert registered.endswith("_modelspec_completion modelspec")
    assert completed == "evaluate"


@pytest.mark.parametrize("verb", VERBS)
def test_help_says_what_the_command_says(verb: str) -> None:
    command = getattr(import_module(f"modelspec.cli.{attribute(verb)}"), attribute(verb))
    assert isinstance(command, Verb)
    assert command.callback is not None
    first = inspect.cleandoc(command.callback.__doc__ or "").partition("\n\n")[0]
    assert VERBS[verb] == " ".join(first.split())


def test_every_command_is_a_verb() -> None:
    folder = Path(modelspec.cli.__file__).parent
    texts = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    assert {name for name, text in texts.items() if "@click.command(" in text} == set(
        map(attribute, VERBS)
    )


def test_help_lists_every_command_in_full(tmp_path: Path) -> None:
    ran, _ = run(tmp_path, "--help")
    listed = " ".join(ran.stdout.partition("Commands:")[2].split())
    assert listed == " ".join(f"{verb} {says}" for verb, says in VERBS.items())


@pytest.mark.parametrize("verb", ["new", "check", "train"])
def test_help_of_a_command_goes_to_standard_output(tmp_path: Path, verb: str) -> None:
    ran, _ = run(tmp_path, verb, "--help")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert VERBS[verb].split(",")[0] in ran.stdout


def test_version(tmp_path: Path) -> None:
    ran, _ = run(tmp_path, "--version")
    assert ran.stdout == f"modelspec, version {modelspec.__version__}\n"


def test_what_a_command_prints_by_the_way_is_no_data(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command(cls=Verb)
    def chatty() -> None:
        print("as Keras does")  # noqa: T201 - what is tested

    chatty.main([], standalone_mode=False)
    assert capsys.readouterr() == ("", "as Keras does\n")
