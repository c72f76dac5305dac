"""The public API explains every parameter, and its examples run."""

import builtins
import doctest
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import modelspec
from modelspec.api import balance, costs, prediction, timing
from modelspec.api.target import Target

pytestmark = pytest.mark.keras

ROOT = Path(__file__).parents[2]
PUBLIC: dict[str, Any] = {
    **{name: getattr(modelspec, name) for name in modelspec.__all__ if not name.startswith("_")},
    "Target": Target,
    "balance.measure": balance.measure,
    "costs.estimate": costs.estimate,
    "prediction.predicting": prediction.predicting,
    "timing.measure": timing.measure,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: value for name, value in PUBLIC.items() if inspect.isfunction(value)},
    "ModelSpec.account": modelspec.ModelSpec.account,
    "ModelSpec.build": modelspec.ModelSpec.build,
    "ModelSpec.check": modelspec.ModelSpec.check,
    "ModelSpec.require": modelspec.ModelSpec.require,
    "ModelSpec.resolved_text": modelspec.ModelSpec.resolved_text,
    "ModelSpec.summary": modelspec.ModelSpec.summary,
    "Run.open": modelspec.Run.open,
    "Target.model": Target.model,
    "Target.summary": Target.summary,
}

PLACES = (modelspec, costs, builtins)
"""The modules with the exceptions that the docstrings name."""

EXAMPLES = [
    example
    for name, value in {"modelspec": modelspec, **PUBLIC}.items()
    for example in doctest.DocTestFinder(exclude_empty=True).find(value, name, globs={})
    if example.examples
]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_explained(name: str) -> None:
    text = inspect.getdoc(FUNCTIONS[name]) or ""
    section = text.partition("Args:\n")[2].partition("\n\n")[0]
    explained = re.findall(r"^    (\w+): ", section, flags=re.MULTILINE)
    parameters = [name for name in inspect.signature(FUNCTIONS[name]).parameters if name != "self"]
    assert explained == parameters
    assert "\nReturns:\n    " in text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_exception_is_named(name: str) -> None:
    text = inspect.getdoc(FUNCTIONS[name]) or ""
    section = text.partition("Raises:\n")[2].partition("\n\n")[0]
    raised = re.findall(r"^    (\w+): ", section, flags=re.MULTILINE)
    assert raised
    for exception in raised:
        place = next(place for place in PLACES if hasattr(place, exception))
        assert issubclass(getattr(place, exception), BaseException)


@pytest.mark.parametrize("name", [name for name, value in PUBLIC.items() if inspect.isclass(value)])
def test_every_class_and_member_is_explained(name: str) -> None:
    members = {f"{name}.{member}": value for member, value in vars(PUBLIC[name]).items()}
    known = {
        member: value.__func__ if isinstance(value, classmethod) else value
        for member, value in members.items()
        if isinstance(value, property | classmethod) or inspect.isfunction(value)
    }
    bare = [
        member
        for member, value in {name: PUBLIC[name], **known}.items()
        if not member.partition(".")[2].startswith("_") and not value.__doc__
    ]
    assert bare == []


def test_every_function_has_an_example() -> None:
    assert {example.name for example in EXAMPLES} >= FUNCTIONS.keys()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the shipped specs and data."""
    for name in ("specs", "data"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
@pytest.mark.usefixtures("folder")
def test_an_example_is_true(example: doctest.DocTest) -> None:
    report: list[str] = []
    results = doctest.DocTestRunner(verbose=False).run(example, out=report.append)
    assert results.failed == 0, "".join(report)
