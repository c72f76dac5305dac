"""The graph of a model: every layer call, in an order that works.

``expansion`` creates it from a Spec. Nodes have routes; the place of a route in the text is looked
up when a problem is shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from modelspec.problems.diagnostic import Route


@dataclass(frozen=True, slots=True)
class Input:
    """An input tensor; ``shape`` is without the batch, None in it an unknown length."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    route: Route


@dataclass(frozen=True, slots=True)
class Source:
    """The source of a tensor: an input or a node by name, and the index of its result.

    An ``index`` of None means all results of the node; ``route`` is where the spec names it.
    """

    name: str
    index: int | None
    route: Route


Sources = Mapping[str | None, Source | tuple[Source, ...]]
"""Call arguments and their sources; the key None is the first positional argument."""


@dataclass(frozen=True, slots=True)
class Node:
    """One call of one Keras layer.

    ``layer`` is the node that owns the weights: the node's own name, unless it shares.
    ``arguments`` are the constructor's, ``options`` its ``trainable`` and ``dtype`` where written,
    ``call`` the constant call arguments, ``parts`` the names of several results. ``inputs`` is
    empty where a name could not be resolved. ``within`` are the items that use the blocks which
    contain the node, outermost first. ``instead`` is the value in the place of the arguments, if
    it is not a mapping. ``preprocess`` says that the preprocessing of a model of
    ``keras.applications`` is applied first, ``adapt`` that training fits the layer to its inputs.
    """

    name: str
    layer: str
    type: str
    arguments: Mapping[str, Any]
    options: Mapping[str, Any]
    inputs: Sources
    call: Mapping[str, Any]
    route: Route
    parts: tuple[str, ...] = ()
    within: tuple[Route, ...] = ()
    instead: Any = None
    adapt: bool = False
    preprocess: bool = False

    def sources(self) -> Iterable[Source]:
        for connected in self.inputs.values():
            yield from connected if isinstance(connected, tuple) else (connected,)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The facts about a model as a layer that checks need: the names of its inputs, in order.

    ``ids`` is the size of the Embedding that looks up an input, by the input's name.
    """

    inputs: tuple[str, ...]
    ids: Mapping[str, int]
    needs_tensorflow: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """Inputs, layer calls in an order in which they can be made, and outputs, all by name.

    ``form`` is the form in which the spec writes its outputs, ``models`` are the models from files.
    """

    name: str
    inputs: Mapping[str, Input]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Source]
    form: Literal["name", "list", "mapping"]
    models: Mapping[str, ModelFacts] = field(default_factory=dict)

    @property
    def adapted(self) -> tuple[Node, ...]:
        """The nodes whose layers training fits to data, each the owner of its layer."""
        return tuple(node for node in self.nodes if node.adapt and node.name == node.layer)

    def used(self) -> set[str]:
        """Return the names of the inputs and nodes on which some output depends."""
        by_name = {node.name: node for node in self.nodes}
        waiting = [source.name for source in self.outputs.values()]
        used: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name not in used:
                used.add(name)
                if name in by_name:
                    waiting.extend(source.name for source in by_name[name].sources())
        return used
