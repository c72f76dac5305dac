"""Calls of layers that are traced again, as Keras states their results without computing them."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from modelspec.backend.keras_private import infer_output
from modelspec.backend.model.symbols import symbols_only
from modelspec.graph.graph import Node
from modelspec.language.written import Written

_DECLARED = frozenset(
    {
        "AdditiveAttention",
        "Attention",
        "EinsumDense",
        "GroupQueryAttention",
        "MultiHeadAttention",
    }
)
"""Layers that declare their shape without a test call."""

_COLOURS = frozenset({"RandomHue", "RandomSaturation"})
"""Layers that need red, green and blue, but do not say so before training."""


def try_call(
    node: Node, layer: Any, value: Any, first: Sequence[Any], named: Mapping[str, Any]
) -> None:
    """Trace a call that returned ``value``, if it can fail where Keras only states the result.

    Raises:
        Exception: Keras or its backend refuses the call, with any type.
        ValueError: The call has another shape than Keras states.
    """
    if node.type in _COLOURS:
        _require_colours(layer, first[0])
    gated = node.arguments.get("activation") == "glu"
    scaled = node.type == "Rescaling" and any(
        isinstance(argument, list) for argument in node.arguments.values()
    )
    # Outside of training, a Dropout returns its input.
    more = {"training": True} if node.arguments.get("noise_shape") is not None else {}
    if not (
        more
        or gated
        or scaled
        or _combines(node)
        or node.type in _DECLARED
        or "initial_state" in named
    ):
        return
    with symbols_only():
        computed = infer_output(layer.call, *first, **{**named, **node.call, **more})
    real, stated = _shapes(computed), _shapes(value)
    if (gated or scaled or node.type == "TimeDistributed") and real != stated:
        cause = "its layer takes another number of axes"
        if gated or scaled:
            cause = "glu halves the last axis" if gated else "scale or offset is longer"
        raise ValueError(f"{cause}: Keras states {stated[0]}, but the result is {real[0]}")


def _combines(node: Node) -> bool:
    """Return True for a call that fails by its axis, or by a layer among its arguments."""
    inner = Written.read(node.arguments.get("layer"))
    pools = node.type == "TimeDistributed" and inner is not None and "Pooling" in inner.name
    two = node.type == "Bidirectional" and node.arguments.get("backward_layer") is not None
    return pools or two or (node.type == "Softmax" and "axis" in node.arguments)


def _require_colours(layer: Any, images: Any) -> None:
    channels = images.shape[-3 if layer.data_format == "channels_first" else -1]
    if channels != 3:  # noqa: PLR2004 - red, green and blue
        raise ValueError(f"it needs images with 3 channels, but gets {channels}")


def _shapes(value: Any) -> list[tuple[int | None, ...]]:
    return [tuple(tensor.shape) for tensor in keras.tree.flatten(value)]
