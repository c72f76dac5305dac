"""A training for a scheduler of machines, as plain data."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Launch:
    """The same command on ``workers`` machines that share one folder.

    ``command`` has the words after the program's name; its relative paths start from ``folder``.
    ``restarts`` is how many times the command is started again after a worker was lost.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    run: Path
    workers: int
    restarts: int
