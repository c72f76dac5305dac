"""The memory that training needs at least: weights, gradients and the state of the optimizer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from math import prod
from typing import Any

import keras

from modelspec.backend.keras_private import is_without_values
from modelspec.backend.model.assembled import Assembly
from modelspec.backend.model.optimizer_state import optimizer_bytes
from modelspec.backend.model.sizes import bytes_of, itemsize
from modelspec.graph.graph import Graph
from modelspec.problems.diagnostic import Diagnostic
from modelspec.problems.errors import ModelError
from modelspec.problems.units import size

_NEGLIGIBLE = 1 / 32
"""The share of the memory that weights may take without their optimizer being looked at."""


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes for weights, for the gradients of those that are trained, and for the optimizer."""

    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer

    def __str__(self) -> str:
        return (
            f"{size(self.total)}: weights {size(self.weights)}, gradients {size(self.gradients)}, "
            f"state of the optimizer {size(self.optimizer)}"
        )


def check_memory(
    graph: Graph, assembly: Assembly, model: Any, optimizer: Callable[[], Any], limit: int | None
) -> Iterator[Diagnostic]:
    """Warn, at the largest layer, of a model whose training needs more than ``limit`` bytes."""
    need = need_above(limit, model, optimizer)
    if need is None or limit is None:
        return
    sizes = {
        node.name: bytes_of(assembly.layers[node.name].weights)
        for node in graph.nodes
        if hasattr(assembly.layers.get(node.name), "weights")
    }
    largest = max(sizes, key=lambda name: sizes[name])
    route = assembly.routes[largest]
    message = (
        f"training needs at least {need}; this machine has {size(limit)}. The largest layer is "
        f"{largest}, with {size(sizes[largest])}"
    )
    hint = "smaller layers need less, and summary --costs lists them; or use another machine"
    yield Diagnostic("too-large", message, route, "key", severity="warning", hint=hint)


def refuse_need(model: Any, optimizer: Callable[[], Any], free: int | None) -> None:
    """Refuse to train a model whose gradients and optimizer need more than the ``free`` bytes.

    Raises:
        ModelError: The message has the numbers.
    """
    need = need_above(free, model, optimizer)
    if need is not None and free is not None and need.total - need.weights > free:
        raise ModelError(f"training needs {need}; beside the weights, {size(free)} are free")


def need_above(limit: int | None, model: Any, optimizer: Callable[[], Any]) -> Need | None:
    """Return the bytes that training a model needs, if these are more than ``limit``.

    ``optimizer`` makes one that is not built, and is lost. It is only called for large models.
    """
    weights = bytes_of(model.weights)
    if limit is None or weights < limit * _NEGLIGIBLE:
        return None
    learned = model.trainable_weights
    need = Need(weights, bytes_of(learned), optimizer_bytes(optimizer(), learned))
    return need if need.total > limit else None


@contextmanager
def weights_within(limit: int | None) -> Iterator[None]:
    """Refuse layers whose weights together need more bytes than ``limit``, before they exist.

    A system that promises more memory than it has would end the process later, without a message.
    The layers of Keras raise MemoryError then.
    """
    add, total = keras.Layer.add_weight, 0

    @wraps(add)
    def add_weight(layer: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal total
        shape, _, dtype = (*args, None, None, None)[:3]
        shape, dtype = kwargs.get("shape", shape), kwargs.get("dtype", dtype)
        lengths = (shape,) if isinstance(shape, int) else tuple(shape or ())
        exists = not is_without_values()
        if exists and all(isinstance(length, int) for length in lengths):
            total += prod(lengths) * itemsize(dtype or layer.variable_dtype)
        if limit is not None and total > limit:
            raise MemoryError(
                f"the weights up to here need {size(total)} of memory, but {size(limit)} are free"
            )
        return add(layer, *args, **kwargs)

    keras.Layer.add_weight = add_weight
    try:
        yield
    finally:
        keras.Layer.add_weight = add
