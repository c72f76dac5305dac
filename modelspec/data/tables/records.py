"""Complete records of a CSV or TSV file: their structure and their cells.

The structure is checked here, on the bytes, because readers of CSV fill short rows and rename equal
headers without a message. polars splits the cells.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from modelspec.data.tables.faults import TableError
from modelspec.data.tables.library import polars

_QUOTE, _NEWLINE, _RETURN = ord('"'), ord("\n"), ord("\r")


@dataclass(frozen=True)
class Part:
    """Some complete records. ``line`` is the number of the first record's line, from 1."""

    data: bytes
    line: int
    separator: str

    @cached_property
    def _marks(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The positions where records end, and where cells are separated, outside of quotes."""
        codes = np.frombuffer(self.data, np.uint8)
        ends, separators = codes == _NEWLINE, codes == ord(self.separator)
        quotes = codes == _QUOTE
        if quotes.any():
            outside = np.cumsum(quotes, dtype=np.int32) & 1 == 0
            ends, separators = ends & outside, separators & outside
        return np.flatnonzero(ends), np.flatnonzero(separators)

    @property
    def first_end(self) -> int:
        """The position where the first record ends."""
        return int(self._marks[0][0])

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """The positions where records start."""
        ends, _ = self._marks
        return np.concatenate([np.zeros(1, np.int64), ends[:-1] + 1])

    @cached_property
    def _lengths(self) -> npt.NDArray[np.int64]:
        """The bytes of each record, without its line end."""
        ends, _ = self._marks
        codes = np.frombuffer(self.data, np.uint8)
        lengths = ends - self.starts
        returns = (codes[np.maximum(ends - 1, 0)] == _RETURN) & (lengths > 0)
        bare: npt.NDArray[np.int64] = lengths - returns
        return bare

    @cached_property
    def blank(self) -> npt.NDArray[np.bool_]:
        """True for each record that is an empty line."""
        empty: npt.NDArray[np.bool_] = self._lengths == 0
        return empty

    def check(self, width: int) -> None:
        """Refuse bytes that are not text, quotes that are not closed, and rows of another width.

        Raises:
            TableError: The first of these errors, with its place.
        """
        self.check_text()
        ends, separators = self._marks
        self.check_quotes()
        cells = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
        wrong = cells != width
        if width > 1:
            wrong &= ~self.blank
        if wrong.any():
            record = int(wrong.argmax())
            raise self._ragged(record, int(cells[record]), width)

    def check_text(self) -> None:
        try:
            self.data.decode()
        except UnicodeDecodeError as error:
            raise self.error(
                f"the bytes {self.data[error.start : error.start + 2]!r} are not UTF-8",
                "save the table as UTF-8; it may be in Windows-1252, as older programs write it",
                error.start,
            ) from None
        if b"\0" in self.data:
            message = "there is a byte 0, which text cannot contain"
            raise self.error(message, "save the table as UTF-8", self.data.index(b"\0"))

    def check_quotes(self) -> None:
        """Refuse a quote inside a cell, because the text after it would join that cell."""
        codes = np.frombuffer(self.data, np.uint8)
        quotes = np.flatnonzero(codes == _QUOTE)
        opening, closing = quotes[::2], quotes[1::2]
        allowed = [ord(self.separator), _NEWLINE, _QUOTE]
        stray = opening[~np.isin(codes[np.maximum(opening - 1, 0)], allowed) & (opening > 0)]
        after = codes[np.minimum(closing + 1, len(codes) - 1)]
        early = closing[~np.isin(after, [*allowed, _RETURN])]
        if len(stray) and not (len(early) and early[0] < stray[0]):
            raise self.error(
                "there is a quote inside a cell",
                'write the whole cell in quotes, and each quote in it twice: "5"" pipe"',
                int(stray[0]),
            )
        if len(early):
            opened = int(opening[np.searchsorted(closing, early[0])])
            message = "the quote that opens here is not closed at the end of its cell"
            raise self.error(message, "write a quote inside of a cell twice", opened)

    def _ragged(self, record: int, cells: int, width: int) -> TableError:
        message = f"the row has {cells} cells, but the header has {width}"
        hint = "every row needs one cell for each column"
        if cells > width:
            hint = (
                "a comma inside a cell, such as a decimal comma, divides it: write numbers with a "
                "point, or the cell in quotes"
            )
        return self.error(message, hint, int(self.starts[record]))

    def error(self, message: str, hint: str | None, at: int, width: int = 1) -> TableError:
        """Return an error at a byte."""
        start = self.data.rfind(b"\n", 0, at) + 1
        line = self.line + self.data.count(b"\n", 0, start)
        end = self.data.find(b"\n", start)
        text = self.data[start : end if end >= 0 else None].decode(errors="replace").rstrip("\r")
        column = len(self.data[start:at].decode(errors="replace")) + 1
        return TableError(
            "bad-table", message, hint, line=line, column=column, width=width, text=text
        )

    def cell_error(
        self, code: str, message: str, hint: str | None, row: int, column: int
    ) -> TableError:
        """Return an error at a cell, by its row in ``frame`` and the number of its column."""
        kept = np.flatnonzero(~self.blank) if self._marks[1].size else np.arange(len(self.starts))
        record = int(kept[row])
        _, separators = self._marks
        start = int(self.starts[record])
        first = int(np.searchsorted(separators, start))
        begin = start if column == 0 else int(separators[first + column - 1]) + 1
        end = start + int(self._lengths[record])
        following = separators[(separators >= begin) & (separators < end)]
        stop = int(following[0]) if len(following) else end
        width = len(self.data[begin:stop].decode(errors="replace"))
        error = self.error(message, hint, begin, width)
        error.code = code
        return error

    def _without_blank(self) -> bytes:
        """Return the records without empty lines; polars counts the cells of the first line."""
        if not self.blank.any():
            return self.data
        kept = np.ones(len(self.data), np.bool_)
        starts, ends = self.starts[self.blank], self._marks[0][self.blank]
        kept[starts] = kept[ends] = False
        return np.frombuffer(self.data, np.uint8)[kept].tobytes()

    def frame(self, columns: Sequence[int], width: int) -> Any:
        """Return the cells of some columns as text; empty lines have none.

        Raises:
            TableError: polars cannot split the cells.
        """
        pl = polars()
        kept = sorted(columns)
        try:
            frame = pl.read_csv(
                io.BytesIO(self._without_blank() if width > 1 else self.data),
                has_header=False,
                infer_schema=False,
                separator=self.separator,
                columns=kept,
            )
        except Exception as error:
            reason = str(error).splitlines()[0]
            message = f"the cells cannot be divided: {reason}"
            raise self.error(message, None, 0) from error
        if frame.height != len(self.starts) - (int(self.blank.sum()) if width > 1 else 0):
            raise self.error("the rows cannot be divided", None, 0)
        frame.columns = [str(column) for column in kept]
        return frame.select(pl.all().fill_null(""))
