"""Columns stacked along a new last axis, so that the values of a row lie side by side.

Rows in random order would otherwise be read from as many places as there are columns.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from modelspec.data import arrays, unpacking
from modelspec.data.claims import Sources, named, part_key
from modelspec.data.concatenated import Column, Concatenated, Stacked, parts
from modelspec.data.memory_maps import mapped
from modelspec.data.npz import Member
from modelspec.data.tables.reading import Say
from modelspec.data.unpacking import NoRoomError
from modelspec.problems.diagnostic import Diagnostic
from modelspec.problems.units import size
from modelspec.storage import cache

_SINGLE = frozenset({"float32", "float16", "bfloat16"})


def stack(
    name: str, columns: Sequence[Column], files: Sequence[Path], dtype: str | None, say: Say | None
) -> Column:
    """Return the columns as one array: in memory, or in a file of the cache if it is larger.

    Args:
        name: The spec's name of the array.
        columns: Arrays of one shape, ``[samples]`` or with further axes.
        files: The files of the columns.
        dtype: The declared dtype; with float32 or a smaller one, floats are kept as float32.
        say: A function for a note, if the array is written to the cache; or None.

    Raises:
        NoRoomError: The cache has no room for it.
    """
    stacked = Stacked(columns)
    if dtype in _SINGLE and stacked.dtype.kind == "f":
        stacked.dtype = np.dtype(np.float32)
    with np.errstate(over="ignore"):
        if stacked.nbytes <= arrays.IN_MEMORY:
            return stacked[:]
        return _in_cache(name, stacked, files, say)


def _in_cache(name: str, stacked: Stacked, files: Sequence[Path], say: Say | None) -> Column:
    known = sorted({file.resolve() for file in files if file.exists()})
    if len(known) < len(set(files)):
        return stacked  # arrays in memory are not copied to a file
    states = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in known]
    text = repr((states, stacked.dtype.str, stacked.shape, cache.code_stamp()))
    member = Member(
        name,
        stacked.dtype,
        stacked.shape,
        fortran=False,
        file=known[0],
        checksum=int(cache.key(text), 16),
    )
    if not unpacking.is_unpacked(member):
        if say is not None:
            say(f"unpacking {name}, {size(member.nbytes)}, to {unpacking.folder()}")
        with unpacking.writer(member) as write:
            for _, rows in parts(stacked):
                write(np.ascontiguousarray(rows).tobytes())
    array = mapped(unpacking.place(member), member.dtype, member.shape)
    return Concatenated([array], [str(known[0])])


def stack_columns(
    columns: Mapping[str, Column],
    array_names: dict[str, str],
    names: Sources,
    dtypes: Mapping[str, str],
    *,
    files: Sequence[Path],
    say: Say | None,
) -> tuple[dict[str, Column], list[Diagnostic]]:
    """Return the columns by the spec's names; lists of columns are stacked."""
    by_name, problems = dict(columns), []
    for name, written in names.items():
        source = named(written)
        if not isinstance(source, tuple):
            continue
        keys = [part_key(name, position) for position in range(len(source))]
        if not all(key in columns for key in keys):
            continue
        parts = [by_name.pop(key) for key in keys]
        for key in keys:
            array_names.pop(key)
        array_names[name] = name
        text = {part.dtype.kind in "US" for part in parts}
        if len({part.shape for part in parts}) > 1 or len(text) > 1:
            shapes = ", ".join(
                f"{column} {part.dtype} {list(part.shape)}"
                for column, part in zip(source, parts, strict=True)
            )
            message = f"the arrays of {name} cannot be stacked: {shapes}"
            problems.append(Diagnostic("wrong-shape", message, ("data", name)))
            continue
        try:
            by_name[name] = stack(name, parts, files, dtypes.get(name), say)
        except NoRoomError as error:
            message = f"array {name} cannot be unpacked: {error}"
            problems.append(Diagnostic("array-too-large", message, ("data", name)))
    return by_name, problems
