"""Calls of layers that are traced again, as Keras states their results without computing them."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras

from modelspec.backend.keras_private import infer_output, mask_of, takes_training
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

_LOOSE = {
    "Attention": ("dropout",),
    "AdditiveAttention": ("dropout",),
    "CategoryEncoding": ("sparse",),
    "ContrastLimitedAdaptiveHistogramEqualization": ("value_range", "tile_grid_size"),
    "Hashing": ("num_bins", "mask_value"),
    "HashedCrossing": ("num_bins",),
    "Masking": ("mask_value",),
    "MelSpectrogram": ("sequence_length", "sequence_stride", "window"),
    "RandAugment": ("num_ops",),
}
"""Arguments that layers accept in any form on symbols, and that fail in the first step."""

_POOLS_TO = re.compile(r"Adaptive(Average|Max)Pooling([123]D)")

_JITTER = "RandomColorJitter"

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
    if node.type in _COLOURS or (node.type == _JITTER and _changes_colours(node)):
        _require_colours(layer, first[0])
    if pools := _POOLS_TO.fullmatch(node.type):
        _require_several(node, *pools.groups())
    gated = node.arguments.get("activation") == "glu"
    scaled = node.type == "Rescaling" and any(
        isinstance(argument, list) for argument in node.arguments.values()
    )
    if node.type == "Softmax":
        _require_mask_of_values(first[0])
    loose = any(node.arguments.get(name) is not None for name in _LOOSE.get(node.type, ()))
    # Outside of training, a Dropout returns its input.
    shaped = node.arguments.get("noise_shape") is not None
    drops = shaped or (loose and node.arguments.get("dropout"))
    more = {"training": True} if drops else {}
    if not (
        more
        or loose
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
    if loose or node.type == "EinsumDense":
        _require_same(real, stated)
    if (gated or scaled or node.type == "TimeDistributed") and real != stated:
        cause = "its layer takes another number of axes"
        if gated or scaled:
            cause = "glu halves the last axis" if gated else "scale or offset is longer"
        raise ValueError(f"{cause}: Keras states {stated[0]}, but the result is {real[0]}")


def try_in_training(
    node: Node, layer: Any, value: Any, first: Sequence[Any], named: Mapping[str, Any]
) -> None:
    """Trace the call of a plugin's layer as in training, where its code may do something else.

    Raises:
        Exception: The layer or its backend refuses the call, with any type.
        ValueError: The call has another shape in training.
    """
    if not takes_training(layer) or "training" in node.call:
        return
    with symbols_only():
        computed = infer_output(layer.call, *first, **{**named, **node.call, "training": True})
    _require_same(_shapes(computed), _shapes(value))


def _require_same(
    real: Sequence[tuple[int | None, ...]], stated: Sequence[tuple[int | None, ...]]
) -> None:
    """Refuse a call with another shape than Keras states: later layers would be built for it.

    Raises:
        ValueError: A known length, or the number of axes, differs.
    """
    for one, other in zip(stated, real, strict=False):
        lengths = zip(one, other, strict=False)
        if len(one) != len(other) or any(a != b for a, b in lengths if None not in (a, b)):
            raise ValueError(f"Keras states the shape {one}, but the result is {other}")


def _require_mask_of_values(tensor: Any) -> None:
    """Refuse a mask of steps, which Keras would lay over the last axes of the values.

    Raises:
        ValueError: The mask has fewer axes than the values.
    """
    mask = mask_of(tensor)
    if mask is not None and len(mask.shape) != len(tensor.shape):
        raise ValueError(
            f"its input has {len(tensor.shape)} axes, but a mask of {len(mask.shape)}: a softmax "
            "takes a mask of each value, and not of steps (mask_zero: false makes none)"
        )


def _require_several(node: Node, kind: str, rank: str) -> None:
    """Refuse a size of 1, for which Keras makes a window that is longer than the axis.

    Raises:
        ValueError: One of the sizes is 1.
    """
    sizes = node.arguments.get("output_size")
    if 1 in (sizes if isinstance(sizes, list) else [sizes]):
        raise ValueError(
            "Keras cannot pool an axis to a length of 1; "
            f"Global{kind}Pooling{rank}: {{keepdims: true}} pools all axes"
        )


def _combines(node: Node) -> bool:
    """Return True for a call that fails by its axis, or by a layer among its arguments."""
    inner = Written.read(node.arguments.get("layer"))
    pools = node.type == "TimeDistributed" and inner is not None and "Pooling" in inner.name
    two = node.type == "Bidirectional" and node.arguments.get("backward_layer") is not None
    return pools or two or (node.type == "Softmax" and "axis" in node.arguments)


def _changes_colours(node: Node) -> bool:
    return any(node.arguments.get(name) for name in ("hue_factor", "saturation_factor"))


def _require_colours(layer: Any, images: Any) -> None:
    channels = images.shape[-3 if layer.data_format == "channels_first" else -1]
    if channels != 3:  # noqa: PLR2004 - red, green and blue
        raise ValueError(f"it needs images with 3 channels, but gets {channels}")


def _shapes(value: Any) -> list[tuple[int | None, ...]]:
    return [tuple(tensor.shape) for tensor in keras.tree.flatten(value)]
