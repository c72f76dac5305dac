"""Checks of arrays against the graph: counts, shapes, dtypes and values."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from modelspec.catalog.losses import JudgedHead, Shape
from modelspec.checks.domains import check_domains
from modelspec.checks.entries import check_entries
from modelspec.checks.id_feeds import feeds
from modelspec.checks.ids import check_ids
from modelspec.checks.judges import check_judges
from modelspec.checks.missing import replaces_nan
from modelspec.checks.reach import Pace
from modelspec.checks.rows import first_outside, row_name
from modelspec.checks.scale import check_scale
from modelspec.checks.target_shapes import agree, extra_axis, written
from modelspec.checks.targets import (
    check_target,
    check_weight,
    not_finite,
    not_numbers,
    too_large,
)
from modelspec.checks.unicode import not_unicode
from modelspec.data.arrays import Values, scan
from modelspec.data.claims import GROUPS, weight_key
from modelspec.data.concatenated import Column
from modelspec.data.dataset import Dataset
from modelspec.graph.graph import Graph, Input
from modelspec.problems.diagnostic import Diagnostic, Route, has_errors
from modelspec.results.output import Output

__all__ = ["JudgedHead", "check_data"]


_REPLACE_NAN = (
    "for missing values (NaN), let the input go through ops.nan_to_num, or ops.isnan and ops.where"
)
_INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def check_data(
    graph: Graph,
    heads: Sequence[JudgedHead],
    dataset: Dataset,
    outputs: Mapping[str, Output],
    pace: Pace | None = None,
) -> list[Diagnostic]:
    """Return everything in ``dataset`` that contradicts the spec; arrays are read once, in blocks.

    ``outputs`` are the model's. The shape of other outputs is unknown, and their targets are only
    checked where it does not matter. ``pace`` is that of the training, if there is one.
    """
    named = list(_arrays(graph, heads, dataset))
    if named and all(array.ndim and not len(array) for _, array, _ in named):
        names = ", ".join(name for name, _, _ in named)
        return [Diagnostic("no-samples", f"the data has no samples in {names}", named[0][2])]
    problems = _counts(named)
    for name, array in dataset.inputs.items():
        if name in graph.inputs:
            problems += _input(
                graph, graph.inputs[name], dataset.array_names.get(name, name), array
            )
    for head in heads:
        output = outputs.get(head.output)
        problems += _head(head, dataset, output.shape if output else None)
    problems += _groups(dataset)
    if has_errors(problems):
        return problems
    return [*problems, *check_scale(graph, heads, dataset, pace)]


def _groups(dataset: Dataset) -> list[Diagnostic]:
    if dataset.groups is None:
        return []
    name, route = dataset.array_names[GROUPS], ("training", "validation_split", "groups")
    shape, kind = dataset.groups.shape, dataset.groups.dtype.kind
    if kind not in "biufUS":
        message = f"array {name} holds {dataset.groups.dtype}, but a group is a number or a string"
        return [Diagnostic("wrong-dtype", message, route)]
    if math.prod(shape[1:]) != 1 or len(dataset.groups) != dataset.samples:
        message = (
            f"array {name} has shape {list(shape)}, "
            f"but {dataset.samples} samples need one group each"
        )
        return [Diagnostic("wrong-shape", message, route)]
    return []


def _head(head: JudgedHead, dataset: Dataset, shape: Shape | None) -> list[Diagnostic]:
    problems = []
    target, weight = dataset.targets.get(head.output), dataset.weights.get(head.output)
    if target is not None:
        name = dataset.array_names.get(head.output, head.output)
        problems += check_target(head, name, target, shape)
        if not has_errors(problems):
            problems += check_judges(head, name, target, weight, shape)
    if weight is not None:
        key = weight_key(head.output)
        problems += check_weight(head, dataset.array_names.get(key, key), weight, shape, target)
    return problems


def _arrays(
    graph: Graph, heads: Sequence[JudgedHead], dataset: Dataset
) -> Iterator[tuple[str, Column, Route]]:
    """Yield every array with its name in the file and the place in the spec that requires it."""
    routes = {head.output: head.route for head in heads}
    for name, array in dataset.inputs.items():
        declared = graph.inputs.get(name)
        yield dataset.array_names.get(name, name), array, declared.route if declared else ()
    for name, array in dataset.targets.items():
        yield dataset.array_names.get(name, name), array, routes.get(name, ("outputs",))
    for name, array in dataset.weights.items():
        key = weight_key(name)
        yield dataset.array_names.get(key, key), array, routes.get(name, ("outputs",))


def _counts(named: Sequence[tuple[str, Column, Route]]) -> list[Diagnostic]:
    counts = {name: len(array) for name, array, _ in named if array.ndim}
    if len(set(counts.values())) <= 1:
        return []
    usual = max(counts.values(), key=list(counts.values()).count)
    odd = next(route for name, _, route in named if counts.get(name, usual) != usual)
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    message = f"the arrays differ in their number of samples: {listed}"
    hint = "row i of every array belongs to sample i"
    return [Diagnostic("sample-count", message, odd, hint=hint)]


def _input(graph: Graph, declared: Input, name: str, array: Column) -> list[Diagnostic]:
    if declared.dtype == "string":
        return _text(graph, declared, name, array)
    problem = _not_numbers(declared, name, array) or _wrong_shape(declared, name, array)
    if problem:
        return [problem]
    fed = feeds(graph, declared.name)
    whole = any(not feed.keys for feed in fed) or declared.dtype in _INTEGERS
    missing = "float" in declared.dtype and replaces_nan(graph, declared.name)
    values = scan(array, whole=whole, nan=missing)
    problem = not_finite(name, array, values, declared.route)
    problem = problem or _fractions(declared, name, array, values)
    if problem and problem.code == "not-finite" and "float" in declared.dtype and not missing:
        problem = replace(problem, hint=_REPLACE_NAN)
    problem = problem or too_large(name, array, values, declared.dtype, declared.route)
    if problem:
        return [problem]
    extra = extra_axis(name, array, declared.shape, declared.route)
    outside = [
        problem_of_ids for feed in fed if (problem_of_ids := check_ids(feed, name, array, values))
    ]
    extra += check_domains(graph, declared.name, name, array, values)
    outside += check_entries(graph, declared.name, name, array)
    return outside or [*extra, *_unrepresentable(declared, name, array, values)]


def _text(graph: Graph, declared: Input, name: str, array: Column) -> list[Diagnostic]:
    if array.dtype.kind in "US" and array.ndim:
        problem = _wrong_shape(declared, name, array) or not_unicode(declared, name, array)
        return [problem] if problem else list(check_entries(graph, declared.name, name, array))
    message = f"array {name} holds {array.dtype}, but input {declared.name} takes text"
    hint = f"remove dtype: string, or save {name}.astype(str)"
    return [Diagnostic("wrong-dtype", message, declared.route, hint=hint)]


def _not_numbers(declared: Input, name: str, array: Column) -> Diagnostic | None:
    problem = not_numbers(name, array, f"input {declared.name} ({declared.dtype})", declared.route)
    if problem and array.dtype.kind in "US":
        return replace(problem, hint="convert the strings to ids, or declare dtype: string")
    return problem


def _wrong_shape(declared: Input, name: str, array: Column) -> Diagnostic | None:
    sample = array.shape[1:]
    if None in declared.shape and agree(sample, declared.shape) and 0 in sample:
        message = f"array {name} has samples of shape {written(sample)}, which are empty"
        hint = "a sequence needs at least one step: pad empty sequences, or remove them"
        return Diagnostic("wrong-shape", message, declared.route, hint=hint)
    if agree(_as_keras_adjusts(sample, declared.shape), declared.shape):
        return None
    message = (
        f"array {name} has samples of shape {written(sample)}, "
        f"but input {declared.name} has shape {written(declared.shape)}"
    )
    hint = _shape_hint(name, array.shape, declared.shape)
    return Diagnostic("wrong-shape", message, declared.route, hint=hint)


def _as_keras_adjusts(sample: Shape, declared: Shape) -> Shape:
    """Return the shape that a functional model adjusts a sample to (``_adjust_input_rank``)."""
    if len(sample) == len(declared) + 1 and sample[-1] == 1:
        return sample[:-1]
    if len(sample) == len(declared) - 1 and declared[-1] == 1:
        return (*sample, 1)
    return sample


def _shape_hint(name: str, shape: tuple[int, ...], declared: Shape) -> str:
    sample = shape[1:]
    # A first axis of 1 may be a step of a sequence.
    if (sample and declared[:1] != (1,) and agree(sample, declared[1:])) or agree(shape, declared):
        hint = f"leave the batch out: shape: {written(declared[1:])}"
        single = agree(shape, declared) and declared[:1] != (None,)
        return f"{hint}; if {name} is a single sample, save {name}[None]" if single else hint
    if len(sample) > 1 and agree((*sample[1:], sample[0]), declared):
        return f"its channels come first: save numpy.moveaxis({name}, 1, -1)"
    if agree(sample, declared[:-1]):
        return f"the last axis, of {declared[-1]}, is missing; or declare shape: {written(sample)}"
    if None not in declared and math.prod(sample) == math.prod(size or 0 for size in declared):
        return f"the sizes match: save {name}.reshape({', '.join(map(str, (-1, *declared)))})"
    return f"to use it unchanged, declare shape: {written(sample)}"


def _fractions(declared: Input, name: str, array: Column, values: Values) -> Diagnostic | None:
    if values.first_fraction is None:
        return None
    message = (
        f"array {name} holds non-integers, first in {row_name(array, values.first_fraction)}, "
        f"but input {declared.name} takes integers"
    )
    return Diagnostic("wrong-dtype", message, declared.route)


def _unrepresentable(declared: Input, name: str, array: Column, values: Values) -> list[Diagnostic]:
    if declared.dtype not in _INTEGERS or values.low is None or values.high is None:
        return []
    limits = np.iinfo(declared.dtype)
    if limits.min <= values.low and values.high <= limits.max:
        return []
    message = (
        f"array {name} holds values from {values.low:.0f} to {values.high:.0f}, first in "
        f"{first_outside(array, limits.min, limits.max)}, "
        f"but input {declared.name} is {declared.dtype}: {limits.min}..{limits.max}"
    )
    return [Diagnostic("value-out-of-range", message, declared.route)]
