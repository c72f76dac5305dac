"""Model files made to harm: each is answered with one error, in bounded time and memory."""

import io
import json
import resource
import zipfile
from pathlib import Path
from typing import Any

import pytest

import modelspec
from modelspec.problems.errors import ModelError

TENSOR = {"shape": [None, 4], "dtype": "float32"}


def tensor(name: str) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {**TENSOR, "keras_history": [name, 0, 0]}}


def input_layer(name: str = "x") -> dict[str, Any]:
    config = {"batch_shape": [None, 4], "dtype": "float32", "name": name}
    return {"class_name": "InputLayer", "config": config, "name": name, "inbound_nodes": []}


def layer(name: str, source: str, kind: str = "Dense", **config: Any) -> dict[str, Any]:
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, "units": 2, **config}
        if kind == "Dense"
        else {"name": name, **config},
        "name": name,
        "inbound_nodes": [{"args": [tensor(source)], "kwargs": {}}],
    }


def functional(*layers: Any, output: str = "y", name: str = "m") -> dict[str, Any]:
    config = {
        "name": name,
        "layers": [input_layer(), *layers],
        "input_layers": [["x", 0, 0]],
        "output_layers": [[output, 0, 0]],
    }
    return {"class_name": "Functional", "config": config}


def saved(path: Path, config: Any, *others: str) -> Path:
    raw = config if isinstance(config, bytes) else json.dumps(config).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("config.json", raw)
        for name in others:
            archive.writestr(name, b"x")
    return path


def nested(depth: int) -> dict[str, Any]:
    model = functional(layer("y", "x"))
    for level in range(depth):
        inner = {**model, "name": f"n{level}", "inbound_nodes": [{"args": [tensor("x")]}]}
        model = functional(inner, output=f"n{level}")
    return model


def many(layer: bytes) -> bytes:
    """Return the JSON of a million equal layers."""
    before, after = json.dumps(functional("LAYERS")).encode().split(b'"LAYERS"')
    return before + b", ".join([layer] * 1_000_000) + after


HOSTILE: dict[str, Any] = {
    "a bomb": b'{"class_name": "Functional", "config": "' + b"0" * (64 << 20) + b'"}',
    "a million layers": many(b'{"class_name": "Dense", "config": {}}'),
    "a million empty layers": many(b"{}"),
    "millions of lists": b"[" * 10 + b"[]," * 5_000_000 + b"[]" + b"]" * 10,
    "deep lists": b"[" * 200_000 + b"]" * 200_000,
    "deep mappings": b'{"config":' * 100_000 + b"1" + b"}" * 100_000,
    "deep models": nested(60),
    "a ring": functional(layer("a", "b"), layer("b", "a"), layer("y", "a")),
    "a layer on itself": functional(layer("y", "y")),
    "a call that is not there": functional(layer("y", "nobody")),
    "two layers of one name": functional(layer("y", "x"), layer("y", "x")),
    "no outputs": {**functional(), "config": {**functional()["config"], "output_layers": []}},
    "a subclassed model": {"class_name": "MyModel", "config": {}},
    "a number": b"1",
    "not JSON": b"{",
    "not text": b"\xff\xfe",
    "a long number": b'{"class_name": "Functional", "config": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_is_refused(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.keras", HOSTILE[name])
    before = resource.getrusage(resource.RUSAGE_SELF)
    with pytest.raises(ModelError) as raised:
        modelspec.import_model(path)
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert str(path) in str(raised.value)
    assert len(str(raised.value)) < 600
    # Generous, for busy machines: the benchmark is 2 s, of which most would be reading JSON.
    assert after.ru_utime - before.ru_utime < 20


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:/evil"])
def test_names_that_leave_the_archive(name: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "m.keras", functional(layer("y", "x")), name)
    with pytest.raises(ModelError, match="leaves the archive"):
        modelspec.import_model(path)


def test_files_that_are_not_models(tmp_path: Path) -> None:
    for raw, what in (
        (b"", "not a .keras"),
        (b"PK\x03\x04rubbish", "cannot be read"),
        (b"\x89HDF\r\n\x1a\n", "cannot"),
    ):
        (tmp_path / "m.keras").write_bytes(raw)
        with pytest.raises(ModelError, match=what):
            modelspec.import_model(tmp_path / "m.keras")
    with pytest.raises(ModelError, match="cannot read"):
        modelspec.import_model(tmp_path / "nothing.keras")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x.npy", b"")
    (tmp_path / "m.keras").write_bytes(buffer.getvalue())
    with pytest.raises(ModelError, match=r"no config\.json"):
        modelspec.import_model(tmp_path / "m.keras")


NAMES = [
    "a\nlayers: []",
    "${1 + 1}",
    "x: {y: z}",
    "# comment",
    "- item",
    "é☃\u2028\t",
    "1",
    "null",
    "*",
    "a" * 5000,
    "../../etc",
    "",
    "\ud800",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_are_never_read_as_yaml_or_expressions(name: str, tmp_path: Path) -> None:
    config = functional(layer(name or "q", "x"), output=name or "q", name=name)
    config["config"]["layers"][1]["config"]["bias_initializer"] = {
        "class_name": "Constant",
        "config": {"value": name},
    }
    imported = modelspec.import_model(saved(tmp_path / "m.keras", config, "model.weights.h5"))
    spec = modelspec.loads(imported.text)
    assert spec.graph is not None
    [node] = spec.graph.nodes
    assert node.type == "Dense"
    written = node.arguments["bias_initializer"]["Constant"]["value"]
    assert written == name.encode("utf-8", "replace").decode("utf-8")


@pytest.mark.parametrize("name", ["a.b", "${1 + 1}", "x: {y: z}", "a/../b", "inner"])
def test_models_inside_are_kept_by_plain_names_alone(name: str, tmp_path: Path) -> None:
    inner = {**functional(layer("y", "x"), name=name), "name": name}
    model = functional({**inner, "inbound_nodes": [{"args": [tensor("x")]}]}, output=name)
    path = saved(tmp_path / "m.keras", model, "model.weights.h5")
    imported = modelspec.import_model(path, tmp_path / "s.yaml", keep_nested=True)
    assert imported.problems == ()
    spec = modelspec.loads(imported.text, name=str(tmp_path / "s.yaml")).spec
    assert spec is not None
    kept = {key: source.layer for key, source in spec.models.items()}
    assert kept == ({"inner": "inner"} if name == "inner" else {})
    assert len(spec.blocks) == (name != "inner")


@pytest.mark.parametrize("name", ["x\ny", "${i}", "my in"])
def test_names_of_inputs_are_made_valid(name: str, tmp_path: Path) -> None:
    config = functional(layer("y", name))
    config["config"]["layers"][0] = input_layer(name)
    config["config"]["input_layers"] = [[name, 0, 0]]
    imported = modelspec.import_model(saved(tmp_path / "m.keras", config))
    spec = modelspec.loads(imported.text)
    assert not [problem for problem in spec.problems if problem.severity == "error"]
    assert imported.notes


def test_what_a_spec_cannot_hold_is_told_at_once_and_marked(tmp_path: Path) -> None:
    config = functional(
        layer("code", "x", "Lambda", function={"class_name": "__lambda__", "config": {}}),
        {**layer("own", "code", "Mine"), "module": "theirs", "registered_name": "theirs>Mine"},
        layer("odd", "own", activation={"class_name": "function", "config": "f", "module": "m"}),
        layer("y", "odd"),
    )
    config["compile_config"] = {"loss": {"class_name": "function", "config": "f", "module": "m"}}
    imported = modelspec.import_model(saved(tmp_path / "m.keras", config), tmp_path / "s.yaml")
    assert [problem.code for problem in imported.problems] == ["cannot-import"] * 4
    assert ["Lambda" in imported.problems[0].message, "Mine" in imported.problems[1].message] == [
        True
    ] * 2
    lines = imported.text.splitlines()
    for problem, name in zip(imported.problems[:3], ("code", "own", "odd"), strict=True):
        line = problem.place.span.line
        assert lines[line - 2].strip().startswith("# gap: ")
        assert name in lines[line - 1]
    assert "losses" not in imported.text
    assert "y" in imported.text


@pytest.mark.parametrize(
    "value", ["a\x00b", "\x1b[31m", 2**70, {"class_name": "Odd", "config": {}}]
)
def test_values_that_yaml_cannot_hold(value: Any, tmp_path: Path) -> None:
    config = functional(layer("a", "x", units=value), layer("y", "a"))
    imported = modelspec.import_model(saved(tmp_path / "m.keras", config))
    assert [problem.code for problem in imported.problems] == ["cannot-import"]
    assert modelspec.loads(imported.text).document is not None
