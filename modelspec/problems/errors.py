"""Exceptions: errors in a spec, a run's folder or a model file, and Ctrl-C."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from modelspec.problems.problem import Problem


class SpecError(Exception):
    """A spec or its data has errors; ``problems`` contains all problems.

    Example:
        >>> import modelspec
        >>> try:
        ...     modelspec.loads("modelspec: 1").require()
        ... except modelspec.SpecError as error:
        ...     print([problem.code for problem in error.problems])
        ['missing-key', 'missing-key', 'missing-key']
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        errors = [problem for problem in problems if problem.severity == "error"]
        lines = (f"{error.place.file}:{error.place.span.line}: {error.message}" for error in errors)
        super().__init__("\n".join(lines))


class RunError(Exception):
    """A run cannot start or continue, or its folder is unusable; the message gives the reason."""


class ResumableError(RunError):
    """A run failed for a cause that can be removed; ``--resume`` then continues it.

    ``command`` is the whole command line of the run, where there was one.
    """

    def __init__(self, reason: str, path: Path, command: str | None = None) -> None:
        self.reason, self.path = reason, path
        how = command or "--resume"
        super().__init__(
            f"{reason}; what was saved before is intact: remove the cause, and continue with {how}"
        )


class ModelError(Exception):
    """A model, or the file of one, is unusable or cannot be computed; the message says why."""


class KerasError(Exception):
    """The installed Keras is unusable; the message gives the reason and the remedy."""


class PluginError(Exception):
    """A plugin is unusable or missing; the message names it and gives the reason."""


class StepError(ModelError):
    """A step cannot be computed; ``layer`` is the name of the failed layer, if it is known.

    ``in_optimizer`` says that the optimizer failed, which belongs to no layer.
    """

    def __init__(
        self, message: str, layer: str | None = None, *, in_optimizer: bool = False
    ) -> None:
        self.layer, self.in_optimizer = layer, in_optimizer
        super().__init__(message)


class RunInterrupted(KeyboardInterrupt):
    """A signal stopped a run; the message gives ``command``, if there is one, to resume it."""

    def __init__(self, path: Path, command: str | None = None) -> None:
        self.path = path
        how = command or shlex.join(["--run", str(path), "--resume"])
        super().__init__(f"interrupted: continue with {how}")
