"""The part of a saved graph up to one layer: its inputs and outputs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from modelspec.convert.saved_graph import Ref, SavedCall, SavedGraph
from modelspec.problems.diagnostic import did_you_mean

_LISTED = 12


class NoSuchLayerError(Exception):
    """A layer at which a model cannot be cut; ``hint`` names layers at which it can."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Interface:
    """The names of inputs and outputs; ``ids`` are the sizes of embeddings by their input.

    ``cut`` names the models around the layer at which a model is cut, and then the layer.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    ids: Mapping[str, int]
    cut: tuple[str, ...] = ()


def model_in(graph: SavedGraph, layer: str | None) -> SavedGraph:
    """Return the graph of a model inside of another, as in ``outer.inner``; all without ``layer``.

    Raises:
        NoSuchLayerError: There is no such model.
    """
    for name in layer.split(".") if layer else ():
        layers = {call.layer.name: call.layer for call in graph.calls}
        inner = layers[name].inner if name in layers else None
        if inner is None:
            models = [name for name, one in layers.items() if one.inner is not None]
            what = "is a layer, not a model" if name in layers else "is not in the model"
            hint = did_you_mean(name, models) or (
                f"the models in it: {_list(models)}" if models else "there is no model in it"
            )
            raise NoSuchLayerError(f"{name} {what}", hint)
        graph = inner
    return graph


def interface(graph: SavedGraph, until: str | None) -> Interface:
    """Return the inputs and outputs of a model, or of its part up to the layer ``until``.

    The name of a layer inside of a nested model is that of the model, a dot and its own.

    Raises:
        NoSuchLayerError: The model cannot be cut there.
    """
    if until is None:
        names = tuple(name for name, _ in graph.outputs)
        inputs = tuple(entry.name for entry in graph.inputs)
        return Interface(inputs, names, _embeddings(graph, inputs))
    path = _path_to(graph, until, "the model")
    needed = _inputs_of(graph, path[0])
    inputs = tuple(entry.name for entry in graph.inputs if entry.name in needed)
    cut = tuple(call.layer.name for call in path)
    return Interface(inputs, (cut[-1],), _embeddings(graph, inputs), cut)


def _path_to(graph: SavedGraph, until: str, model: str) -> list[SavedCall]:
    """Return the calls of the models around a layer, from the outside in, and then its own."""
    calls = [call for call in graph.calls if call.layer.name == until]
    if len(calls) > 1:
        message = f"{until} is called {len(calls)} times, so its result is not one"
        raise NoSuchLayerError(message)
    if calls:
        return calls
    for call in graph.calls:
        inner, around = call.layer.inner, f"{call.layer.name}."
        if inner is not None and until.startswith(around):
            name = call.layer.name
            return [*_path_to(graph, name, model), *_path_to(inner, until[len(around) :], name)]
    raise _no_such_layer(graph, until, model)


def _no_such_layer(graph: SavedGraph, until: str, model: str) -> NoSuchLayerError:
    names = list(dict.fromkeys(call.layer.name for call in graph.calls))
    if any(entry.name == until for entry in graph.inputs):
        return NoSuchLayerError(f"{until} is an input of {model}", f"its layers: {_list(names)}")
    inside = next((name for name in _names_inside(graph) if name.endswith(f".{until}")), None)
    if inside is not None:
        message = f"{until} is inside of {inside.removesuffix(f'.{until}')}"
        return NoSuchLayerError(message, f"until: {inside} cuts that model too")
    hint = did_you_mean(until, names) or f"its layers: {_list(names)}"
    return NoSuchLayerError(f"{model} has no layer {until}", hint)


def _names_inside(graph: SavedGraph) -> Iterator[str]:
    """Yield the dotted names of layers inside of nested models, at any depth."""
    for call in graph.calls:
        inner = call.layer.inner
        if inner is not None:
            names = [*(one.layer.name for one in inner.calls), *_names_inside(inner)]
            yield from (f"{call.layer.name}.{name}" for name in names)


def _list(names: list[str]) -> str:
    shown = ", ".join(names[-_LISTED:])
    return shown if len(names) <= _LISTED else f"…, {shown}"


def _inputs_of(graph: SavedGraph, call: SavedCall) -> set[str]:
    """Return the inputs on which a call depends."""
    by_id = {one.id: one for one in graph.calls}
    waiting, seen, names = [call], {call.id}, set[str]()
    while waiting:
        for ref in waiting.pop().refs():
            if isinstance(ref.source, str):
                names.add(ref.source)
            elif ref.source not in seen:
                seen.add(ref.source)
                waiting.append(by_id[ref.source])
    return names


def _embeddings(graph: SavedGraph, inputs: tuple[str, ...]) -> dict[str, int]:
    """Return the size of the smallest Embedding that looks up an input directly, by input."""
    sizes_by_input: dict[str, int] = {}
    for call in graph.calls:
        size = call.layer.config.get("input_dim")
        match call.args:
            case [Ref(source=str(name))] if call.layer.kind == "Embedding" and name in inputs:
                if type(size) is int:
                    sizes_by_input[name] = min(size, sizes_by_input.get(name, size))
            case [Ref(source=str(name))] if call.layer.inner is not None and name in inputs:
                inner = call.layer.inner
                own = tuple(entry.name for entry in inner.inputs)
                sizes = _embeddings(inner, own).values()
                if sizes:
                    sizes_by_input[name] = min(*sizes, sizes_by_input.get(name, min(sizes)))
    return sizes_by_input
