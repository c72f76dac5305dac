"""The catalogue from Keras itself, where its source text is not in the usual place."""

import ast
import importlib.machinery
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import modelspec.catalog as catalog_package
from modelspec import KerasError
from modelspec.backend import inspection
from modelspec.backend.start import start
from modelspec.catalog import FAMILIES, OLDEST, Catalog, Family, load
from modelspec.catalog.inquiry import inquire
from modelspec.catalog.source import Source
from modelspec.catalog.survey import survey

pytestmark = [pytest.mark.keras, pytest.mark.process]

KERAS = catalog_package._keras()
SPEC = Path(__file__).parents[2] / "specs" / "digits.yaml"

MOVED = f"""
from pathlib import Path
__path__ = [{str(KERAS)!r}]
__file__ = {str(KERAS / "__init__.py")!r}
exec(compile(Path(__file__).read_bytes(), __file__, "exec"))
"""
"""A Keras whose modules are in another place than beside its ``__init__.py``."""

ASSIGNED = {("optimizer", "Optimizer"): ("help", "doc")}
"""Texts that Keras gives to a class once it is imported."""


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    return survey(Source("keras", KERAS))


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    # With options of XLA, Keras starts on TensorFlow, where Optimizer itself has other arguments.
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("XLA_FLAGS", raising=False)
        return inquire()


def entries(payload: dict[str, Any], family: Family) -> dict[str, Any]:
    """The entries of a family, with their arguments in place of the arguments' numbers."""
    rows = payload["arguments"]
    return {
        name: {
            key: [rows[index] for index in value] if key == "arguments" else value
            for key, value in entry.items()
            if key not in ASSIGNED.get((family, name), ())
        }
        for name, entry in payload["families"][family]["entries"].items()
    }


@pytest.mark.parametrize("family", FAMILIES)
def test_keras_says_what_its_source_says(
    written: dict[str, Any], told: dict[str, Any], family: Family
) -> None:
    assert told["version"] == written["version"]
    said = entries(told, family)
    assert said.keys() == entries(written, family).keys()
    for name, entry in entries(written, family).items():
        if entry["module"] and not entry["doc"]:
            # Keras sets the docstrings of some models when it is imported.
            pairs = [[row[:2] for row in answer["arguments"]] for answer in (said[name], entry)]
            assert pairs[0] == pairs[1], name
        else:
            assert said[name] == entry, name
    assert told["families"][family]["aliases"] == written["families"][family]["aliases"]


@pytest.mark.parametrize("family", [family for family in FAMILIES if family != "operation"])
def test_without_any_source_text_no_argument_is_missing(
    written: dict[str, Any], family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signatures tell less: which arguments a class gives its bases itself, and of what shapes.

    They may offer what Keras then refuses, and never the reverse. Of operations they do not tell
    which arguments are tensors.
    """
    monkeypatch.setattr(inspection, "_definitions", lambda _: {})
    payload = survey(inspection.ImportedKeras(start()))
    bare, whole = Catalog(payload), Catalog(written)
    by_shape = {"loss": {"ce", "crossentropy"}, "metric": {"acc", "accuracy"}}.get(family, set())
    assert set(whole.names(family)) - set(bare.names(family)) == by_shape
    for name in set(whole.names(family)) - by_shape:
        told, entry = bare.find(family, name), whole.find(family, name)
        assert told is not None
        assert entry is not None
        assert told.doc
        assert told.function == entry.function, name
        assert set(told.arguments) >= set(entry.arguments), name
        for argument, expected in entry.arguments.items():
            if literal(expected.default):
                assert told.arguments[argument].default == expected.default, (name, argument)
            assert told.arguments[argument].required == expected.required, (name, argument)
        more = set(told.arguments) - set(entry.arguments)
        assert not any(told.arguments[argument].required for argument in more), name


def literal(default: str | None) -> bool:
    """Return True where a default is written as a value, and not as a name or a sum."""
    try:
        ast.literal_eval(default or "None")
    except ValueError:
        return False
    return True


def fake(folder: Path, init: str, version: str = "") -> Path:
    (folder / "keras" / "src").mkdir(parents=True)
    (folder / "keras" / "__init__.py").write_text(init)
    if version:
        (folder / "keras" / "src" / "version.py").write_text(f"__version__ = {version!r}\n")
    return folder


def command(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``modelspec`` where the first Keras that Python finds is that in ``path``."""
    return subprocess.run(
        [sys.executable, "-m", "modelspec", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(path), "XDG_CACHE_HOME": str(path / "cache")},
    )


@pytest.mark.sweep
def test_a_keras_of_another_layout_is_asked_once(tmp_path: Path) -> None:
    fake(tmp_path, MOVED)
    done = command(tmp_path, "layers")
    assert (done.returncode, done.stderr) == (0, "")
    names = [line.split()[0] for line in done.stdout.splitlines() if line[:1].isupper()]
    assert names == list(load().names("layer"))
    [stored] = (tmp_path / "cache" / "modelspec" / "catalog").iterdir()
    payload = json.loads(stored.read_bytes().partition(b"\n")[2])
    assert payload["version"] == load().version


@pytest.mark.sweep
def test_a_spec_is_checked_against_a_keras_of_another_layout(tmp_path: Path) -> None:
    fake(tmp_path, MOVED)
    spec = SPEC.read_text()
    right, wrong = tmp_path / "right.yaml", tmp_path / "wrong.yaml"
    right.write_text(spec)
    wrong.write_text(spec.replace("units: 128", "unit: 128").replace("Dropout", "Dropuot"))
    assert command(tmp_path, "check", str(right)).returncode == 0
    done = command(tmp_path, "check", str(wrong))
    assert done.returncode == 1
    assert "did you mean units?" in done.stderr
    assert "did you mean Dropout?" in done.stderr


def test_asks_once(told: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    def ask() -> dict[str, Any]:
        asked.append(told)
        return told

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("modelspec.catalog.inquiry.inquire", ask)
    empty = survey(Source("keras", tmp_path))
    monkeypatch.setattr("modelspec.catalog.survey.survey", lambda _: empty)
    assert catalog_package._read(KERAS) == catalog_package._read(KERAS) == asked[0]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("verb", "init", "version", "why"),
    [
        ("layers", "raise ImportError('it needs TensorFlow 99')", "4.1.0", "TensorFlow 99"),
        ("check", "import nowhere.to.be.found", "2.3.4", "No module named 'nowhere'"),
        ("schema", "__version__ = '5.6'", "", "it has no layer Dense"),
        *(
            pytest.param(*case, marks=pytest.mark.sweep)
            for case in (
                ("layers", "import os; os._exit(7)", "3.99.0", "exit code 7"),
                ("summary", "def (", "3.98.0", "SyntaxError"),
            )
        ),
    ],
)
def test_a_keras_that_cannot_say_is_named(
    tmp_path: Path, verb: str, init: str, version: str, why: str
) -> None:
    fake(tmp_path, init, version)
    spec = [str(SPEC)] if verb in ("check", "summary") else []
    done = command(tmp_path, verb, *spec)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: cannot tell what Keras {version or '5.6'} in ")
    assert why in line
    assert f'pip install "keras>={OLDEST}"' in line


def test_keras_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_package, "find_spec", lambda _: None)
    with pytest.raises(KerasError, match="Keras is not installed: pip install"):
        catalog_package._keras()


def test_a_folder_named_keras_is_not_keras(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "keras").mkdir()
    monkeypatch.setattr(
        catalog_package,
        "find_spec",
        lambda name: importlib.machinery.PathFinder.find_spec(name, [str(tmp_path)]),
    )
    with pytest.raises(KerasError, match="Keras is not installed"):
        catalog_package._keras()
