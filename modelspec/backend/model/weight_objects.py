"""Initializers, constraints and regularizers of layers, tried on the shapes of their weights.

On symbols no weight is computed, so that Keras would refuse these objects only in training.
"""

from collections.abc import Iterator
from typing import Any

import keras

from modelspec.backend.keras_private import MissingPartError, infer_output, initializer_of
from modelspec.backend.model.assembled import Assembly
from modelspec.backend.model.keras_errors import error_text
from modelspec.backend.model.symbols import symbols_only
from modelspec.graph.graph import Graph, Node
from modelspec.problems.diagnostic import Anchor, Diagnostic

_KINDS = ("initializer", "constraint", "regularizer")
_HALF = "bfloat16"
_FIT = frozenset(
    {
        *("L1", "L2", "L1L2", "NonNeg", "Zeros", "Ones", "Constant", "VarianceScaling"),
        *("RandomNormal", "RandomUniform", "TruncatedNormal", "GlorotNormal", "GlorotUniform"),
        *("HeNormal", "HeUniform", "LecunNormal", "LecunUniform"),
    }
)
"""Objects of Keras that fit weights of all shapes, and need no trial."""


def check_weight_objects(graph: Graph, assembly: Assembly) -> Iterator[Diagnostic]:
    """Report each object in the arguments of a layer that Keras cannot apply to its weight."""
    tried: set[tuple[str, str, tuple[int, ...]]] = set()
    for node in graph.nodes:
        layer = assembly.layers.get(node.layer)
        if node.name != node.layer or not isinstance(layer, keras.Layer):
            continue
        for argument in node.arguments:
            kind = str(argument).rpartition("_")[2]
            made = getattr(layer, str(argument), None) if kind in _KINDS else None
            if made is None or type(made).__name__ in _FIT:
                continue
            for weight in _weights_of(layer, kind, made):
                key = kind, repr(node.arguments[argument]), tuple(weight.shape)
                if key not in tried:
                    tried.add(key)
                    yield from _try(node, argument, kind, made, weight)
        yield from _orthogonal_halves(node, layer)
        yield from _other_than_floats(node, layer)


def _weights_of(layer: Any, kind: str, made: Any) -> list[Any]:
    """Return the weights of a layer that have an object of the layer."""
    if kind == "initializer":
        return [weight for weight in layer.weights if initializer_of(weight) is made]
    return [weight for weight in layer.weights if getattr(weight, kind, None) is made]


def _try(node: Node, argument: str, kind: str, made: Any, weight: Any) -> Iterator[Diagnostic]:
    shape = tuple(weight.shape)
    if lone := _lone_vector(made, shape):
        message = (
            f"{node.name}: {argument} compares the {made.mode} of the weight with each other, but "
            f"it has one {lone}: the loss would be NaN"
        )
        other = "columns" if made.mode == "rows" else "rows"
        hint = f"mode: {other}, or no OrthogonalRegularizer"
        yield Diagnostic("bad-argument", message, (*node.route, node.type, argument), hint=hint)
        return
    symbol = keras.KerasTensor(shape, weight.dtype)

    def initial(_: Any) -> Any:
        return made(shape, dtype=weight.dtype)

    try:
        with symbols_only():
            infer_output(initial if kind == "initializer" else made, symbol)
    except MissingPartError:
        raise
    except Exception as error:  # noqa: BLE001 - any refusal of Keras
        written = ", ".join(map(str, shape))
        message = f"{node.name}: {argument} does not fit the weight of shape [{written}]: "
        route = (*node.route, node.type, argument)
        yield Diagnostic("bad-argument", message + error_text(error), route)


def _lone_vector(made: Any, shape: tuple[int, ...]) -> str | None:
    """Return ``row`` or ``column`` where an OrthogonalRegularizer has one, and divides by 0."""
    if type(made).__name__ != "OrthogonalRegularizer" or len(shape) != 2:  # noqa: PLR2004
        return None
    axis, name = (0, "row") if made.mode == "rows" else (1, "column")
    return name if shape[axis] == 1 else None


def _other_than_floats(node: Node, layer: Any) -> Iterator[Diagnostic]:
    dtypes = {str(weight.dtype) for weight in layer.trainable_weights}
    if wrong := next((dtype for dtype in sorted(dtypes) if "float" not in dtype), None):
        message = f"{node.name}: its weights would be {wrong}, but only floats can be trained"
        route = (*node.route, "dtype") if "dtype" in node.options else node.route
        anchor: Anchor = "value" if "dtype" in node.options else "key"
        yield Diagnostic("wrong-dtype", message, route, anchor)


def _orthogonal_halves(node: Node, layer: Any) -> Iterator[Diagnostic]:
    """Report orthogonal initial values of bfloat16, which TensorFlow cannot compute."""
    halves = [weight for weight in layer.weights if str(weight.dtype) == _HALF]
    if any(type(initializer_of(weight)).__name__.startswith("Orthogonal") for weight in halves):
        message = f"{node.name}: TensorFlow cannot compute orthogonal initial weights in bfloat16"
        hint = "precision: mixed_bfloat16 keeps the weights in float32; or glorot_uniform"
        yield Diagnostic("bad-argument", message, node.route, "key", hint=hint)
