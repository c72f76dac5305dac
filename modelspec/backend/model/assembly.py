"""Graph → Keras tensors, call by call; Keras computes every shape.

The check of shapes, which allocates no weight, and the real model use the same code.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from modelspec.backend.keras_private import MissingPartError
from modelspec.backend.model.applications import MissingWeightsError, preprocess
from modelspec.backend.model.assembled import Assembly, Shape
from modelspec.backend.model.call_problems import (
    refuse_empty,
    refused_call,
    refused_dtype,
    wrong_result,
)
from modelspec.backend.model.file_models import FileModelError
from modelspec.backend.model.keras_errors import bad_argument
from modelspec.backend.model.nested import freeze_inside, layers_inside, names_of
from modelspec.backend.model.objects import make
from modelspec.backend.model.operation_trials import try_constants
from modelspec.backend.model.operations import call_operation, operation_of
from modelspec.backend.model.trial_calls import try_call, try_in_training
from modelspec.catalog import Catalog
from modelspec.graph.freezing import unmatched
from modelspec.graph.graph import Graph, Node, Source
from modelspec.graph.operations import bind_tensors, is_operation
from modelspec.language.patterns import matching
from modelspec.problems.diagnostic import Diagnostic, Related


def assemble(
    graph: Graph,
    catalog: Catalog,
    shapes: Mapping[str, Shape] | None = None,
    batch: int | None = None,
) -> Assembly:
    """Call every layer of a graph.

    ``shapes`` (without the batch) replace the inputs' declared ones. The size of the ``batch`` is
    unknown where it is None.
    """
    assembly = Assembly()
    for name, declared in graph.inputs.items():
        shape = (shapes or {}).get(name, declared.shape)
        assembly.routes[name] = declared.route
        assembly.values[name] = keras.Input(
            shape, batch_size=batch, dtype=declared.dtype, name=name
        )
    for node in graph.nodes:
        _call(node, assembly, catalog)
    return assembly


@contextmanager
def dtype_policy(policy: str) -> Iterator[None]:
    """Make layers with ``policy``, and restore the process's own policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _call(node: Node, assembly: Assembly, catalog: Catalog) -> None:
    sources = list(node.sources())
    if not sources:
        return
    if node.layer not in assembly.layers and not _construct(node, assembly, catalog):
        return
    # After an error before it, a layer has been created, so that its own arguments are judged.
    if any(source.name not in assembly.values for source in sources):
        return
    if problem := refused_dtype(node, assembly, catalog):
        assembly.problems.append(problem)
        return
    try:
        call = _call_operation if is_operation(node) else _call_layer
        value = call(node, assembly, catalog)
        refuse_empty(value)
    except MissingPartError:
        raise
    except Exception as error:  # noqa: BLE001 - any error of Keras is a refusal
        assembly.problems.append(refused_call(node, error, assembly))
        return
    if problem := wrong_result(node, value, assembly):
        assembly.problems.append(problem)
        return
    assembly.routes[node.name] = node.route
    assembly.values[node.name] = value
    if is_operation(node):
        # The name of the layer in the model and its file.
        made = operation_of(value)
        made.name = node.name
        assembly.layers[node.name] = made


def _call_layer(node: Node, assembly: Assembly, catalog: Catalog) -> Any:
    first = [_values_of(value, assembly) for key, value in node.inputs.items() if key is None]
    named = {key: _values_of(value, assembly) for key, value in node.inputs.items() if key}
    layer = assembly.layers[node.layer]
    entry = catalog.find("layer", node.type)
    if entry is not None and entry.model is not None and named:
        first, named = [_in_order(named, entry.model.inputs)], {}
    if node.preprocess:
        assert entry is not None
        first = [preprocess(entry, tensor) for tensor in first]
    if entry is not None and entry.is_model:
        _require_shapes(layer, first)
    value = layer(*first, **named, **node.call)
    if entry is None or entry.plugin is None:
        try_call(node, layer, value, first, named)
    else:
        try_in_training(node, layer, value, first, named)
    return value


def _require_shapes(model: Any, inputs: Sequence[Any]) -> None:
    """Refuse an input with one channel instead of several, which Keras accepts on symbols.

    Raises:
        ValueError: An axis differs in length from that of the model's input.
    """
    for own, tensor in zip(model.inputs, keras.tree.flatten(list(inputs)), strict=False):
        lengths = zip(own.shape[1:], tensor.shape[1:], strict=False)
        differs = any(None not in pair and pair[0] != pair[1] for pair in lengths)
        if len(own.shape) == len(tensor.shape) and differs:
            raise ValueError(f"the input of the model has the shape {tuple(own.shape)}")


def _in_order(named: Mapping[str, Any], names: Sequence[str]) -> Any:
    """Return the inputs of a model from a file, in its order."""
    tensors = [named[name] for name in names]
    return tensors if len(tensors) > 1 else tensors[0]


def _call_operation(node: Node, assembly: Assembly, catalog: Catalog) -> Any:
    entry = catalog.find("operation", node.type)
    assert entry is not None
    tensors, _ = bind_tensors(node, entry)
    inputs = {name: _values_of(value, assembly) for name, value in tensors.items()}
    result = call_operation(entry, node.arguments, inputs)
    try_constants(entry, node.arguments, inputs, result, assembly.tried)
    return result


def _values_of(value: Source | tuple[Source, ...], assembly: Assembly) -> Any:
    if isinstance(value, tuple):
        return [assembly.tensor(source) for source in value]
    return assembly.tensor(value)


def _construct(node: Node, assembly: Assembly, catalog: Catalog) -> bool:
    if is_operation(node):
        return True
    if node.name != node.layer:
        return False
    try:
        layer = make(catalog, "layer", {node.type: node.arguments}, name=node.layer, **node.options)
    except MissingWeightsError as error:
        route = (*node.route, node.type)
        message = f"{node.type}: {error}"
        assembly.problems.append(
            Diagnostic("weights-not-found", message, route, "key", hint=error.hint)
        )
        return False
    except FileModelError as error:
        assembly.problems.append(_unusable_model(node, error))
        return False
    except Exception as error:  # noqa: BLE001 - as above
        assembly.problems.append(bad_argument(node.type, node.arguments, node.route, error))
        return False
    assembly.layers[node.layer] = layer
    assembly.problems += _freeze(node, layer)
    return True


def _unusable_model(node: Node, error: FileModelError) -> Diagnostic:
    route = ("models", node.type, "path")
    related = (Related(f"{node.name} is this model", node.route),)
    message = f"{node.type}: {error}"
    return Diagnostic("model-unreadable", message, route, hint=error.hint, related=related)


def _freeze(node: Node, layer: Any) -> list[Diagnostic]:
    """Freeze a model in which only some layers are trained."""
    trainable = node.options.get("trainable")
    if isinstance(trainable, tuple):
        names = [name for inner, _ in layers_inside(layer) for name in names_of(inner)]
        freeze_inside(layer, lambda own: any(matching(pattern, own) for pattern in trainable))
        return [
            unmatched(pattern, list(dict.fromkeys(names)), (*node.route, "trainable", index))
            for index, pattern in enumerate(trainable)
            if not matching(pattern, names)
        ]
    if isinstance(layer, keras.Model) and trainable is not None:
        layer.trainable = trainable
    return []
