"""Text → Document: plain data, with the place of every key and value."""

import errno
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from modelspec.language.other_files import describe_other_file
from modelspec.language.yaml_errors import end_of
from modelspec.language.yaml_nodes import YamlNode
from modelspec.language.yaml_tree import parse
from modelspec.problems.diagnostic import Anchor, Diagnostic, Route, Span
from modelspec.problems.problem import Place

MAX_BYTES = 8_000_000
_START = Span(1, 1, 1, 1)


@dataclass(frozen=True)
class Document:
    """A parsed spec. ``name`` is the name of the file in messages."""

    name: str
    text: str
    root: YamlNode

    @cached_property
    def data(self) -> dict[str | int, Any]:
        """The document as plain dicts, lists and scalars."""
        data = self.root.data()
        return data if isinstance(data, dict) else {}

    def locate(self, route: Route, anchor: Anchor = "value") -> Place:
        """Return the place of a route, or of its longest part that exists."""
        node, key, depth = self.root, None, 0
        for step in route:
            child = child_of(node, step)
            if child is None:
                break
            key, node, depth = child.key, child.value, depth + 1
        missing = depth < len(route)
        span = node.span
        if key is not None and (anchor == "key" or missing):
            span = key
        elif anchor == "key":
            span = _first_key(node)
        if depth == 0 and missing:
            span = _START
        if node.option is not None:
            return Place(f"--set {node.option}", span, node.option)
        return Place(self.name, span, self.text)


def _first_key(node: YamlNode) -> Span:
    """Return the span of a list item from its start to the end of its first own key."""
    keys = [] if not isinstance(node.content, dict) else node.content.values()
    # Merged entries are elsewhere in the text, at their anchor.
    own = [entry.key for entry in keys if entry.key >= Span(node.span.line, node.span.column, 0, 0)]
    if not own:
        return node.span
    first = min(own)
    return Span(node.span.line, node.span.column, first.end_line, first.end_column)


@dataclass(frozen=True, slots=True)
class _Child:
    key: Span | None
    value: YamlNode


def child_of(node: YamlNode, step: str | int) -> _Child | None:
    """Return the child of a node at one step of a route; None if there is none."""
    content = node.content
    if isinstance(content, dict) and step in content:
        return _Child(content[step].key, content[step].value)
    if isinstance(content, list) and isinstance(step, int) and 0 <= step < len(content):
        return _Child(None, content[step])
    return None


def read(path: str | Path) -> tuple[Document | None, list[Diagnostic]]:
    """Read a spec from a file, or from standard input where the path is ``-``."""
    name = "<stdin>" if str(path) == "-" else str(path)
    try:
        if str(path) == "-":
            raw = read_stdin(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"cannot read {name}: {error.strerror or error}"
        return None, [Diagnostic("spec-not-read", message, span=_START, file=name)]
    return read_bytes(raw, name)


def read_stdin(size: int = -1) -> bytes:
    """Read standard input.

    Raises:
        OSError: Standard input is closed.
    """
    # Python sets sys.stdin to None where the descriptor is closed.
    if cast("Any", sys.stdin) is None:
        raise OSError(errno.EBADF, "standard input is closed")
    return sys.stdin.buffer.read(size)


def read_bytes(raw: bytes, name: str) -> tuple[Document | None, list[Diagnostic]]:
    """Read a spec from its bytes, which must be UTF-8."""
    if len(raw) > MAX_BYTES:
        message = f"the spec is larger than {MAX_BYTES:,} bytes"
        return None, [Diagnostic("too-large", message, span=_START, file=name)]
    if other := describe_other_file(raw, name):
        what, hint = other
        message = f"{name} is {what}"
        return None, [Diagnostic("not-utf8", message, hint=hint, span=_START, file=name)]
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = raw[: error.start].decode("utf-8-sig", errors="replace")
        message = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        text = raw.decode("utf-8-sig", errors="replace")
        return None, [Diagnostic("not-utf8", message, span=end_of(good), file=name, text=text)]
    return read_text(text, name)


def read_text(text: str, name: str = "<text>") -> tuple[Document | None, list[Diagnostic]]:
    """Read a spec from text; the document is None, with problems, if it is not a YAML mapping."""
    root, problems = parse(text)
    problems = [replace(problem, file=name, text=text) for problem in problems]
    if root is None and not problems:
        hint = "modelspec new prints a spec to start from"
        message = "the spec is empty"
        empty = Diagnostic("empty-spec", message, hint=hint, span=_START, file=name, text=text)
        return None, [empty]
    if root is None or problems:
        return None, problems
    if not isinstance(root.content, dict):
        message = "a spec is a mapping: modelspec, inputs, layers, outputs, …"
        problem = Diagnostic("not-a-mapping", message, span=root.span, file=name, text=text)
        return None, [problem]
    return Document(name, text, root), []
