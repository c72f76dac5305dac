"""Parquet files, read some rows at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelspec.data.tables.faults import TableError
from modelspec.data.tables.library import polars

_ROWS = 1 << 17


@dataclass(frozen=True)
class Rows:
    """Some rows of a Parquet file, the first of which has the number ``start``."""

    scan: Any
    names: Sequence[str]
    start: int

    def frame(self, columns: Sequence[int], width: int) -> Any:
        """Return the cells of some columns, with the types of the file."""
        del width
        kept = sorted(columns)
        chosen = self.scan.slice(self.start, _ROWS).select([self.names[column] for column in kept])
        frame = chosen.collect()
        frame.columns = [str(column) for column in kept]
        return frame

    def cell_error(
        self, code: str, message: str, hint: str | None, row: int, column: int
    ) -> TableError:
        """Return an error at a cell, by its row in ``frame`` and the number of its column."""
        line, place = self.start + row + 1, column + 1
        return TableError(code, f"{message} (row {line - 1})", hint, line=line, column=place)


class Parquet:
    """A Parquet file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        pl = polars()
        try:
            self._scan = pl.scan_parquet(file, glob=False)
            self.names = list(self._scan.collect_schema().names())
            self._count = int(self._scan.select(pl.len()).collect().item())
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise TableError("bad-table", f"the file is not a Parquet file: {reason}") from error

    def parts(self) -> Iterator[Rows]:
        for start in range(0, self._count, _ROWS):
            yield Rows(self._scan, self.names, start)
