"""Checks of Keras objects that need additional packages."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from modelspec.problems.diagnostic import Diagnostic, Route

_NEEDS = {"TensorBoard": "tensorboard", "OrbaxCheckpoint": "orbax"}


def check_packages(callbacks: Sequence[Any]) -> list[Diagnostic]:
    """Report callbacks that would fail at the start of training because a package is missing."""
    problems = []
    for position, callback in enumerate(callbacks):
        named = isinstance(callback, dict) and len(callback) == 1
        name = str(next(iter(callback)) if named else callback)
        package = _NEEDS.get(name)
        if package is not None and find_spec(package) is None:
            place: Route = ("training", "callbacks", position)
            route = (*place, name) if named else place
            message = f"{name} needs the package {package}, which is not installed"
            problems.append(Diagnostic("missing-package", message, route, "key"))
    return problems
