"""Groups of items that differ only in values → one block with parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modelspec.convert.drafts import Body, Step
from modelspec.convert.saved_graph import Ref
from modelspec.convert.yaml_text import Expression

MAX_PARAMS = 12
_ABSENT = object()

Default = Callable[[str, str], Any]
"""A function to the default of a layer's argument, by class and name; LookupError without one."""


@dataclass
class Parameters:
    """The values that differ, by the name of their parameter.

    ``columns`` has a value for each group, in their order.
    """

    default: Default
    columns: dict[str, list[Any]] = field(default_factory=dict)

    def arguments(self, steps: Sequence[Step]) -> dict[str, Any] | None:
        """Return one item's arguments; None if a group lacks one without a default."""
        rows = [step.arguments for step in steps]
        keys = list(dict.fromkeys(key for row in rows for key in row))
        # The order of the longest row is that of the class.
        longest = max(rows, key=len)
        keys.sort(key=lambda key: list(longest).index(key) if key in longest else len(longest))
        arguments: dict[str, Any] = {}
        for key in keys:
            values = [row.get(key, _ABSENT) for row in rows]
            if any(value is _ABSENT for value in values):
                try:
                    missing = self.default(steps[0].type, key)
                except LookupError:
                    return None
                values = [missing if value is _ABSENT else value for value in values]
            arguments[key] = self.value(key, values)
        return arguments if len(self.columns) <= MAX_PARAMS else None

    def value(self, key: str, values: Sequence[Any]) -> Any:
        """Return the value in all groups; if it differs, an expression of a parameter."""
        first = values[0]
        if all(_equal(value, first) for value in values):
            return first
        if all(isinstance(value, Mapping) and list(value) == list(first) for value in values):
            return {name: self.value(name, [value[name] for value in values]) for name in first}
        return Expression(f"${{{self.expression(key, list(values))}}}")

    def expression(self, key: str, values: list[Any]) -> str:
        for name, column in self.columns.items():
            if all(map(_equal, values, column)):
                return name
            if factor := _factor(values, column):
                return f"{factor} * {name}"
        base = name = _parameter(key)
        number = 1
        while name in self.columns:
            number += 1
            name = f"{base}_{number}"
        self.columns[name] = values
        return name


def _parameter(key: str) -> str:
    kept = "".join(
        char if char.isascii() and (char.isalnum() or char == "_") else "_" for char in key
    )
    return kept if kept[:1].isalpha() and kept != "i" else f"p_{kept}"


def _equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _factor(values: Sequence[Any], column: Sequence[Any]) -> int | None:
    """Return the integer that multiplies all of ``column`` to ``values``; None if there is none."""
    if not all(type(value) is int and value > 0 for value in [*values, *column]):
        return None
    factor = values[0] // column[0]
    same = all(value == factor * other for value, other in zip(values, column, strict=True))
    return factor if same and factor > 1 else None


def copied(step: Step, ids: Mapping[int, int], arguments: Mapping[str, Any]) -> Step:
    """Copy a step for a block whose input is ``x``: with new ids and the block's arguments."""
    sources = {
        key: tuple(_moved(ref, ids, "x") for ref in source)
        if isinstance(source, tuple)
        else _moved(source, ids, "x")
        for key, source in step.sources.items()
    }
    return replace(step, id=ids[step.id], sources=sources, arguments=arguments, inner=())


def redirected(body: Body, ids: Mapping[int, int]) -> None:
    """Replace ids in all references of a body."""
    for step in body.steps:
        if any(ref.source in ids for ref in step.refs()):
            step.sources = {
                key: tuple(_moved(ref, ids) for ref in source)
                if isinstance(source, tuple)
                else _moved(source, ids)
                for key, source in step.sources.items()
            }
    body.outputs = [(name, _moved(ref, ids)) for name, ref in body.outputs]


def _moved(ref: Ref, ids: Mapping[int, int], otherwise: str | None = None) -> Ref:
    if isinstance(ref.source, int) and ref.source in ids:
        return Ref(ids[ref.source], ref.index)
    return ref if otherwise is None else Ref(otherwise)
