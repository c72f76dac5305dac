"""Names that people write as layers, and that Keras has no layer for."""

_OPERATION = (
    "operations on tensors cannot be written in a spec: compute this in the data, or use layers "
    "(Subtract, Multiply, Cropping1D, Reshape, GlobalAveragePooling1D, …)"
)
_OWN = "this is code of an example, which a spec cannot hold; GaussianNoise adds noise to a tensor"
_OPERATIONS = {
    *("abs", "absolute", "mean", "sum", "max", "min", "argmax", "square", "sqrt", "exp", "log"),
    *("slice", "stridedslice", "split", "stack", "squeeze", "expanddims", "transpose", "gather"),
    *("getitem", "cast", "clip", "where", "matmul", "power", "divide", "reducemean", "reducesum"),
    *("l2normalize", "norm", "cumsum", "tile", "concat", "unstack", "reverse", "sin", "cos"),
}


def hint_for(name: str) -> str | None:
    """What to do in place of a layer that does not exist, where that is known."""
    folded = name.rpartition(".")[2].replace("_", "").lower()
    if folded in _OPERATIONS:
        return _OPERATION
    return _OWN if folded in {"sampling", "samplinglayer", "reparameterize"} else None
