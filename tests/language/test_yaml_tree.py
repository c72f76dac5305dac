"""YAML text → a tree with places: scalars of YAML 1.2, merges, bounds, and mistakes."""

import math
from typing import Any

import pytest
import yaml
from ending import bounded

from modelspec.language import yaml_tree as yamltree
from modelspec.language.document import read_bytes, read_text
from modelspec.language.yaml_nodes import YamlNode
from modelspec.language.yaml_tree import parse, resolve_scalar
from modelspec.problems.diagnostic import Diagnostic, Span

SCALARS: list[tuple[str, Any]] = [
    ("1", 1),
    ("+12", 12),
    ("-7", -7),
    ("007", 7),
    ("0o17", 15),
    ("-0o17", "-0o17"),
    ("0x1F", 31),
    ("0b11", "0b11"),
    ("1_000", "1_000"),
    ("9" * 400, int("9" * 400)),
    ("1.5", 1.5),
    ("1.", 1.0),
    (".5", 0.5),
    ("-.5", -0.5),
    ("1e-3", 1e-3),
    ("1E3", 1000.0),
    ("3e+8", 3e8),
    ("1.e3", 1000.0),
    ("e3", "e3"),
    (".", "."),
    ("-", "-"),
    ("1e", "1e"),
    ("1e999", math.inf),
    (".inf", math.inf),
    ("-.Inf", -math.inf),
    ("+.INF", math.inf),
    ("inf", "inf"),
    (".iNf", ".iNf"),
    ("-.nan", "-.nan"),
    ("nan", "nan"),
    ("true", True),
    ("False", False),
    ("TRUE", True),
    ("tRue", "tRue"),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("null", None),
    ("Null", None),
    ("NULL", None),
    ("~", None),
    ("", None),
    ("none", "none"),
    ("12:30:00", "12:30:00"),
    ("2001-01-01", "2001-01-01"),
    ("1.2.3", "1.2.3"),
    ("0x", "0x"),
    ("0o8", "0o8"),
    ("١٢", "١٢"),
    ("=", "="),
]


def tree(text: str) -> YamlNode:
    root, problems = parse(text)
    assert problems == []
    assert root is not None
    return root


def faults(text: str) -> list[tuple[str, int, int]]:
    _, problems = parse(text)
    return [(problem.code, *_start(problem)) for problem in problems]


def _start(problem: Diagnostic) -> tuple[int, int]:
    assert problem.span is not None
    return problem.span.line, problem.span.column


def entry(node: YamlNode, *steps: str | int) -> YamlNode:
    for step in steps:
        content: Any = node.content
        node = content[step].value if isinstance(content, dict) else content[step]
    return node


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_core_scalars(text: str, value: Any) -> None:
    value_read = resolve_scalar(text)
    assert value_read == value
    assert type(value_read) is type(value)
    if text != "-":
        assert tree(f"- {text}").data() == [value]
    quoted = tree(f"- '{text}'\n- \"{text}\"").data()
    assert quoted == [text, text]


def test_nan() -> None:
    value = resolve_scalar(".nan")
    assert isinstance(value, float)
    assert math.isnan(value)


def test_block_scalars_are_text() -> None:
    assert tree("a: |\n  12\nb: >-\n  true\n  x\n").data() == {"a": "12\n", "b": "true x"}


PLAIN = """\
# comment
top: &t {a: 1, "b c": [x, 'y: z', -3], d: }
block:
  - p: q
    r:
    - 1.5
    - - deep
      - true
  - |
    text
  - *t
? long key
: "\\u00e9\\t"
"""


def test_agrees_with_another_loader() -> None:
    # Nothing in it reads differently in YAML 1.1 and 1.2.
    assert tree(PLAIN).data() == yaml.safe_load(PLAIN)


def test_pure_python_parser_gives_the_same_data(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tree(PLAIN).data()
    monkeypatch.setattr(yamltree, "_LOADER", yaml.SafeLoader)
    assert tree(PLAIN).data() == expected
    assert faults("a: [1") == [("yaml-syntax", 1, 6)]
    assert faults('a: "x') == [("yaml-syntax", 1, 4)]


def test_places() -> None:
    root = tree("a:\n  - b: 10\n    c: [1,\n      22]\n  - dd\ne: 'x'  # comment\n\n")
    assert entry(root, "a", 0, "b").span == Span(2, 8, 2, 10)
    assert entry(root, "a", 0, "c").span == Span(3, 8, 4, 10)
    assert entry(root, "a", 0).span == Span(2, 5, 4, 10)
    assert entry(root, "a").span == Span(2, 3, 5, 7)
    assert entry(root, "e").span == Span(6, 4, 6, 7)
    assert root.span == Span(1, 1, 6, 7)


def test_columns_count_characters() -> None:
    root = tree("é: {ключ: 值, 😀: x}")
    assert entry(root, "é", "ключ").span == Span(1, 11, 1, 12)
    assert entry(root, "é", "😀").span == Span(1, 17, 1, 18)
    assert faults("é: ü: 1") == [("yaml-syntax", 1, 5)]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings(ending: str) -> None:
    text = ending.join(["a: 1", "b:", "  - x", "c: y: z"])
    assert faults(text) == [("yaml-syntax", 4, 5)]
    good = tree(text.replace("y: z", "é"))
    assert good.data() == {"a": 1, "b": ["x"], "c": "é"}
    assert entry(good, "c").span == Span(4, 4, 4, 5)


def test_byte_order_mark() -> None:
    document, problems = read_bytes(b"\xef\xbb\xbfa: 1\n", "f")
    assert problems == []
    assert document is not None
    assert document.data == {"a": 1}
    assert document.locate(("a",), "key").span == Span(1, 1, 1, 2)


def test_duplicate_key_names_both_places() -> None:
    root, [problem] = parse("a: 1\nb: 2\na: 3\n")
    assert (problem.code, problem.span) == ("duplicate-key", Span(3, 1, 3, 2))
    assert [related.span for related in problem.related] == [Span(1, 1, 1, 2)]
    assert root is not None
    assert root.data() == {"a": 1, "b": 2}


@pytest.mark.parametrize("text", ["{a: 1, a: 1}", "{a: 1, 'a': 2}", "{1: a, 0x1: b}"])
def test_equal_keys_are_duplicates(text: str) -> None:
    assert [code for code, _, _ in faults(text)] == ["duplicate-key"]


def test_quoted_number_is_another_key() -> None:
    assert tree("{1: a, '1': b}").data() == {1: "a", "1": "b"}


@pytest.mark.parametrize(
    "text", ["true: 1", "1.5: 1", "~: 1", "? [a]\n: 1", "? {a: b}\n: 1", "[a, b]: 1"]
)
def test_bad_keys(text: str) -> None:
    assert [code for code, _, _ in faults(text)] == ["bad-key"]


@pytest.mark.parametrize(
    "value",
    ["!!python/object/apply:os.system [x]", "!x 1", "! 1", "!!str 1", "!!binary aGk=", "!!set {a}"],
)
def test_tags(value: str) -> None:
    assert faults(f"k: {value}") == [("yaml-tag", 1, 4)]


def test_merge_order() -> None:
    root = tree("base: &b {x: 1, y: 2}\nuse:\n  y: 9\n  <<: *b\n  z: 3\n")
    assert root.data()["use"] == {"y": 9, "z": 3, "x": 1}


def test_merge_of_a_list_prefers_the_first() -> None:
    text = "p: &p {x: 1, y: 1}\nq: &q {x: 2, z: 2}\nuse: {<<: [*p, *q, {w: 3, z: 3}], y: 0}\n"
    assert tree(text).data()["use"] == {"y": 0, "x": 1, "z": 2, "w": 3}
    assert yaml.safe_load(text)["use"] == tree(text).data()["use"]


def test_merge_through_a_merge() -> None:
    text = "a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b, z: 3}\n"
    assert tree(text).data()["c"] == {"x": 1, "y": 2, "z": 3}


def test_merged_entries_stand_where_they_are_written() -> None:
    root = tree("base: &b {x: 1}\nuse:\n  <<: *b\n")
    content = entry(root, "use").content
    assert isinstance(content, dict)
    assert content["x"].key == Span(1, 11, 1, 12)
    assert content["x"].value.span == Span(1, 14, 1, 15)


def test_quoted_merge_key_is_a_key() -> None:
    assert tree("'<<': {a: 1}").data() == {"<<": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "column"), [("<<: 1", 5), ("<<: [{a: 1}, 2]", 14), ("<<:", 4), ("<<: [[{}]]", 6)]
)
def test_bad_merge(text: str, column: int) -> None:
    assert faults(text) == [("bad-merge", 1, column)]


def test_unknown_alias_is_one_mistake() -> None:
    assert faults("a: *x\n") == [("unknown-alias", 1, 4)]
    assert faults("<<: *x\n") == [("unknown-alias", 1, 5)]
    assert faults("a: *x\nb: &x 1\n") == [("unknown-alias", 1, 4)]


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {<<: *a}", "&a {b: {c: [*a]}}"])
def test_recursive_alias(text: str) -> None:
    assert [code for code, _, _ in faults(text)] == ["recursive-alias"]


def test_anchor_given_twice_means_the_last() -> None:
    assert tree("[&a 1, *a, &a 2, *a]").data() == [1, 1, 2, 2]


def bomb(width: int, height: int) -> str:
    lines = ["a0: &a0 [" + "x," * width + "]"]
    lines += [f"a{k}: &a{k} [" + f"*a{k - 1}," * width + "]" for k in range(1, height)]
    return "\n".join(lines)


def merge_bomb() -> str:
    first = "a0: &a0 {" + ", ".join(f"k{k}: x" for k in range(500)) + "}"
    others = [f"a{k}: &a{k} {{<<: [{', '.join([f'*a{k - 1}'] * 50)}]}}" for k in range(1, 5)]
    return "\n".join([first, *others])


def deep_by_aliases() -> str:
    lines = ["a0: &a0 " + "[" * 60 + "]" * 60]
    lines += [f"a{k}: &a{k} " + "[" * 30 + f"*a{k - 1}" + "]" * 30 for k in range(1, 100)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (bomb(9, 12), "too-large"),
        (merge_bomb(), "too-large"),
        ("[" * 100_000, "too-deep"),
        ("{a: " * 100_000, "too-deep"),
        ("- " * 100_000, "too-deep"),
        ("? " * 100_000, "too-deep"),
        (deep_by_aliases(), "too-deep"),
    ],
    ids=["aliases", "merges", "lists", "mappings", "blocks", "keys", "aliases in depth"],
)
def test_bounds(text: str, code: str) -> None:
    with bounded():
        root, problems = parse(text)
    assert root is None
    assert [problem.code for problem in problems] == [code]


def test_values_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yamltree, "MAX_NODES", 10)
    assert len(tree("[" + "x," * 9 + "]").data()) == 9
    assert faults("[" + "x," * 10 + "]") == [("too-large", 1, 20)]
    assert faults("- &a [1, 2, 3]\n- *a\n- *a\n") == [("too-large", 3, 3)]


def test_just_within_bounds() -> None:
    assert tree("[" * 64 + "]" * 64).data() is not None
    assert faults("[" * 66 + "]" * 66)[0][0] == "too-deep"


SYNTAX = [
    ("a:\n\tb: 1\n", 2, 1, "indent with spaces, not tabs"),
    ('a: 1\nb: "x\nc: 2\n', 2, 4, "never closed"),
    ("b: 'x", 1, 4, "never closed"),
    ("- D: {units: ${n}, x: 1}", 1, 15, "quotes"),
    ("- D: {units: [${n}]}", 1, 16, "quotes"),
    ("a:\n   b: 1\n  c: 2\n", 3, 3, "indentation"),
    ("layers:\n- Dense: {units: 3}\n   name: x\n", 3, 4, "indentation"),
    ("a: b: c", 1, 5, "': '"),
    ("a: {x: 1\nb: 3\n", 2, 2, "{ of line 1"),
    ("a:\n  b: [1, 2\nc: 3\n", 3, 2, "[ of line 2"),
    ("a: [1, 2 3: 4]]", 1, 15, "indentation"),
    ("a: 1\nname:x\nb: 2", 2, 1, "colon and a space"),
    ("a: @x", 1, 4, "starts with @"),
    ("a: `x`", 1, 4, "starts with `"),
    ("a: %x", 1, 4, "starts with %"),
    ("a: *.h5", 1, 5, "starts with *"),
    ("a: &.h5", 1, 5, "starts with &"),
    ("a: 'it's'", 1, 8, "quotes"),
    ('a: "x" y', 1, 8, "quotes"),
    ("- a\nb: 1", 2, 1, "indentation"),
]


@pytest.mark.parametrize(("text", "line", "column", "hint"), SYNTAX)
def test_syntax_errors(text: str, line: int, column: int, hint: str) -> None:
    root, [problem] = parse(text)
    assert root is None
    assert (problem.code, *_start(problem)) == ("yaml-syntax", line, column)
    assert problem.message.startswith("not YAML: ")
    assert problem.hint is not None
    assert hint in problem.hint


def test_tabs_elsewhere_are_not_blamed() -> None:
    _, [problem] = parse("a:\t1: 2\n")
    assert problem.hint != "indent with spaces, not tabs"
    assert tree("a:\t1\t# x\n").data() == {"a": 1}


def test_problems_before_a_syntax_error_are_kept() -> None:
    assert faults("a: 1\na: 2\nb: {\n")[0] == ("duplicate-key", 2, 1)


def test_several_documents() -> None:
    assert faults("a: 1\n---\nb: 2\n") == [("several-documents", 2, 1)]
    assert tree("---\na: 1\n...\n").data() == {"a": 1}


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: x\x00y", 1, 5),
        ("a: 1\nb: \x1b[2J", 2, 4),
        ("a: x\x85\x9b", 2, 1),
        ("\ud800", 1, 1),
        ("a: \ufffe", 1, 4),
        ('a: 1\nb: "\\0"', 2, 4),
        ('"\\0name": 1', 1, 1),
        ('a: "\\e[2J"', 1, 4),
    ],
)
def test_control_characters(text: str, line: int, column: int) -> None:
    assert faults(text) == [("not-text", line, column)]


@pytest.mark.parametrize(
    ("raw", "line", "column"),
    [(b"a: \xff", 1, 4), ("a: é\nb: ".encode() + b"\xe9 x", 2, 4), ("a: 1".encode("utf-16"), 1, 1)],
)
def test_not_utf8(raw: bytes, line: int, column: int) -> None:
    document, [problem] = read_bytes(raw, "f")
    assert document is None
    assert (problem.code, *_start(problem), problem.file) == ("not-utf8", line, column, "f")


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "  \n# x"])
def test_empty(text: str) -> None:
    document, [problem] = read_text(text)
    assert document is None
    assert problem.code == "empty-spec"


@pytest.mark.parametrize("text", ["- a", "x", "---\n", "12", "~"])
def test_not_a_mapping(text: str) -> None:
    document, [problem] = read_text(text)
    assert document is None
    assert problem.code == "not-a-mapping"


def test_too_many_bytes() -> None:
    document, [problem] = read_bytes(b"#" * 8_000_001, "f")
    assert document is None
    assert problem.code == "too-large"


def test_long_digits_end() -> None:
    with bounded():
        assert tree("a: " + "1" * 1_000_000).data() == {"a": math.inf}
