"""Problems of a call: Keras refuses it, or its result cannot be used."""

import re
from collections.abc import Collection, Mapping
from typing import Any

import keras

from modelspec.backend.model.assembled import Assembly, Shape
from modelspec.backend.model.keras_errors import blamed_argument, error_text
from modelspec.catalog import Catalog
from modelspec.catalog.dtype_facts import TAKES_ANY, wanted_kind
from modelspec.catalog.entries import item_family
from modelspec.graph.graph import Node
from modelspec.graph.operations import has_tensor_constant, is_operation
from modelspec.problems.diagnostic import Diagnostic, Related, line_mark

MAX_LENGTH = 2**31 - 1
MAX_AXES = 32


def wrong_result(node: Node, value: Any, assembly: Assembly) -> Diagnostic | None:
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


def refused_dtype(node: Node, assembly: Assembly, catalog: Catalog) -> Diagnostic | None:
    """Report a call on integers or booleans that only TensorFlow refuses, in the first step."""
    entry = catalog.find(item_family(node.type), node.type)
    if entry is None or entry.plugin is not None or has_tensor_constant(node, entry):
        return None
    names = {source.name: assembly.tensor(source) for source in node.sources()}
    tensors = keras.tree.flatten(list(names.values()))
    dtypes = {keras.backend.standardize_dtype(tensor.dtype) for tensor in tensors}
    own = own_dtype(assembly.layers.get(node.layer), dtypes)
    name = next(iter(names))
    if own in ("bool", "string"):
        return _converted(node, name, own)
    computed = {own if own and "float" in dtype else dtype for dtype in dtypes}
    wanted = wanted_kind(node.type, node.arguments.get("activation"), computed)
    if wanted is None:
        return None
    dtype = min(computed)
    by = f"converts {name} to {dtype}" if own else f"{name} has {dtype}"
    message = f"{node.name}: {node.type} takes {wanted}, but {by}"
    hint = "remove dtype" if own else "ops.cast: {dtype: float32} before it converts the values"
    related = (Related(f"{name} has {min(dtypes)}", assembly.routes[name]),)
    return Diagnostic("wrong-dtype", message, node.route, "key", hint=hint, related=related)


def own_dtype(layer: Any, dtypes: Collection[str]) -> str | None:
    """Return the dtype of a layer to which it converts floats; None for floats or no conversion.

    ``dtypes`` are those of the tensors that it is called on.
    """
    own = getattr(layer, "compute_dtype", None)
    raw = type(layer).__name__ in TAKES_ANY or not getattr(layer, "autocast", False)
    if own is None or "float" in own or raw:
        return None
    return str(own) if any("float" in dtype for dtype in dtypes) else None


def _converted(node: Node, name: str, own: str) -> Diagnostic:
    """Report a layer whose dtype makes its floats booleans or strings."""
    result = "every number but 0 becomes true" if own == "bool" else "TensorFlow has no such cast"
    message = f"{node.name}: dtype: {own} converts the floats of {name} to {own}: {result}"
    hint = "remove dtype"
    if own == "bool":
        hint += "; ops.not_equal: {x2: 0.0} converts numbers to booleans"
    return Diagnostic("wrong-dtype", message, (*node.route, "dtype"), hint=hint)


def refuse_empty(value: Any) -> None:
    """Refuse a result with an axis of length 0, which some releases of Keras accept."""
    for tensor in keras.tree.flatten(value):
        shape = tuple(getattr(tensor, "shape", ()))
        if any(size is not None and size < 1 for size in shape[1:]):
            raise ValueError(f"a size of the result is zero or negative: {shape}")


def _out_of_bounds(node: Node, value: Any) -> Diagnostic | None:
    """Report a size that no tensor can have; without weights Keras accepts any size."""
    for tensor in keras.tree.flatten(value):
        shape = tuple(getattr(tensor, "shape", ()))
        if len(shape) > MAX_AXES or any(size is not None and size > MAX_LENGTH for size in shape):
            shown = f"{len(shape)} axes" if len(shape) > MAX_AXES else f"shape {shape}"
            message = f"{node.name} ({node.type}) gives {shown[:200]}"
            hint = f"at most {MAX_AXES} axes, and {MAX_LENGTH:,} along each"
            return Diagnostic("too-large", message, node.route, "key", hint=hint)
    return None


def _returned_input(node: Node) -> Diagnostic:
    """Report a call that returns its input, which Keras takes for a cycle in a model."""
    message = (
        f"{node.name}: {node.type} returns its own input, which a Keras model does not support"
    )
    return Diagnostic("returned-input", message, node.route, "key")


def refused_call(node: Node, error: Exception, assembly: Assembly) -> Diagnostic:
    """Describe a refused call: the shape and line of each input, then Keras's message."""
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
    code = "too-large" if isinstance(error, MemoryError) else "shape-mismatch"
    return Diagnostic(code, message, node.route, "key", hint=hint, related=related)


def _blamed_constant(said: str, node: Node) -> str | None:
    """Return the constant of an operation that Keras's message is about, such as ``axis``.

    Another constant is only recognized where the operation has no other one.
    """
    culprit = blamed_argument(said, node.arguments)
    words = set(re.findall(r"[a-z_]+", said.lower()))
    return culprit or next(
        (n for n in ("axis", "axes", "dtype") if {n} & words & set(node.arguments)), None
    )


def _what_to_do(said: str, shapes: Mapping[str, Shape | None], assembly: Assembly) -> str | None:
    """Return a hint for the most frequent mistakes."""
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
