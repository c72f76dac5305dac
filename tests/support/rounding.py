"""How far apart two computations of the same numbers may lie, whatever the CPU.

The instruction set decides in which order a sum is taken and what is fused with what. So do XLA,
the number of threads, and the number of rows in a batch. Two forms of one computation agree to the
rounding of their sums, and no further.

An optimizer passes rounding on. SGD does so in proportion to its learning rate. Adam and its kin
divide a gradient by its own size: a weight whose gradient is nothing but rounding moves by a whole
learning rate, either way. Two forms are therefore compared under SGD, or in float64, whose rounding
is lost in the epsilon that Adam adds to the divisor.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

DEVIATIONS = 6.0
"""Of what chance is allowed: more would be met once in 10 million sums."""

ADAM = 0.001 / 1e-7
"""How much of a gradient's rounding enters a step of Keras's Adam: learning rate over epsilon."""


def rounding(terms: int, dtype: str = "float32") -> float:
    """The relative difference of two sums of so many terms, each taken in an order of its own.

    Each addition is off by at most half of the type's epsilon, up or down. By Higham and Mary
    (2019) a sum of n terms is then off by less than d·√n·eps/2, but for a chance of 2·exp(-d²/2);
    and two sums differ by twice as much. The terms of several sums in a row add up.
    """
    return DEVIATIONS * math.sqrt(terms) * float(np.finfo(dtype).eps)


def assert_close(ours: Sequence[Any], theirs: Sequence[Any], tolerance: float) -> None:
    """Hold arrays against others, relative to the largest magnitude among them.

    A small number may be what is left of large ones, so its own size is not a measure. Integers
    are not rounded: they must be equal.
    """
    pairs = [(np.asarray(one), np.asarray(other)) for one, other in zip(ours, theirs, strict=True)]
    real = [(one.astype("d"), other.astype("d")) for one, other in pairs if other.dtype.kind == "f"]
    scale = max((float(np.abs(other).max(initial=0)) for _, other in real), default=0.0)
    for one, other in pairs:
        atol = tolerance * scale if other.dtype.kind == "f" else 0
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)


def assert_logs_close(
    ours: Mapping[str, float], theirs: Mapping[str, float], tolerance: float, samples: int
) -> None:
    """Hold the numbers of an epoch against others.

    Rounding may move a sample from one class to another where both are as likely, so an accuracy
    may differ by one of its samples.
    """
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        counted = 1 / samples if "acc" in name else 0.0
        assert ours[name] == pytest.approx(value, rel=tolerance, abs=counted), name
