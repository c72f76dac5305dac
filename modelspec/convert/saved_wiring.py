"""The calls of a saved functional model, and the tensors that they refer to."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from modelspec.convert.saved_config import MAX_NESTED, list_of, shown
from modelspec.convert.saved_graph import Ref, SavedCall, SavedInput, SavedLayer
from modelspec.problems.errors import ModelError

_TENSOR = "__keras_tensor__"


class Wiring:
    """The calls of one functional model, by layer name and number, and the tensors in them.

    Other calls count the results of a nested model in the order of the sorted keys of dicts, and
    pass lists to it in the same order.
    """

    def __init__(
        self,
        layers: Mapping[str, SavedLayer],
        inputs: Mapping[str, SavedInput],
        drafts: Mapping[tuple[str, int], Any],
        *,
        is_nested: bool = False,
    ) -> None:
        self._is_nested = is_nested
        self._layers, self._inputs, self._drafts = layers, inputs, drafts
        self._ids = {key: position for position, key in enumerate(drafts)}
        self._names = {position: name for position, (name, _) in enumerate(drafts)}

    def calls(self) -> list[SavedCall]:
        """Return the calls in the order of the file, in which each follows those that it needs."""
        made = [self._call(*key) for key in self._drafts]
        return _in_order(made)

    def _call(self, name: str, index: int) -> SavedCall:
        node = self._drafts[name, index]
        if isinstance(node, Mapping):
            args = self._tensors(node.get("args") or [])
            kwargs = self._tensors(node.get("kwargs") or {})
        else:
            args, kwargs = self._legacy(node)
        if not isinstance(args, list) or not isinstance(kwargs, Mapping):
            raise ModelError(f"a call of {shown(name)} has no arguments that can be read")
        return SavedCall(self._ids[name, index], self._layers[name], index, args, dict(kwargs))

    def _legacy(self, node: Any) -> tuple[list[Any], dict[str, Any]]:
        """Read ``[["dense", 0, 0, {}], …]``, the form of calls in Keras 2."""
        refs: list[Any] = []
        kwargs: dict[str, Any] = {}
        entries = list_of(node, "a call")
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
        """Return a saved argument with ``Ref`` for tensors; ``__tuple__`` becomes a list."""
        if depth > MAX_NESTED:
            raise ModelError("the arguments of a call are nested too deeply")
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
            raise ModelError(f"a call refers to {shown(name)}, which is not in the model")
        if (name, number) not in self._ids or result < 0:
            raise ModelError(
                f"a call refers to call {number} of {shown(name)}, which does not exist"
            )
        return Ref(self._ids[name, number], result)

    def _listed(self, entry: Sequence[Any]) -> Ref:
        """Return a tensor in ``input_layers`` or ``output_layers``.

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
            items = sorted(listed.items()) if self._is_nested else listed.items()
            for key, item in items:
                yield from self._flat(item, (*path, key))
        elif isinstance(listed, list) and len(path) <= MAX_NESTED:
            for position, item in enumerate(listed):
                yield from self._flat(item, (*path, position))
        else:
            raise ModelError("the inputs or outputs of the model cannot be read")


def _in_order(calls: Sequence[SavedCall]) -> list[SavedCall]:
    needs = [{ref.source for ref in call.refs() if isinstance(ref.source, int)} for call in calls]
    followers: list[list[int]] = [[] for _ in calls]
    for call, sources in zip(calls, needs, strict=True):
        for source in sources:
            followers[source].append(call.id)
    waiting = [len(sources) for sources in needs]
    ready = [position for position, count in enumerate(waiting) if not count]
    ordered: list[SavedCall] = []
    while ready:
        position = heapq.heappop(ready)
        ordered.append(calls[position])
        for follower in followers[position]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, follower)
    if len(ordered) < len(calls):
        stuck = next(call for call in calls if waiting[call.id])
        raise ModelError(
            f"the calls of {shown(stuck.layer.name)} and others need each other in a cycle"
        )
    return ordered


def _is_leaf(value: Any) -> bool:
    match value:
        case [str(), int(), int()]:
            return True
    return False
