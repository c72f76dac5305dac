"""Graph → Keras tensors, call by call, with Keras as the judge of every shape.

The same walk serves the check of shapes, which allocates no weight, and the real model.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras

from modelspec.backend.keras_private import MissingPartError, infer_output
from modelspec.backend.model.applications import MissingWeightsError, preprocess, train_inside
from modelspec.backend.model.file_models import FileModelError
from modelspec.backend.model.keras_errors import bad_argument, blamed_argument, error_text
from modelspec.backend.model.objects import make
from modelspec.backend.model.operations import call_operation, operation_of
from modelspec.catalog import Catalog
from modelspec.graph.freezing import unmatched
from modelspec.graph.graph import Graph, Node, Source
from modelspec.graph.operations import bind_tensors, is_operation
from modelspec.problems.diagnostic import Diagnostic, Related, Route, line_mark

Shape = tuple[int | None, ...]

_DECLARED = frozenset(
    {
        "AdditiveAttention",
        "Attention",
        "EinsumDense",
        "GroupQueryAttention",
        "MultiHeadAttention",
    }
)
"""Layers that declare their shape and so take what their call cannot: they are called once more."""

MAX_LENGTH = 2**31 - 1
MAX_AXES = 32


@dataclass
class Assembly:
    """What the calls returned, by node; what failed, and what waited for it, is left out.

    ``routes`` are the places of the inputs and nodes.
    """

    values: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, Any] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)
    problems: list[Diagnostic] = field(default_factory=list)

    def tensor(self, source: Source) -> Any:
        value = self.values[source.name]
        return value if source.index is None else value[source.index]

    def shape(self, source: Source) -> Shape | None:
        """The shape, with the leading batch, of a single tensor that was reached."""
        if source.name not in self.values:
            return None
        shape = getattr(self.tensor(source), "shape", None)
        return None if shape is None else tuple(shape)


def assemble(graph: Graph, catalog: Catalog, shapes: Mapping[str, Shape] | None = None) -> Assembly:
    """Call every layer of a graph.

    ``shapes`` (without the batch) stand in place of the inputs' declared ones.
    """
    assembly = Assembly()
    for name, declared in graph.inputs.items():
        shape = (shapes or {}).get(name, declared.shape)
        assembly.routes[name] = declared.route
        assembly.values[name] = keras.Input(shape, dtype=declared.dtype, name=name)
    for node in graph.nodes:
        _call(node, assembly, catalog)
    return assembly


def symbols_only() -> AbstractContextManager[Any]:
    """A scope in which layers make no weights, only their shapes, whatever their size."""
    scope: AbstractContextManager[Any] = keras.StatelessScope(initialize_variables=False)
    return scope


@contextmanager
def dtype_policy(policy: str) -> Iterator[None]:
    """Make layers in ``policy``, and leave the process's own policy as it was."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def check_outputs(graph: Graph, assembly: Assembly) -> list[Diagnostic]:
    """What was refused; or, where nothing was, outputs that are not one tensor."""
    return assembly.problems or [*_several_tensors(graph, assembly), *_lost_batch(graph, assembly)]


def _lost_batch(graph: Graph, assembly: Assembly) -> list[Diagnostic]:
    """Outputs whose rows are not those of the inputs: an operation has reduced or moved the batch.

    Nothing could be trained on them, and no prediction belongs to a sample.
    """
    return [
        Diagnostic(
            "lost-batch",
            f"output {name} has the shape {shape}, whose first axis is not the batch",
            source.route,
            hint="axis 0 is the batch: the axes of a sample begin with 1, as in axis: 1",
        )
        for name, source in graph.outputs.items()
        if (shape := assembly.shape(source)) is not None and shape[:1] != (None,)
    ]


def _several_tensors(graph: Graph, assembly: Assembly) -> list[Diagnostic]:
    return [
        Diagnostic(
            "several-results",
            f"{name} refers to several tensors",
            source.route,
            hint="name the results of its layer with as, and use one of these names",
        )
        for name, source in graph.outputs.items()
        if source.name in assembly.values and assembly.shape(source) is None
    ]


def _call(node: Node, assembly: Assembly, catalog: Catalog) -> None:
    sources = list(node.sources())
    if not sources or any(source.name not in assembly.values for source in sources):
        return
    if node.layer not in assembly.layers and not _construct(node, assembly, catalog):
        return
    try:
        call = _call_operation if is_operation(node) else _call_layer
        value = call(node, assembly, catalog)
        _refuse_empty(value)
    except MissingPartError:
        raise
    except Exception as error:  # noqa: BLE001 - Keras is the judge: whatever it raises is its verdict
        assembly.problems.append(_refused_call(node, error, assembly))
        return
    if problem := _wrong_result(node, value, assembly):
        assembly.problems.append(problem)
        return
    assembly.routes[node.name] = node.route
    assembly.values[node.name] = value
    if is_operation(node):
        # The model, and its file, know it by this name.
        made = operation_of(value)
        made.name = node.name
        assembly.layers[node.name] = made


def _wrong_result(node: Node, value: Any, assembly: Assembly) -> Diagnostic | None:
    inputs = [assembly.values[source.name] for source in node.sources()]
    if any(tensor is value for tensor in keras.tree.flatten(inputs)):
        return _returned_input(node)
    if problem := _out_of_bounds(node, value):
        return problem
    results = len(value) if isinstance(value, list | tuple) else 1
    if node.parts and (results != len(node.parts) or results == 1):
        message = f"{node.name} returns {results} results, but as has {len(node.parts)} names"
        return Diagnostic("wrong-results", message, (*node.route, "as"))
    return None


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
    if node.type in _DECLARED or "initial_state" in named:
        with symbols_only():
            infer_output(layer.call, *first, **named, **node.call)
    return value


def _require_shapes(model: Any, inputs: Sequence[Any]) -> None:
    """Refuse an input with one channel in place of several, which Keras lets pass on symbols.

    Raises:
        ValueError: An axis has another length than that of the model's input.
    """
    for own, tensor in zip(model.inputs, keras.tree.flatten(list(inputs)), strict=False):
        lengths = zip(own.shape[1:], tensor.shape[1:], strict=False)
        differs = any(None not in pair and pair[0] != pair[1] for pair in lengths)
        if len(own.shape) == len(tensor.shape) and differs:
            raise ValueError(f"the input of the model has the shape {tuple(own.shape)}")


def _in_order(named: Mapping[str, Any], names: Sequence[str]) -> Any:
    """What a model from a file is called on, in the order of its inputs."""
    tensors = [named[name] for name in names]
    return tensors if len(tensors) > 1 else tensors[0]


def _call_operation(node: Node, assembly: Assembly, catalog: Catalog) -> Any:
    entry = catalog.find("operation", node.type)
    assert entry is not None
    tensors, _ = bind_tensors(node, entry)
    inputs = {name: _values_of(value, assembly) for name, value in tensors.items()}
    return call_operation(entry, node.arguments, inputs)


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
        missing = train_inside(layer, trainable)
        names = [inner.name for inner in layer.layers]
        route = (*node.route, "trainable")
        return [
            unmatched(pattern, names, (*route, trainable.index(pattern))) for pattern in missing
        ]
    if isinstance(layer, keras.Model) and trainable is not None:
        layer.trainable = trainable
    return []


def _refuse_empty(value: Any) -> None:
    """Some releases of Keras let a pool or a crop leave nothing of an axis."""
    for tensor in keras.tree.flatten(value):
        shape = tuple(getattr(tensor, "shape", ()))
        if any(size is not None and size < 1 for size in shape[1:]):
            raise ValueError(f"a size of the result is zero or negative: {shape}")


def _out_of_bounds(node: Node, value: Any) -> Diagnostic | None:
    """Without weights Keras goes along with any size; no tensor of it can be made."""
    for tensor in keras.tree.flatten(value):
        shape = tuple(getattr(tensor, "shape", ()))
        if len(shape) > MAX_AXES or any(size is not None and size > MAX_LENGTH for size in shape):
            shown = f"{len(shape)} axes" if len(shape) > MAX_AXES else f"shape {shape}"
            message = f"{node.name} ({node.type}) gives {shown[:200]}"
            hint = f"at most {MAX_AXES} axes, and {MAX_LENGTH:,} along each"
            return Diagnostic("too-large", message, node.route, "key", hint=hint)
    return None


def _returned_input(node: Node) -> Diagnostic:
    """Keras takes such a call for a cycle, once it is asked for a model."""
    message = (
        f"{node.name}: {node.type} returns its own input, which a Keras model does not support"
    )
    return Diagnostic("returned-input", message, node.route, "key")


def _refused_call(node: Node, error: Exception, assembly: Assembly) -> Diagnostic:
    """What each side is, and the line that it comes from, before what Keras says of it."""
    shapes = {source.name: assembly.shape(source) for source in node.sources()}
    sides = ", ".join(
        f"{name} is {shape} from line {line_mark(position)}"
        for position, (name, shape) in enumerate(shapes.items())
    )
    related = tuple(
        Related(f"{name} is {shape}", assembly.routes[name]) for name, shape in shapes.items()
    )
    said = error_text(error)
    message = f"{node.name} (line {line_mark()}): {sides}: {said}"
    if is_operation(node) and (culprit := _blamed_constant(said, node)):
        route = (*node.route, node.type, culprit)
        return Diagnostic("bad-argument", message, route, related=related)
    hint = _what_to_do(said, shapes, assembly)
    return Diagnostic("shape-mismatch", message, node.route, "key", hint=hint, related=related)


def _blamed_constant(said: str, node: Node) -> str | None:
    """The constant of an operation that Keras's message is about; of an axis it says but the word.

    Another is named in the message only where the operation has no other constant.
    """
    culprit = blamed_argument(said, node.arguments)
    words = set(re.findall(r"[a-z_]+", said.lower()))
    return culprit or next(
        (n for n in ("axis", "axes", "dtype") if {n} & words & set(node.arguments)), None
    )


def _what_to_do(said: str, shapes: Mapping[str, Shape | None], assembly: Assembly) -> str | None:
    """A hint for the mistakes that people make most often."""
    name, shape = next(iter(shapes.items()))
    if "needs 3 axes" in said and shape is not None and len(shape) == 2:  # noqa: PLR2004
        if getattr(assembly.layers.get(name), "return_sequences", None) is False:
            return f"return_sequences: true makes {name} return all steps, not only the last"
        return "a sequence has the shape [steps, features], without the batch"
    if "at least 4 axes" in said and shape is not None and len(shape) == 3:  # noqa: PLR2004
        sizes = ", ".join("-1" if size is None else str(size) for size in shape[1:])
        return f"an image has its channels last: Reshape: {{target_shape: [{sizes}, 1]}}"
    if "zero or negative" in said:
        return (
            "use padding: same, which keeps the length, or fewer or "
            "smaller strides before this layer"
        )
    if "fully-defined" in said or "'NoneType'" in said:
        return "the weights need a known size: replace its null by a number, or pool over that axis"
    return None
