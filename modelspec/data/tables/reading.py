"""Columns of tables as arrays: in memory, or unpacked once to the cache."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from modelspec.data import arrays, unpacking
from modelspec.data.concatenated import Array
from modelspec.data.memory_maps import mapped
from modelspec.data.npz import Member
from modelspec.data.tables.cells import ColumnType, Wanted
from modelspec.data.tables.delimited import Delimited
from modelspec.data.tables.faults import TableError
from modelspec.data.tables.parquet import Parquet
from modelspec.problems.diagnostic import Diagnostic
from modelspec.problems.units import size
from modelspec.storage import cache

SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})
"""The suffixes of the names of tables."""

UNREAD = np.dtype("V1")
"""The dtype of a column whose cells were not read yet."""

Say = Callable[[str], None]


def is_table(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES


def read_header(file: Path) -> tuple[dict[str, Member], list[Diagnostic]]:
    """Return the columns of a table by name, without reading their cells."""
    if not file.exists():
        return {}, [Diagnostic("data-not-found", "there is no such file", file=str(file))]
    try:
        names = _opened(file).names
    except TableError as error:
        return {}, [error.diagnostic(file)]
    except OSError as error:
        message = f"the file cannot be read: {error.strerror or error}"
        return {}, [Diagnostic("data-unreadable", message, file=str(file))]
    return {
        name: Member(name, UNREAD, (), fortran=False, file=file, table=True)
        for name in names
        if name
    }, []


def _opened(file: Path) -> Delimited | Parquet:
    return Parquet(file) if file.suffix.lower() == ".parquet" else Delimited(file)


def read_cells(
    columns: Mapping[str, Sequence[Member]], wanted: Mapping[str, Wanted], say: Say | None
) -> tuple[dict[str, list[Member]], list[Diagnostic]]:
    """Return the columns, by name and file, with the cells of tables as arrays.

    A column has one dtype in all files. Arrays that do not fit into memory are written to the
    cache.
    """
    tables, problems = _scanned(columns, wanted)
    if problems:
        return {}, problems
    for name, members in columns.items():
        _agree([tables[member.file].types[name] for member in members if member.table], members)
    in_memory = sum(table.nbytes for table in tables.values()) <= arrays.IN_MEMORY
    held: dict[tuple[Path, str], Member] = {}
    for file, table in tables.items():
        try:
            for member in table.members(in_memory=in_memory, say=say):
                held[file, member.name] = member
        except TableError as error:
            problems.append(error.diagnostic(file))
        except unpacking.NoRoomError as error:
            message = f"its {size(table.nbytes)} cannot be unpacked: {error}"
            problems.append(Diagnostic("array-too-large", message, file=str(file)))
    if problems:
        return {}, problems
    return {
        name: [held[member.file, name] if member.table else member for member in members]
        for name, members in columns.items()
    }, problems


def _scanned(
    columns: Mapping[str, Sequence[Member]], wanted: Mapping[str, Wanted]
) -> tuple[dict[Path, "_Table"], list[Diagnostic]]:
    """Return the used tables by file, after all of their rows were read once."""
    files: dict[Path, list[str]] = {}
    for name, members in columns.items():
        for member in members:
            if member.table:
                files.setdefault(member.file, []).append(name)
    tables: dict[Path, _Table] = {}
    problems: list[Diagnostic] = []
    for file, names in files.items():
        try:
            tables[file] = _Table(file, {name: wanted.get(name, Wanted()) for name in names})
        except TableError as error:
            problems.append(error.diagnostic(file))
    return tables, problems


def _agree(types: Sequence[ColumnType], members: Sequence[Member]) -> None:
    """Give the parts of a column one dtype."""
    others = [member.dtype for member in members if not member.table]
    for one in types:
        one.text = any(part.text for part in types) or any(dtype.kind in "US" for dtype in others)
        one.fractions = any(part.dtype.kind == "f" for part in types) or any(
            dtype.kind == "f" for dtype in others
        )
        one.like = next(iter(others), None)


class _Table:
    """A table whose rows were all read once."""

    def __init__(self, file: Path, wanted: Mapping[str, Wanted]) -> None:
        self.file = file
        self._source = _opened(file)
        self._width = len(self._source.names)
        number = {name: at for at, name in enumerate(self._source.names)}
        self.types = {
            name: ColumnType(name, number[name], column.kind, column.dtype, column.missing)
            for name, column in wanted.items()
        }
        self.samples = 0
        self._scan()

    @property
    def nbytes(self) -> int:
        return sum(column.dtype.itemsize for column in self.types.values()) * self.samples

    def _scan(self) -> None:
        """Determine the types from all rows, or read them from the cache of an earlier scan."""
        state = self.file.stat()
        kinds = sorted(
            (name, column.wanted, str(column.pinned), column.absent)
            for name, column in self.types.items()
        )
        key = cache.key(
            str(self.file.resolve()),
            str(state.st_size),
            str(state.st_mtime_ns),
            str(kinds),
            cache.code_stamp(),
        )
        known = cache.load("tables", key)
        if known is not None:
            self.samples = known["samples"]
            self.types = {name: ColumnType(**column) for name, column in known["types"].items()}
            return
        numbers = [column.number for column in self.types.values()]
        for part in self._source.parts():
            frame = part.frame(numbers, self._width)
            self.samples += frame.height
            for column in self.types.values():
                column.see(frame[str(column.number)], part)
        types = {name: column.stored() for name, column in self.types.items()}
        cache.store("tables", key, {"samples": self.samples, "types": types})

    def members(self, *, in_memory: bool, say: Say | None) -> list[Member]:
        members = [self._member(column) for column in self.types.values()]
        if in_memory:
            pieces: dict[str, list[Array]] = {member.name: [] for member in members}
            for name, rows in self._pieces():
                pieces[name].append(rows)
            held = [
                np.concatenate(pieces[member.name]) if self.samples else np.empty(0, member.dtype)
                for member in members
            ]
        else:
            held = self._unpacked(members, say)
        return [replace(member, held=array) for member, array in zip(members, held, strict=True)]

    def _member(self, column: ColumnType) -> Member:
        shape, kind = (self.samples,), column.dtype
        checksum = int(cache.key(kind.str, str(shape)), 16)
        return Member(column.name, kind, shape, fortran=False, file=self.file, checksum=checksum)

    def _pieces(self) -> Iterable[tuple[str, Array]]:
        numbers = [column.number for column in self.types.values()]
        for part in self._source.parts():
            frame = part.frame(numbers, self._width)
            for name, column in self.types.items():
                yield name, column.array(frame[str(column.number)])

    def _unpacked(self, members: Sequence[Member], say: Say | None) -> list[Array]:
        if not all(map(unpacking.is_unpacked, members)):
            if say is not None:
                say(f"unpacking {self.file}, {size(self.nbytes)}, to {unpacking.folder()}")
            with ExitStack() as stack:
                writers = {
                    member.name: stack.enter_context(unpacking.writer(member)) for member in members
                }
                for name, rows in self._pieces():
                    writers[name](rows.tobytes())
        return [mapped(unpacking.place(member), member.dtype, member.shape) for member in members]
