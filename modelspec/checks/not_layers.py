"""Names that users write as layers although Keras has no such layer."""

import re
from collections.abc import Iterable

from modelspec.catalog.operation_facts import plain_name

_OWN = (
    "this is the code of an example: write a custom layer in Python, and name its file with "
    "--plugin on the command line"
)
_CODE = frozenset({"sampling", "samplinglayer", "reparameterize"})
_SAME = {
    **dict.fromkeys(("slice", "slicing", "stridedslice", "slicingop", "crop"), "get_item"),
    **dict.fromkeys(("concat", "merge"), "concatenate"),
    **dict.fromkeys(("l2normalize", "l2norm"), "normalize"),
    **dict.fromkeys(("reverse",), "flip"),
    **dict.fromkeys(("gather",), "take"),
    **dict.fromkeys(("pow",), "power"),
    **dict.fromkeys(("neg",), "negative"),
    **dict.fromkeys(("sub", "minus"), "subtract"),
    **dict.fromkeys(("mul", "times"), "multiply"),
    **dict.fromkeys(("div",), "divide"),
    **dict.fromkeys(("mm", "bmm"), "matmul"),
    **dict.fromkeys(("permutedimensions", "permute"), "transpose"),
    **dict.fromkeys(("topk",), "top_k"),
    **dict.fromkeys(("unsqueeze",), "expand_dims"),
}
"""The operation for names from other libraries, by folded name."""

_WRAPPERS = frozenset({"tensorflowoplayer", "tfoplambda", "tfopslayer", "slicingoplambda"})
"""Layers in which old versions of Keras stored an operation of TensorFlow."""

EXAMPLES = "ops.mean, ops.get_item, ops.where; modelspec layers --family operation lists all"


def hint_for(name: str, operations: Iterable[str]) -> str | None:
    """Return the remedy for a layer that does not exist, where one is known."""
    folded = _folded(name.rpartition(".")[2])
    if folded in _CODE:
        return _OWN
    if folded in _WRAPPERS:
        return f"write an operation as a separate item: {EXAMPLES}"
    operation = operation_named(name, operations)
    return f"the operation {operation} is a separate item" if operation else None


def operation_named(name: str, operations: Iterable[str]) -> str | None:
    """Return the operation of a name in another spelling, or from another library."""
    known = {
        _folded(plain_name(operation).rpartition(".")[2]): operation for operation in operations
    }
    folded = _folded(name.rpartition(".")[2])
    for candidate in (folded, _SAME.get(folded, ""), re.sub("^reduce|(layer|op)$", "", folded)):
        operation = known.get(_folded(candidate))
        if operation is not None and (candidate != "slice" or name.startswith("ops.")):
            return operation
    return None


def _folded(name: str) -> str:
    return name.replace("_", "").lower()
