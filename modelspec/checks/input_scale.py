"""Inputs whose scale is far from that of new weights."""

from collections.abc import Iterator

import numpy as np

from modelspec.checks.reach import FAR, LARGE, reaches_weights
from modelspec.checks.spread import MOST_COLUMNS, Spread, listed, short, spread_of
from modelspec.data.concatenated import Column
from modelspec.graph.graph import Graph, Input
from modelspec.problems.diagnostic import Diagnostic

_APART = 1000.0
_BYTE = 255


def check_input_scale(
    graph: Graph, declared: Input, name: str, array: Column
) -> Iterator[Diagnostic]:
    """Warn of raw bytes, columns of different scales, and values far from 1."""
    if "float" not in declared.dtype or not reaches_weights(graph, declared.name):
        return
    spread = spread_of(array)
    if spread is None:
        return
    images = array.ndim > 3 or (array.ndim == 3 and array.dtype == np.uint8)  # noqa: PLR2004
    problem = _bytes(name, spread) if images else _apart(name, spread)
    if problem := problem or _far(name, spread):
        yield Diagnostic("input-scale", problem[0], declared.route, "key", "warning", problem[1])


def _bytes(name: str, spread: Spread) -> tuple[str, str] | None:
    if spread.low < 0 or not LARGE < spread.high <= _BYTE:
        return None
    message = f"array {name} has values from {spread.low:g} to {spread.high:g}, like bytes"
    hint = "begin with  - Rescaling: {scale: 0.00392156862745098}  which makes them 0 to 1"
    return message, hint


def _apart(name: str, spread: Spread) -> tuple[str, str] | None:
    """Describe columns whose standard deviations are far from each other."""
    sizes = spread.deviation[spread.deviation > 0]
    if not len(sizes) or sizes.max() <= LARGE or sizes.max() / sizes.min() < _APART:
        return None
    large, small = (
        int(spread.deviation.argmax()),
        int(np.where(spread.deviation > 0, spread.deviation, np.inf).argmin()),
    )
    message = (
        f"the columns of array {name} differ in scale: the standard deviation is "
        f"{short(spread.deviation[large])} in column {large} and "
        f"{short(spread.deviation[small])} in column {small}"
    )
    return message, _normalization(spread)


def _far(name: str, spread: Spread) -> tuple[str, str] | None:
    """Describe values that are far from those that new weights are made for."""
    sizes = np.maximum(np.abs(spread.mean), spread.deviation)
    at = int(sizes.argmax())
    if sizes[at] <= FAR:
        return None
    column = f" in column {at}" if len(sizes) > 1 else ""
    message = (
        f"array {name} has a mean of {short(spread.mean[at])} and a standard deviation of "
        f"{short(spread.deviation[at])}{column}, but new weights need values of about 1"
    )
    if len(sizes) > 1:
        return message, _normalization(spread)
    deviation = spread.deviation[0] or 1.0
    scale, offset = short(1 / deviation), short(-spread.mean[0] / deviation)
    return message, f"begin with  - Rescaling: {{scale: {scale}, offset: {offset}}}"


def _normalization(spread: Spread) -> str:
    """Return the hint of a layer that brings all columns to one scale."""
    if len(spread.mean) > MOST_COLUMNS:
        return "begin with  - BatchNormalization  which gives all columns the same scale"
    variance = np.where(spread.deviation > 0, spread.deviation**2, 1.0)
    means, variances = listed(spread.mean), listed(variance)
    return f"begin with  - Normalization: {{mean: {means}, variance: {variances}}}"
