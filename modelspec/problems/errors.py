"""What ends a command: a spec with errors, a folder, a file, or Ctrl-C."""

from collections.abc import Sequence
from pathlib import Path

from modelspec.problems.problem import Problem


class SpecError(Exception):
    """A spec or its data cannot be used; ``problems`` says why, all of it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        errors = [problem for problem in problems if problem.severity == "error"]
        lines = (f"{error.place.file}:{error.place.span.line}: {error.message}" for error in errors)
        super().__init__("\n".join(lines))


class RunError(Exception):
    """A run's folder cannot be used as asked; the message says why."""


class ModelError(Exception):
    """A ``.keras`` file cannot be read or used; the message says why."""


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C ended a run; the message says how to go on with it."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"interrupted: go on with --run {path} --resume")
