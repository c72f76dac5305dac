"""A difference as text for people, and as Markdown for pull requests."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from modelspec.results.difference import Change, Difference, Kind, LayerChange

_WIDTH = 80
_SIGNS: Mapping[Kind, str] = {
    "added": "+", "removed": "-", "changed": "~", "rewired": ">", "renamed": "=",
}  # fmt: skip
_DEFAULT, _NONE = "default", "none"
_NO_DEFAULT = ("share", "from")
"""Arguments that a layer has or does not have; unwritten ones have their defaults."""

Row = tuple[str, str, str]
"""A name, and its values on both sides."""


def difference_text(difference: Difference) -> str:
    """Return sections of lines; one sentence if nothing differs.

    A change that is longer than 80 columns has a line for each side.
    """
    if difference.is_empty:
        return f"no differences between {difference.a} and {difference.b}"
    lines = [f"{difference.a} → {difference.b}"]
    if difference.layers:
        lines.append("layers")
        for changes in _by_layer(difference.layers):
            lines.append(f"  {_head(changes)}")
            for row in _details(changes):
                lines += _row_lines(row, 6)
    for title, rows in _tables(difference):
        lines.append(title)
        for row in rows:
            lines += _row_lines(row, 2)
    for line in _weights(difference):
        lines += _wrapped(line, 2) if line else ["weights"]
    return "\n".join(lines)


def difference_markdown(difference: Difference) -> str:
    """Return a heading, and a table for each section."""
    if difference.is_empty:
        return f"No differences between `{difference.a}` and `{difference.b}`."
    lines = [f"### `{difference.a}` → `{difference.b}`", "", _summary(difference)]
    if difference.layers:
        lines += ["", "| | layer | class | line | change |", "|---|---|---|---|---|"]
        lines += [_layer_row(changes) for changes in _by_layer(difference.layers)]
    for title, rows in _tables(difference):
        lines += ["", f"| {title} | before | after |", "|---|---|---|"]
        shown = str if title == "size" else _code
        lines += [f"| {shown(name)} | {shown(a)} | {shown(b)} |" for name, a, b in rows]
    weights = [line for line in _weights(difference) if line]
    lines += ["", *(f"- {line}" for line in weights)] if weights else []
    return "\n".join(lines)


def _code(text: str) -> str:
    """Return text as code in a cell of a table."""
    return f"`{text.replace('`', chr(39)).replace('|', chr(92) + '|')}`"


def _summary(difference: Difference) -> str:
    """Count the differences in one line."""
    kinds = Counter(change.kind for change in difference.layers)
    parts = [f"layers: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}"]
    counted = {
        "inputs": difference.inputs, "outputs": difference.outputs,
        "settings": difference.settings, "of the run": difference.run,
    }  # fmt: skip
    parts = parts if kinds else []
    parts += [f"{name}: {len(changes)}" for name, changes in counted.items() if changes]
    return "Changes: " + "; ".join(parts) + "."


def _by_layer(changes: tuple[LayerChange, ...]) -> Iterator[list[LayerChange]]:
    """Yield the changes of one layer together."""
    together: list[LayerChange] = []
    for change in changes:
        if together and (change.a, change.b) != (together[0].a, together[0].b):
            yield together
            together = []
        together.append(change)
    if together:
        yield together


def _head(changes: list[LayerChange]) -> str:
    first = changes[0]
    *others, last = (change.kind for change in changes)
    kinds = f"{', '.join(others)} and {last}" if others else last
    line = f" ({place})" if (place := _lines(first, "line ")) else ""
    return f"{_SIGNS[first.kind]} {kinds} {_names(first)}: {_kind(first)}{line}"


def _layer_row(changes: list[LayerChange]) -> str:
    first = changes[0]
    details = [f"{_code(name)}: {_code(a)} → {_code(b)}" for name, a, b in _details(changes)]
    kinds = [change.kind for change in changes if not change.changes]
    names = " → ".join(map(_code, _names(first).split(" → ")))
    cells = [
        _SIGNS[first.kind], names, _kind(first), _lines(first, ""), "<br>".join([*kinds, *details]),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _names(change: LayerChange) -> str:
    if change.a and change.b and change.a != change.b:
        return f"{change.a} → {change.b}"
    return str(change.b or change.a)


def _kind(change: LayerChange) -> str:
    if change.type_a and change.type_b and change.type_a != change.type_b:
        return f"{change.type_a} → {change.type_b}"
    return str(change.type_b or change.type_a)


def _lines(change: LayerChange, word: str) -> str:
    shown = list(dict.fromkeys(n for n in (change.line_a, change.line_b) if n is not None))
    return word + " → ".join(map(str, shown)) if shown else ""


def _details(changes: list[LayerChange]) -> Iterator[Row]:
    for change in changes:
        other_class = any(detail.name == "type" for detail in change.changes)
        for detail in change.changes:
            if detail.name != "type":
                no_default = other_class or detail.name.startswith(_NO_DEFAULT)
                yield _row(detail, _NONE if no_default else _DEFAULT)


def _tables(difference: Difference) -> Iterator[tuple[str, list[Row]]]:
    tables = {
        "inputs": [_row(change, _NONE) for change in difference.inputs],
        "outputs": [_row(change, _NONE) for change in difference.outputs],
        "settings": [_row(change, _NONE) for change in difference.settings],
        "run": [_row(change, _NONE) for change in difference.run],
        "size": list(_sizes(difference)),
    }
    yield from ((title, rows) for title, rows in tables.items() if rows)


def _row(change: Change, absent: str) -> Row:
    a, b = change.a, change.b
    if isinstance(a, Mapping) and isinstance(b, Mapping) and a.keys() == b.keys():
        differing = [key for key in a if a[key] != b[key]]
        a, b = ({key: side[key] for key in differing} for side in (a, b))
    if isinstance(a, float) and isinstance(b, float) and f"{a:.6g}" != f"{b:.6g}":
        return change.name, f"{a:.6g}", f"{b:.6g}"
    before, after = (absent if value is None else _value(value) for value in (a, b))
    return change.name, before, after


def _row_lines(row: Row, indent: int) -> list[str]:
    name, a, b = row
    space = " " * indent
    line = f"{space}{name}: {a} → {b}"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{space}{name}:", f"{space}  {a}", f"{space}  → {b}"]


def _wrapped(line: str, indent: int) -> Iterator[str]:
    """Wrap words in lines of at most 80 columns."""
    from textwrap import wrap

    yield from wrap(
        line, _WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + 2),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _value(value: Any) -> str:
    """Return a value on one line."""
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(str(value).split())


def _sizes(difference: Difference) -> Iterator[Row]:
    pairs = (("parameters", difference.parameters), ("operations for a sample", difference.flops))
    for name, pair in pairs:
        if pair is not None:
            before, after = pair
            share = f", {(after - before) / before:+.1%}" if before else ""
            yield name, f"{before:,}", f"{after:,} ({after - before:+,}{share})"


def _weights(difference: Difference) -> Iterator[str]:
    """Yield an empty line for the title, and a line for each fact; nothing if none is known."""
    if difference.weights is None:
        return
    yield ""
    carried, fresh = difference.weights.carried, difference.weights.fresh
    yield f"weights that carry over: {len(carried)} of {len(carried) + len(fresh)} layers"
    if moved := [f"{theirs} → {ours}" for ours, theirs in carried.items() if ours != theirs]:
        yield f"under another name: {', '.join(moved)}"
    if fresh:
        yield f"fresh: {', '.join(fresh)}"
