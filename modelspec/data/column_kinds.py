"""The kinds of the columns of tables: text, numbers, or the choice of their cells."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from modelspec.data.claims import GROUPS, Sources
from modelspec.data.npz import Member
from modelspec.data.tables.cells import Kind, Wanted
from modelspec.language.columns import ColumnSource, Source
from modelspec.problems.diagnostic import Diagnostic


def wanted_columns(
    chosen: Mapping[str, Member],
    names: Sources,
    dtypes: Mapping[str, str],
    outputs: Collection[str],
) -> tuple[dict[str, Wanted], list[Diagnostic]]:
    """Return how the columns of tables are read, by their names in the data.

    A column that is used as text and as numbers is text, and keeps the cells of both.
    """
    wanted: dict[str, Wanted] = {}
    problems: list[Diagnostic] = []
    for key, member in chosen.items():
        name = key.partition("[")[0]
        source = names.get(name)
        one = Wanted(_kind(key, source, dtypes, outputs))
        if isinstance(source, ColumnSource):
            dtype = None if source.dtype == "string" else source.dtype
            one = Wanted(one.kind, dtype, source.missing)
            problems += _unlike(member, source, name)
        other = wanted.get(member.name, one)
        if (one.dtype, one.missing) != (other.dtype, other.missing):
            message = f"column {member.name} is used a second time, with another dtype or missing"
            hint = "write the same for both"
            problems.append(Diagnostic("wrong-value", message, ("data", name), hint=hint))
        kind = one.kind if other.kind == one.kind else "text"
        wanted[member.name] = Wanted(kind, one.dtype, one.missing)
    return wanted, problems


def _kind(
    key: str, source: Source | None, dtypes: Mapping[str, str], outputs: Collection[str]
) -> Kind:
    """Return the kind in which a column is read, from the spec's use of it."""
    if dtypes.get(key.partition("[")[0]) == "string":
        return "text"
    if key == GROUPS:
        return "any"
    if not isinstance(source, ColumnSource):
        return "number"
    if source.dtype == "string":
        return "text"
    if key in outputs and source.has_classes:
        return "any" if source.classes is None else _kind_of(source.classes)
    return "number"


def _unlike(member: Member, source: ColumnSource, name: str) -> Iterator[Diagnostic]:
    """Yield the problems of a column that is an array of an npz file, which has a type already."""
    if member.table:
        return
    if source.missing:
        message = f"{member.name} is an array, and missing is for the cells of tables"
        yield Diagnostic("wrong-value", message, ("data", name, "missing"))
    kinds = "US" if source.dtype == "string" else _NUMBERS.get(str(source.dtype), "")
    if source.dtype is not None and member.dtype.kind not in kinds:
        message = f"array {member.name} holds {member.dtype}, not {source.dtype}"
        yield Diagnostic("wrong-dtype", message, ("data", name, "dtype"))


_NUMBERS = {"int32": "biu", "int64": "biu", "float32": "biuf", "float64": "biuf"}
"""The kinds of arrays for each type of numbers."""


def _kind_of(classes: Sequence[str | int]) -> Kind:
    return "text" if any(isinstance(name, str) for name in classes) else "number"
