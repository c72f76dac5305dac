"""Detection of changes to data files during a run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Snapshot:
    """Size, modification time and identity of some files."""

    of: dict[Path, tuple[int, int, int]]

    @classmethod
    def take(cls, files: list[Path]) -> Self:
        return cls({file: _stamp(file) for file in files})

    def find_change(self) -> str | None:
        """Describe the first file that changed; None if no file changed."""
        for file, stamp in self.of.items():
            try:
                if _stamp(file) != stamp:
                    return f"{file} was changed while it was in use"
            except OSError:
                return f"{file} was removed while it was in use"
        return None


def _stamp(file: Path) -> tuple[int, int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino
