"""Cells to numbers or text: what a column holds, by all of its rows."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np

from modelspec.data.concatenated import Array
from modelspec.data.tables.faults import TableError, shown
from modelspec.data.tables.library import polars

Wanted = Literal["number", "text", "any"]
"""What a column is for: ``any`` is text where it is not all numbers."""

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:[,.' \u00a0\u202f]\d{3})+(?:[.,]\d+)?")
_MISSING = {"na", "n/a", "null", "none", "nil", "-", "--", "?", "missing", "unknown", "#n/a"}
_LARGEST = 2**53


class Cells(Protocol):
    """Some rows of a table."""

    def frame(self, columns: Any, width: int) -> Any: ...
    def cell_error(
        self, code: str, message: str, hint: str | None, row: int, column: int
    ) -> TableError: ...


@dataclass
class ColumnType:
    """What is known of a column after the rows seen so far.

    ``width`` is that of the longest text, in bytes of UTF-8; ``like`` the dtype of numbers that
    other files have in the place of this column.
    """

    name: str
    number: int
    wanted: Wanted
    text: bool = False
    fractions: bool = False
    missing: bool = False
    width: int = 1
    like: np.dtype[Any] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.text:
            return np.dtype(f"S{self.width}")
        if self.like is not None and (
            self.like.kind == "f" or not (self.fractions or self.missing)
        ):
            return self.like
        return np.dtype(np.float64 if self.fractions or self.missing else np.int64)

    def stored(self) -> dict[str, Any]:
        """All of it but ``like``, as JSON has it."""
        return {key: value for key, value in asdict(self).items() if key != "like"}

    def see(self, cells: Any, part: Cells) -> None:
        """Take the cells of a part into account, a series of polars.

        Raises:
            TableError: A number is wanted, and a cell is not one.
        """
        pl = polars()
        if cells.dtype in (pl.Categorical, pl.Enum):
            cells = cells.cast(pl.String)
        if cells.dtype == pl.String:
            self._see_text(cells, part)
        elif cells.dtype == pl.Boolean or cells.dtype.is_numeric():
            self.missing |= cells.null_count() > 0
            self.fractions |= not (cells.dtype == pl.Boolean or cells.dtype.is_integer())
            self.text |= self.wanted == "text"
            if self.wanted != "number":
                self._widen(cells.cast(pl.String))
        else:
            message = f"column {self.name} holds {cells.dtype}, which is neither numbers nor text"
            hint = "save it as numbers or as text"
            raise part.cell_error("mixed-column", message, hint, 0, self.number)

    def _see_text(self, cells: Any, part: Cells) -> None:
        pl = polars()
        if self.wanted != "number":
            self._widen(cells)
        if self.text or self.wanted == "text":
            self.text = True
            return
        bare = cells.fill_null("").str.strip_chars()
        empty = bare == ""
        self.missing |= bool(empty.any())
        if self.fractions or bool((bare.cast(pl.Int64, strict=False).is_null() & ~empty).any()):
            numbers = bare.cast(pl.Float64, strict=False)
            wrong = numbers.is_null() & ~empty
            if bool(wrong.any()):
                flags = bare.str.to_lowercase().is_in(["true", "false"])
                wrong = wrong & ~flags
                if self.wanted == "any":
                    self.text = True
                elif bool(wrong.any()):
                    row = int(wrong.arg_max())
                    raise self._not_a_number(str(cells[row]), part, row)
            else:
                self.fractions = True

    def _widen(self, cells: Any) -> None:
        self.width = max(self.width, int(cells.str.len_bytes().max() or 1))

    def _not_a_number(self, value: str, part: Cells, row: int) -> TableError:
        message = f"column {self.name} has numbers, but this cell is {shown(value)}"
        return part.cell_error("mixed-column", message, _number_hint(value), row, self.number)

    def array(self, cells: Any) -> Array:
        """The cells as an array of ``dtype``."""
        pl = polars()
        if self.text:
            if cells.dtype != pl.Boolean or self.wanted != "number":
                cells = cells.cast(pl.String)
            texts = cells.fill_null("").cast(pl.Binary).to_list()
            return np.array(texts, self.dtype) if texts else np.empty(0, self.dtype)
        if cells.dtype in (pl.Categorical, pl.Enum):
            cells = cells.cast(pl.String)
        if cells.dtype == pl.String:
            bare = cells.fill_null("").str.strip_chars()
            kind = pl.Int64 if self.dtype.kind == "i" else pl.Float64
            low = bare.str.to_lowercase()
            plain = low.replace(["true", "false"], ["1", "0"])
            cells = plain.cast(kind, strict=False)
        if self.dtype.kind == "f":
            cells = cells.cast(pl.Float64).fill_null(float("nan"))
        values: Array = cells.to_numpy().astype(self.dtype, copy=False)
        return values


def _number_hint(value: str) -> str:
    bare = value.strip()
    if _THOUSANDS.fullmatch(bare) and not _DECIMAL_COMMA.fullmatch(bare):
        return "write numbers without thousands separators, and with a decimal point"
    if _DECIMAL_COMMA.fullmatch(bare):
        return "write numbers with a decimal point, and without thousands separators"
    if bare.lower() in _MISSING:
        return "leave the cell of a missing value empty"
    return (
        "to use it as text, declare the input with dtype: string; to use it as class names, write "
        "data: {OUTPUT: {column: COLUMN}}"
    )
