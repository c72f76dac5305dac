"""CSV and TSV files, read in parts that end with a record."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from modelspec.data.tables.faults import TableError, shown
from modelspec.data.tables.records import Part

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
_SEPARATORS = {".csv": ",;\t", ".tsv": "\t"}
"""The characters that may separate cells, by suffix; the first one in the header is used."""


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
                hint = "give the file the suffix of its format"
                raise TableError("bad-table", message, hint)

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
            message = "lines end with only a carriage return"
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
        """Yield the records below the header, checked, in parts of some megabytes.

        Raises:
            TableError: A record does not match the header.
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
    """Return the error of a part that has no end outside of quotes."""
    try:
        part.check_quotes()
    except TableError as error:
        return error
    return part.error("the quote that opens here is not closed", None, part.data.rfind(b'"'))


def _end_of_record(data: bytes) -> int:
    """Return the end of the last complete record; 0 where there is none."""
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
