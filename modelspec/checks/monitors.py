"""Checks of the names that callbacks monitor against the names in Keras's logs."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelspec.catalog import Catalog
from modelspec.catalog.losses import folded
from modelspec.checks.losses import all_placed
from modelspec.checks.output_layers import last_layers
from modelspec.checks.paths import fields
from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head
from modelspec.language.loss_weights import find_strategy
from modelspec.language.spec import Spec
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic, Route, did_you_mean

VALIDATION = "val_"

_OF_A_FILE = ("epoch", "batch")
"""Names in the file name of a ModelCheckpoint that no metric has."""

_OF_EACH_UNIT = ("f1score", "fbetascore")
"""Metrics with a value for each unit, if they do not average."""

_OF_COLUMNS = ("pearsoncorrelation", "concordancecorrelation")
"""Metrics with one value or several, depending on their axis."""

_ANY = "N"
"""The number of a value in a metric of several, where it is unknown how many there are."""

_OF_AN_EPOCH = ("epoch", "seconds", "learning_rate")


def check_monitors(
    spec: Spec, graph: Graph, heads: Sequence[Head], catalog: Catalog
) -> Iterator[Diagnostic]:
    """Report a ``monitor`` that is not a loss or metric; a validation file can add ``val_``."""
    widths = {output: last.width for output, last in last_layers(graph, catalog).items()}
    named = _logged(heads, widths, catalog)
    yield from _alike(named or ())
    yield from _reserved(named or (), _of_heads(spec, heads), several=len(heads) > 1)
    placed = all(
        all_placed(part, heads) for part in (spec.losses, spec.metrics, spec.weighted_metrics)
    )
    if named is None or not placed or all(head.loss is None for head in heads):
        return
    logged = [name for name, _ in named] + _of_heads(spec, heads)
    for position, callback in enumerate(spec.training.callbacks):
        written = Written.read(callback, ("training", "callbacks", position))
        if written is not None:
            yield from _check_names(written, logged, several=len(heads) > 1)


def _check_names(written: Written, logged: Sequence[str], *, several: bool) -> Iterator[Diagnostic]:
    """Report the names in a callback's ``monitor`` and ``filepath`` that are not logged."""
    name, arguments = written.name, written.arguments
    monitor = arguments.get("monitor")
    for field, _ in fields(arguments.get("filepath")):
        if field not in _OF_A_FILE and not _is_logged(field, logged):
            yield _unknown(field, logged, (*written.route, "filepath"), _OF_A_FILE)
    if not isinstance(monitor, str):
        return
    route = (*written.route, "monitor")
    plain = monitor.removeprefix(VALIDATION)
    if not _is_logged(monitor, logged):
        yield _unknown(monitor, logged, route)
    elif (plain == "learning_rate" or (several and plain != "loss")) and _needs_mode(
        name, arguments
    ):
        message = f"Keras does not know whether {monitor} should increase or decrease"
        hint = "set mode: min or mode: max"
        yield Diagnostic("missing-mode", message, route, hint=hint)
    elif re.search(r"(^|_)loss$", monitor) and arguments.get("mode") == "max":
        message = f"mode: max treats the highest {monitor} as the best, but a loss should decrease"
        place = (*written.route, "mode")
        yield Diagnostic("wrong-value", message, place, severity="warning", hint="mode: min")


def _is_logged(name: str, logged: Sequence[str]) -> bool:
    plain = name.removeprefix(VALIDATION)
    known = {*logged, "learning_rate"}
    return plain in known or re.sub(r"\d+$", _ANY, plain) in known


def _unknown(
    name: str, logged: Sequence[str], route: Route, more: Sequence[str] = ()
) -> Diagnostic:
    names = [value for value in logged if not value.endswith(_ANY)]
    known = [*more, *(f"{prefix}{value}" for value in names for prefix in ("", VALIDATION))]
    hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
    return Diagnostic("unknown-monitor", f"no measured value is called {name}", route, hint=hint)


def check_without_validation(spec: Spec, catalog: Catalog) -> Iterator[Diagnostic]:
    """Report callbacks that monitor a validation value where spec and data have no validation."""
    yield from fields_without_validation(spec)
    for position, callback in enumerate(spec.training.callbacks):
        written = Written.read(callback, ("training", "callbacks", position))
        entry = catalog.find("callback", written.name) if written else None
        if written is None or entry is None or "monitor" not in entry.arguments:
            continue
        name, arguments = written.name, written.arguments
        monitor = arguments.get("monitor", (entry.arguments["monitor"].default or "").strip("'\""))
        compares = name != "ModelCheckpoint" or arguments.get("save_best_only") is True
        if not compares or not str(monitor).startswith("val_"):
            continue
        route: Route = ("training", "callbacks", position)
        if "monitor" in arguments:
            route = (*written.route, "monitor")
        message = f"without validation there is no {monitor}, so {name} has no effect"
        hint = "validation_split: 0.1 holds out a part; or give train --validation"
        yield Diagnostic("no-validation", message, route, severity="warning", hint=hint)


def fields_without_validation(spec: Spec) -> Iterator[Diagnostic]:
    """Report file names with a validation value: Keras raises where it is missing."""
    for position, callback in enumerate(spec.training.callbacks):
        written = Written.read(callback, ("training", "callbacks", position))
        if written is None:
            continue
        for field, _ in fields(written.arguments.get("filepath")):
            if field.startswith(VALIDATION):
                message = f"without validation there is no {field} for the name of the file"
                hint = "validation_split: 0.1 holds out a part; or give train --validation"
                yield Diagnostic("no-validation", message, (*written.route, "filepath"), hint=hint)


def _of_heads(spec: Spec, heads: Sequence[Head]) -> list[str]:
    """Return the names of the shares of heads in an epoch's record, and of a strategy's weights."""
    outputs = [head.output for head in heads if head.loss is not None]
    if len(outputs) < 2:  # noqa: PLR2004 - one head has nothing to share
        return []
    shares = [f"{output}_share" for output in outputs]
    if find_strategy(spec.loss_weights, [head.output for head in heads]) is None:
        return shares
    from modelspec.results.balance import AT_1  # a spec without a strategy does not wait for it

    return [AT_1, *shares, *(f"{output}_weight" for output in outputs)]


def _needs_mode(name: Any, arguments: Mapping[Any, Any]) -> bool:
    """Return True where Keras chooses the direction: it knows metrics only without an output."""
    compares = name != "ModelCheckpoint" or arguments.get("save_best_only") is True
    return compares and arguments.get("mode", "auto") == "auto"


def _logged(
    heads: Sequence[Head], widths: Mapping[str, int | None], catalog: Catalog
) -> list[tuple[str, Route]] | None:
    """Return Keras's names for what it measures, without ``val_``; None if one is unknown.

    A metric of several values has a number at the end of each name: ``_ANY`` if it is unknown
    whether, and how many.
    """
    names: list[tuple[str, Route]] = [("loss", ())]
    counts: Counter[str] = Counter()
    for head in heads:
        prefix = f"{head.output}_" if len(heads) > 1 else ""
        names += [(f"{prefix}loss", head.route)] if prefix and head.loss is not None else []
    for weighted in (False, True):
        for head in heads:
            prefix = f"{head.output}_" if len(heads) > 1 else ""
            for metric in head.metrics:
                if metric.weighted is not weighted:
                    continue
                name = _metric_name(metric.value, catalog)
                if name is None:
                    return None
                whole = _unique(prefix, name, counts, weighted=weighted)
                numbered = _numbered(whole, metric.value, widths.get(head.output), catalog)
                names += [(one, metric.route) for one in numbered]
    return names


def _numbered(name: str, value: Any, width: int | None, catalog: Catalog) -> list[str]:
    """Return the names of a metric's values: one for each unit, or one for all."""
    written = Written.read(value)
    entry = catalog.find("metric", written.name) if written else None
    if written is None or entry is None:
        return [name]
    of_units = folded(entry.name) in _OF_EACH_UNIT and written.arguments.get("average") is None
    if of_units and width is not None and width > 1:
        return [f"{name}_{unit}" for unit in range(width)]
    several = (
        (of_units and width is None)
        or entry.plugin is not None
        or folded(entry.name) in _OF_COLUMNS
        or isinstance(written.arguments.get("thresholds"), list)
        or written.arguments.get("class_aggregation", "") is None
    )
    return [name, f"{name}_{_ANY}"] if several else [name]


def _unique(prefix: str, name: str, counts: Counter[str], *, weighted: bool) -> str:
    """Return a metric's name among those before it (Keras's ``CompileMetrics.result``)."""
    whole = f"{prefix}{name}"
    if counts[whole] and weighted:
        whole = f"{prefix}weighted_{name}"
    counts[whole] += 1
    return whole if counts[whole] == 1 else f"{whole}_{counts[whole] - 1}"


def _alike(logged: Sequence[tuple[str, Route]]) -> Iterator[Diagnostic]:
    """Report names that differ only in the case of their letters, which readers confuse."""
    first: dict[str, str] = {}
    for name, route in logged:
        other = first.setdefault(name.lower(), name)
        if other != name:
            message = f"the logs will have {other} and {name}, which differ only in case"
            hint = "give one of them another name: {METRIC: {name: …}}"
            yield Diagnostic("similar-names", message, route, severity="warning", hint=hint)


def _reserved(
    logged: Sequence[tuple[str, Route]], of_heads: Sequence[str], *, several: bool
) -> Iterator[Diagnostic]:
    """Report names with another meaning in an epoch's record, which these would overwrite."""
    seen: set[str] = set()
    names = {name for name, _ in logged}
    for name, route in logged:
        bare = name.removeprefix(VALIDATION)
        validates = bare != name and (bare in names or not several)
        if route and (name in (*_OF_AN_EPOCH, *of_heads) or name in seen or validates):
            message = f"the history already has a value {name}, which this metric would overwrite"
            hint = "give it another name: {METRIC: {name: …}}, or another output"
            yield Diagnostic("reserved-name", message, route, hint=hint)
        seen.add(name)


def _metric_name(value: Any, catalog: Catalog) -> str | None:
    """Return Keras's name of a metric: as written, or that of its class if it has arguments."""
    written = Written.read(value)
    entry = catalog.find("metric", written.name) if written else None
    if written is None or entry is None or written.is_bare:
        return value if entry else None
    argument = entry.arguments.get("name")
    named = written.arguments.get("name")
    default = argument.default if argument else None
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", entry.name).lower()
    return str(named or (default or "None").strip("'\"").replace("None", snake))
