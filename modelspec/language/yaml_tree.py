"""YAML text → a tree in which every key and every value has its place.

PyYAML supplies the events; the tree is built here because its own loader reads YAML 1.1 scalars
(``1e-3`` a string, ``no`` False, ``12:30:00`` a number), keeps the last of two equal keys and
returns recursive aliases unchanged. Scalars follow the core schema of YAML 1.2, section 10.3.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from modelspec.language.yaml_errors import control_problem, end_of, syntax_problem
from modelspec.language.yaml_nodes import Scalar, YamlEntry, YamlNode
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Related, Span

MAX_NODES = 100_000
MAX_PROBLEMS = 1000
MAX_DEPTH = 64
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = {"", "~", "null", "Null", "NULL"}
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,400}|0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True, slots=True)
class _Anchored:
    """The node of an anchor, its values and its levels; the node is None while it is read."""

    node: YamlNode | None
    size: int = 0
    height: int = 0


def resolve_scalar(text: str) -> Scalar:
    """Return the value of a plain (unquoted) scalar under YAML 1.2's core schema."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", "", 1))
    return text


def parse(text: str) -> tuple[YamlNode | None, list[Diagnostic]]:
    """Read one YAML document; the tree is None where an error prevents reading it."""
    if odd := _CONTROL.search(text):
        return None, [control_problem(odd[0], end_of(text[: odd.start()]))]
    builder = _Builder(yaml.parse(text, Loader=_LOADER))
    try:
        root = builder.document()
    except _TooMuchError as error:
        return None, [*builder.problems, error.problem]
    except yaml.MarkedYAMLError as error:
        return None, [*builder.problems, syntax_problem(error, text)]
    except yaml.YAMLError as error:
        message = str(error).splitlines()[0]
        return None, [*builder.problems, Diagnostic("yaml-syntax", message, span=Span(1, 1, 1, 1))]
    return root, builder.problems


class _TooMuchError(Exception):
    """Stops the reading of a text that exceeds a limit."""

    def __init__(self, problem: Diagnostic) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass
class _Builder:
    events: Iterator[Any]
    problems: list[Diagnostic] = field(default_factory=list)
    anchors: dict[str, _Anchored] = field(default_factory=dict)
    nodes: int = 0
    deepest: int = 0

    def document(self) -> YamlNode | None:
        root = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    self.report("several-documents", "a spec is one YAML document", _span(event))
                    return root
                root = self.node(next(self.events), 0)
        return root

    def node(self, event: Any, depth: int) -> YamlNode:
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, depth)
        self.count(1, event)
        self.reach(depth, event)
        if event.tag is not None:
            self.report(
                "yaml-tag",
                f"tags such as {event.tag} are not allowed: a spec is plain data",
                _span(event),
            )
        if event.anchor is None:
            return self.collection(event, depth)
        before, above = self.nodes, self.deepest
        self.anchors[event.anchor] = _Anchored(None)
        self.deepest = depth
        node = self.collection(event, depth)
        size, height = self.nodes - before + 1, self.deepest - depth
        self.anchors[event.anchor] = _Anchored(node, size, height)
        self.deepest = max(above, self.deepest)
        return node

    def collection(self, event: Any, depth: int) -> YamlNode:
        if isinstance(event, yaml.ScalarEvent):
            if odd := _CONTROL.search(event.value):
                self.problems.append(control_problem(odd[0], _span(event)))
            plain = event.implicit[0] and not event.style
            value = resolve_scalar(event.value) if plain else event.value
            return YamlNode(value, _span(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(event, depth)
        return self.mapping(event, depth)

    def sequence(self, event: Any, depth: int) -> YamlNode:
        items: list[YamlNode] = []
        while not isinstance(following := next(self.events), yaml.SequenceEndEvent):
            items.append(self.node(following, depth + 1))
        last = items[-1].span if items else None
        return YamlNode(items, _collection_span(event, following, last))

    def mapping(self, event: Any, depth: int) -> YamlNode:
        entries: dict[str | int, YamlEntry] = {}
        merges: list[YamlNode] = []
        last = None
        while not isinstance(following := next(self.events), yaml.MappingEndEvent):
            plain = isinstance(following, yaml.ScalarEvent) and not following.style
            key = self.node(following, depth + 1)
            value = self.node(next(self.events), depth + 1)
            last = max(value.span, key.span, key=lambda span: (span.end_line, span.end_column))
            if plain and key.content == "<<":
                merges.append(value)
            else:
                self.enter(entries, key, value)
        for merge in merges:
            self.merge(entries, merge)
        return YamlNode(entries, _collection_span(event, following, last))

    def enter(self, entries: dict[str | int, YamlEntry], key: YamlNode, value: YamlNode) -> None:
        name = key.content
        if isinstance(name, bool) or not isinstance(name, str | int):
            self.report("bad-key", "a key is a string or an integer", key.span)
        elif name in entries:
            first = Related(f"{name} is first defined here", (), span=entries[name].key)
            self.report("duplicate-key", f"{name} is defined twice", key.span, first)
        else:
            entries[name] = YamlEntry(key.span, value)

    def merge(self, entries: dict[str | int, YamlEntry], merge: YamlNode) -> None:
        sources = merge.content if isinstance(merge.content, list) else [merge]
        for source in sources:
            if source.content is UNKNOWN:
                continue
            if not isinstance(source.content, dict):
                self.report("bad-merge", "<< merges a mapping, or a list of mappings", source.span)
                continue
            for name, entry in source.content.items():
                entries.setdefault(name, entry)

    def alias(self, event: Any, depth: int) -> YamlNode:
        anchored = self.anchors.get(event.anchor)
        if anchored is not None and anchored.node is not None:
            self.count(anchored.size, event)
            self.reach(depth + anchored.height, event)
            return anchored.node
        if anchored is None:
            self.report("unknown-alias", f"there is no anchor &{event.anchor} above", _span(event))
        else:
            self.report(
                "recursive-alias", f"*{event.anchor} is inside &{event.anchor}", _span(event)
            )
        return YamlNode(UNKNOWN, _span(event))

    def reach(self, depth: int, event: Any) -> None:
        self.deepest = max(self.deepest, depth)
        if depth > MAX_DEPTH:
            message = f"nested more than {MAX_DEPTH} levels deep, after expanding aliases"
            raise _TooMuchError(Diagnostic("too-deep", message, span=_span(event)))

    def count(self, nodes: int, event: Any) -> None:
        self.nodes += nodes
        if self.nodes > MAX_NODES:
            message = f"the spec has more than {MAX_NODES:,} values, after expanding aliases"
            raise _TooMuchError(Diagnostic("too-large", message, span=_span(event)))

    def report(self, code: str, message: str, span: Span, *related: Related) -> None:
        self.problems.append(Diagnostic(code, message, span=span, related=related))
        if len(self.problems) >= MAX_PROBLEMS:
            message = f"more than {MAX_PROBLEMS:,} problems: the rest of the spec is not checked"
            raise _TooMuchError(Diagnostic("too-large", message, span=span))


def _span(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _collection_span(start: Any, end: Any, last: Span | None) -> Span:
    """End a block at its last item; the parser's end is where the next token starts."""
    first = _span(start)
    if start.flow_style or last is None:
        closing = _span(end)
        return Span(first.line, first.column, closing.end_line, closing.end_column)
    return Span(first.line, first.column, last.end_line, last.end_column)
