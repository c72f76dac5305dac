"""What ends a command though the spec is right: a folder, a file, or Ctrl-C."""

from pathlib import Path


class RunError(Exception):
    """A run's folder cannot be used as asked; the message says why."""


class ModelError(Exception):
    """A ``.keras`` file cannot be read or used; the message says why."""


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C ended a run; the message says how to go on with it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"interrupted: go on with --run {path} --resume")
