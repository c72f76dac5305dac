"""Cells to numbers or text: the type of a column, from all of its rows."""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np

from modelspec.data.classes import MISSING_MARKS
from modelspec.data.concatenated import Array
from modelspec.data.tables.faults import TableError, shown
from modelspec.data.tables.library import polars

Kind = Literal["number", "text", "any"]
"""The use of a column: ``any`` is text unless all cells are numbers."""


@dataclass(frozen=True)
class Wanted:
    """The form in which the cells of a column are read.

    ``dtype`` is that of its numbers where the spec states it, and ``missing`` are texts that mean
    the same as an empty cell.
    """

    kind: Kind = "any"
    dtype: str | None = None
    missing: tuple[str, ...] = ()


TEXT = Wanted("text")

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:[,.' \u00a0\u202f]\d{3})+(?:[.,]\d+)?")
_MISSING = MISSING_MARKS | {"missing", "none", "unknown"}
_LARGEST = 2**53


class Cells(Protocol):
    """Some rows of a table."""

    def frame(self, columns: Any, width: int) -> Any: ...
    def cell_error(
        self, code: str, message: str, hint: str | None, row: int, column: int
    ) -> TableError: ...


@dataclass
class ColumnType:
    """The type of a column after the rows that were read.

    ``width`` is the length of the longest text, in bytes of UTF-8; ``like`` the dtype of numbers
    that this column has in other files. ``wanted``, ``pinned`` and ``absent`` come from ``Wanted``.
    """

    name: str
    number: int
    wanted: Kind
    pinned: str | None = None
    absent: tuple[str, ...] = ()
    text: bool = False
    fractions: bool = False
    missing: bool = False
    width: int = 1
    like: np.dtype[Any] | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.text:
            return np.dtype(f"S{self.width}")
        if self.pinned is not None:
            return np.dtype(self.pinned)
        if self.like is not None and (
            self.like.kind == "f" or not (self.fractions or self.missing)
        ):
            return self.like
        return np.dtype(np.float64 if self.fractions or self.missing else np.int64)

    def stored(self) -> dict[str, Any]:
        """Return all fields except ``like``, as JSON data."""
        return {key: value for key, value in asdict(self).items() if key != "like"}

    def see(self, cells: Any, part: Cells) -> None:
        """Update the type with the cells of a part, a series of polars.

        Raises:
            TableError: A number is required, and a cell is not one.
        """
        pl = polars()
        cells = self._known(cells)
        if cells.dtype == pl.String:
            self._see_text(cells, part)
        elif cells.dtype == pl.Boolean or cells.dtype.is_numeric():
            self.missing |= cells.null_count() > 0
            self.fractions |= not (cells.dtype == pl.Boolean or cells.dtype.is_integer())
            self.text |= self.wanted == "text"
            if self.wanted != "number":
                self._widen(cells.cast(pl.String))
            elif self._whole:
                self._require_whole(cells, cells.cast(pl.Float64), cells.is_null(), part)
        else:
            message = f"column {self.name} holds {cells.dtype}, which is neither numbers nor text"
            hint = "save it as numbers or as text"
            raise part.cell_error("mixed-column", message, hint, 0, self.number)

    @property
    def _whole(self) -> bool:
        """True where the spec declares an integer dtype."""
        return self.pinned is not None and np.dtype(self.pinned).kind == "i"

    def _known(self, cells: Any) -> Any:
        """Return the cells as text or numbers, with missing ones empty."""
        pl = polars()
        if cells.dtype in (pl.Categorical, pl.Enum):
            cells = cells.cast(pl.String)
        if self.absent and cells.dtype == pl.String:
            gone = cells.str.strip_chars().is_in(list(self.absent)).fill_null(value=False)
            cells = pl.select(pl.when(gone).then(pl.lit("")).otherwise(cells)).to_series()
        return cells

    def _require_whole(self, cells: Any, numbers: Any, empty: Any, part: Cells) -> None:
        """Refuse cells that an integer type cannot represent.

        Raises:
            TableError: A cell, the first one is named, is missing, has a fraction or is too large.
        """
        assert self.pinned is not None
        limits = np.iinfo(self.pinned)
        fits = (numbers == numbers.floor()) & (numbers >= limits.min) & (numbers <= limits.max)
        wrong = (empty | ~fits.fill_null(value=False)).fill_null(value=True)
        if not bool(wrong.any()):
            return
        row = int(wrong.arg_max())
        if bool(empty[row]):
            message = f"column {self.name} is {self.pinned}, which has no missing cells"
            hint = "write dtype: float64, which has NaN for missing cells; or remove the rows"
        else:
            message = (
                f"column {self.name} is {self.pinned}, but this cell is {shown(str(cells[row]))}"
            )
            hint = "dtype: float64 holds fractions, and int64 integers of 19 digits"
        raise part.cell_error("mixed-column", message, hint, row, self.number)

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
            if self.pinned is None:  # float64 would merge different numbers
                whole = bare.str.contains(r"^[+-]?\d{19,}$")
                wrong = wrong | (whole & bare.cast(pl.Int64, strict=False).is_null())
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
        if self._whole and not self.text:
            low = bare.str.to_lowercase().replace(["true", "false"], ["1", "0"])
            self._require_whole(cells, low.cast(pl.Float64, strict=False), empty, part)

    def _widen(self, cells: Any) -> None:
        self.width = max(self.width, int(cells.str.len_bytes().max() or 1))

    def _not_a_number(self, value: str, part: Cells, row: int) -> TableError:
        message = f"column {self.name} has numbers, but this cell is {shown(value)}"
        hint = _number_hint(self.name, value, self.absent)
        return part.cell_error("mixed-column", message, hint, row, self.number)

    def array(self, cells: Any) -> Array:
        """Return the cells as an array of ``dtype``."""
        pl = polars()
        cells = self._known(cells)
        if self.text:
            if cells.dtype != pl.Boolean or self.wanted != "number":
                cells = cells.cast(pl.String)
            texts = cells.fill_null("").cast(pl.Binary).to_list()
            return np.array(texts, self.dtype) if texts else np.empty(0, self.dtype)
        if cells.dtype == pl.String:
            bare = cells.fill_null("").str.strip_chars()
            kind = pl.Int64 if self.dtype.kind == "i" else pl.Float64
            low = bare.str.to_lowercase()
            plain = low.replace(["true", "false"], ["1", "0"])
            cells = plain.cast(kind, strict=False)
            if self._whole:  # 1.0 is a whole number, too
                cells = cells.fill_null(plain.cast(pl.Float64, strict=False).cast(pl.Int64))
        if self.dtype.kind == "f":
            cells = cells.cast(pl.Float64).fill_null(float("nan"))
        values: Array = cells.to_numpy().astype(self.dtype, copy=False)
        return values


def _number_hint(name: str, value: str, absent: tuple[str, ...]) -> str:
    bare = value.strip()
    if _THOUSANDS.fullmatch(bare) and not _DECIMAL_COMMA.fullmatch(bare):
        return "write numbers without thousands separators, and with a decimal point"
    if _DECIMAL_COMMA.fullmatch(bare):
        return "write numbers with a decimal point, and without thousands separators"
    if bare.lstrip("+-").isdecimal():
        return (
            "int64 holds 18 digits: declare the input of an id with dtype: string; to round the "
            f"number, write data: {{NAME: {{column: {name}, dtype: float64}}}}"
        )
    if bare.lower() in _MISSING:
        texts = ", ".join(json.dumps(text, ensure_ascii=False) for text in (*absent, bare))
        return (
            "leave the cell of a missing value empty, or write which text marks one: data: {NAME: "
            f"{{column: {name}, dtype: float32, missing: [{texts}]}}}}"
        )
    return (
        "to use it as text, declare the input with dtype: string; to use it as class names, write "
        "data: {OUTPUT: {column: COLUMN}}"
    )
