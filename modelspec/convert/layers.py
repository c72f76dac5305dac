"""Saved calls → items of a spec, each with what it cannot hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelspec.catalog import Catalog, Entry
from modelspec.catalog.entries import item_family
from modelspec.convert.drafts import Block, Body, Gap, Sources, Step
from modelspec.convert.folding import Folder
from modelspec.convert.masks import automatic_masks
from modelspec.convert.operations import Operations
from modelspec.convert.ordering import put_in_order
from modelspec.convert.saved_graph import Ref, SavedCall, SavedGraph, SavedLayer, refs_in
from modelspec.convert.values import GapError, Values, plain
from modelspec.convert.writing import cost

_RECURRENT = {
    "LSTM": 3,
    "ConvLSTM1D": 3,
    "ConvLSTM2D": 3,
    "ConvLSTM3D": 3,
    "GRU": 2,
    "SimpleRNN": 2,
}
_CELLS = {"LSTMCell": 2, "GRUCell": 1, "SimpleRNNCell": 1}
_SCORES = {"Attention", "AdditiveAttention", "MultiHeadAttention", "GroupQueryAttention"}


@dataclass
class Converter:
    """Converts graphs, nested ones into blocks; ``gaps`` collects what a spec cannot hold."""

    catalog: Catalog
    precision: str
    fold: bool = True
    starts: bool = False
    gaps: list[Gap] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    blocks: dict[str, Block] = field(default_factory=dict)
    nested_blocks: dict[int, Block] = field(default_factory=dict)
    _ids: int = 0

    def __post_init__(self) -> None:
        self.values = Values(self.catalog)
        self.operations = Operations(self.catalog, self.values)
        self.folder = Folder(self.blocks, self._default, self._is_taken, self.new_id)

    def body(self, graph: SavedGraph, path: str = "") -> Body:
        """The items of a graph in the order of the file."""
        masks = automatic_masks(graph)
        made: dict[int, Step] = {}
        first: dict[int, Step] = {}
        renumbered: dict[int, int] = {}

        def moved(ref: Ref) -> Ref:
            return Ref(renumbered[ref.source], ref.index) if type(ref.source) is int else ref

        used = _largest_results(graph)
        for call in graph.calls:
            if call.id in masks.dropped:
                continue
            kwargs = {
                key: item
                for key, item in call.kwargs.items()
                if (call.id, key) not in masks.arguments and item is not None
            }
            steps = self.steps(call, kwargs, used.get(call.id, 0) + 1, moved, path)
            owner = first.get(id(call.layer))
            if owner is not None and not call.layer.is_operation:
                steps[-1].owner = owner.id
                steps[-1].turn = call.index
                steps[-1].weighted = False
            first.setdefault(id(call.layer), steps[-1])
            for step in steps:
                made[step.id] = step
            renumbered[call.id] = steps[-1].id
        outputs = [(name, moved(ref)) for name, ref in graph.outputs]
        inputs = [entry.name for entry in graph.inputs]
        return Body(inputs, list(made.values()), outputs, graph.form)

    def finish(self, body: Body) -> None:
        """Put a body in order, and fold what repeats."""
        put_in_order(body, lambda steps: cost(body, steps))
        if self.fold:
            self.folder.fold(body)

    def _default(self, kind: str, name: str) -> Any:
        """The default of an argument, as a spec would write it.

        Raises:
            LookupError: There is none that can be written.
        """
        family = item_family(kind)
        entry = self.catalog.find(family, kind)
        if entry is None:
            raise LookupError(name)
        return self.values.written_default(entry.arguments[name])

    def _is_taken(self, name: str) -> bool:
        return name in self.blocks or self.catalog.find("layer", name) is not None

    def new_id(self) -> int:
        self._ids += 1
        return self._ids

    def steps(
        self, call: SavedCall, kwargs: Mapping[str, Any], used: int, moved: Any, path: str
    ) -> list[Step]:
        """The items that stand for one call: one, but for layers that only Keras itself has."""
        layer = call.layer
        where = f"{path}.{layer.name}" if path else layer.name
        try:
            if layer.inner is not None:
                return [self.nested(call, kwargs, moved, where)]
            if layer.is_operation:
                return [self.operation(call, kwargs, used, moved)]
            if replaced := self.replaced(call, moved):
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
            raise GapError(f"{saved.kind[:80]!r} is a class of the model's author")
        if entry.refused:
            raise GapError(f"{saved.kind}: {entry.refused}")
        sources, constants = _call_arguments(entry, call.args, kwargs, moved)
        if saved.kind in _RECURRENT and constants.get("training") is False:
            del constants["training"]  # the default of its call, which Keras saves too
        arguments = self.values.arguments(entry, saved.config)
        return Step(
            self.new_id(),
            entry.name,
            arguments,
            sources,
            saved.name,
            call=constants,
            options=self.options(saved) | self.adapted(entry, arguments, saved.name),
            results=max(_result_count(saved, constants), used),
            weighted=_has_weights(saved, entry),
        )

    def adapted(self, entry: Entry, arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
        """``adapt`` for a layer whose fitted values are not in its config.

        Those of Normalization are weights, which the file of the weights gives it.
        """
        values = {"mean", "vocabulary", "bin_boundaries"} & entry.arguments.keys()
        started = self.starts and entry.name == "Normalization"
        if not entry.adapts or started or any(arguments.get(key) is not None for key in values):
            return {}
        self.notes.append(f"layer {name[:80]!r} has adapt: true, to fit it to data again")
        return {"adapt": True}

    def options(self, saved: SavedLayer) -> dict[str, Any]:
        """``trainable`` and ``dtype``, where they are not the model's."""
        options: dict[str, Any] = {}
        if saved.config.get("trainable") is False:
            options["trainable"] = False
        policy = saved.config.get("dtype")
        if policy is None:
            return options
        policy = plain(policy)
        if policy != self.precision and not _has_own_dtype(saved, str(policy)):
            options["dtype"] = policy
        return options

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

    def replaced(self, call: SavedCall, moved: Any) -> list[Step]:
        """Two layers inside of Keras that it does not offer, by layers that compute the same."""
        saved, module = call.layer, call.layer.module
        match saved.kind, call.args, saved.config:
            case "LayerScale", [Ref() as tensor], {
                "init_values": value,
                "projection_dim": int(size),
            } if module == "keras.src.applications.convnext":
                arguments = {
                    "equation": "...d,d->...d",
                    "output_shape": size,
                    "kernel_initializer": {"Constant": {"value": plain(value)}},
                }
                step = Step(
                    self.new_id(), "EinsumDense", arguments, {None: moved(tensor)}, saved.name
                )
                step.weighted = True
                return [step]
            case "CustomScaleLayer", [[Ref() as base, Ref() as tensor]], {"scale": scale} if (
                module == "keras.src.applications.inception_resnet_v2"
            ):
                scaled = Step(
                    self.new_id(),
                    "Rescaling",
                    {"scale": plain(scale)},
                    {None: moved(tensor)},
                    f"{saved.name}_scaled",
                    free=True,
                )
                added = (moved(base), Ref(scaled.id))
                return [scaled, Step(self.new_id(), "Add", {}, {None: added}, saved.name)]
        return []

    def nested(self, call: SavedCall, kwargs: Mapping[str, Any], moved: Any, where: str) -> Step:
        """A use of the block that a nested model becomes; equal models become one block."""
        graph = call.layer.inner
        assert graph is not None
        refs = [moved(ref) for ref in refs_in([call.args, kwargs])]
        if len(refs) != len(graph.inputs):
            raise GapError("the nested model is called on other inputs than it has")
        name = _word(call.layer.name)
        if id(call.layer) not in self.nested_blocks:
            self.nested_blocks[id(call.layer)] = self.block(graph, name, where)
        block = self.nested_blocks[id(call.layer)]
        frozen = call.layer.inner is not None and not graph.trainable
        return Step(
            self.new_id(),
            block.name,
            {},
            {None: tuple(refs) if len(refs) > 1 else refs[0]},
            call.layer.name,
            options={"trainable": False} if frozen else {},
            results=len(graph.outputs),
            weighted=True,
        )

    def block(self, graph: SavedGraph, name: str, where: str) -> Block:
        body = self.body(graph, where)
        self.finish(body)
        base, number = name, 0
        while self._is_taken(name):
            number += 1
            name = f"{base}_{number}"
        block = Block(name, body)
        self.blocks[name] = block
        return block


def _largest_results(graph: SavedGraph) -> dict[int, int]:
    """The largest index that is used of each call's results."""
    used: dict[int, int] = {}
    refs = [ref for call in graph.calls for ref in call.refs()]
    for ref in [*refs, *(ref for _, ref in graph.outputs)]:
        if isinstance(ref.source, int):
            used[ref.source] = max(used.get(ref.source, 0), ref.index)
    return used


def _call_arguments(
    entry: Entry, args: list[Any], kwargs: Mapping[str, Any], moved: Any
) -> tuple[Sources, dict[str, Any]]:
    """What a layer is called on, and its constant call arguments."""
    named = dict(zip(entry.call_arguments, args, strict=False))
    if len(args) > len(entry.call_arguments) and len(args) > 1:
        raise GapError("it is called with more arguments than it has")
    tensors: dict[str | None, Any] = {}
    constants: dict[str, Any] = {}
    first = entry.call_arguments[0] if entry.call_arguments else None
    if args and first is None:
        tensors[None] = args[0]
    for name, value in [*named.items(), *kwargs.items()]:
        if value is None:
            continue
        if any(True for _ in refs_in([value])):
            tensors[name] = value
        else:
            constants[name] = plain(value)
    sources: dict[str | None, Ref | tuple[Ref, ...]] = {}
    for key, item in tensors.items():
        sources[key] = _tensors(item, moved)
    if set(sources) == {first}:
        sources = {None: sources[first]}
    return sources, constants


def _tensors(value: Any, moved: Any) -> Ref | tuple[Ref, ...]:
    if isinstance(value, Ref):
        ref: Ref = moved(value)
        return ref
    if isinstance(value, list) and all(isinstance(item, Ref) for item in value):
        return tuple(moved(item) for item in value)
    raise GapError("it is called on tensors in a structure that `from` cannot write")


def _result_count(saved: SavedLayer, constants: Mapping[str, Any]) -> int:
    """How many results a layer returns, where its arguments tell."""
    config = saved.config
    if saved.kind in _RECURRENT and config.get("return_state") is True:
        return _RECURRENT[saved.kind]
    if saved.kind == "Bidirectional" and isinstance(config.get("layer"), Mapping):
        inner = config["layer"]
        settings = inner.get("config") if isinstance(inner.get("config"), Mapping) else {}
        states = _RECURRENT.get(str(inner.get("class_name")), 2) - 1
        merged = 1 if config.get("merge_mode") is not None else 2
        return merged + 2 * states * (settings.get("return_state") is True)
    if saved.kind == "RNN" and config.get("return_state") is True:
        cell = config.get("cell")
        kind = cell.get("class_name") if isinstance(cell, Mapping) else None
        return 1 + _CELLS.get(str(kind), 1)
    if saved.kind in _CELLS or saved.kind == "StackedRNNCells":
        return 2
    if saved.kind in _SCORES and constants.get("return_attention_scores") is True:
        return 2
    return 1


def _has_weights(saved: SavedLayer, entry: Entry) -> bool:
    """Whether a layer, or one inside of it, has weights that training or ``adapt`` changes."""
    families = {argument.family for argument in entry.arguments.values()}
    return "initializer" in families or "layer" in families or saved.kind in _FITTED


_FITTED = {"Normalization", "Discretization"}

_OWN_DTYPES = {
    "CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup",
    "StringLookup", "TextVectorization",
}  # fmt: skip


def _has_own_dtype(saved: SavedLayer, policy: str) -> bool:
    """Whether a dtype is what a layer of ids has without being told."""
    return saved.kind in _OWN_DTYPES and policy in ("int64", "string", "float32")


def _word(name: str) -> str:
    """A name as a spec can write it."""
    kept = "".join(
        char if char.isascii() and (char.isalnum() or char in "_-") else "_" for char in name
    )
    return kept[:200] if kept[:1].isalpha() else f"x{kept[:200]}" if kept else "layer"
