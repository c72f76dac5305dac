"""Targets and their weights against the losses that use them."""

import math
from collections.abc import Mapping
from typing import Any

from modelspec.catalog.losses import FAMILIES, Head, Shape, Targets, named_loss
from modelspec.checks.rows import first_outside, first_row, row_name
from modelspec.data.arrays import Values, scan
from modelspec.data.concatenated import Column
from modelspec.problems.diagnostic import Diagnostic, Route

_LARGEST = {"float32": 3.4028234663852886e38, "float16": 65504.0, "bfloat16": 3.3895313892515355e38}
"""The largest finite value of each dtype."""

_MAX_TARGET = 1e18
"""Squares above it, summed over a batch, leave float32."""

# These give one loss for each sample or batch, whatever the shape of the output.
_WHOLE_SAMPLE = {"dice", "tversky", "circle", "ctc"}


def check_target(
    head: Head, name: str, array: Column, output_shape: Shape | None
) -> list[Diagnostic]:
    """The first problem of the target ``name``; ``output_shape`` has the batch, None is unknown."""
    problem = not_numbers(name, array, f"output {head.output}", head.route)
    if problem:
        return [problem]
    shape = output_shape[1:] if output_shape else None
    loss, arguments = named_loss(head.loss, array.shape[1:], shape)
    family = FAMILIES.get(loss)
    if family and shape is not None and not _fits(loss, array.shape[1:], shape):
        return [_wrong_shape(head, loss, name, array.shape[1:], shape)]
    ignore = _ignored(arguments) if family == "ids" else None
    values = scan(array, whole=family == "ids", ignore=ignore)
    problem = not_finite(name, array, values, head.route) or too_large(
        name, array, values, "float32", head.route
    )
    if not problem and family == "elementwise":
        problem = _overflowing(head, name, array, values)
    if not problem and family == "ids":
        problem = _class_ids(
            head, name, array, values, classes=shape[-1] if shape else None, ignore=ignore
        )
    elif not problem and family in ("binary", "one-hot"):
        problem = _probabilities(head, family, name, array, values)
    if problem or family in (None, "ids") or shape is None:
        return [problem] if problem else []
    return extra_axis(name, array, shape, head.route)


def check_weight(
    head: Head, name: str, array: Column, output_shape: Shape | None, target: Column | None
) -> list[Diagnostic]:
    """The first problem of the per-sample weights ``name`` of a target."""
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
            "and a weight is 0 or more"
        )
        problem = Diagnostic("negative-weight", message, head.route)
    return [problem] if problem else []


def not_numbers(name: str, array: Column, use: str, route: Route) -> Diagnostic | None:
    """The problem of an array without samples of real numbers that Keras can take."""
    dtype = array.dtype
    if dtype.kind not in "biuf" or dtype.itemsize > 8:  # noqa: PLR2004
        message = f"array {name} holds {_kind(array)} ({dtype}), but {use} needs real numbers"
        return Diagnostic("wrong-dtype", message, route)
    if not array.ndim:
        message = f"array {name} is a single number, but {use} needs one entry a sample"
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
    return Diagnostic("not-finite", message, route)


def too_large(
    name: str, array: Column, values: Values, dtype: str, route: Route
) -> Diagnostic | None:
    """The problem of finite values that become infinite in the dtype that Keras computes in."""
    limit = _LARGEST.get(dtype)
    if limit is None or values.low is None or values.high is None:
        return None
    if max(-values.low, values.high) <= limit:
        return None
    message = (
        f"array {name} holds values beyond the range of {dtype}, {limit:.3g}, "
        f"first in {first_outside(array, -limit, limit)}"
    )
    hint = "scale the values before they are saved"
    return Diagnostic("value-out-of-range", message, route, hint=hint)


def extra_axis(name: str, array: Column, shape: Shape, route: Route) -> list[Diagnostic]:
    """A warning about a last axis of 1 more than there should be, which Keras drops."""
    sample = array.shape[1:]
    if len(sample) != len(shape) + 1 or sample[-1] != 1 or not shape:
        return []
    message = (
        f"array {name} has samples of shape {written(sample)}, one axis more than "
        f"{written(shape)}: Keras drops the last one"
    )
    hint = f"save it without that axis: {name}.squeeze(-1)"
    return [Diagnostic("wrong-shape", message, route, severity="warning", hint=hint)]


def written(shape: Shape) -> str:
    """A shape as a spec has it: ``[28, null]``."""
    return f"[{', '.join('null' if size is None else str(size) for size in shape)}]"


def agree(one: Shape, other: Shape) -> bool:
    """Whether the shapes are equal as far as both are known."""
    return len(one) == len(other) and all(
        a is None or b is None or a == b for a, b in zip(one, other, strict=True)
    )


def _ignored(arguments: Mapping[str, Any]) -> int | None:
    given = arguments.get("ignore_class")
    # NumPy cannot compare with a number that its own types do not hold.
    return given if type(given) is int and abs(given) < 1 << 31 else None


def _same_rank(one: Shape, other: Shape) -> tuple[Shape, Shape]:
    """Keras's ``squeeze_or_expand_to_same_rank``, on shapes without the batch."""
    if len(one) == len(other) + 1 and one[-1] in (1, None):
        return (one, (1,)) if not other else (one[:-1], other)
    if len(other) == len(one) + 1 and other[-1] in (1, None):
        return ((1,), other) if not one else (one, other[:-1])
    return one, other


def _fits(loss: str, target: Shape, output: Shape) -> bool:
    truth, prediction = _same_rank(target, output)
    if FAMILIES[loss] != "ids" or not prediction:
        return agree(truth, prediction)
    # Only the sparse losses squeeze; the generalized one would broadcast (n, 1) to (n, n).
    if len(truth) == len(prediction) and truth[-1] == 1 and loss.startswith("sparse"):
        truth = truth[:-1]
    return agree(truth, prediction[:-1])


def _wrong_shape(head: Head, loss: str, name: str, target: Shape, output: Shape) -> Diagnostic:
    family = FAMILIES[loss]
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
    else:
        expected = output[:-1] if family == "ids" else output
        message += f"this loss on output {head.output} needs {written(expected)}"
    return Diagnostic("wrong-target-shape", message, head.route, hint=hint)


def _class_ids(
    head: Head,
    name: str,
    array: Column,
    values: Values,
    *,
    classes: int | None,
    ignore: int | None,
) -> Diagnostic | None:
    if values.first_fraction is not None:
        message = (
            f"array {name} holds fractions, first in {row_name(array, values.first_fraction)}, "
            "but this loss needs whole class ids"
        )
        return Diagnostic("wrong-dtype", message, head.route)
    if values.low is None or values.high is None:
        return None
    if values.low >= 0 and (classes is None or values.high < classes):
        return None
    most = math.inf if classes is None else classes - 1
    row = first_row(array, lambda rows: ((rows < 0) | (rows > most)) & (rows != ignore))
    message = (
        f"array {name} holds class ids {values.low:g}..{values.high:g}, first in {row}, but "
        + (f"output {head.output} has classes 0..{classes - 1}" if classes else "ids start at 0")
    )
    hint = _class_id_hint(values.low, values.high, classes)
    return Diagnostic("class-id-out-of-range", message, head.route, hint=hint)


def _class_id_hint(low: float, high: float, classes: int | None) -> str | None:
    if low == 1 and high == classes:
        return "ids start at 0: subtract 1 from them"
    if low < 0:
        return f"ignore_class: {low:g} leaves such an id out, if it marks what has no class"
    if classes == 1:
        return "binary_crossentropy is the loss for a single output of 0 or 1"
    return f"the output needs {high + 1:g} units for these ids"


def _overflowing(head: Head, name: str, array: Column, values: Values) -> Diagnostic | None:
    """The problem of finite values whose squares, or sums over a batch, become infinite."""
    if values.low is None or values.high is None or max(-values.low, values.high) < _MAX_TARGET:
        return None
    message = (
        f"array {name} holds values beyond {_MAX_TARGET:g}, first in "
        f"{first_outside(array, -_MAX_TARGET, _MAX_TARGET)}: their loss is not finite"
    )
    hint = "scale the values before they are saved"
    return Diagnostic("value-out-of-range", message, head.route, hint=hint)


def _probabilities(
    head: Head, family: Targets, name: str, array: Column, values: Values
) -> Diagnostic | None:
    low, high = values.low, values.high
    if low is None or high is None or (low >= 0 and high <= 1):
        return None
    message = (
        f"array {name} holds values from {low:g} to {high:g}, first in "
        f"{first_outside(array, 0, 1)}, but this loss needs 0..1"
    )
    return Diagnostic(
        "target-out-of-range", message, head.route, hint=_probability_hint(family, low, high)
    )


def _probability_hint(family: Targets, low: float, high: float) -> str | None:
    if (low, high) == (-1, 1):
        return "hinge is the loss for -1 and 1; for this one save (array + 1) / 2"
    if (low, high) == (1, 2):
        return "subtract 1, so that the classes are 0 and 1"
    if low >= 0 and 128 <= high <= 255:  # noqa: PLR2004
        return "for 8-bit intensities save array / 255"
    if family == "binary" and low >= 0:
        return "for more than two classes use sparse_categorical_crossentropy, a unit for each"
    return None


def _loss_shape(head: Head, target: Shape, output: Shape) -> Shape:
    """The shape of the losses of one sample, which the weights multiply."""
    loss, _ = named_loss(head.loss, target, output)
    if loss in _WHOLE_SAMPLE:
        return ()
    return (output if FAMILIES.get(loss) == "ids" else _same_rank(target, output)[1])[:-1]


def _wrong_weight(head: Head, name: str, weight: Shape, losses: Shape) -> Diagnostic | None:
    scale, each = _same_rank(weight, losses)
    if len(scale) == len(each) and all(
        b is None or a in (1, b) for a, b in zip(scale, each, strict=True)
    ):
        return None
    message = (
        f"array {name} has samples of shape {written(weight)}, "
        f"but the losses of output {head.output} have {written(losses)}"
    )
    hint = None if weight else f"save it with shape (n{', 1' * len(losses)})"
    return Diagnostic("wrong-weight-shape", message, head.route, hint=hint)
