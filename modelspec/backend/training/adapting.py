"""Layers with ``adapt: true``, fitted to the training rows before the first epoch."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from modelspec.backend.keras_private import call_that_made, calls_of, graph_nodes
from modelspec.backend.model.keras_errors import error_text
from modelspec.backend.training.fitted_rows import (
    array_for,
    as_documents,
    fill,
    pieces_of,
    stream,
)
from modelspec.data.batches import Batches
from modelspec.data.concatenated import Array
from modelspec.graph.graph import Graph
from modelspec.problems.errors import StepError

Say = Callable[[str], None]


def adapted_layers(model: Any, graph: Graph) -> list[Any]:
    """Return the layers of a built model that the spec fits to data, in the order of the graph."""
    by_name = {layer.name: layer for layer in model.layers}
    # A layer on which no output depends is not in the model.
    return [by_name[node.name] for node in graph.adapted if node.name in by_name]


def adapt_layers(
    model: Any,
    graph: Graph,
    batches: Batches,
    *,
    say: Say,
    warn: Say,
    asked_to_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Fit the layers, each to its inputs computed from the rows of ``batches``.

    A layer is fitted after those before it in the graph. A layer that is called several times is
    fitted to the inputs of all calls, except those that depend on itself. ``warn`` gets a warning
    for each layer after trained weights.

    Returns:
        True where all layers were fitted; False after a request to stop.

    Raises:
        StepError: A layer cannot be fitted, or was fitted to values that are not finite.
    """
    waiting = [_Fit.of(layer, model) for layer in adapted_layers(model, graph)]
    while waiting:
        unfitted = {id(fit.layer) for fit in waiting}
        fit = next((candidate for candidate in waiting if not candidate.behind & unfitted), None)
        if fit is None:  # layers in a ring, such as a layer that is called on its own result
            fit = next(
                candidate.without(unfitted)
                for candidate in waiting
                if candidate.without(unfitted).calls
            )
        if fit.trained:
            names = ", ".join(fit.trained)
            warn(
                f"{fit.layer.name} is fitted once, before training, to the result of {names}, and "
                "training then changes this result; BatchNormalization would follow the change"
            )
        if not _adapt(fit, batches, asked_to_stop):
            return False
        say(f"{fit.layer.name} is fitted to {batches.samples:,} samples{_size(fit.layer)}")
        waiting = [other for other in waiting if other.layer is not fit.layer]
    return True


def counts_of_ids(layers: Iterable[Any]) -> dict[str, int]:
    """Return how many ids each fitted layer gives, by name; layers without ids are left out."""
    return {
        layer.name: layer.vocabulary_size()
        for layer in layers
        if hasattr(layer, "vocabulary_size") and _gives_ids(layer.get_config())
    }


def _gives_ids(config: Mapping[str, Any]) -> bool:
    return config.get("output_mode") == "int" and not config.get("invert")


@dataclass(frozen=True)
class _Call:
    """One input tensor of a layer, and the layers on the way to it."""

    tensor: Any
    behind: frozenset[int]
    trained: tuple[str, ...]


@dataclass(frozen=True)
class _Fit:
    """A layer to fit, and its calls."""

    layer: Any
    calls: Sequence[_Call]

    @classmethod
    def of(cls, layer: Any, model: Any) -> "_Fit":
        in_model = {id(node.node) for node in graph_nodes(model)}
        nodes = [node for node in calls_of(layer) if id(node.node) in in_model]
        return cls(layer, [_call(node.inputs[0]) for node in nodes])

    @property
    def behind(self) -> frozenset[int]:
        return frozenset().union(*(call.behind for call in self.calls))

    @property
    def trained(self) -> list[str]:
        return list(dict.fromkeys(name for call in self.calls for name in call.trained))

    def without(self, unfitted: set[int]) -> "_Fit":
        """Return a copy with only the calls that depend on no unfitted layer."""
        return _Fit(self.layer, [call for call in self.calls if not call.behind & unfitted])


def _call(tensor: Any) -> _Call:
    behind: dict[int, Any] = {}
    waiting, seen = [tensor], set()
    while waiting:
        node = call_that_made(waiting.pop())
        if id(node.node) not in seen:
            seen.add(id(node.node))
            behind[id(node.operation)] = node.operation
            waiting.extend(node.inputs)
    trained = (
        operation.name
        for operation in behind.values()
        if getattr(operation, "trainable_variables", ())
    )
    return _Call(tensor, frozenset(behind), tuple(trained))


def _adapt(fit: _Fit, batches: Batches, asked_to_stop: Callable[[], bool]) -> bool:
    layer, stopped = fit.layer, False

    def pieces() -> Iterator[Array]:
        nonlocal stopped
        for call in fit.calls:
            for piece in pieces_of(call.tensor, batches):
                if stopped := stopped or asked_to_stop():
                    return
                yield piece

    try:
        data = _data(fit, batches, pieces())
        if not stopped:
            layer.adapt(data)
    except Exception as error:
        if stopped:
            return False
        _require_entries(layer)
        message = f"{layer.name} cannot be fitted: {error_text(error)}"
        raise StepError(message, layer.name) from error
    if not stopped:
        _require_values(layer)
    return not stopped


def _data(fit: _Fit, batches: Batches, pieces: Iterator[Array]) -> Any:
    """Return the argument of ``adapt``: one array where it fits into memory, otherwise a stream.

    Counts are the same for any stream. Means and quantiles are not, so they are computed as Keras
    computes them for an array, wherever that is possible.
    """
    if hasattr(fit.layer, "get_vocabulary"):
        return stream(map(as_documents, pieces))
    # Keras rounds values to float32 before it sorts them, so float32 loses nothing.
    rounded = np.float32 if isinstance(fit.layer, keras.layers.Discretization) else None
    array = array_for([call.tensor for call in fit.calls], batches, rounded)
    if array is None:
        return stream(pieces)
    fill(array, pieces)
    return array


def _require_values(layer: Any) -> None:
    """Refuse values that training cannot use.

    Raises:
        StepError: They are not finite, or there are no entries.
    """
    floats = [
        np.asarray(variable) for variable in layer.variables if "float" in str(variable.dtype)
    ]
    if not all(np.isfinite(values.astype(np.float64)).all() for values in floats):
        message = f"{layer.name} was fitted to values that are not finite numbers"
        raise StepError(message, layer.name)
    _require_entries(layer)


def _require_entries(layer: Any) -> None:
    known = hasattr(layer, "get_vocabulary")
    if known and not len(layer.get_vocabulary(include_special_tokens=False)):
        message = f"{layer.name} found no entries in the training rows: they are empty, or masks"
        raise StepError(message, layer.name)


def _size(layer: Any) -> str:
    return f", {layer.vocabulary_size():,} entries" if hasattr(layer, "vocabulary_size") else ""
