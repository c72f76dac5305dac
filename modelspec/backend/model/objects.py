"""Keras objects, created from their form in a spec."""

from collections.abc import Mapping
from typing import Any

import keras

from modelspec.backend.model.applications import make_application
from modelspec.backend.model.file_models import make_file_model
from modelspec.backend.model.own_parts import part
from modelspec.backend.model.saved_arguments import with_saved_arguments
from modelspec.catalog import Argument, Catalog, Family
from modelspec.language.written import Written

_MODULES: dict[Family, Any] = {
    "layer": keras.layers,
    "optimizer": keras.optimizers,
    "loss": keras.losses,
    "metric": keras.metrics,
    "initializer": keras.initializers,
    "regularizer": keras.regularizers,
    "constraint": keras.constraints,
    "schedule": keras.optimizers.schedules,
    "callback": keras.callbacks,
    "activation": keras.activations,
}


_NEVER_BY_NAME = frozenset({"layer", "optimizer"})
"""Families of arguments for which Keras accepts no name."""


def make(catalog: Catalog, family: Family, value: Any, **options: Any) -> Any:
    """Create the Keras object of a name, or of a one-key mapping from a name to its arguments.

    Nested objects are created first. ``options`` are further constructor arguments. Values were
    checked before, so that none reaches Keras's own deserialization, which imports modules.
    """
    written = Written.read(value)
    entry = catalog.find(family, written.name) if written else None
    if written is None or entry is None:
        raise LookupError(f"Keras has no {family} {value}")
    if entry.model is not None:
        return make_file_model(entry.model, str(options["name"]))
    if entry.module is not None:
        return make_application(entry, written.arguments, options)
    if entry.plugin is not None:
        definition = part(catalog.plugins, entry.plugin, entry.name)
    else:
        definition = getattr(_MODULES[family], entry.name)
    if entry.function:
        return definition
    arguments = {
        key: make_argument(catalog, entry.arguments.get(key), item)
        for key, item in written.arguments.items()
    }
    return with_saved_arguments(definition(**arguments, **options), arguments)


def is_own(catalog: Catalog, family: Family, name: str) -> bool:
    """Return True where a plugin offers an object of this name, which Keras would not find."""
    entry = catalog.find(family, name)
    return entry is not None and entry.plugin is not None


def make_argument(catalog: Catalog, argument: Argument | None, value: Any) -> Any:
    """Return the value of an argument: an object where the spec writes one, itself otherwise.

    Names of initializers, activations and similar objects stay names, which Keras resolves.
    """
    if argument is None or argument.family is None or value is None:
        return value
    if argument.many and isinstance(value, list):
        return [make_argument(catalog, argument, item) for item in value]
    named = isinstance(value, str) and (
        argument.family in _NEVER_BY_NAME or is_own(catalog, argument.family, value)
    )
    if isinstance(value, Mapping) or named:
        return make(catalog, argument.family, value)
    return value
