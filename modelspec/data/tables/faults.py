"""Errors of a table, with their line and column."""

from pathlib import Path

from modelspec.problems.diagnostic import Diagnostic, Span

_SHOWN = 60


class TableError(Exception):
    """A table, or a cell of it, is unusable.

    ``line`` and ``column`` count from 1, in characters; of a Parquet file, ``line`` is the row.
    """

    def __init__(
        self,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        line: int = 1,
        column: int = 1,
        width: int = 1,
        text: str = "",
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint
        self.line, self.column, self.width, self.text = line, column, width, text

    def diagnostic(self, file: Path) -> Diagnostic:
        """Return the problem, with the file that has it."""
        end = self.column + max(self.width, 1)
        # The excerpt shows one line; the lines before it are not read again.
        text = "\n" * (self.line - 1) + self.text if self.line < _FAR else ""
        span = Span(self.line, self.column, self.line, end)
        return Diagnostic(
            self.code, self.message, hint=self.hint, span=span, file=str(file), text=text
        )


_FAR = 100_000
"""The last line for which an excerpt is shown; a later one would need as many line breaks."""


def shown(value: str) -> str:
    """Format a cell for a message."""
    return repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "…")
