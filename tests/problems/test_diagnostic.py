"""Problems as values: hints at near names, sizes in words, and problems that follow from others."""

import pytest

from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, did_you_mean, has_errors, is_echo
from modelspec.problems.units import size


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("dens", "did you mean Dense?"),
        ("DENSE", "did you mean Dense?"),
        ("Flaten", "did you mean Flatten?"),
        ("Conv2D", None),
        ("", None),
    ],
)
def test_the_nearest_name_is_offered(name: str, hint: str | None) -> None:
    assert did_you_mean(name, ["Dense", "Flatten"]) == hint


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 KB"),
        (13_500, "13.5 KB"),
        (2_000_000_000, "2.0 GB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_sizes_have_units(count: float, text: str) -> None:
    assert size(count) == text


def test_a_warning_is_no_error() -> None:
    warning = Diagnostic("loss-weight", "a weight is 0", ("loss_weights",), severity="warning")
    assert not has_errors([warning])
    assert has_errors([warning, Diagnostic("bad-key", "a key is a string", ())])


@pytest.mark.parametrize(
    ("route", "echo"),
    [
        (("layers", 0, "Dense", "units"), True),
        (("layers", 0, "Dense"), False),
        (("layers", 1, "Dense"), True),
        (("layers", 9, "Dense"), False),
    ],
)
def test_a_problem_of_an_unknown_value_is_an_echo(
    route: tuple[str | int, ...], *, echo: bool
) -> None:
    data = {"layers": [{"Dense": {"units": UNKNOWN}}, UNKNOWN]}
    assert is_echo(Diagnostic("wrong-type", "", route), data) is echo
