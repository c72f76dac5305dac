"""Callbacks whose packages are missing are reported before training."""

from importlib.machinery import ModuleSpec
from typing import Any

import pytest

from modelspec.checks import packages
from modelspec.checks.packages import check_packages


@pytest.mark.parametrize(
    ("callback", "route"),
    [
        ("TensorBoard", ("training", "callbacks", 1)),
        ({"TensorBoard": None}, ("training", "callbacks", 1, "TensorBoard")),
        ({"OrbaxCheckpoint": {"directory": "x"}}, ("training", "callbacks", 1, "OrbaxCheckpoint")),
    ],
)
def test_missing(monkeypatch: pytest.MonkeyPatch, callback: Any, route: tuple[Any, ...]) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda _: None)
    [problem] = check_packages(["TerminateOnNaN", callback, {}, 3])
    assert (problem.code, problem.route) == ("missing-package", route)


def test_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: ModuleSpec(name, None))
    assert check_packages(["TensorBoard", "OrbaxCheckpoint"]) == []
