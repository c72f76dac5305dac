"""Operations that are defined for some numbers only, on results of layers that are others."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from modelspec.catalog.operation_facts import plain_name
from modelspec.graph.graph import Graph, Node
from modelspec.graph.operations import is_operation
from modelspec.problems.diagnostic import Diagnostic

if TYPE_CHECKING:
    from modelspec.data.concatenated import Array


@dataclass(frozen=True, slots=True)
class Domain:
    """The values with a finite result: from ``low`` to ``high``, ``low`` itself with ``closed``."""

    low: float
    high: float = math.inf
    closed: bool = False

    @property
    def words(self) -> str:
        if self.high < math.inf:
            return f"from {self.low:g} to {self.high:g}"
        return f"of {self.low:g} or more" if self.closed else f"above {self.low:g}"

    def lacks(self, rows: "Array") -> "Array":
        below = rows < self.low if self.closed else rows <= self.low
        outside: Array = below | (rows > self.high)
        return outside


_DOMAINS: Final = {
    **dict.fromkeys(("log", "log2", "log10", "rsqrt"), Domain(0)),
    "log1p": Domain(-1),
    "sqrt": Domain(0, closed=True),
    **dict.fromkeys(("arccos", "arcsin"), Domain(-1, 1, closed=True)),
    "arccosh": Domain(1, closed=True),
}


_RESULTS: Final = {
    **dict.fromkeys((None, "linear", "leaky_relu", "elu", "selu", "silu", "gelu"), -math.inf),
    "relu": 0.0,
    "tanh": -1.0,
}
"""The least result of an activation, where it is 0 or below."""

_WEIGHTED: Final = frozenset(
    {"Dense", "EinsumDense"}
    | {f"{kind}Conv{n}D" for kind in ("", "Depthwise", "Separable") for n in "123"}
    | {f"Conv{n}DTranspose" for n in "123"}
)
_CENTRED: Final = frozenset(
    {"BatchNormalization", "LayerNormalization", "GroupNormalization", "LeakyReLU", "PReLU", "ELU"}
)
_STEEP: Final = frozenset({"ops.sqrt", "ops.power"})
"""Operations with an infinite gradient at the end of their domain."""

_RECURRENT: Final = frozenset({"LSTM", "GRU", "SimpleRNN"})


def check_result_domains(graph: Graph) -> Iterator[Diagnostic]:
    """Warn of operations on results of layers that can be outside of their domain."""
    nodes = {node.name: node for node in graph.nodes}
    for node in graph.nodes:
        domain = domain_of(node)
        first = next(iter(node.sources()), None)
        source = nodes.get(first.name) if first and first.index is None else None
        low = _least(nodes.get(source.layer, source)) if source else None
        if domain is None or source is None or low is None:
            continue
        below = low < domain.low or (low == domain.low and not domain.closed)
        steep = node.type in _STEEP and low == domain.low
        if below or steep:
            results = "any number" if low == -math.inf else f"numbers from {low:g}"
            effect = "others become NaN or infinite"
            if steep and not below:
                effect = f"its gradient at {low:g} is infinite, so that weights become NaN"
            message = (
                f"{source.name} ({source.type}) gives {results}, but {node.type} takes values "
                f"{domain.words}: {effect}"
            )
            hint = "write ops.maximum: {x2: 1e-6} before it, or activation: softplus in the layer"
            yield Diagnostic("not-finite", message, node.route, "key", "warning", hint=hint)


def domain_of(node: Node) -> Domain | None:
    """Return the domain of an operation on one tensor; None where all numbers are in it."""
    if not is_operation(node):
        return None
    exponent = node.arguments.get("x2")
    if node.type == "ops.power" and isinstance(exponent, int | float):
        whole = float(exponent).is_integer()
        return None if whole else Domain(0, closed=exponent > 0)
    return _DOMAINS.get(plain_name(node.type))


def _least(node: Node) -> float | None:
    """Return the least result of a layer, where it is 0 or below; None if it is unknown."""
    activation = node.arguments.get("activation")
    if node.type in _CENTRED:
        return -math.inf
    if node.type in _WEIGHTED or node.type == "Activation":
        known = activation is None or isinstance(activation, str)
        return _RESULTS.get(activation) if known else None
    if node.type in _RECURRENT:
        return _RESULTS["tanh"] if activation in (None, "tanh") else None
    return {"ReLU": 0.0, "ops.relu": 0.0, "ops.tanh": -1.0}.get(node.type)
