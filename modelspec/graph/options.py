"""Keys beside a layer: trainable, dtype, adapt and preprocess."""

from collections.abc import Iterator
from typing import Any, get_args

from modelspec.catalog.entries import item_family
from modelspec.graph.freezing import TrainedInside, are_patterns
from modelspec.graph.graph import Node
from modelspec.graph.items import Item
from modelspec.graph.scope import Scope
from modelspec.language.forms import Dtype, Precision
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Related, Route, did_you_mean

_DTYPES = {*get_args(Dtype), *get_args(Precision)}


def options_of(
    item: Item, i: int | None, scope: Scope, owner: str, *, is_block: bool
) -> dict[str, Any]:
    """Return the ``trainable`` and ``dtype`` beside the layer of an item; ``owner`` is its name."""
    options = {}
    for key, written in (("trainable", item.spec.trainable), ("dtype", item.spec.dtype)):
        route = (*item.route, key)
        value = scope.fill(written, route, i)
        if value is None or value is UNKNOWN:
            continue
        if key == "trainable" and are_patterns(value):
            inside = TrainedInside(f"{owner}.", tuple(value), route)
            options[key] = inside if is_block else tuple(value)
        elif problem := _wrong_option(key, value, route):
            scope.problems.append(problem)
        else:
            options[key] = value
    return options


def flag_of(item: Item, key: str, i: int | None, scope: Scope) -> bool:
    """Return the value of a flag beside a layer, such as ``adapt``; report one that is not bool."""
    route = (*item.route, key)
    value = scope.fill(getattr(item.spec, key), route, i)
    if isinstance(value, bool) or value is None or value is UNKNOWN:
        return value is True
    message = f"{key} is true or false, not {value!r}"
    scope.problems.append(Diagnostic("wrong-type", message, route))
    return False


def refuse_adapt(item: Item, what: str, problems: list[Diagnostic]) -> None:
    """Report ``adapt`` on a block or on another call of a layer: only a layer can be fitted."""
    if item.spec.adapt not in (None, False):
        message = f"adapt belongs beside a layer, not beside {what}"
        hint = "write it beside the layer that is fitted to data"
        problems.append(
            Diagnostic("cannot-adapt", message, (*item.route, "adapt"), "key", hint=hint)
        )


def not_for_operations(item: Item, root: Item) -> Diagnostic | None:
    """Report a key beside an operation that only layers can have, or ``share`` of an operation."""
    if item_family(root.spec.type) == "layer":
        return None
    if item is not root:
        message = f"{root.name} is an operation ({root.spec.type}), which has no weights to share"
        hint = f"write {root.spec.type} again"
        route = (*item.route, "share")
        return Diagnostic("not-for-operations", message, route, hint=hint)
    for key, value, hint in (
        ("trainable", item.spec.trainable, "an operation has no weights"),
        ("dtype", item.spec.dtype, "ops.cast changes the type of a tensor"),
        ("adapt", item.spec.adapt, "an operation cannot be fitted to data"),
        ("preprocess", item.spec.preprocess, "it belongs to a model of keras.applications"),
    ):
        if value is not None:
            message = f"an operation has no {key}"
            return Diagnostic("not-for-operations", message, (*item.route, key), "key", hint=hint)
    return None


def other_options(first: Node, node: Node) -> Iterator[Diagnostic]:
    """Report options of a later call of a model from a file that differ from the first call's."""
    for key in node.options:
        if node.layer == node.name and node.options[key] != first.options.get(key):
            message = f"{node.type} is one model in all uses, but its first use has another {key}"
            related = (Related(f"{first.name} is its first use", first.route),)
            hint = f"write {key} there, or name the file under models a second time"
            route = (*node.route, key)
            yield Diagnostic("wrong-value", message, route, "key", hint=hint, related=related)


def _wrong_option(key: str, value: Any, route: Route) -> Diagnostic | None:
    if key == "trainable" and not isinstance(value, bool):
        message = f"trainable is true, false or a list of patterns, not {value!r}"
        return Diagnostic("wrong-type", message, route)
    # Keras has more policies than types: those of quantized layers have names like
    # int8_from_float32.
    if key == "dtype" and value not in _DTYPES and "_from_" not in str(value):
        message = f"Keras has no dtype {value}"
        return Diagnostic("wrong-value", message, route, hint=did_you_mean(str(value), _DTYPES))
    return None
