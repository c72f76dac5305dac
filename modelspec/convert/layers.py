"""Saved calls → items of a spec, and the parts that a spec cannot contain."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelspec.catalog import Catalog, Entry
from modelspec.catalog.entries import item_family
from modelspec.convert.drafts import Block, Body, Gap, Step
from modelspec.convert.folding import Folder
from modelspec.convert.labels import is_name
from modelspec.convert.layer_calls import RECURRENT, call_arguments, largest_results, result_count
from modelspec.convert.layer_options import layer_options
from modelspec.convert.masks import automatic_masks
from modelspec.convert.operations import Operations
from modelspec.convert.ordering import put_in_order
from modelspec.convert.plain_values import GapError
from modelspec.convert.replacements import replacement
from modelspec.convert.saved_graph import Ref, SavedCall, SavedGraph, SavedLayer, refs_in
from modelspec.convert.values import Values
from modelspec.convert.writing import cost


@dataclass
class Converter:
    """Converts graphs, nested ones into blocks; ``gaps`` are the parts that a spec cannot contain.

    With ``kept``, the path of the file, nested graphs become ``models`` in it.
    """

    catalog: Catalog
    precision: str
    fold: bool = True
    starts: bool = False
    kept: str | None = None
    gaps: list[Gap] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    blocks: dict[str, Block] = field(default_factory=dict)
    models: dict[str, Mapping[str, str]] = field(default_factory=dict)
    nested_names: dict[int, str] = field(default_factory=dict)
    _ids: int = 0

    def __post_init__(self) -> None:
        self.values = Values(self.catalog)
        self.operations = Operations(self.catalog, self.values)
        self.folder = Folder(self.blocks, self._default, self._is_taken, self.new_id)

    def body(self, graph: SavedGraph, path: str = "") -> Body:
        """Return the items of a graph in the order of the file."""
        masks = automatic_masks(graph)
        made: dict[int, Step] = {}
        first: dict[int, Step] = {}
        renumbered: dict[int, int] = {}

        def moved(ref: Ref) -> Ref:
            return Ref(renumbered[ref.source], ref.index) if type(ref.source) is int else ref

        used = largest_results(graph)
        for call in graph.calls:
            if call.id in masks.dropped:
                continue
            kwargs = {
                key: item
                for key, item in call.kwargs.items()
                if (call.id, key) not in masks.arguments and item is not None
            }
            steps = self.steps(call, kwargs, used.get(call.id, 0) + 1, moved, path)
            if not call.layer.is_operation:
                _share(steps[-1], first.get(id(call.layer)), call)
            first.setdefault(id(call.layer), steps[-1])
            made |= {step.id: step for step in steps}
            renumbered[call.id] = steps[-1].id
        outputs = [(name, moved(ref)) for name, ref in graph.outputs]
        inputs = [entry.name for entry in graph.inputs]
        return Body(inputs, list(made.values()), outputs, graph.form)

    def finish(self, body: Body) -> None:
        """Sort a body, and fold its repeats."""
        put_in_order(body, lambda steps: cost(body, steps))
        if self.fold:
            self.folder.fold(body)

    def _default(self, kind: str, name: str) -> Any:
        """Return the default of an argument, as a spec would write it.

        Raises:
            LookupError: There is none that can be written.
        """
        family = item_family(kind)
        entry = self.catalog.find(family, kind)
        if entry is None:
            raise LookupError(name)
        return self.values.written_default(entry.arguments[name])

    def _is_taken(self, name: str) -> bool:
        taken = name in self.blocks or name in self.models
        return taken or self.catalog.find("layer", name) is not None

    def new_id(self) -> int:
        self._ids += 1
        return self._ids

    def steps(
        self, call: SavedCall, kwargs: Mapping[str, Any], used: int, moved: Any, path: str
    ) -> list[Step]:
        """Return the items for one call: one, except for layers that only Keras itself has."""
        layer = call.layer
        where = f"{path}.{layer.name}" if path else layer.name
        try:
            if layer.inner is not None:
                return [self.nested(call, kwargs, moved, where)]
            if layer.is_operation:
                return [self.operation(call, kwargs, used, moved)]
            if replaced := replacement(call, moved, self.new_id):
                return replaced
            return [self.layer(call, kwargs, used, moved)]
        except GapError as error:
            refs = tuple(moved(ref) for ref in refs_in([call.args, kwargs]))
            step = Step(
                self.new_id(),
                _word(layer.kind),
                {},
                {None: refs if len(refs) > 1 else refs[0]} if refs else {},
                layer.name,
                results=used,
                gap=str(error),
            )
            self.gaps.append(Gap(where, str(error), step))
            return [step]

    def layer(self, call: SavedCall, kwargs: Mapping[str, Any], used: int, moved: Any) -> Step:
        saved = call.layer
        entry = self.catalog.find("layer", saved.kind)
        if entry is None or not saved.module.startswith("keras.layers") or ">" in saved.registered:
            raise GapError(f"{saved.kind[:80]!r} is a custom class")
        if entry.refused:
            raise GapError(f"{saved.kind}: {entry.refused}")
        sources, constants = call_arguments(entry, call.args, kwargs, moved)
        if saved.kind in RECURRENT and constants.get("training") is False:
            del constants["training"]  # the default of its call argument, which Keras also saves
        arguments = self.values.arguments(entry, saved.config)
        options = layer_options(saved, self.precision)
        return Step(
            self.new_id(),
            entry.name,
            arguments,
            sources,
            saved.name,
            call=constants,
            options=options | self.adapted(entry, arguments, saved.name),
            results=max(result_count(saved, constants), used),
            weighted=_has_weights(saved, entry),
        )

    def adapted(self, entry: Entry, arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Return ``adapt`` for a layer whose fitted values are not in its config.

        Those of Normalization are weights, which are in the file of the weights.
        """
        values = {"mean", "vocabulary", "bin_boundaries"} & entry.arguments.keys()
        started = self.starts and entry.name == "Normalization"
        if not entry.adapts or started or any(arguments.get(key) is not None for key in values):
            return {}
        self.notes.append(f"layer {name[:80]!r} has adapt: true, to fit it to data again")
        return {"adapt": True}

    def operation(self, call: SavedCall, kwargs: Mapping[str, Any], used: int, moved: Any) -> Step:
        name, sources, arguments, results = self.operations.read(call, kwargs, moved)
        return Step(
            self.new_id(),
            name,
            arguments,
            sources,
            call.layer.name,
            results=max(results, used),
        )

    def nested(self, call: SavedCall, kwargs: Mapping[str, Any], moved: Any, where: str) -> Step:
        """Return a use of the block for a nested model; equal models become one block."""
        graph = call.layer.inner
        assert graph is not None
        args = call.args
        names = [entry.name for entry in graph.inputs]
        if len(args) == 1 and isinstance(args[0], Mapping) and args[0].keys() == set(names):
            args = [args[0][name] for name in names]
        refs = [moved(ref) for ref in refs_in([args, kwargs])]
        if len(refs) != len(graph.inputs):
            raise GapError("the nested model is called on other inputs than it has")
        if id(call.layer) not in self.nested_names:
            self.nested_names[id(call.layer)] = self._define(graph, call.layer.name, where)
        frozen = call.layer.inner is not None and not graph.trainable
        return Step(
            self.new_id(),
            self.nested_names[id(call.layer)],
            {},
            {None: tuple(refs) if len(refs) > 1 else refs[0]},
            call.layer.name,
            options={"trainable": False} if frozen else {},
            results=len(graph.outputs),
            weighted=True,
        )

    def _define(self, graph: SavedGraph, name: str, where: str) -> str:
        """Add a nested model to ``models`` or ``blocks``, and return its name there."""
        body = None
        if self.kept is None or not is_name(name):  # a path, or ``${…}``, would name another model
            body = self.body(graph, where)
            self.finish(body)
        base = word = _word(name)
        number = 0
        while self._is_taken(word):
            number += 1
            word = f"{base}_{number}"
        if body is not None:
            self.blocks[word] = Block(word, body)
        elif self.kept is not None:
            self.models[word] = {"path": self.kept, "layer": name}
        return word


def _share(step: Step, owner: Step | None, call: SavedCall) -> None:
    """Make a further call of a layer share the item that creates the layer."""
    if owner is not None:
        step.owner = owner.id
        step.turn = call.index
        step.weighted = False


def _has_weights(saved: SavedLayer, entry: Entry) -> bool:
    """Return True where a layer, or one inside of it, has weights to train or to fit."""
    families = {argument.family for argument in entry.arguments.values()}
    return "initializer" in families or "layer" in families or saved.kind in _FITTED


_FITTED = {"Normalization", "Discretization"}


def _word(name: str) -> str:
    """Return a name that a spec can contain."""
    kept = "".join(
        char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in name
    )
    return kept[:200] if kept[:1].isalpha() else f"x{kept[:200]}" if kept else "layer"
