"""Saved arguments and Keras objects → the form of a spec, without Keras's defaults."""

import ast
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from modelspec.catalog import Argument, Catalog, Entry, Family
from modelspec.convert.plain_values import MAX_DEPTH, GapError, one_for_all, plain, same
from modelspec.graph.naming import snake_case

_SIZES = {"kernel_size", "strides", "dilation_rate", "pool_size", "size", "cropping", "padding"}
"""Arguments that Keras saves once for each axis, and a spec writes once if all are equal."""

_BY_SNAKE: tuple[Family, ...] = ("initializer", "regularizer", "constraint")
_NAMED = "function"


class Values:
    """Conversion with the catalogue's facts about each argument."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self._default = lru_cache(maxsize=None)(_literal)

    def arguments(self, entry: Entry, config: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
        """Return the arguments of a Keras object that differ from their defaults.

        Raises:
            GapError: One of them cannot be written.
        """
        if depth > MAX_DEPTH:
            raise GapError("its arguments are nested too deeply")
        arguments: dict[str, Any] = {}
        for name in [*entry.arguments, *(key for key in config if key not in entry.arguments)]:
            if name not in config or name in _BESIDE:
                continue
            argument = entry.arguments.get(name)
            value = self.value(argument, config[name], depth)
            if argument is None and (value is None or value is False):
                continue
            if argument is None and not entry.extra:
                if _is_state(name):
                    continue
                raise GapError(f"{entry.name} has no argument {name[:80]!r}")
            if argument is None or not self.is_default(argument, value, config):
                arguments[name] = value
        return arguments

    def default(self, argument: Argument) -> Any:
        """Return the default of an argument; a value that nothing equals if it is computed."""
        return self._default(argument.default or "None")

    def written_default(self, argument: Argument) -> Any:
        """Return the default of an argument in the form of a spec.

        Raises:
            LookupError: It has none, or one that is computed.
        """
        default = self.default(argument)
        if argument.required or default is _Unknown:
            raise LookupError(argument.name)
        if argument.name in _SIZES:
            default = one_for_all(one_for_all(default, inner=True))
        return list(default) if isinstance(default, tuple) else default

    def value(self, argument: Argument | None, saved: Any, depth: int = 0) -> Any:
        if depth > MAX_DEPTH:
            raise GapError("its arguments are nested too deeply")
        if argument is not None and argument.family is not None and saved is not None:
            if isinstance(saved, list) and (argument.many or argument.family != "layer"):
                return [self.item(argument.family, entry, depth + 1) for entry in saved]
            if isinstance(saved, Mapping | str):
                return self.item(argument.family, saved, depth + 1)
        value = plain(saved, depth)
        name = argument.name if argument is not None else ""
        if name in _SIZES:
            return one_for_all(one_for_all(value, inner=True))
        if name == "axis" and isinstance(value, list) and len(value) == 1:
            return value[0]
        return value

    def item(self, family: Family, saved: Any, depth: int = 0) -> Any:
        """Return a Keras object in the form of a spec.

        Raises:
            GapError: It is not Keras's, or an argument of it cannot be written.
        """
        if saved is None:
            return None
        if isinstance(saved, str):
            if self.catalog.find(family, saved) is None:
                raise GapError(f"Keras has no {family} {saved[:80]!r}")
            return saved
        if not isinstance(saved, Mapping) or not isinstance(saved.get("class_name"), str):
            raise GapError(f"it has {_article(family)} that cannot be read")
        kind, config = saved["class_name"], saved.get("config")
        if kind == _NAMED and isinstance(config, str):
            if not _is_keras(saved):
                raise GapError(f"{config[:80]!r} is a custom function")
            return self.item(family, config, depth)
        entry = self.entry(family, kind, saved)
        arguments = self.inner_arguments(
            entry, config if isinstance(config, Mapping) else {}, depth
        )
        return {entry.name: arguments} if arguments else self._short(family, entry)

    def entry(self, family: Family, kind: str, saved: Mapping[str, Any]) -> Entry:
        """Return the entry of a saved object.

        Raises:
            GapError: It is not Keras's, or a spec may not use it.
        """
        entry = self.catalog.find(family, kind)
        if entry is None or not _is_keras(saved):
            raise GapError(f"{kind[:80]!r} is not {_article(family)} of Keras")
        if entry.refused:
            raise GapError(f"{kind}: {entry.refused}")
        return entry

    def inner_arguments(
        self, entry: Entry, config: Mapping[str, Any], depth: int
    ) -> dict[str, Any]:
        """Return all arguments to write for an object inside of another."""
        written = self.arguments(entry, config, depth + 1) | self._own_name(entry, config)
        if entry.family == "layer":
            written |= inner_options(config)
        if entry.name == "Constant" and not written:
            return {"value": 0.0}  # Keras cannot create it from its bare name
        return written

    def _short(self, family: Family, entry: Entry) -> str:
        """Return the usual name: ``he_normal`` for ``HeNormal``, ``adam`` for ``Adam``."""
        names = [snake_case(entry.name)] if family in _BY_SNAKE else []
        names += [entry.name.lower()] if family == "optimizer" else []
        for name in names:
            if self.catalog.find(family, name) == entry:
                return name
        return entry.name

    def _own_name(self, entry: Entry, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the name of a loss or metric, where its author chose one."""
        if entry.family not in ("loss", "metric"):
            return {}
        name, argument = config.get("name"), entry.arguments.get("name")
        if not isinstance(name, str) or argument is None:
            return {}
        default = self._default(argument.default or "None") or snake_case(entry.name)
        return {} if is_numbered(name, str(default)) else {"name": name}

    def is_default(self, argument: Argument, value: Any, config: Mapping[str, Any]) -> bool:
        if argument.name == "strides" and "pool_size" in config and argument.default == "None":
            # Keras saves derived values: without strides, a pool moves by its own size.
            return bool(value == one_for_all(plain(config["pool_size"])))
        if argument.required:
            return False
        default = self._default(argument.default or "None")
        if argument.name == "data_format":
            return value in (default, "channels_last")
        if argument.name in _SIZES:
            default = one_for_all(one_for_all(default, inner=True))
        if argument.family is None:
            return same(value, default)
        if argument.family == "activation":
            return (value or "linear") == (default or "linear")
        return self._is_same_object(argument.family, value, default)

    def _is_same_object(self, family: Family, value: Any, default: Any) -> bool:
        if isinstance(value, str) and isinstance(default, str):
            one, other = self.catalog.find(family, value), self.catalog.find(family, default)
            return one is not None and one == other
        return same(value, default)


_BESIDE = {"name", "trainable", "dtype"}
"""Keys beside a layer, which are not among its arguments."""

_STATE = {
    "batch_input_shape", "build_input_shape", "is_legacy_optimizer", "fn", "registered_name",
    "time_major", "implementation", "jit_compile", "decay", "vocabulary_size", "ragged", "sparse_",
}  # fmt: skip


def _is_state(name: str) -> bool:
    """Return True where a key of a config is state that no constructor takes."""
    return name in _STATE


def inner_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``trainable`` of a layer inside of another, if it is False."""
    return {"trainable": False} if config.get("trainable") is False else {}


def is_numbered(name: str, base: str) -> bool:
    """Return True where a name is ``base``, or ``base_1`` and so on."""
    rest = name.removeprefix(base)
    return rest == "" or (name != rest and rest[:1] == "_" and rest[1:].isdecimal())


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return _Unknown


class _Unknown:
    """The value of a default that is computed; it equals nothing."""


def _is_keras(saved: Mapping[str, Any]) -> bool:
    """Return True where an object is Keras's own. Configs of Keras 2 name no module."""
    module = saved.get("module")
    own = module is None or (isinstance(module, str) and module.split(".")[0] in _OWN)
    return own and ">" not in str(saved.get("registered_name") or "")


_OWN = ("keras", "builtins")


def _article(noun: str) -> str:
    return f"{'an' if noun[:1] in 'aeio' else 'a'} {noun}"
