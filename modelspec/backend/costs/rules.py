"""The rule that counts for a layer, and rules that apply others to the layers inside a wrapper."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from modelspec.backend.costs.layer_calls import Call

Rule = Callable[[Call], int]


def rule_of(layer: Any, rules: Mapping[str, Rule]) -> Rule:
    """Return the rule for the most specific class of a layer that has one.

    So subclasses of a known class are counted too. Without a rule, each result element counts once.
    """
    names = (base.__name__ for base in type(layer).__mro__)
    return next((rules[name] for name in names if name in rules), per_element(1))


def class_names(layer: Any) -> set[str]:
    """Return the names of the classes of a layer, and of the layer that it wraps."""
    inner = getattr(layer, "layer", None) or getattr(layer, "forward_layer", None)
    names = {base.__name__ for base in type(layer).__mro__}
    return names | (class_names(inner) if inner is not None else set())


def per_element(count: int) -> Rule:
    """Return the rule that counts ``count`` for each element of the results."""
    return lambda call: count * call.elements


def both_ways(count: Rule) -> Rule:
    """Return the rule for a ``Bidirectional`` layer: ``count`` for its two layers."""

    def rule(call: Call) -> int:
        parts = 2 if call.layer.merge_mode == "concat" else 1
        outputs = tuple((*shape[:-1], shape[-1] // parts) for shape in call.outputs)
        ways = call.layer.forward_layer, call.layer.backward_layer
        return sum(count(replace(call, layer=way, outputs=outputs)) for way in ways)

    return rule


def time_distributed(count: Rule) -> Rule:
    """Return the rule for a ``TimeDistributed`` layer: ``count`` for each step."""

    def rule(call: Call) -> int:
        step = replace(
            call,
            layer=call.layer.layer,
            inputs=tuple(shape[1:] for shape in call.inputs),
            outputs=tuple(shape[1:] for shape in call.outputs),
        )
        return call.input[0] * count(step)

    return rule
