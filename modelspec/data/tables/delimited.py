"""CSV and TSV files, read in parts that end with a record.

The structure is checked here, on the bytes, because readers of CSV fill short rows and rename equal
headers in silence. polars divides the cells.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelspec.data.tables.faults import TableError, shown
from modelspec.data.tables.library import polars

PART_BYTES = 8 << 20
_LARGEST_RECORD = 64 << 20

_BOM = b"\xef\xbb\xbf"
_OTHER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_MAGICS = {
    b"PK\x03\x04": "a zip archive, as a workbook or an npz file is",
    b"\x1f\x8b": "compressed with gzip",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 file",
}
_QUOTE, _NEWLINE, _RETURN = ord('"'), ord("\n"), ord("\r")
_SEPARATORS = {".csv": ",;\t", ".tsv": "\t"}
"""By suffix, the characters that may separate cells; the first in the header is the one."""


@dataclass(frozen=True)
class Part:
    """Some whole records. ``line`` is the number of the first one's line, from 1."""

    data: bytes
    line: int
    separator: str

    @cached_property
    def _marks(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Where records end, and where cells are separated, outside of quotes."""
        codes = np.frombuffer(self.data, np.uint8)
        ends, separators = codes == _NEWLINE, codes == ord(self.separator)
        quotes = codes == _QUOTE
        if quotes.any():
            outside = np.cumsum(quotes, dtype=np.int32) & 1 == 0
            ends, separators = ends & outside, separators & outside
        return np.flatnonzero(ends), np.flatnonzero(separators)

    @property
    def first_end(self) -> int:
        """Where the first record ends."""
        return int(self._marks[0][0])

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where each record starts."""
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
        """Which records are empty lines."""
        empty: npt.NDArray[np.bool_] = self._lengths == 0
        return empty

    def check(self, width: int) -> None:
        """Refuse bytes that are not text, quotes that are not closed, and rows of another width.

        Raises:
            TableError: with the place of the first of these.
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
            message = "there is a byte 0, which text does not have"
            raise self.error(message, "save the table as UTF-8", self.data.index(b"\0"))

    def check_quotes(self) -> None:
        """Refuse a quote that opens inside a cell: what follows it would be read as one cell."""
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
        """An error at a byte."""
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
        """An error at a cell, by its row in ``frame`` and the number of its column."""
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
        """The records without empty lines, by the first of which polars would count the cells."""
        if not self.blank.any():
            return self.data
        kept = np.ones(len(self.data), np.bool_)
        starts, ends = self.starts[self.blank], self._marks[0][self.blank]
        kept[starts] = kept[ends] = False
        return np.frombuffer(self.data, np.uint8)[kept].tobytes()

    def frame(self, columns: Sequence[int], width: int) -> Any:
        """The cells of some columns as text; empty lines have none.

        Raises:
            TableError: where polars cannot divide the cells.
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


class Delimited:
    """A CSV or TSV file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        with file.open("rb") as opened:
            start = opened.read(8)
        self._refuse(start)
        self._skip = len(_BOM) if start.startswith(_BOM) else 0
        first = next(self._records(",", PART_BYTES), None)
        if first is None or not first.data.strip():
            raise TableError("bad-table", "the file is empty", "its first line names the columns")
        self.separator = self._separator(first)
        self.names = self._header()

    def _refuse(self, start: bytes) -> None:
        for mark, encoding in _OTHER_MARKS.items():
            if start.startswith(mark):
                message = f"the file is in {encoding}, by its byte-order mark"
                raise TableError("bad-table", message, "save it as UTF-8")
        for magic, what in _MAGICS.items():
            if start.startswith(magic):
                message = f"the file is {what}, not a table of text"
                raise TableError("bad-table", message, "name it by what it contains")

    def _separator(self, first: Part) -> str:
        line = first.data.split(b"\n", 1)[0].decode(errors="replace")
        allowed = _SEPARATORS[self.file.suffix.lower()]
        return next((separator for separator in allowed if separator in line), allowed[0])

    def _header(self) -> list[str]:
        part = next(self._records(self.separator, PART_BYTES))
        part.check_text()
        head = part.data[: part.first_end].decode()
        try:
            names = next(csv.reader(io.StringIO(head), delimiter=self.separator))
        except csv.Error:
            message = "lines end with a carriage return alone"
            hint = "save the table with line breaks, as current programs write them"
            text, column = head.splitlines()[0], head.index("\r") + 1
            raise TableError("bad-table", message, hint, column=column, text=text) from None
        names = [name.strip() for name in names]
        places = [head.find(name) + 1 for name in names]
        line = head.splitlines()[0]
        if len(names) > 1 and all(map(_is_number, names)):
            message = "the first line has numbers, where the names of the columns belong"
            raise TableError("bad-table", message, "add a line with the names", text=line)
        for position, name in enumerate(names):
            if name and name in names[:position]:
                message = f"two columns are called {shown(name)}"
                column = head.find(name, places[names.index(name)]) + 1
                hint = "each column needs its own name"
                raise TableError(
                    "bad-table", message, hint, column=column, width=len(name), text=line
                )
        return names

    def parts(self) -> Iterator[Part]:
        """The records below the header, checked, in parts of some megabytes.

        Raises:
            TableError: at the first one that is not as the header has it.
        """
        header = True
        for part in self._records(self.separator, PART_BYTES):
            if header:
                header = False
                end = part.first_end + 1
                line = part.line + part.data.count(b"\n", 0, end)
                part = Part(part.data[end:], line, self.separator)  # noqa: PLW2901
            if part.data:
                part.check(len(self.names))
                yield part

    def _records(self, separator: str, size: int) -> Iterator[Part]:
        line, rest = 1, b""
        with self.file.open("rb") as opened:
            opened.seek(self._skip)
            while block := opened.read(size):
                rest += block
                end = _end_of_record(rest)
                if end:
                    yield Part(rest[:end], line, separator)
                    line += rest.count(b"\n", 0, end)
                    rest = rest[end:]
                elif len(rest) > _LARGEST_RECORD:
                    raise _unclosed(Part(rest, line, separator))
        if rest.count(b'"') % 2:
            raise _unclosed(Part(rest + b"\n", line, separator))
        if rest:
            yield Part(rest + b"\n", line, separator)


def _unclosed(part: Part) -> TableError:
    """The error of a part that has no end outside of quotes."""
    try:
        part.check_quotes()
    except TableError as error:
        return error
    return part.error("the quote that opens here is not closed", None, part.data.rfind(b'"'))


def _end_of_record(data: bytes) -> int:
    """The end of the last record that is whole; 0 where there is none."""
    end = len(data)
    odd = data.count(b'"') % 2 == 1
    while True:
        newline = data.rfind(b"\n", 0, end)
        if newline < 0:
            return 0
        odd ^= data.count(b'"', newline, end) % 2 == 1
        if not odd:
            return newline + 1
        end = newline


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
