"""The config of a saved model → its inputs, calls and outputs, as plain data.

Configs are those of Keras 3, and those of older versions as far as functional and sequential models
go. Nothing is believed: what does not fit is a ``ModelError``.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from modelspec.graph.scope import MAX_CALLS
from modelspec.problems.errors import ModelError

MAX_NESTED = 30
_TENSOR = "__keras_tensor__"
_INPUT = "InputLayer"
_MODELS = ("Functional", "Sequential", "Model")


@dataclass(frozen=True, slots=True)
class Ref:
    """One tensor: an input by its name, or the result ``index`` of the call ``source``."""

    source: "str | int"
    index: int = 0


@dataclass(frozen=True, slots=True)
class SavedInput:
    name: str
    shape: tuple[int | None, ...]
    dtype: str
    dropped: tuple[str, ...] = ()
    """What a spec cannot say of it."""


@dataclass(eq=False, slots=True)
class SavedLayer:
    """A layer, an operation or a model with its config as it is saved."""

    name: str
    kind: str
    module: str
    registered: str
    config: Mapping[str, Any]
    build: Mapping[str, Any]
    inner: "SavedGraph | None" = None

    @property
    def is_operation(self) -> bool:
        return self.module.startswith("keras.src.ops") or self.module == "keras.ops"


@dataclass(eq=False, slots=True)
class SavedCall:
    """One call of a layer: positional and named arguments, in which tensors are ``Ref``."""

    id: int
    layer: SavedLayer
    index: int
    args: list[Any]
    kwargs: dict[str, Any]

    def refs(self) -> Iterator[Ref]:
        yield from refs_in(self.args)
        yield from refs_in(self.kwargs)


@dataclass(slots=True)
class SavedGraph:
    """The calls stand in an order in which they can be made."""

    name: str
    kind: Literal["Functional", "Sequential"]
    inputs: list[SavedInput]
    calls: list[SavedCall]
    outputs: list[tuple[str, Ref]]
    form: Literal["name", "list", "mapping"]
    flattened: bool = False
    """Whether the outputs are nested deeper than a spec can write."""
    trainable: bool = True


def refs_in(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from refs_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from refs_in(item)


def read_graph(config: Mapping[str, Any]) -> SavedGraph:
    """Read the graph of a functional or sequential model.

    Raises:
        ModelError: The config is not that of such a model, or is out of bounds.
    """
    return _Reader().model(config, 0)


@dataclass
class _Reader:
    count: int = 0
    depth: int = field(default=0)

    def model(self, saved: Mapping[str, Any], depth: int) -> SavedGraph:
        kind, config = _kind(saved), saved.get("config")
        if depth > MAX_NESTED:
            raise ModelError(f"models are nested more than {MAX_NESTED} deep")
        if isinstance(config, list):  # Keras 2 saved Sequential models so
            config = {"layers": config}
        if kind not in _MODELS or not isinstance(config, Mapping) or "layers" not in config:
            raise ModelError(
                f"it is {_article(kind)}, and not a functional or sequential model: its graph is "
                "Python code, which the file does not contain"
            )
        layers = _list(config["layers"], "layers")
        self.count += len(layers)
        if self.count > MAX_CALLS:
            raise ModelError(f"the model has more than {MAX_CALLS:,} layers")
        if kind == "Sequential":
            return self.sequential(saved, config, layers, depth)
        return self.functional(config, layers, depth)

    def layer(self, saved: Any, depth: int) -> SavedLayer:
        entry = _mapping(saved, "a layer")
        kind, config = _kind(entry), _mapping(entry.get("config") or {}, "the config of a layer")
        name = entry.get("name") or config.get("name") or kind
        build = entry.get("build_config")
        inner = None
        if kind in _MODELS and "layers" in config:
            inner = self.model(entry, depth + 1)
        return SavedLayer(
            name=str(name),
            kind=kind,
            module=str(entry.get("module") or "keras.layers"),
            registered=str(entry.get("registered_name") or ""),
            config=config,
            build=build if isinstance(build, Mapping) else {},
            inner=inner,
        )

    def sequential(
        self,
        saved: Mapping[str, Any],
        config: Mapping[str, Any],
        layers: Sequence[Any],
        depth: int,
    ) -> SavedGraph:
        made = [self.layer(layer, depth) for layer in layers]
        entry_layer = made.pop(0) if made and made[0].kind == _INPUT else None
        if entry_layer is not None:
            entry = _input(entry_layer)
        else:
            build = saved.get("build_config") or {}
            shape = build.get("input_shape") if isinstance(build, Mapping) else None
            first = made[0].config if made else {}
            shape = shape or config.get("build_input_shape") or first.get("batch_input_shape")
            if not isinstance(shape, list) or not shape or not _is_shape(shape):
                raise ModelError(
                    "the Sequential model does not know the shape of its input: build it, or give "
                    "it keras.Input, and save it again"
                )
            entry = SavedInput("input_layer", tuple(shape[1:]), "float32")
        calls: list[SavedCall] = []
        last: Ref = Ref(entry.name)
        for position, layer in enumerate(made):
            calls.append(SavedCall(position, layer, 0, [last], {}))
            last = Ref(position)
        if not calls:
            raise ModelError("the Sequential model has no layers")
        return SavedGraph(
            name=str(config.get("name") or "sequential"),
            kind="Sequential",
            inputs=[entry],
            calls=calls,
            outputs=[(calls[-1].layer.name, last)],
            form="name",
            trainable=config.get("trainable", True) is not False,
        )

    def functional(
        self, config: Mapping[str, Any], layers: Sequence[Any], depth: int
    ) -> SavedGraph:
        made: dict[str, SavedLayer] = {}
        inputs: dict[str, SavedInput] = {}
        drafts: dict[tuple[str, int], Any] = {}
        for saved in layers:
            layer = self.layer(saved, depth)
            if layer.name in made:
                raise ModelError(f"the name {_shown(layer.name)} is used by two layers")
            made[layer.name] = layer
            if layer.kind == _INPUT:
                inputs[layer.name] = _input(layer)
                continue
            for index, node in enumerate(_list(saved.get("inbound_nodes") or [], "inbound_nodes")):
                drafts[layer.name, index] = node
                if len(drafts) > MAX_CALLS:
                    raise ModelError(f"the model has more than {MAX_CALLS:,} calls")
        graph = _Wiring(made, inputs, drafts)
        outputs, form, flattened = graph.outputs(config.get("output_layers"))
        return SavedGraph(
            name=str(config.get("name") or "functional"),
            kind="Functional",
            inputs=graph.ordered_inputs(config.get("input_layers")),
            calls=graph.calls(),
            outputs=outputs,
            form=form,
            flattened=flattened,
            trainable=config.get("trainable", True) is not False,
        )


class _Wiring:
    """The calls of one functional model, by layer name and number, and what they refer to."""

    def __init__(
        self,
        layers: Mapping[str, SavedLayer],
        inputs: Mapping[str, SavedInput],
        drafts: Mapping[tuple[str, int], Any],
    ) -> None:
        self._layers, self._inputs, self._drafts = layers, inputs, drafts
        self._ids = {key: position for position, key in enumerate(drafts)}

    def calls(self) -> list[SavedCall]:
        """The calls in the order of the file, where each comes after what it needs."""
        made = [self._call(*key) for key in self._drafts]
        needs = [
            {ref.source for ref in call.refs() if isinstance(ref.source, int)} for call in made
        ]
        followers: list[list[int]] = [[] for _ in made]
        for call, sources in zip(made, needs, strict=True):
            for source in sources:
                followers[source].append(call.id)
        waiting = [len(sources) for sources in needs]
        import heapq

        ready = [position for position, count in enumerate(waiting) if not count]
        ordered: list[SavedCall] = []
        while ready:
            position = heapq.heappop(ready)
            ordered.append(made[position])
            for follower in followers[position]:
                waiting[follower] -= 1
                if not waiting[follower]:
                    heapq.heappush(ready, follower)
        if len(ordered) < len(made):
            stuck = next(call for call in made if waiting[call.id])
            raise ModelError(
                f"the calls of {_shown(stuck.layer.name)} and others need each other in a cycle"
            )
        return ordered

    def _call(self, name: str, index: int) -> SavedCall:
        node = self._drafts[name, index]
        if isinstance(node, Mapping):
            args = self._tensors(node.get("args") or [])
            kwargs = self._tensors(node.get("kwargs") or {})
        else:
            args, kwargs = self._legacy(node)
        if not isinstance(args, list) or not isinstance(kwargs, Mapping):
            raise ModelError(f"a call of {_shown(name)} has no arguments that can be read")
        return SavedCall(self._ids[name, index], self._layers[name], index, args, dict(kwargs))

    def _legacy(self, node: Any) -> tuple[list[Any], dict[str, Any]]:
        """``[["dense", 0, 0, {}], …]``, as Keras 2 saved calls."""
        refs: list[Any] = []
        kwargs: dict[str, Any] = {}
        entries = _list(node, "a call")
        if entries and isinstance(entries[0], str):
            entries = [entries]
        for entry in entries:
            match entry:
                case [str(name), int(number), int(result), *rest]:
                    refs.append(self.ref(name, number, result))
                    kwargs |= rest[0] if rest and isinstance(rest[0], Mapping) else {}
                case _:
                    raise ModelError("a call in the config cannot be read")
        named = {key: self._legacy_value(value) for key, value in kwargs.items()}
        return [refs[0] if len(refs) == 1 else refs], named

    def _legacy_value(self, value: Any) -> Any:
        match value:
            case [str(name), int(number), int(result)] if name in self._layers:
                return self.ref(name, number, result)
            case list():
                return [self._legacy_value(item) for item in value]
        return value

    def _tensors(self, value: Any, depth: int = 0) -> Any:
        """A saved argument with ``Ref`` in the place of tensors; ``__tuple__`` becomes a list."""
        if depth > MAX_NESTED:
            raise ModelError("the arguments of a call are nested too deep")
        if isinstance(value, list):
            return [self._tensors(item, depth + 1) for item in value]
        if not isinstance(value, Mapping):
            return value
        if value.get("class_name") == _TENSOR:
            match value.get("config"):
                case {"keras_history": [str(name), int(number), int(result), *_]}:
                    return self.ref(name, number, result)
            raise ModelError("a tensor in the config has no origin")
        return {key: self._tensors(item, depth + 1) for key, item in value.items()}

    def ref(self, name: str, number: int, result: int) -> Ref:
        if name in self._inputs:
            return Ref(name)
        layer = self._layers.get(name)
        if layer is None:
            raise ModelError(f"a call refers to {_shown(name)}, which is not in the model")
        if (name, number) not in self._ids or result < 0:
            raise ModelError(f"a call refers to call {number} of {_shown(name)}, which is not made")
        return Ref(self._ids[name, number], result)

    def _listed(self, entry: Sequence[Any]) -> Ref:
        """A tensor in ``input_layers`` or ``output_layers``.

        Keras counts the calls of a functional model from 1 there, and from 0 elsewhere.
        """
        name, number, result = entry
        layer = self._layers.get(name)
        nested = layer is not None and layer.inner is not None and layer.kind != "Sequential"
        if nested and (name, number - 1) in self._ids:
            number -= 1
        return self.ref(name, number, result)

    def ordered_inputs(self, listed: Any) -> list[SavedInput]:
        names = [ref.source for _, ref in self._flat(listed, ()) if isinstance(ref.source, str)]
        order = dict.fromkeys([*names, *self._inputs])
        return [self._inputs[name] for name in order if isinstance(name, str)]

    def outputs(
        self, listed: Any
    ) -> tuple[list[tuple[str, Ref]], Literal["name", "list", "mapping"], bool]:
        leaves = list(self._flat(listed, ()))
        if not leaves:
            raise ModelError("the model has no outputs")
        by_id = {number: name for (name, _), number in self._ids.items()}
        form: Literal["name", "list", "mapping"] = "list"
        if isinstance(listed, Mapping):
            form = "mapping"
        elif _is_leaf(listed):
            form = "name"
        named = [
            (
                "_".join(map(str, path))
                if form == "mapping"
                else by_id.get(ref.source, "")
                if isinstance(ref.source, int)
                else ref.source,
                ref,
            )
            for path, ref in leaves
        ]
        return named, form, any(len(path) > 1 for path, _ in leaves)

    def _flat(self, listed: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Ref]]:
        if _is_leaf(listed):
            yield path, self._listed(listed)
        elif isinstance(listed, Mapping):
            if listed.get("class_name") == "__tuple__":
                yield from self._flat(listed.get("items"), path)
                return
            for key, item in listed.items():
                yield from self._flat(item, (*path, key))
        elif isinstance(listed, list) and len(path) <= MAX_NESTED:
            for position, item in enumerate(listed):
                yield from self._flat(item, (*path, position))
        else:
            raise ModelError("the inputs or outputs of the model cannot be read")


def _is_leaf(value: Any) -> bool:
    match value:
        case [str(), int(), int()]:
            return True
    return False


def _input(layer: SavedLayer) -> SavedInput:
    config = layer.config
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(shape, list) or not shape or not _is_shape(shape):
        raise ModelError(f"the input {_shown(layer.name)} has no shape")
    dropped = [f"a batch size of {shape[0]}"] if shape[0] is not None else []
    dropped += [key for key in ("sparse", "ragged", "optional") if config.get(key)]
    dtype = config.get("dtype")
    return SavedInput(
        layer.name,
        tuple(shape[1:]),
        dtype if isinstance(dtype, str) else "float32",
        tuple(dropped),
    )


def _is_shape(shape: Sequence[Any]) -> bool:
    return all(size is None or (type(size) is int and size >= 0) for size in shape)


def _kind(saved: Mapping[str, Any]) -> str:
    kind = saved.get("class_name")
    if not isinstance(kind, str) or not kind:
        raise ModelError("a layer in the config has no class_name")
    return kind


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ModelError(f"{what} in the config is not a mapping")
    return value


def _list(value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ModelError(f"{what} in the config is not a list")
    return value


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:77]}...")  # noqa: PLR2004 - a line's width


def _article(kind: str) -> str:
    return f"{'an' if kind[:1] in 'AEIOU' else 'a'} {kind[:80]}"
