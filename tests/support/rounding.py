"""The largest difference of two computations of the same numbers, on any CPU.

The instruction set decides in which order a sum is computed and which operations are fused. So do
XLA, the number of threads, and the number of rows in a batch. Two forms of one computation agree
only within the rounding of their sums.

An optimizer passes rounding on. SGD does so in proportion to its learning rate. Adam and similar
optimizers divide a gradient by its own size: a weight whose gradient is only rounding moves by a
whole learning rate, in either direction. So two forms are compared under SGD, or in float64, whose
rounding is lost in the epsilon that Adam adds to the divisor.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

DEVIATIONS = 6.0
"""The allowed standard deviations: more would occur once in 10 million sums."""

ADAM = 0.001 / 1e-7
"""The factor from a gradient's rounding to a step of Keras's Adam: learning rate over epsilon."""


def rounding(terms: int, dtype: str = "float32") -> float:
    """Return the relative difference of two sums of ``terms`` numbers in different orders.

    Each addition is wrong by at most half of the type's epsilon, up or down. By Higham and Mary
    (2019) a sum of n terms is then wrong by less than d·√n·eps/2, except with a probability of
    2·exp(-d²/2); and two sums differ by twice as much. The terms of several sums in a row add up.
    """
    return DEVIATIONS * math.sqrt(terms) * float(np.finfo(dtype).eps)


def assert_close(ours: Sequence[Any], theirs: Sequence[Any], tolerance: float) -> None:
    """Compare arrays with others, relative to the largest magnitude among them.

    A small number may be the difference of large ones, so its own size is not a measure. Integers
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
    """Compare the numbers of an epoch with others.

    Rounding may move a sample from one class to another where both are equally likely, so an
    accuracy may differ by one of its samples.
    """
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        counted = 1 / samples if "acc" in name else 0.0
        assert ours[name] == pytest.approx(value, rel=tolerance, abs=counted), name
