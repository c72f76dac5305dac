"""The names in a saved config, checked before Keras builds anything.

Keras's safe mode refuses Lambda, but it imports the modules that a config names. Here every object
of a config must be one of Keras's own that a spec may use too, or one of a plugin.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from modelspec.catalog import FAMILIES, Catalog, Entry

_MODELS = {"Functional", "Sequential", "Model"}
_DATA = {
    "__bytes__", "__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__",
    "__tuple__",
}  # fmt: skip
_OTHERS = {
    "DTypePolicy", "DTypePolicyMap", "FloatDTypePolicy", "InputLayer", "QuantizedDTypePolicy",
    "QuantizedFloat8DTypePolicy", "SeedGenerator",
}  # fmt: skip
"""Keras's own classes that the catalogue does not list."""

_INTERNAL = {
    ("keras.src.applications.convnext", "LayerScale"),
    ("keras.src.applications.inception_resnet_v2", "CustomScaleLayer"),
}
_OPERATIONS = re.compile(r"keras\.src\.ops\.\w+")
_PUBLIC = re.compile(r"keras(\.(?!src)[a-z_0-9]+)*")
_CLASS = re.compile(r"[A-Z]\w*")
_CODE = "contains Python code, which modelspec does not run"


def find_untrusted(config: Any, catalog: Catalog) -> str | None:
    """Return a config's first object that may not be built, with its layer; None if all may."""
    for layer, saved in _objects(config):
        if why := _refused(saved, catalog):
            where = f"layer {layer[:80]!r}: " if layer else ""
            return f"{where}{why}"
    return None


def quantized_layer(config: Any) -> str | None:
    """Return the name of a layer whose weights are quantized; None if there is none."""
    for layer, saved in _objects(config):
        own = saved.get("config")
        if isinstance(own, Mapping) and own.get("quantization_config"):
            return layer
    return None


def _objects(config: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every object of a config, with the name of its layer."""
    waiting: list[tuple[Any, str]] = [(config, "")]
    while waiting:
        value, layer = waiting.pop()
        if isinstance(value, list):
            waiting.extend((item, layer) for item in reversed(value))
            continue
        if not isinstance(value, Mapping):
            continue
        if "class_name" in value:
            own = value.get("config")
            if isinstance(own, Mapping) and isinstance(own.get("name"), str):
                layer = own["name"]
            yield layer, value
        waiting.extend((item, layer) for item in value.values())


def _refused(saved: Mapping[str, Any], catalog: Catalog) -> str | None:
    """Return why an object may not be built; None if it may."""
    kind, module, config = saved["class_name"], saved.get("module"), saved.get("config")
    if not isinstance(kind, str) or not (module is None or isinstance(module, str)):
        return "its class cannot be read"
    if kind in ("Lambda", "__lambda__"):
        return f"a Lambda {_CODE}"
    name = config if kind == "function" and isinstance(config, str) else kind
    entry = _entry(name, saved, catalog)
    if kind in _DATA or (entry is not None and entry.plugin is not None):
        return None
    if isinstance(config, Mapping) and isinstance(config.get("vocabulary"), str):
        return f"{kind} reads its vocabulary from another file"
    return _refused_name(name, kind, module, saved, entry)


def _refused_name(
    name: str, kind: str, module: str | None, saved: Mapping[str, Any], entry: Entry | None
) -> str | None:
    shown = repr(name[:80])
    if ">" in str(saved.get("registered_name") or ""):
        return f"{shown} is custom code: name its Python file with --plugin"
    if entry is not None and entry.refused and kind not in _OTHERS:
        return f"{name}: {entry.refused}"
    if entry is None and not _is_known(kind, module):
        return f"Keras has nothing named {shown} that a model may contain"
    if not _is_keras(module, kind):
        return f"{shown} is taken from the module {str(module)[:80]!r}, which is not Keras's"
    return None


def _entry(name: str, saved: Mapping[str, Any], catalog: Catalog) -> Entry | None:
    """Return the catalogue's entry; a plugin's only under the name that it registers."""
    entries = [entry for family in FAMILIES if (entry := catalog.find(family, name)) is not None]
    own = [entry for entry in entries if entry.plugin is not None]
    if own and ">" in str(saved.get("registered_name") or ""):
        return own[0]
    return next((entry for entry in entries if entry.plugin is None and entry.model is None), None)


def _is_known(kind: str, module: str | None) -> bool:
    if kind in _MODELS or kind in _OTHERS or (module, kind) in _INTERNAL:
        return True
    return bool(module and _OPERATIONS.fullmatch(module) and _CLASS.fullmatch(kind))


def _is_keras(module: str | None, kind: str) -> bool:
    if module is None or (module == "builtins" and kind == "function"):
        return True
    if kind in _MODELS and module.startswith("keras.src.models."):
        return True
    return bool(
        _PUBLIC.fullmatch(module) or _OPERATIONS.fullmatch(module) or (module, kind) in _INTERNAL
    )
