"""Checks of targets and sample weights against the losses that use them."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modelspec.catalog.losses import LOSSES, Head, LossFacts, Shape, named_loss
from modelspec.checks.rows import first_outside, row_name
from modelspec.checks.target_values import check_values
from modelspec.data.arrays import Values, scan
from modelspec.data.concatenated import Column
from modelspec.problems.diagnostic import Diagnostic, Route

_LARGEST = {"float32": 3.4028234663852886e38, "float16": 65504.0, "bfloat16": 3.3895313892515355e38}
"""The largest finite value of each dtype."""

_IDS_BY_SAMPLE = {
    "sequences": "one row of ids for each sample",
    "groups": "the id of its group for each sample",
}
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
    if facts and shape is not None and not _fits(facts, loss, array.shape[1:], shape):
        return [_wrong_shape(head, facts, name, array.shape[1:], shape)]
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
        problem = _wrong_weight(head, name, array.shape[1:], _loss_shape(head, truth, shape))
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


def extra_axis(
    name: str, array: Column, shape: Shape, route: Route, effect: str = "Keras drops the last one"
) -> list[Diagnostic]:
    """Warn of an additional last axis of length 1, which Keras drops."""
    sample = array.shape[1:]
    if len(sample) != len(shape) + 1 or sample[-1] != 1 or not shape:
        return []
    message = (
        f"array {name} has samples of shape {written(sample)}, one axis more than "
        f"{written(shape)}: {effect}"
    )
    hint = f"save it without that axis: {name}.squeeze(-1)"
    return [Diagnostic("wrong-shape", message, route, severity="warning", hint=hint)]


def written(shape: Shape) -> str:
    """Return a shape as a spec writes it: ``[28, null]``."""
    return f"[{', '.join('null' if size is None else str(size) for size in shape)}]"


def agree(one: Shape, other: Shape) -> bool:
    """Return True where the shapes are equal as far as both are known."""
    return len(one) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(one, other, strict=True)
    )


def _ignored(arguments: Mapping[str, Any]) -> int | None:
    ignored = arguments.get("ignore_class")
    # NumPy cannot compare with a number outside of its own types.
    return ignored if type(ignored) is int and abs(ignored) < 1 << 31 else None


def _same_rank(one: Shape, other: Shape) -> tuple[Shape, Shape]:
    """Apply Keras's ``squeeze_or_expand_to_same_rank`` to shapes without the batch."""
    if len(one) == len(other) + 1 and one[-1] in (1, None):
        return (one, (1,)) if not other else (one[:-1], other)
    if len(other) == len(one) + 1 and other[-1] in (1, None):
        return ((1,), other) if not one else (one, other[:-1])
    return one, other


def _fits(facts: LossFacts, loss: str, target: Shape, output: Shape) -> bool:
    if facts.targets == "groups":
        return target in ((), (1,))
    if facts.targets == "sequences":
        return len(target) == 1
    truth, prediction = _same_rank(target, output)
    if facts.targets != "ids" or not prediction:
        return agree(truth, prediction)
    # Only the sparse losses squeeze; the generalized one would broadcast (n, 1) to (n, n).
    if len(truth) == len(prediction) and truth[-1] == 1 and loss.startswith("sparse"):
        truth = truth[:-1]
    return agree(truth, prediction[:-1])


def _wrong_shape(
    head: Head, facts: LossFacts, name: str, target: Shape, output: Shape
) -> Diagnostic:
    family = facts.targets
    message = f"array {name} has samples of shape {written(target)}, but "
    hint = None
    if family == "ids" and agree(target, output):
        message += f"this loss needs class ids, samples of shape {written(output[:-1])}"
        hint = f"for one-hot rows use categorical_crossentropy, or save {name}.argmax(-1)"
    elif family == "one-hot" and target in (output[:-1], (*output[:-1], 1)):
        message += f"this loss needs one-hot rows as wide as output {head.output}: {output[-1]}"
        hint = (
            "for class ids use sparse_categorical_crossentropy, "
            f"or one-hot encode them: numpy.eye({output[-1]})[{name}]"
        )
    elif family in ("sequences", "groups"):
        message += f"this loss needs {_IDS_BY_SAMPLE[family]}"
    else:
        expected = output[:-1] if family == "ids" else output
        message += f"this loss on output {head.output} needs {written(expected)}"
        if target[: len(expected)] == expected and set(target[len(expected) :]) == {1}:
            hint = f"save {name}.reshape({name}.shape[:{len(expected) + 1}])"
    return Diagnostic("wrong-target-shape", message, head.route, hint=hint)


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


def _loss_shape(head: Head, target: Shape, output: Shape) -> Shape:
    """Return the shape of the losses of one sample, which the weights multiply."""
    facts = LOSSES.get(named_loss(head.loss, target, output)[0])
    if facts and facts.whole_sample:
        return ()
    return (output if facts and facts.targets == "ids" else _same_rank(target, output)[1])[:-1]


def _wrong_weight(head: Head, name: str, weight: Shape, losses: Shape) -> Diagnostic | None:
    scale, sizes = _same_rank(weight, losses)
    if len(scale) == len(sizes) and all(
        b is None or a in (1, b) for a, b in zip(scale, sizes, strict=True)
    ):
        return None
    message = (
        f"array {name} has samples of shape {written(weight)}, "
        f"but the losses of output {head.output} have {written(losses)}"
    )
    hint = None if weight else f"save it with shape (n{', 1' * len(losses)})"
    return Diagnostic("wrong-weight-shape", message, head.route, hint=hint)
