"""Floating-point operations of one call of ``keras.ops`` on one sample."""

import math
from collections.abc import Callable

from modelspec.backend.costs.layer_calls import Call
from modelspec.backend.costs.sequence_flops import SOFTMAX
from modelspec.backend.model.operations import operation_name
from modelspec.catalog.operation_facts import MOVES, NORMALIZATIONS, REDUCTIONS, plain_name

_BY_REDUCTION = {"std": 3, "var": 3, "moments": 4, "logsumexp": SOFTMAX}
"""Operations for each input element of a reduction; one for those that are not listed."""


def operation_flops(call: Call) -> int:
    """Return the operations of the forward pass; without a rule, one for each result element."""
    name = plain_name(operation_name(call.layer) or "")
    rule = _RULES.get(name)
    if rule is not None:
        return rule(call)
    if name in MOVES:
        return 0
    if name in REDUCTIONS:
        return _BY_REDUCTION.get(name, 1) * sum(map(math.prod, call.inputs))
    return (SOFTMAX if name in NORMALIZATIONS else 1) * call.elements


def _product(call: Call) -> int:
    """Count two operations for each result and position along the first operand's summed axes."""
    axes = getattr(call.layer, "axes", 1)
    first = call.operands[0]
    count = axes if isinstance(axes, int) and not isinstance(axes, bool) else 1
    return 2 * math.prod(first[len(first) - min(count, len(first)) :]) * call.elements


def _einsum(call: Call) -> int:
    """Multiply the sizes of all labels; one operand is only summed, several are multiplied too."""
    subscripts, _, _ = call.layer.subscripts.replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    for labels, shape in zip(subscripts.split(","), call.operands, strict=False):
        named = labels.replace("...", "")[-len(shape) :] if shape else ""
        sizes |= dict(zip(named, shape[len(shape) - len(named) :], strict=True))
    elements = max(math.prod(sizes.values()), call.elements)
    return max(len(call.operands), 1) * elements


def _convolution(call: Call) -> int:
    return 2 * math.prod(call.operands[1][:-1]) * call.elements


def _depthwise(call: Call) -> int:
    return 2 * math.prod(call.operands[1][:-2]) * call.elements


def _separable(call: Call) -> int:
    _, kernel, pointwise = call.operands
    filters = pointwise[-1]
    deep = call.elements // filters * math.prod(kernel[-2:])
    return 2 * deep * (math.prod(kernel[:-2]) + filters)


def _transposed(call: Call) -> int:
    return 2 * math.prod(call.operands[1][:-1]) * math.prod(call.input)


def _pool(call: Call) -> int:
    size = call.layer.pool_size
    taps = size ** (len(call.input) - 1) if isinstance(size, int) else math.prod(size)
    return int(taps) * call.elements


def _attention(call: Call) -> int:
    """Return the operations of scores and their use, of ``[steps, heads, features]`` each."""
    steps, heads, features = call.inputs[0]
    others = call.inputs[1][0]
    return heads * steps * others * (4 * features + SOFTMAX)


_RULES: dict[str, Callable[[Call], int]] = {
    **dict.fromkeys(("matmul", "dot", "inner", "tensordot", "vdot"), _product),
    "einsum": _einsum,
    "conv": _convolution,
    "depthwise_conv": _depthwise,
    "separable_conv": _separable,
    "conv_transpose": _transposed,
    **dict.fromkeys(("average_pool", "max_pool"), _pool),
    "dot_product_attention": _attention,
}
