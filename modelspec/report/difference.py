"""A difference as text for people, and as Markdown for pull requests."""

from collections.abc import Iterator
from typing import Any

from modelspec.results.difference import Change, Difference, LayerChange

_SIGNS = {"added": "+", "removed": "-", "changed": "~", "rewired": ">", "renamed": "="}


def difference_text(difference: Difference) -> str:
    """Sections of lines; one sentence where nothing differs."""
    if difference.is_empty:
        return f"no differences between {difference.a} and {difference.b}"
    lines = [f"{difference.a} → {difference.b}"]
    for title, rows in _sections(difference):
        lines += [title, *(f"  {row}" for row in rows)]
    return "\n".join(lines)


def difference_markdown(difference: Difference) -> str:
    """A heading, and a list for each section."""
    if difference.is_empty:
        return f"No differences between `{difference.a}` and `{difference.b}`."
    lines = [f"### `{difference.a}` → `{difference.b}`"]
    for title, rows in _sections(difference):
        lines += ["", f"**{title}**", "", *(f"- `{_code(row)}`" for row in rows)]
    return "\n".join(lines)


def _code(text: str) -> str:
    return text.replace("`", "'")


def _sections(difference: Difference) -> Iterator[tuple[str, list[str]]]:
    sections = {
        "inputs": [_change(change) for change in difference.inputs],
        "layers": [_layer(change) for change in difference.layers],
        "outputs": [_change(change) for change in difference.outputs],
        "settings": [_change(change) for change in difference.settings],
        "run": [_change(change) for change in difference.run],
        "size": list(_sizes(difference)),
        "weights": list(_weights(difference)),
    }
    yield from ((title, rows) for title, rows in sections.items() if rows)


def _change(change: Change) -> str:
    return f"{change.name}: {_value(change.a)} → {_value(change.b)}"


def _value(value: Any) -> str:
    """A value on one line."""
    if value is None:
        return "default"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return " ".join(str(value).split())


def _layer(change: LayerChange) -> str:
    kind = change.type_b or change.type_a
    if change.type_a and change.type_b and change.type_a != change.type_b:
        kind = f"{change.type_a} → {change.type_b}"
    name = change.a or change.b
    if change.kind == "renamed" or (change.a and change.b and change.a != change.b):
        name = f"{change.a} → {change.b}"
    shown = [f"line {line}" for line in (change.line_a, change.line_b) if line is not None]
    place = f" ({' → '.join(shown)})" if shown else ""
    details = "; ".join(map(_change, change.changes))
    head = f"{_SIGNS[change.kind]} {change.kind} {name}: {kind}{place}"
    return f"{head}: {details}" if details else head


def _sizes(difference: Difference) -> Iterator[str]:
    pairs = (("parameters", difference.parameters), ("operations for a sample", difference.flops))
    for name, pair in pairs:
        if pair is not None:
            yield f"{name}: {pair[0]:,} → {pair[1]:,} ({pair[1] - pair[0]:+,})"


def _weights(difference: Difference) -> Iterator[str]:
    if difference.weights is None:
        return
    carried = difference.weights.carried
    moved = [f"{theirs} → {ours}" for ours, theirs in carried.items() if ours != theirs]
    yield f"carry over: {len(carried)} of {len(carried) + len(difference.weights.fresh)} layers"
    if moved:
        yield f"renamed: {', '.join(moved)}"
    if difference.weights.fresh:
        yield f"fresh: {', '.join(difference.weights.fresh)}"
