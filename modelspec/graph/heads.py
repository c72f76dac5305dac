"""Losses, loss weights and metrics, matched to outputs by name.

Keras would match a mistyped name by position, without a message. So names are matched here,
exactly, and Keras receives only names that match.
"""

import math
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from reprlib import repr as short
from typing import Any, Literal

from modelspec.catalog import Catalog
from modelspec.graph.references import holds_unknown
from modelspec.graph.sound_part import is_touched
from modelspec.language.loss_weights import find_strategy, read_strategy
from modelspec.language.spec import Spec
from modelspec.language.written import Written
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Route, did_you_mean, nearest

_Part = Literal["losses", "loss_weights", "metrics", "weighted_metrics"]
_METRICS = ("metrics", "weighted_metrics")


@dataclass(frozen=True, slots=True)
class Placed:
    """A value of the spec and its place; ``weighted`` where it is in ``weighted_metrics``."""

    value: Any
    route: Route
    weighted: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """One output, with its loss and metrics; ``loss`` is None if it is not trained.

    ``loss`` and the ``metrics`` are Keras objects in the form of the spec, the weighted metrics
    last; ``route`` is the place of the loss, or of the output without one.
    """

    output: str
    loss: Any
    weight: float
    metrics: tuple[Placed, ...]
    route: Route
    class_weights: Mapping[int, float] = field(default_factory=dict)


def make_heads(
    spec: Spec, outputs: Sequence[str], catalog: Catalog
) -> tuple[tuple[Head, ...], list[Diagnostic]]:
    """Make one head for each of ``outputs``, in order; weights that a strategy sets start at 1."""
    matcher = _Matcher(tuple(outputs), catalog)
    losses = matcher.match("losses", spec.losses)
    _, misread = read_strategy(spec.loss_weights, outputs)
    strategy = find_strategy(spec.loss_weights, outputs)
    weights = matcher.match("loss_weights", None if strategy else spec.loss_weights)
    metrics = matcher.match("metrics", spec.metrics)
    weighted = matcher.match("weighted_metrics", spec.weighted_metrics)
    heads = tuple(
        Head(
            output=name,
            loss=losses[name].value if name in losses else None,
            weight=matcher.weight(weights.get(name)),
            metrics=(
                *_several(metrics.get(name)),
                *(replace(metric, weighted=True) for metric in _several(weighted.get(name))),
            ),
            route=losses[name].route if name in losses else ("outputs",),
            class_weights=spec.training.class_weights.get(name, {}),
        )
        for name in outputs
    )
    return heads, [*matcher.problems, *misread]


def without_echoes(
    problems: Iterable[Diagnostic], wrong: Sequence[str], layers: Collection[str]
) -> list[Diagnostic]:
    """The problems that do not follow from ``wrong``: outputs that name nothing.

    A key follows if it names a layer, which the output may mean, or nearly that output.
    """
    return [problem for problem in problems if not (wrong and _follows(problem, wrong, layers))]


def _follows(problem: Diagnostic, wrong: Sequence[str], layers: Collection[str]) -> bool:
    if problem.code != "unknown-output":
        return problem.code == "unknown-monitor"
    key = str(problem.route[-1])
    return key in layers or nearest(key, wrong) is not None


def sound_heads(heads: Iterable[Head], problems: Sequence[Diagnostic]) -> tuple[Head, ...]:
    """Return the heads without the losses and metrics that have errors."""
    return tuple(
        replace(
            head,
            loss=None if _is_unsound(head.loss, head.route, problems) else head.loss,
            metrics=tuple(
                metric
                for metric in head.metrics
                if not _is_unsound(metric.value, metric.route, problems)
            ),
        )
        for head in heads
    )


def _is_unsound(value: Any, route: Route, problems: Sequence[Diagnostic]) -> bool:
    return holds_unknown(value) or is_touched(route, problems)


class _Matcher:
    def __init__(self, outputs: tuple[str, ...], catalog: Catalog) -> None:
        self.outputs = outputs
        self.catalog = catalog
        self.problems: list[Diagnostic] = []

    def match(self, part: _Part, value: Any) -> dict[str, Placed]:
        """Return the values of one part of the spec by output; outputs without one are left out."""
        route: Route = (part,)
        if value is None or value is UNKNOWN:
            return {}
        if isinstance(value, dict) and not self._is_object(part, value):
            return self._by_name(part, value)
        single = len(self.outputs) == 1
        if isinstance(value, list) and not (single and part in _METRICS):
            return self._by_position(part, value)
        if single:
            return {self.outputs[0]: Placed(value, route)}
        message = f"the model has {len(self.outputs)} outputs, but {part} has one value"
        hint = f"write output: value, for each of {', '.join(self.outputs)}"
        if part == "losses":
            hint += "; a loss of several together is a layer of a plugin that calls add_loss"
        self.problems.append(Diagnostic("one-for-several", message, route, hint=hint))
        return {}

    def _is_object(self, part: _Part, value: Mapping[Any, Any]) -> bool:
        """Return True for ``{Huber: {delta: 2}}``, False for ``{age: mse}`` with an output age."""
        written = Written.read(value)
        if part == "loss_weights" or written is None or written.name in self.outputs:
            return False
        family: Literal["loss", "metric"] = "loss" if part == "losses" else "metric"
        if self.catalog.find(family, written.name) is not None:
            return True
        holds_object = any(self.catalog.find(family, str(key)) for key in written.arguments)
        return isinstance(written.raw, dict) and not holds_object

    def _by_name(self, part: _Part, values: Mapping[Any, Any]) -> dict[str, Placed]:
        for name in values:
            if name not in self.outputs:
                hint = did_you_mean(str(name), self.outputs)
                hint = hint or f"the outputs are {', '.join(self.outputs)}"
                message = f"no output is named {name}"
                self.problems.append(
                    Diagnostic("unknown-output", message, (part, name), "key", hint=hint)
                )
        return {
            name: Placed(values[name], (part, name))
            for name in self.outputs
            if _is_given(values.get(name))
        }

    def _by_position(self, part: _Part, values: Sequence[Any]) -> dict[str, Placed]:
        if len(values) != len(self.outputs):
            message = f"{part} has {len(values)} values for {len(self.outputs)} outputs"
            hint = f"in order, for {', '.join(self.outputs)}"
            self.problems.append(Diagnostic("wrong-length", message, (part,), hint=hint))
        pairs = enumerate(zip(self.outputs, values, strict=False))
        return {
            name: Placed(value, (part, position))
            for position, (name, value) in pairs
            if _is_given(value)
        }

    def weight(self, placed: Placed | None) -> float:
        if placed is None:
            return 1.0
        value = placed.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            message = f"a loss weight is a number, not {short(value)}"
            self.problems.append(Diagnostic("wrong-type", message, placed.route))
            return 1.0
        if not abs(value) < math.inf or abs(value) > sys.float_info.max:
            message = f"a loss weight is finite, not {short(value)}"
            self.problems.append(Diagnostic("wrong-value", message, placed.route))
            return 1.0
        return float(value)


def _is_given(value: Any) -> bool:
    return value is not None and value is not UNKNOWN


def _keys(value: Any) -> Iterable[Any]:
    return value if isinstance(value, dict) else ()


def _several(placed: Placed | None) -> tuple[Placed, ...]:
    if placed is None:
        return ()
    if not isinstance(placed.value, list):
        return (placed,)
    return tuple(
        Placed(value, (*placed.route, position))
        for position, value in enumerate(placed.value)
        if value is not UNKNOWN
    )


def check_names(spec: Spec, outputs: Sequence[str]) -> list[Diagnostic]:
    """Report names in ``data`` and ``training.class_weights`` that match nothing."""
    tables: list[tuple[Route, Mapping[str, Any], Sequence[str], str]] = [
        (("data",), spec.data, [*spec.inputs, *outputs], "input or output"),
        (("training", "class_weights"), spec.training.class_weights, outputs, "output"),
    ]
    return [
        Diagnostic(
            "unknown-output",
            f"no {what} is named {name}",
            (*route, name),
            "key",
            hint=did_you_mean(name, known) or f"there are {', '.join(known)}",
        )
        for route, table, known, what in tables
        for name in table
        if name not in known
    ]
