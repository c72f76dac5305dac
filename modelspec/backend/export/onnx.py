"""A model as an ONNX file."""

import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np

from modelspec.backend.export.onnx_operations import OPERATIONS
from modelspec.backend.export.onnx_text import (
    CONVERTED,
    OPSET,
    keep,
    needs_strings,
    write_tables,
)
from modelspec.backend.export.serving import serving_function
from modelspec.backend.export.text_layers import OPERATION, Table, tables, unknown_notes
from modelspec.backend.keras_private import all_layers, captured_constants, patch_tf2onnx
from modelspec.backend.model.keras_errors import error_text
from modelspec.backend.model.model_io import output_names
from modelspec.problems.errors import ModelError

_LARGE = 2**16
_MAX_BYTES = 2**31 - 1
_STRICT = "TF2ONNX_CATCH_ERRORS"

_PLAIN = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Dense,
    keras.layers.EinsumDense,
    keras.layers.Embedding,
)
"""Layers whose conversion does not depend on the values of their weights."""


def write_onnx(model: Any, path: Path, *, opset: int | None = None) -> list[str]:
    """Write a model with the names of its inputs and outputs, in the order of the model.

    tf2onnx copies every constant once for each of its passes: 4 GB for 14 million parameters. So
    large weights are arguments during the conversion, and become constants of the file afterwards.

    Args:
        model: A functional model.
        path: The file.
        opset: The version of ONNX's operators; None for that of tf2onnx.

    Returns:
        Notes about the file.

    Raises:
        ModelError: ONNX cannot represent the model.
    """
    _require_one_namespace(model)
    weights = _large_weights(model)
    with tables(model) as known:
        proto, constants = _converted(model, weights, _version(known, opset))
    write_tables(proto, known)
    _require_opset(proto, opset)
    values = {f"weight_{index}": np.asarray(weight) for index, weight in enumerate(weights)}
    _fill(proto.graph, values | constants)
    _require_known(proto)
    _sort(proto.graph.output, output_names(model))
    _sort(proto.graph.input, [tensor.name for tensor in model.inputs])
    if proto.ByteSize() > _MAX_BYTES:
        raise ModelError("the model has more than 2 GB of weights, the limit of an ONNX file")
    path.write_bytes(proto.SerializeToString())
    return unknown_notes(model)


def _require_one_namespace(model: Any) -> None:
    for name in {tensor.name for tensor in model.inputs} & set(output_names(model)):
        raise ModelError(
            f"{name} is the name of an input and of an output, which ONNX does not allow: "
            "rename one of them"
        )


def _large_weights(model: Any) -> list[Any]:
    layers = (layer for layer in all_layers(model) if type(layer) in _PLAIN)
    weights = {id(weight): weight for layer in layers for weight in layer.weights}
    return [weight for weight in weights.values() if math.prod(weight.shape) >= _LARGE]


def _converted(model: Any, weights: Sequence[Any], opset: int | None) -> tuple[Any, dict[str, Any]]:
    """Return the file, and constants that tf2onnx leaves as arguments: Normalization's means."""
    patch_tf2onnx()
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    function = serving_function(model, weights, inline=True)
    try:
        with _strict():
            proto, _ = tf2onnx.convert.from_function(
                function,
                function.input_signature,
                opset,
                custom_op_handlers={**OPERATIONS, OPERATION: (keep, [])},
            )
    except Exception as error:  # converters raise any type
        raise ModelError(f"tf2onnx cannot convert the model: {error_text(error)}") from error
    return proto, captured_constants(function)


def _version(known: Mapping[str, Table], opset: int | None) -> int | None:
    """Return the version that tf2onnx writes.

    Raises:
        ModelError: The version has no operations of strings, which the model needs.
    """
    if not needs_strings(known):
        return opset
    if opset not in (None, OPSET):
        raise ModelError(f"the text of the model needs opset {OPSET}, not {opset}")
    return CONVERTED


@contextmanager
def _strict() -> Iterator[None]:
    """Keep tf2onnx from copying the graph before each pass, which it does to undo errors."""
    before = os.environ.get(_STRICT)
    os.environ[_STRICT] = "FALSE"
    try:
        yield
    finally:
        del os.environ[_STRICT]
        if before is not None:
            os.environ[_STRICT] = before


def _require_opset(proto: Any, opset: int | None) -> None:
    written = next(
        imported.version for imported in proto.opset_import if imported.domain in ("", "ai.onnx")
    )
    if opset is not None and written != opset:
        raise ModelError(f"tf2onnx cannot write opset {opset}: the nearest is {written}")


def _require_known(proto: Any) -> None:
    """Refuse lookup tables and operations that ONNX lacks, which tf2onnx leaves in the file.

    Raises:
        ModelError: The file has such operations; the message names them.
    """
    from onnx import defs

    version = next(
        imported.version for imported in proto.opset_import if imported.domain in ("", "ai.onnx")
    )
    graphs, unknown = [proto.graph], set[str]()
    while graphs:
        for node in graphs.pop().node:
            if node.domain in ("", "ai.onnx") and not _knows(defs, node.op_type, version):
                unknown.add(node.op_type)
            graphs += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    if unknown:
        raise ModelError(f"ONNX has no {', '.join(sorted(unknown))}, which the model needs")


def _knows(defs: Any, operation: str, version: int) -> bool:
    try:
        defs.get_schema(operation, version, "")
    except defs.SchemaError:
        return False
    return True


def _fill(graph: Any, values: Mapping[str, Any]) -> None:
    """Replace arguments by constant values."""
    from onnx import numpy_helper

    asked = {value.name for value in graph.input}
    kept = [value for value in graph.input if value.name not in values]
    del graph.input[:]
    graph.input.extend(kept)
    for name in sorted(asked & set(values)):
        graph.initializer.append(numpy_helper.from_array(values[name], name))


def _sort(values: Any, names: Sequence[str]) -> None:
    """Sort the inputs or outputs of a graph by the positions of their names."""
    ordered = sorted(values, key=lambda value: names.index(value.name))
    del values[:]
    values.extend(ordered)
