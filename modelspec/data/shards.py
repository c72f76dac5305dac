"""Several npz files as one data set: the files, their headers and their concatenated arrays."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from modelspec.data import arrays
from modelspec.data.concatenated import Column, Concatenated
from modelspec.data.npz import Member, read_headers
from modelspec.data.tables.reading import is_table, read_header
from modelspec.data.unpacking import NoRoomError, folder, is_unpacked
from modelspec.problems.diagnostic import Diagnostic, has_errors
from modelspec.problems.units import size

Paths: TypeAlias = str | Path | Sequence[str | Path]
"""An npz file, a folder of npz files, or a list of both; their rows are concatenated."""

Data: TypeAlias = Paths | Mapping[str, Any]
"""Files, or arrays by name: all types that NumPy converts to an array."""

IN_MEMORY = Path("<arrays>")
"""The file name in messages about arrays in memory."""

Say: TypeAlias = Callable[[str], None]
"""A function that receives notes of one line."""

Shards: TypeAlias = Mapping[Path, Mapping[str, Member]]
"""The arrays of each file, by file and name, in the order in which their rows are concatenated."""


def paths_of(paths: Data) -> list[Path]:
    """Return the paths; for arrays in memory, ``IN_MEMORY``.

    Raises:
        TypeError: The data is neither paths nor arrays by name.
    """
    if isinstance(paths, Mapping):
        return [IN_MEMORY]
    listed = [paths] if isinstance(paths, str | Path) else paths
    if not isinstance(listed, Sequence) or not all(isinstance(p, str | Path) for p in listed):
        raise TypeError(
            "data is a path, a list of paths, or a mapping from names to arrays, not "
            f"{type(paths).__name__}"
        )
    return [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]


def files_of(paths: Data) -> list[Path]:
    """Return the npz files of the paths, without repetition; those of a folder sorted by name."""
    return [] if isinstance(paths, Mapping) else _files(paths_of(paths))[0]


def read_shards(paths: Data) -> tuple[Shards, list[Diagnostic]]:
    """Return the headers of ``files_of(paths)``, and the problems of the files."""
    if isinstance(paths, Mapping):
        return _in_memory(paths)
    files, problems = _files(paths_of(paths))
    shards = {}
    for file in files:
        members, faults = read_header(file) if is_table(file) else read_headers(file)
        problems += faults
        # An unreadable file has one problem only.
        if members or not has_errors(faults):
            shards[file] = members
    return shards, problems


def _in_memory(arrays_by_name: Mapping[str, Any]) -> tuple[Shards, list[Diagnostic]]:
    members: dict[str, Member] = {}
    problems = []
    for name, values in arrays_by_name.items():
        try:
            array = np.asarray(values)
        except ValueError as error:  # rows of different lengths
            message = f"array {name} is not an array: {' '.join(str(error).split())}"
            problems.append(Diagnostic("bad-array", message, file=str(IN_MEMORY)))
            continue
        if array.dtype.hasobject:
            message = f"array {name} holds Python objects"
            hint = f"convert strings with {name}.astype(str), numbers with {name}.astype('float32')"
            problems.append(Diagnostic("bad-array", message, hint=hint, file=str(IN_MEMORY)))
            array = np.empty(0)
        native = array.astype(array.dtype.newbyteorder("="), copy=False)
        fortran = not native.flags.c_contiguous and native.flags.f_contiguous
        members[str(name)] = Member(
            str(name), native.dtype, native.shape, fortran=fortran, file=IN_MEMORY, held=native
        )
    return {IN_MEMORY: members}, problems


def _files(paths: Iterable[Path]) -> tuple[list[Path], list[Diagnostic]]:
    files: dict[Path, None] = {}
    problems = []
    for path in paths:
        try:
            inside = _in_folder(path) if path.is_dir() else [path]
        except (OSError, ValueError):  # opening it reports the reason
            inside = [path]
        files |= dict.fromkeys(inside)
        if not inside:
            message = "this folder contains no npz files and no tables"
            hint = "other data, such as pictures, is saved as arrays, with numpy.savez"
            problems.append(Diagnostic("not-npz", message, file=str(path), hint=hint))
    return list(files), problems


def _in_folder(folder: Path) -> list[Path]:
    files = sorted(folder.glob("[!.]*"))
    return [file for file in files if file.suffix == ".npz" or is_table(file)]


def columns_of(
    shards: Shards, names: Iterable[str]
) -> tuple[dict[str, list[Member]], list[Diagnostic]]:
    """Return the member of each file by name, and problems that prevent their concatenation."""
    columns: dict[str, list[Member]] = {}
    problems = []
    for name in dict.fromkeys(names):
        column = [members[name] for members in shards.values() if name in members]
        columns[name] = column
        if len(shards) > 1:
            lacking = (file for file, members in shards.items() if name not in members)
            problems += [_missing(column[0], file) for file in lacking]
    return columns, problems


def check_alike(columns: Mapping[str, Sequence[Member]]) -> list[Diagnostic]:
    """Return the problems of arrays that cannot be concatenated."""
    return [
        problem
        for column in columns.values()
        for member in column
        # A problem of the array of a single file is reported at the line of the spec.
        if len(column) > 1 and (problem := _unlike(column[0], member))
    ]


def _missing(first: Member, file: Path) -> Diagnostic:
    message = f"the file has no array {first.name}, which {first.file} has"
    hint = "all files must have the same arrays"
    return Diagnostic("missing-array", message, hint=hint, file=str(file))


def _unlike(first: Member, other: Member) -> Diagnostic | None:
    if first.broken or other.broken or first.table or other.table:
        return None
    if _kind(other.dtype) != _kind(first.dtype):
        code = "wrong-dtype"
        message = f"array {other.name} is {other.dtype}, but in {first.file} {first.dtype}"
    elif not other.shape:
        code, message = "wrong-shape", f"array {other.name} is a single number, which has no rows"
    elif first.shape and other.shape[1:] != first.shape[1:]:
        one, two = list(first.shape[1:]), list(other.shape[1:])
        code = "wrong-shape"
        message = f"array {other.name} has samples of shape {two}, but in {first.file} {one}"
    else:
        return None
    return Diagnostic(code, message, file=str(other.file))


def _kind(dtype: np.dtype[Any]) -> Any:
    """Return the type that shards must share: without the byte order and the width of texts."""
    return dtype.kind if dtype.kind in "US" else dtype.newbyteorder("=")


def load_columns(
    columns: Mapping[str, Sequence[Member]], say: Say | None
) -> tuple[dict[str, Column], list[Diagnostic]]:
    """Load each array, concatenated over the files; only small arrays are in memory."""
    on_disk = _too_much(member for column in columns.values() for member in column)
    loaded: dict[str, Column] = {}
    problems: list[Diagnostic] = []
    for name, column in columns.items():
        _announce(name, [member for member in column if member in on_disk], say)
        parts = []
        for member in column:
            part, faults = arrays.load(member, 0 if member in on_disk else member.nbytes)
            problems += faults
            parts += [part] if part is not None else []
        if not has_errors(problems):
            large = parts[0].nbytes > arrays.IN_MEMORY
            files = [str(member.file) for member in column]
            stacked = large or len(parts) > 1
            loaded[name] = Concatenated(parts, files) if stacked else parts[0]
    return loaded, problems


def _too_much(members: Iterable[Member]) -> set[Member]:
    """Return the largest members that must be unpacked and have no room in memory.

    The same files always get the same place.
    """
    packed = (member for member in members if not member.mappable)
    room, large = arrays.IN_MEMORY, set()
    for member in sorted(packed, key=lambda part: (part.nbytes, part.name, str(part.file))):
        room -= member.nbytes
        if room < 0:
            large.add(member)
    return large


def _announce(name: str, members: Iterable[Member], say: Say | None) -> None:
    if say is None:
        return
    new = [member for member in members if not is_unpacked(member)]
    if new:
        total = size(sum(member.nbytes for member in new))
        many = f" in {len(new)} files" if len(new) > 1 else ""
        # If the folder is missing, unpacking reports it, with the array's file.
        with suppress(NoRoomError):
            say(f"unpacking {name}, {total}{many}, to {folder()}")
