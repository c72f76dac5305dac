"""Checks of targets and sample weights against the losses that use them."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modelspec.catalog.losses import LOSSES, Head, Shape, named_loss
from modelspec.checks.rows import first_outside, row_name
from modelspec.checks.target_shapes import check_target_shape, check_weight_shape, extra_axis
from modelspec.checks.target_values import check_values
from modelspec.data.arrays import Values, scan
from modelspec.data.concatenated import Column
from modelspec.problems.diagnostic import Diagnostic, Route

_LARGEST = {"float32": 3.4028234663852886e38, "float16": 65504.0, "bfloat16": 3.3895313892515355e38}
"""The largest finite value of each dtype."""

_MAX_TARGET = 1e18
"""The largest value whose squares, summed over a batch, are finite in float32."""


def check_target(
    head: Head, name: str, array: Column, output_shape: Shape | None
) -> list[Diagnostic]:
    """Return the first problem of the target ``name``; None in ``output_shape`` is unknown."""
    problem = not_numbers(name, array, f"output {head.output}", head.route)
    if problem and array.dtype.kind in "US":
        hint = f"data: {{{head.output}: {{column: {name}}}}} turns names of classes into ids"
        problem = replace(problem, hint=hint)
    if problem:
        return [problem]
    shape = output_shape[1:] if output_shape else None
    loss, arguments = named_loss(head.loss, array.shape[1:], shape)
    facts = LOSSES.get(loss)
    if shape is not None:
        problem = check_target_shape(head, loss, name, array.shape[1:], shape)
        if problem:
            return [problem]
    of_ids = facts is not None and facts.targets in ("ids", "sequences", "groups")
    ignore = _ignored(arguments) if facts and facts.targets == "ids" else None
    values = scan(array, whole=of_ids, ignore=ignore)
    problem = _not_known(head, name, array, values) or too_large(
        name, array, values, "float32", head.route
    )
    if not problem and facts and facts.targets in ("elementwise", "counts"):
        problem = _overflowing(head, name, array, values)
    if not problem and facts:
        problem = check_values(head, facts, name, array, values, shape=shape, ignore=ignore)
    if problem or not facts or shape is None:
        return [problem] if problem else []
    if facts.targets == "ids":  # with one axis of length 1, the numbers of metrics are right
        return extra_axis(name, array, (*shape[:-1], 1), head.route, "metrics may be wrong")
    return [] if of_ids else extra_axis(name, array, shape, head.route)


def _not_known(head: Head, name: str, array: Column, values: Values) -> Diagnostic | None:
    """Return the problem of NaN in a target, which often marks an unknown label."""
    problem = not_finite(name, array, values, head.route)
    if problem is None or values.not_finite == math.prod(array.shape):
        return problem
    hint = (
        f"if these are missing, save numpy.nan_to_num({name}), and {head.output}_weight with 0 "
        "in those rows, 1 in the others"
    )
    return replace(problem, hint=hint)


def check_weight(
    head: Head, name: str, array: Column, output_shape: Shape | None, target: Column | None
) -> list[Diagnostic]:
    """Return the first problem of the per-sample weights ``name`` of a target."""
    problem = not_numbers(name, array, f"weights of output {head.output}", head.route)
    if not problem and output_shape:
        shape = output_shape[1:]
        truth = target.shape[1:] if target is not None and target.ndim else shape
        problem = check_weight_shape(head, name, array.shape[1:], truth, shape)
    if problem:
        return [problem]
    values = scan(array)
    problem = not_finite(name, array, values, head.route) or too_large(
        name, array, values, "float32", head.route
    )
    if not problem and values.low is not None and values.low < 0:
        row = first_outside(array, 0, math.inf)
        message = (
            f"array {name} holds weights down to {values.low}, first in {row}, "
            "but a weight is 0 or more"
        )
        problem = Diagnostic("negative-weight", message, head.route)
    elif not problem and values.high == 0:
        message = f"every weight of array {name} is 0, so {head.output} is not trained"
        problem = Diagnostic("loss-weight", message, head.route, severity="warning")
    return [problem] if problem else []


def not_numbers(name: str, array: Column, use: str, route: Route) -> Diagnostic | None:
    """Return the problem of an array that has no samples, or no real numbers that Keras accepts."""
    dtype = array.dtype
    if dtype.kind not in "biuf" or dtype.itemsize > 8:  # noqa: PLR2004
        verb = "need" if use.startswith("weights") else "needs"
        message = f"array {name} holds {_kind(array)} ({dtype}), but {use} {verb} real numbers"
        hint = f"save {name}.astype('float64')" if dtype.kind == "f" else None
        return Diagnostic("wrong-dtype", message, route, hint=hint)
    if not array.ndim:
        message = f"array {name} is a single number, but {use} needs one entry for each sample"
        return Diagnostic("wrong-shape", message, route)
    return None


def _kind(array: Column) -> str:
    kinds = {"U": "text", "S": "bytes", "c": "complex numbers", "M": "dates", "m": "durations"}
    return kinds.get(array.dtype.kind, "extended floats" if array.dtype.kind == "f" else "records")


def not_finite(name: str, array: Column, values: Values, route: Route) -> Diagnostic | None:
    if values.first_not_finite is None:
        return None
    what = "value that is" if values.not_finite == 1 else "values that are"
    message = (
        f"array {name} holds {values.not_finite} {what} NaN or infinite, "
        f"first in {row_name(array, values.first_not_finite)}"
    )
    hint = None
    if route[:1] == ("inputs",):
        hint = "remove the rows, or begin with  - ops.nan_to_num  which replaces NaN by 0"
    return Diagnostic("not-finite", message, route, hint=hint)


def too_large(
    name: str, array: Column, values: Values, dtype: str, route: Route
) -> Diagnostic | None:
    """Return the problem of finite values that become infinite in the dtype of the computation."""
    limit = _LARGEST.get(dtype)
    if limit is None or values.low is None or values.high is None:
        return None
    if max(-values.low, values.high) <= limit:
        return None
    message = (
        f"array {name} holds values beyond the range of {dtype}, {limit:.3g}, "
        f"first in {first_outside(array, -limit, limit)}"
    )
    hint = "scale the values before saving"
    return Diagnostic("value-out-of-range", message, route, hint=hint)


def _ignored(arguments: Mapping[str, Any]) -> int | None:
    ignored = arguments.get("ignore_class")
    # NumPy cannot compare with a number outside of its own types.
    return ignored if type(ignored) is int and abs(ignored) < 1 << 31 else None


def _overflowing(head: Head, name: str, array: Column, values: Values) -> Diagnostic | None:
    """Return the problem of finite values whose squares, or sums over a batch, become infinite."""
    if values.low is None or values.high is None or max(-values.low, values.high) < _MAX_TARGET:
        return None
    message = (
        f"array {name} holds values beyond {_MAX_TARGET:g}, first in "
        f"{first_outside(array, -_MAX_TARGET, _MAX_TARGET)}: their loss is not finite"
    )
    hint = "scale the values before saving"
    return Diagnostic("value-out-of-range", message, head.route, hint=hint)
