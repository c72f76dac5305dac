"""Keras's results are cached for exactly the same graph."""

from pathlib import Path
from typing import Any

import pytest

import modelspec
from modelspec.api import check_cache

pytestmark = pytest.mark.keras

SPEC = """
modelspec: 1
inputs: {x: {shape: [4]}}
layers:
  - Dense: {units: 3}
    name: h
  - LSTM: {units: 2}
    from: h
    name: out
outputs: h
"""


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Count the calls of Keras."""
    from modelspec.backend.model import compiling, shapes

    asked: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for module, name in ((shapes, "check_shapes"), (compiling, "build_model")):
        original = getattr(module, name)

        def counted(
            *arguments: Any, _name: str = name, _original: Any = original, **named: Any
        ) -> Any:
            asked.append(_name)
            return _original(*arguments, **named)

        monkeypatch.setattr(module, name, counted)
    return asked


def test_problems_are_the_same_from_memory(judged: list[str]) -> None:
    first, second = (modelspec.loads(SPEC).check() for _ in range(2))
    assert [problem.code for problem in first] == ["unused-layer", "shape-mismatch"]
    assert first == second
    assert judged == ["check_shapes"]


def test_a_change_is_judged_anew(judged: list[str]) -> None:
    modelspec.loads(SPEC).check()
    modelspec.loads(SPEC, ["layers.h.Dense.units=4"]).check()
    modelspec.loads("\n" + SPEC, []).check()
    assert judged == ["check_shapes"] * 2, "an empty line moves places, and changes no shape"


def test_a_summary_is_the_same_from_memory(judged: list[str]) -> None:
    spec = SPEC.replace("  - LSTM: {units: 2}\n    from: h\n    name: out\n", "")
    first, second = (modelspec.loads(spec).summary() for _ in range(2))
    assert first == second
    assert first.params.total == 15
    modelspec.loads(spec, ["training.precision=float64"]).summary()
    assert judged == ["build_model"] * 2


def test_damage_is_no_matter(judged: list[str], tmp_path: Path) -> None:
    expected = modelspec.loads(SPEC).check()
    [path] = (tmp_path / "modelspec" / "shapes").iterdir()
    path.write_bytes(path.read_bytes()[:-2])
    assert modelspec.loads(SPEC).check() == expected
    assert judged == ["check_shapes"] * 2


def test_other_code_forgets(judged: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    modelspec.loads(SPEC).check()
    monkeypatch.setattr(check_cache, "graph_key", lambda *_: "other")
    modelspec.loads(SPEC).check()
    assert judged == ["check_shapes"] * 2
