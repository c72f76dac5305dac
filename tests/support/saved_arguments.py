"""Every argument of Keras's objects at a value that is not its default, saved and loaded again."""

import ast
import json
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import yaml
from sweep_layers import LAYERS

from modelspec import catalog
from modelspec.backend.model.objects import make
from modelspec.catalog import Argument, Entry, Family

CATALOG = catalog.load()
FAMILIES: tuple[Family, ...] = (
    "loss",
    "metric",
    "optimizer",
    "schedule",
    "regularizer",
    "initializer",
    "constraint",
    "layer",
)
REQUIRED: dict[Family, dict[str, Any]] = {
    "schedule": {
        "initial_learning_rate": 0.1,
        "decay_steps": 10,
        "decay_rate": 0.5,
        "boundaries": [10],
        "values": [0.1, 0.01],
        "first_decay_steps": 5,
        "end_learning_rate": 0.001,
    },
    "metric": {
        "num_classes": 3,
        "target_class_ids": [0, 1],
        "recall": 0.5,
        "precision": 0.5,
        "sensitivity": 0.5,
        "specificity": 0.5,
        "name": "measured",
    },
    "optimizer": {"inner_optimizer": {"SGD": {"momentum": 0.3}}},
}
OBJECTS: dict[str, Any] = {
    "regularizer": {"L1L2": {"l1": 0.03, "l2": 0.02}},
    "initializer": {"VarianceScaling": {"scale": 0.7, "seed": 5}},
    "constraint": {"MaxNorm": {"max_value": 1.5, "axis": 0}},
    "activation": "elu",
    "schedule": {
        "ExponentialDecay": {"initial_learning_rate": 0.2, "decay_steps": 3, "decay_rate": 0.7}
    },
}


LISTS: dict[str, Any] = {
    "label_weights": [0.2, 0.8],
    "thresholds": [0.2, 0.6],
    "class_weights": [0.2, 0.8],
}


def cases(family: Family) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the name, an argument, and valid arguments with another value of that one."""
    for name in CATALOG.names(family):
        entry = CATALOG.find(family, name)
        if entry is None or entry.refused or entry.function or entry.module:
            continue
        required = _required(entry)
        for argument in entry.arguments.values():
            if argument.name in required and argument.name in ("layer", "cell", "cells", "layers"):
                continue
            arguments = _accepted(entry, argument, required)
            if arguments is not None:
                yield name, argument.name, arguments


def _required(entry: Entry) -> dict[str, Any]:
    if entry.family == "layer":
        case = LAYERS.get(entry.name)
        return dict(yaml.safe_load(case.arguments) or {}) if case else {}
    known = REQUIRED.get(entry.family, {})
    return {
        argument.name: known.get(argument.name, 0.5)
        for argument in entry.arguments.values()
        if argument.required
    }


def _accepted(
    entry: Entry, argument: Argument, required: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return the first candidate with which Keras creates the object; None where it refuses all."""
    for value in _candidates(argument, required.get(argument.name)):
        arguments = {**required, argument.name: value}
        if _is_taken(entry, arguments):
            return arguments
    return None


def _is_taken(entry: Entry, arguments: Mapping[str, Any]) -> bool:
    try:
        make(CATALOG, entry.family, {entry.name: arguments})
    except Exception:  # noqa: BLE001 - what a constructor refuses is Keras's choice
        return False
    return True


def _candidates(argument: Argument, now: Any) -> Iterator[Any]:
    default = _default(argument) if now is None else now
    if argument.name in LISTS:
        yield LISTS[argument.name]
    if argument.family in OBJECTS:
        yield OBJECTS[argument.family]
    yield from (choice for choice in argument.choices if choice != default)
    if isinstance(default, bool):
        yield not default
    elif isinstance(default, int):
        yield from (default + 1, 2 * default + 2, default - 1)
    elif isinstance(default, float):
        yield from (default * 0.5 or 0.25, default + 0.125)
    elif isinstance(default, list | tuple) and default:
        yield _one_more(default)
    if "bool" in argument.kinds:
        yield from (True, False)
    yield from (2, 1, 0.25, [1], [2, 2], "written", True)


def _one_more(value: Any) -> Any:
    """The value with every number in it larger by one."""
    if isinstance(value, list | tuple):
        return [_one_more(item) for item in value]
    return value if isinstance(value, str | None) else value + 1


def _default(argument: Argument) -> Any:
    try:
        return ast.literal_eval(argument.default or "None")
    except (ValueError, SyntaxError):
        return None


def loaded(made: Any) -> Any:
    """Return an object after saving it and loading it again."""
    written = json.dumps(keras.saving.serialize_keras_object(made))
    return keras.saving.deserialize_keras_object(json.loads(written))


def differences(made: Any, again: Any, path: str = "") -> Iterator[str]:
    """Yield the plain attributes in which two objects differ, also of the objects in them."""
    for name, value in vars(made).items():
        if name in _PASSING or (path and name == "name"):
            continue
        if not hasattr(again, name):
            yield f"{path}{name} is lost"
            continue
        yield from _different(value, getattr(again, name), f"{path}{name}")


_PASSING = frozenset(
    {"_path", "_inbound_nodes", "_outbound_nodes", "_lock", "_tracker", "_auto_config"}
    | {"_seed_generators", "seed_generator", "_random_generator", "generator", "_layers"}
    | {
        "seed",
        "_init_seed",
        "_dtype_policy",
        "built",
        "_metrics",
        "_losses",
        "_object_type",
        "_tracked",
    }
)
"""Attributes about a place in a graph, generator states, and lists of attributes by other names."""


def _different(one: Any, other: Any, path: str) -> Iterator[str]:
    if isinstance(one, keras.Variable):
        return  # the values of a layer are saved beside its config
    if isinstance(one, list | tuple) and any(_is_keras(item) for item in one):
        for position, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _different(left, right, f"{path}.{position}")
    elif _is_keras(one) and type(one) is type(other):
        yield from differences(one, other, f"{path}.")
    elif _text(one) != _text(other):
        yield f"{path} is {_text(other)}, and was {_text(one)}"


def _is_keras(value: Any) -> bool:
    return type(value).__module__.startswith("keras") and hasattr(value, "get_config")


def _text(value: Any) -> str:
    """Return a value as text that distinguishes numbers; of other objects, their name or type."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    try:
        return json.dumps(value, sort_keys=True)
    except (TypeError, ValueError):
        return str(getattr(value, "__name__", type(value).__name__))


def judge(family: Family, name: str, arguments: Mapping[str, Any]) -> list[str]:
    """Return the attributes of an object that are lost when it is saved."""
    made = make(CATALOG, family, {name: dict(arguments)})
    return list(differences(made, loaded(made)))
