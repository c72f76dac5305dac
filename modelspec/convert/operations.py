"""Saved operations → ``ops.NAME`` items."""

from collections.abc import Mapping
from typing import Any

from modelspec.catalog import Catalog, Entry
from modelspec.convert.drafts import Sources
from modelspec.convert.layer_calls import tensors_of
from modelspec.convert.plain_values import GapError, plain, same
from modelspec.convert.saved_graph import Ref, SavedCall, refs_in
from modelspec.convert.values import Values

_OTHERWISE = {
    "BatchNorm": "batch_normalization",
    "LayerNorm": "layer_normalization",
    "RMSNorm": "rms_normalization",
}
"""Classes whose names differ from those of their functions."""

_MIXED = "it takes a list of tensors and constants, which a spec cannot write"

_RESULTS = dict.fromkeys(
    ("Divmod", "Eig", "Eigh", "FFT", "FFT2", "Frexp", "Modf", "Moments", "Qr", "RFFT", "STFT",
     "Slogdet", "TopK"),
    2,
)  # fmt: skip
"""Operations that return several tensors."""


class Operations:
    """Finds the function of an operation's class, and its arguments."""

    def __init__(self, catalog: Catalog, values: Values) -> None:
        self._catalog, self._values = catalog, values
        self._by_class: dict[str, str] | None = None

    def _entry(self, kind: str) -> Entry:
        if self._by_class is None:
            names = self._catalog.names("operation")
            # Of several names, the shortest is last and replaces the others.
            ordered = sorted(names, key=len, reverse=True)
            self._by_class = {_folded(name.rpartition(".")[2]): name for name in ordered}
        name = self._by_class.get(_folded(_OTHERWISE.get(kind, kind)))
        entry = self._catalog.find("operation", name) if name else None
        if entry is None:
            raise GapError(f"the operation {kind[:80]!r} is not a function of keras.ops")
        if entry.refused:
            raise GapError(f"{entry.name}: {entry.refused}")
        return entry

    def read(
        self, call: SavedCall, kwargs: Mapping[str, Any], moved: Any
    ) -> tuple[str, Sources, dict[str, Any], int]:
        """Return the name, tensors, other arguments and number of results of a call.

        Raises:
            GapError: It cannot be written.
        """
        saved = call.layer
        entry = self._entry(saved.kind)
        config = {
            key: value
            for key, value in saved.config.items()
            if key != "name" and (key != "dtype" or key in entry.arguments)
        }
        written = {**config, **_by_name(entry, call.args, config), **kwargs}
        tensors: dict[str, Ref | tuple[Ref, ...]] = {}
        arguments: dict[str, Any] = {}
        for name, value in written.items():
            if any(True for _ in refs_in([value])):
                tensors[name] = tensors_of(value, moved, _MIXED)
            elif name == "key" and entry.name == "ops.get_item":
                arguments[name] = _slices(value)
            else:
                self._constant(entry, name, value, arguments)
        order = list(entry.call_arguments)
        placed = [tensors[name] for name in order[: len(tensors)] if name in tensors]
        sources: Sources = dict(tensors.items())
        if len(placed) == len(tensors):
            if len(placed) == 1:
                sources = {None: placed[0]}
            elif all(isinstance(item, Ref) for item in placed):
                sources = {None: tuple(item for item in placed if isinstance(item, Ref))}
        return entry.name, sources, arguments, _results(saved.kind, written)

    def _constant(self, entry: Entry, name: str, value: Any, arguments: dict[str, Any]) -> None:
        argument = entry.arguments.get(name)
        if argument is None:
            if value is None or value is False:
                return
            raise GapError(f"{entry.name} has no argument {name[:80]!r}")
        constant = plain(value)
        default = self._values.default(argument)
        if not same(constant, default):
            arguments[name] = constant


def _by_name(entry: Entry, args: list[Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return positional arguments by name: the tensors in order, then arguments without config."""
    tensors = list(entry.call_arguments)
    if tensors and tensors[-1] in entry.several and len(args) > len(tensors):
        cut = len(tensors) - 1
        args = [*args[:cut], args[cut:]]
    names = [*tensors, *(name for name in entry.arguments if name not in (*tensors, *config))]
    if len(args) > len(names):
        raise GapError(f"{entry.name} is called with more arguments than it has")
    return dict(zip(names, args, strict=False))


def _slices(key: Any) -> str:
    """Convert ``[slice(None), -1]`` to ``[:, -1]``."""
    parts = key if isinstance(key, list) else [key]
    return f"[{', '.join(map(_slice, parts))}]"


def _slice(part: Any) -> str:
    match part:
        case {"class_name": "__slice__", "config": {"start": start, "stop": stop, "step": step}}:
            ends = [start, stop] if step is None else [start, stop, step]
            if all(end is None or type(end) is int for end in ends):
                return ":".join("" if end is None else str(end) for end in ends)
        case {"class_name": "__ellipsis__"}:
            return "..."
        case None:
            return "None"
        case int() if not isinstance(part, bool):
            return str(part)
    raise GapError("it is indexed by something that is neither a number nor a slice")


def _results(kind: str, arguments: Mapping[str, Any]) -> int:
    parts = arguments.get("indices_or_sections")
    if kind in ("Split", "ArraySplit"):
        return parts if type(parts) is int else len(parts) + 1 if isinstance(parts, list) else 1
    if kind == "Unstack" and type(arguments.get("num")) is int:
        return int(arguments["num"])
    return _RESULTS.get(kind, 1)


def _folded(name: str) -> str:
    return name.replace("_", "").lower()
