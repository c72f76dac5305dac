"""Predictions as a CSV or TSV file, written while their rows are computed."""

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from modelspec.data.concatenated import Array, Column
from modelspec.data.npz import one_line
from modelspec.problems.errors import RunError
from modelspec.storage.atomic import replacing

SEPARATORS = {".csv": ",", ".tsv": "\t"}
"""The suffixes of tables that can be written, and the separators of their cells."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of the file beside the values of the outputs.

    ``kept`` are columns of the data, by name. ``classes`` are the names of the classes of an
    output, where they are known. An output of one unit has the second class where its value is
    above its number in ``thresholds``, or above 0.5.
    """

    kept: Mapping[str, Column] = field(default_factory=dict)
    classes: Mapping[str, Sequence[str | int]] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)


def save_table(path: Path, pieces: Iterable[Mapping[str, Array]], layout: Layout) -> None:
    """Write a row for each sample; the whole file or nothing.

    Raises:
        RunError: The file cannot be written, or two of its columns have one name.
    """
    if path.is_dir():
        raise RunError(f"cannot write {path}: it is a folder")
    try:
        with (
            replacing(path) as aside,
            aside.open("w", encoding="utf-8", newline="") as file,
        ):
            writer = csv.writer(file, delimiter=SEPARATORS[path.suffix.lower()])
            header: list[str] = []
            start = 0
            for piece in pieces:
                samples = len(next(iter(piece.values())))
                rows = slice(start, start + samples)
                columns = [*_kept(layout, rows), *_outputs(piece, layout)]
                if not header:
                    header = _unique([name for name, _ in columns])
                    writer.writerow(header)
                writer.writerows(zip(*(cells for _, cells in columns), strict=True))
                start += samples
    except OSError as error:
        raise RunError(f"cannot write {path}: {one_line(error)}") from error


def _unique(header: list[str]) -> list[str]:
    double = next((name for name in header if header.count(name) > 1), None)
    if double is not None:
        raise RunError(f"two columns of the predictions would be called {double}")
    return header


def _kept(layout: Layout, rows: slice) -> Iterator[tuple[str, list[str]]]:
    for name, column in layout.kept.items():
        yield name, _texts(column[rows])


def _outputs(piece: Mapping[str, Array], layout: Layout) -> Iterator[tuple[str, list[str]]]:
    """Yield the class of each sample, if classes have names, and the values of the outputs."""
    for name, values in piece.items():
        flat = values.reshape(len(values), -1)
        classes = [str(class_name) for class_name in layout.classes.get(name, ())]
        if len(classes) == flat.shape[1] > 1:
            yield name, [classes[at] for at in flat.argmax(-1)]
            labels = [f"{name}_{class_name}" for class_name in classes]
        elif len(classes) == 2 and flat.shape[1] == 1:  # noqa: PLR2004 - no and yes
            limit = layout.thresholds.get(name, 0.5)
            yield name, [classes[int(value > limit)] for value in flat[:, 0]]
            labels = [f"{name}_{classes[1]}"]
        elif flat.shape[1] == 1:
            labels = [name]
        else:
            places = itertools.product(*(range(size) for size in values.shape[1:]))
            labels = ["_".join([name, *map(str, place)]) for place in places]
        yield from ((label, _texts(flat[:, at])) for at, label in enumerate(labels))


def _texts(cells: Array) -> list[str]:
    if cells.dtype.kind == "S":
        return [cell.decode(errors="replace") for cell in cells.tolist()]
    if cells.dtype.kind == "O":
        return [cell.decode() if isinstance(cell, bytes) else str(cell) for cell in cells]
    texts: list[str] = np.asarray(cells).astype(np.str_).tolist()
    return texts
