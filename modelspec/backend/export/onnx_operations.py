"""TensorFlow's operations that tf2onnx does not know, as operations of ONNX."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def _erfc(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Convert ``Erfc``, which the exact GELU uses: 1 - erf(x)."""
    del arguments
    dtype, shape = context.get_dtype(node.output[0]), context.get_shape(node.output[0])
    [source], [output] = node.input, node.output
    one = context.make_const(f"{name}_one", _one(dtype)).output[0]
    erf = context.make_node("Erf", [source], dtypes=[dtype], shapes=[shape]).output[0]
    context.remove_node(node.name)
    context.make_node("Sub", [one, erf], outputs=[output], dtypes=[dtype], shapes=[shape])


def _bucketize(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Convert ``Bucketize`` of Discretization: the number of boundaries that are reached."""
    del arguments
    from onnx import TensorProto

    boundaries = np.asarray(list(node.get_attr("boundaries").floats), np.float32)
    [source], [output] = node.input, node.output
    shape = context.get_shape(output)
    context.remove_node(node.name)
    values = context.make_node("Cast", [source], attr={"to": TensorProto.FLOAT}).output[0]
    last = context.make_const(f"{name}_axis", np.asarray([-1], np.int64)).output[0]
    column = context.make_node("Unsqueeze", [values, last]).output[0]
    limits = context.make_const(f"{name}_boundaries", boundaries).output[0]
    below = context.make_node("Less", [column, limits]).output[0]
    reached = context.make_node("Not", [below]).output[0]
    counted = context.make_node("Cast", [reached], attr={"to": TensorProto.INT32}).output[0]
    context.make_node(
        "ReduceSum",
        [counted, last],
        attr={"keepdims": 0},
        outputs=[output],
        dtypes=[TensorProto.INT32],
        shapes=[shape],
    )


def _select(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Convert ``SelectV2``, which ``ops.where`` uses.

    tf2onnx adds both branches, each times 0 or 1, so that NaN and infinity in the branch that is
    not selected become NaN.
    """
    del arguments
    from onnx import TensorProto

    [output] = node.output
    dtype, shape = context.get_dtype(output), context.get_shape(output)
    condition, *branches = node.input
    context.remove_node(node.name)
    if dtype != TensorProto.BOOL:
        context.make_node(
            "Where", [condition, *branches], outputs=[output], name=name, dtypes=[dtype],
            shapes=[shape],
        )  # fmt: skip
        return
    # onnxruntime cannot select booleans.
    numbers = [
        context.make_node("Cast", [branch], attr={"to": TensorProto.INT32}).output[0]
        for branch in branches
    ]
    chosen = context.make_node("Where", [condition, *numbers]).output[0]
    context.make_node(
        "Cast", [chosen], attr={"to": dtype}, outputs=[output], name=name, dtypes=[dtype],
        shapes=[shape],
    )  # fmt: skip


def _one(dtype: int) -> Any:
    from tf2onnx.utils import map_onnx_to_numpy_type

    return np.asarray(1, map_onnx_to_numpy_type(dtype))


OPERATIONS: Mapping[str, Any] = {
    "Erfc": (_erfc, []),
    "Bucketize": (_bucketize, []),
    "SelectV2": (_select, []),
}
"""The converters by TensorFlow's name, in the form of tf2onnx."""
