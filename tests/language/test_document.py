"""Documents: the places of routes in the text, and files that cannot be read."""

import io
import sys
from pathlib import Path

import pytest

from modelspec.language.document import Document, read, read_text
from modelspec.language.overrides import apply_overrides
from modelspec.problems.diagnostic import Anchor, Route, Span
from modelspec.problems.problem import Place

TEXT = """\
modelspec: 1
inputs:
  x: {shape: [4, null]}
shared: &s {units: 3}
layers:
  - Dense: {units: 3}
    name: first
  - Flatten
  - Dense: *s
  - Dense:
      <<: *s
outputs: y
"""


def document(text: str = TEXT, *options: str) -> Document:
    read_document, problems = read_text(text, "spec.yaml")
    assert problems == []
    assert read_document is not None
    changed, problems = apply_overrides(read_document, options)
    assert problems == []
    return changed


PLACES: list[tuple[Route, Anchor, Span]] = [
    (("modelspec",), "key", Span(1, 1, 1, 10)),
    (("modelspec",), "value", Span(1, 12, 1, 13)),
    (("inputs", "x", "shape"), "key", Span(3, 7, 3, 12)),
    (("inputs", "x", "shape"), "value", Span(3, 14, 3, 23)),
    (("inputs", "x", "shape", 1), "value", Span(3, 18, 3, 22)),
    (("inputs", "x"), "value", Span(3, 6, 3, 24)),
    (("layers", 0), "value", Span(6, 5, 7, 16)),
    (("layers", 0), "key", Span(6, 5, 6, 10)),
    (("layers", 0, "Dense", "units"), "key", Span(6, 13, 6, 18)),
    (("layers", 0, "name"), "value", Span(7, 11, 7, 16)),
    (("layers", 1), "key", Span(8, 5, 8, 12)),
    (("layers", 1), "value", Span(8, 5, 8, 12)),
    # An alias and a merge have the place where they are written.
    (("layers", 2, "Dense", "units"), "value", Span(4, 20, 4, 21)),
    (("layers", 3, "Dense", "units"), "key", Span(4, 13, 4, 18)),
    # Of a missing route, the longest existing part is located.
    (("layers", 0, "Dense", "activation"), "value", Span(6, 5, 6, 10)),
    (("layers", 0, "from", 2), "value", Span(6, 5, 7, 16)),
    (("layers", 1, "Flatten", "data_format"), "key", Span(8, 5, 8, 12)),
    (("layers", 9), "value", Span(5, 1, 5, 7)),
    (("inputs", "y", "shape"), "key", Span(2, 1, 2, 7)),
    (("losses",), "value", Span(1, 1, 1, 1)),
    (("losses", "y"), "key", Span(1, 1, 1, 1)),
    (("layers", "0"), "value", Span(5, 1, 5, 7)),
    (("layers", -1), "value", Span(5, 1, 5, 7)),
]


@pytest.mark.parametrize(("route", "anchor", "span"), PLACES)
def test_locate(route: Route, anchor: Anchor, span: Span) -> None:
    assert document().locate(route, anchor) == Place("spec.yaml", span)


def test_the_top() -> None:
    assert document().locate(()).span == Span(1, 1, 12, 11)


OPTION = "layers.0.Dense.units={a: [1, x]}"


@pytest.mark.parametrize(
    ("route", "anchor", "span"),
    [
        (("layers", 0, "Dense", "units"), "value", Span(1, 22, 1, 33)),
        (("layers", 0, "Dense", "units"), "key", Span(1, 16, 1, 21)),
        (("layers", 0, "Dense", "units", "a"), "key", Span(1, 23, 1, 24)),
        (("layers", 0, "Dense", "units", "a", 1), "value", Span(1, 30, 1, 31)),
        (("layers", 0, "Dense", "units", "b"), "value", Span(1, 16, 1, 21)),
    ],
)
def test_overridden_values_stand_in_the_option(route: Route, anchor: Anchor, span: Span) -> None:
    assert document(TEXT, OPTION).locate(route, anchor) == Place(f"--set {OPTION}", span)


def test_what_surrounds_an_overridden_value_stays() -> None:
    changed = document(TEXT, OPTION)
    for route in (("layers", 0, "Dense"), ("layers", 0), ("layers", 0, "name"), ("layers",)):
        for anchor in ("key", "value"):
            assert changed.locate(route, anchor) == document().locate(route, anchor)


def test_data_and_text() -> None:
    read_document = document()
    assert read_document.text == TEXT
    assert read_document.data["layers"][2:] == [{"Dense": {"units": 3}}] * 2
    assert read_document.data is read_document.data


def test_read_a_file(tmp_path: Path) -> None:
    path = tmp_path / "é.yaml"
    path.write_text(TEXT, encoding="utf-8")
    read_document, problems = read(path)
    assert problems == []
    assert read_document is not None
    assert (read_document.name, read_document.text) == (str(path), TEXT)


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_unreadable(tmp_path: Path, name: str) -> None:
    read_document, [problem] = read(tmp_path / name)
    assert read_document is None
    assert (problem.code, problem.file) == ("spec-not-read", str(tmp_path / name))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a: \xc3\xa9\n")))
    read_document, _ = read("-")
    assert read_document is not None
    assert (read_document.name, read_document.data) == ("<stdin>", {"a": "é"})


def test_problems_name_their_file() -> None:
    read_document, problems = read_text("a: 1\na: 2\nb: !x 1\n", "f.yaml")
    assert read_document is None
    assert [(problem.code, problem.file) for problem in problems] == [
        ("duplicate-key", "f.yaml"),
        ("yaml-tag", "f.yaml"),
    ]
