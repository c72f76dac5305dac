"""The static catalogue against the Keras that it describes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import modelspec.catalog as catalog_package
from modelspec.catalog import FAMILIES, Catalog, Family, load
from modelspec.catalog.disallowed import DISALLOWED, NOT_IN_EVERY_KERAS
from modelspec.catalog.source import Source
from modelspec.catalog.survey import survey
from modelspec.checks.arguments import check_arguments

CLASSES = [family for family in FAMILIES if family != "operation"]
"""The families of classes; operations are functions: see test_catalog_of_operations.py."""

# Reads what the catalogue says, on stdin, and answers with what Keras itself says.
REALITY = """
import inspect, json, sys
import keras

PACKAGES = {
    "layer": keras.layers, "optimizer": keras.optimizers, "loss": keras.losses,
    "metric": keras.metrics, "initializer": keras.initializers,
    "regularizer": keras.regularizers, "constraint": keras.constraints,
    "schedule": keras.optimizers.schedules, "callback": keras.callbacks,
    "activation": keras.activations,
}

def signature(value):
    if not inspect.isclass(value):
        return None
    init = inspect.signature(value.__init__).parameters.values()
    return {
        p.name: [p.default is p.empty, p.default if plain(p.default) else None]
        for p in init if p.name != "self" and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }

def plain(value):
    if isinstance(value, (list, tuple)):
        return all(plain(item) for item in value)
    return value is None or type(value) in (bool, int, float, str)

def means(package, alias):
    try:
        value = package.get(alias)
    except Exception:
        return None
    return value.__name__ if inspect.isfunction(value) else type(value).__name__

answer = {}
for family, question in json.load(sys.stdin).items():
    package = PACKAGES[family]
    objects = {name: getattr(package, name, None) for name in question["names"]}
    answer[family] = {
        "public": [name for name in dir(package) if not name.startswith("_")],
        "signatures": {name: signature(value) for name, value in objects.items() if value},
        "own": {name: value.__name__ for name, value in objects.items() if value},
        "aliases": {a: means(package, a) for a in question["aliases"] if hasattr(package, "get")},
    }
print(json.dumps({"version": keras.__version__, "families": answer}))
"""


@pytest.fixture(scope="module")
def reality() -> dict[str, Any]:
    catalog = load()
    question = {
        family: {"names": catalog.names(family), "aliases": catalog.known(family)}
        for family in CLASSES
    }
    done = subprocess.run(
        [sys.executable, "-c", REALITY],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"KERAS_BACKEND": "jax"},
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def by_shape(family: Family) -> set[str]:
    return {"metric": {"acc", "accuracy"}, "loss": {"ce", "crossentropy"}}.get(family, set())


@pytest.mark.process
def test_describes_the_installed_version(reality: dict[str, Any]) -> None:
    assert load().version == reality["version"]


@pytest.mark.process
@pytest.mark.parametrize("family", CLASSES)
def test_every_entry_is_public_and_has_keras_own_arguments(
    reality: dict[str, Any], family: Family
) -> None:
    catalog = load()
    signatures = reality["families"][family]["signatures"]
    entries = [catalog.find(family, name) for name in catalog.names(family)]
    # Models of keras.applications are layers here: see test_applications.py.
    names = {entry.name for entry in entries if entry is not None and entry.module is None}
    assert names == set(signatures) | by_shape(family)
    for name, real in signatures.items():
        entry = catalog.find(family, name)
        assert entry is not None
        assert entry.function == (real is None), name
        own = real or {}
        assert own.keys() <= entry.arguments.keys(), name
        required = {argument.name for argument in entry.arguments.values() if argument.required}
        assert required == {argument for argument, (needed, _) in own.items() if needed}, name


@pytest.mark.process
@pytest.mark.parametrize("family", CLASSES)
def test_defaults_of_keras_raise_no_alarm(reality: dict[str, Any], family: Family) -> None:
    catalog = load()
    beside = {"name", "trainable", "dtype"} if family == "layer" else set()
    for name, real in reality["families"][family]["signatures"].items():
        entry = catalog.find(family, name)
        assert entry is not None
        defaults = {
            problem: default
            for problem, (required, default) in (real or {}).items()
            if not required and problem not in beside
        }
        problems = check_arguments(catalog, entry, defaults, ("x",))
        assert [problem for problem in problems if problem.code != "missing-argument"] == [], name


@pytest.mark.process
@pytest.mark.parametrize("family", CLASSES)
def test_names_mean_what_keras_takes_them_for(reality: dict[str, Any], family: Family) -> None:
    own = reality["families"][family]["own"]
    for alias, meant in reality["families"][family]["aliases"].items():
        entry = load().find(family, alias)
        assert entry is not None
        # Keras cannot get every public name by its text (`Lamb`); then there is nothing to compare.
        if meant is not None and alias not in by_shape(family):
            assert own[entry.name] == meant, alias


@pytest.mark.process
@pytest.mark.parametrize("family", CLASSES)
def test_refused_names_are_keras_names(reality: dict[str, Any], family: Family) -> None:
    listed = set(DISALLOWED[family]) - NOT_IN_EVERY_KERAS.get(family, frozenset())
    assert listed <= set(reality["families"][family]["public"])
    assert NOT_IN_EVERY_KERAS.get(family, frozenset()) <= set(DISALLOWED[family])


@pytest.mark.parametrize(
    ("family", "alias", "name"),
    [
        ("optimizer", "adam", "Adam"),
        ("optimizer", "ADAMW", "AdamW"),
        ("loss", "mse", "mean_squared_error"),
        ("loss", "ce", "ce"),
        ("metric", "mse", "MeanSquaredError"),
        ("metric", "binary_accuracy", "BinaryAccuracy"),
        ("metric", "acc", "acc"),
        ("metric", "accuracy", "accuracy"),
        ("initializer", "zeros", "Zeros"),
        ("initializer", "glorot_uniform", "GlorotUniform"),
        ("initializer", "normal", "RandomNormal"),
        ("regularizer", "l2", "L2"),
        ("constraint", "max_norm", "MaxNorm"),
        ("activation", "swish", "silu"),
        ("layer", "Convolution2D", "Conv2D"),
        ("layer", "GroupQueryAttention", "GroupQueryAttention"),
    ],
)
def test_aliases(family: Family, alias: str, name: str) -> None:
    entry = load().find(family, alias)
    assert entry is not None
    assert entry.name == name
    assert alias in load().known(family) or family == "optimizer"


@pytest.mark.parametrize("name", ["dense", "add", "concatenate", "serialize", "relu"])
def test_layers_go_by_their_class_name_only(name: str) -> None:
    assert load().find("layer", name) is None


@pytest.mark.parametrize(
    ("family", "name"),
    [
        *[(family, name) for family, names in DISALLOWED.items() for name in names],
        ("activation", "threshold"),
    ],
)
def test_refused_names_are_found_with_a_reason_but_not_offered(family: Family, name: str) -> None:
    entry = load().find(family, name)
    assert entry is not None
    assert entry.refused
    assert name not in load().names(family)
    assert name not in load().known(family)


@pytest.mark.parametrize(
    ("family", "name", "argument", "kinds"),
    [
        ("layer", "Dense", "units", {"int"}),
        ("layer", "Dense", "use_bias", {"bool"}),
        ("layer", "Dropout", "rate", {"float"}),
        ("layer", "Conv1D", "kernel_size", {"int", "list"}),
        ("layer", "Embedding", "mask_zero", {"bool"}),
        ("layer", "Reshape", "target_shape", {"list"}),
        ("layer", "RNN", "cell", {"object", "list"}),
        ("optimizer", "Adam", "learning_rate", {"float", "object"}),
        ("schedule", "CosineDecay", "decay_steps", {"float", "int"}),
        ("callback", "ModelCheckpoint", "filepath", {"str"}),
    ],
)
def test_kinds(family: Family, name: str, argument: str, kinds: set[str]) -> None:
    entry = load().find(family, name)
    assert entry is not None
    assert entry.arguments[argument].kinds == kinds


def test_what_an_entry_tells() -> None:
    entry = load().find("layer", "LSTM")
    assert entry is not None
    assert {"name", "trainable", "dtype", "zero_output_for_mask"} <= entry.arguments.keys()
    assert "cell" not in entry.arguments, "LSTM gives RNN its cell itself"
    assert entry.arguments["kernel_initializer"].family == "initializer"
    assert entry.arguments["recurrent_activation"].family == "activation"
    assert entry.arguments["units"].help == (
        "Positive integer, dimensionality of the output space."
    )
    assert entry.arguments["activation"].default == "'tanh'"
    assert entry.call_arguments == ("sequences", "initial_state", "mask", "training")
    assert entry.help.startswith("Long Short-Term Memory layer")
    assert "Args:" in entry.doc
    adam = load().find("optimizer", "Adam")
    assert adam is not None
    assert adam.arguments["clipnorm"].help.startswith("Float."), "from the shared docstring"
    conv = load().find("layer", "Conv1D")
    assert conv is not None
    assert conv.arguments["padding"].choices == ("valid", "same", "causal")


@pytest.mark.process
def test_loads_no_framework(tmp_path: Path) -> None:
    program = (
        "import sys; from modelspec.catalog import load; load().find('layer', 'Dense');"
        "print({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))"
    )
    for _ in ("cold", "cached"):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)},
        )
        assert done.stdout.strip() == "set()"
    assert len(list((tmp_path / "modelspec").iterdir())) == 1


@pytest.fixture
def surveys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Source]:
    """Counts surveys, each of which finds a very small Keras."""
    made: list[Source] = []

    def small(source: Source) -> dict[str, Any]:
        made.append(source)
        entry = {"doc": "It is offered.", "refused": None}
        families = {family: {"entries": {"Dense": entry}, "aliases": {}} for family in FAMILIES}
        return {"version": "0", "arguments": [], "families": families}

    monkeypatch.setattr("modelspec.catalog.survey.survey", small)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return made


def read() -> dict[str, Any]:
    return catalog_package._read(catalog_package._keras())


def test_surveys_once(surveys: list[Source]) -> None:
    assert read() == read()
    assert len(surveys) == 1


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"{}", b"x\n{}", b"0" * 64 + b"\n{}"])
def test_a_damaged_cache_is_rebuilt(surveys: list[Source], tmp_path: Path, damage: bytes) -> None:
    whole = read()
    [path] = (tmp_path / "modelspec" / "catalog").iterdir()
    stored = path.read_bytes()
    for bad in (damage, stored[:-1]):
        path.write_bytes(bad)
        assert read() == whole
        assert path.read_bytes() == stored
    assert len(surveys) == 3


def test_a_folder_that_cannot_be_written_is_no_matter(
    surveys: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert read()["version"] == "0"

    def refuse(**_: object) -> None:
        raise PermissionError

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("tempfile.mkstemp", refuse)
    assert read()["version"] == "0"
    assert len(surveys) == 2


def test_a_failed_write_leaves_nothing_behind(
    surveys: list[Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "replace", refuse)
    assert read()["version"] == "0"
    assert list((tmp_path / "modelspec" / "catalog").iterdir()) == []
    assert len(surveys) == 1


STRANGE = """
from elsewhere import Base
from keras.src.gone import Other
class Strange(Base):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
class Odd(Other):
    pass
class Taker:
    def __init__(self, a, *, b=2**3, **kwargs):
        self.settings = kwargs
"""


@pytest.fixture
def strange(tmp_path: Path) -> Catalog:
    """A Keras of which little can be read."""
    (tmp_path / "layers").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "strange.py").write_text(STRANGE)
    (tmp_path / "src" / "broken.py").write_text("def (:")
    (tmp_path / "layers" / "__init__.py").write_text(
        "from keras.src.strange import Strange as Strange, Odd as Odd, Taker as Taker\n"
        "from keras.src.broken import Broken as Broken\n"
    )
    return Catalog(survey(Source("keras", tmp_path)))


def test_what_cannot_be_read_is_left_open(strange: Catalog) -> None:
    assert strange.version == "unknown"
    assert strange.names("layer") == ("Odd", "Strange", "Taker")
    for name in strange.names("layer"):
        entry = strange.find("layer", name)
        assert entry is not None
        assert entry.extra, name
    taker = strange.find("layer", "Taker")
    assert taker is not None
    assert [(argument.name, argument.default) for argument in taker.arguments.values()] == [
        ("a", None),
        ("b", "2 ** 3"),
    ]
    assert strange.find("layer", "Lambda"), "refused names are refused whatever Keras says"
    assert strange.names("optimizer") == ()
