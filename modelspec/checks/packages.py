"""Checks of Keras objects that need additional packages."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic

_NEEDS = {"TensorBoard": "tensorboard", "OrbaxCheckpoint": "orbax"}


def check_packages(callbacks: Sequence[Any]) -> list[Diagnostic]:
    """Report callbacks that would fail at the start of training because a package is missing."""
    problems = []
    for position, callback in enumerate(callbacks):
        written = Written.read(callback, ("training", "callbacks", position))
        package = _NEEDS.get(written.name) if written else None
        if written is not None and package is not None and find_spec(package) is None:
            message = f"{written.name} needs the package {package}, which is not installed"
            problems.append(Diagnostic("missing-package", message, written.route, "key"))
    return problems
