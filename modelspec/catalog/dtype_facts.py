"""Calls that TensorFlow refuses for integers or booleans, although Keras computes their shapes.

Layers convert floats to their own dtype, but not integers and booleans.
"""

from collections.abc import Collection
from typing import Literal

from modelspec.catalog.operation_facts import plain_name

_RANKS = ("1D", "2D", "3D")

_FLOATS = frozenset(
    {
        *(f"{kind}Conv{rank}" for kind in ("", "Depthwise", "Separable") for rank in _RANKS),
        *(f"Conv{rank}Transpose" for rank in _RANKS),
        *(f"{kind}{rank}" for kind in ("ConvLSTM", "AveragePooling") for rank in _RANKS),
        *(
            f"{kind}{rank}"
            for kind in ("AdaptiveAveragePooling", "SpatialDropout")
            for rank in _RANKS
        ),
        *("AdaptiveMaxPooling3D", "AlphaDropout", "Attention", "Dropout", "ELU"),
        *("GaussianDropout", "GaussianNoise", "MaxPooling3D", "PReLU", "RandomContrast"),
        *("STFTSpectrogram", "Softmax", "UnitNormalization"),
    }
)
"""Layers that take only floats."""

_FLOATS_OF_OPERATIONS = frozenset(
    {
        *("celu", "elu", "erf", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh"),
        *("log_sigmoid", "log_softmax", "logsumexp", "normalize", "reciprocal", "rsqrt", "selu"),
        *("sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus"),
        *("sparse_sigmoid", "squareplus", "tanh_shrink", "threshold"),
    }
)
"""Operations that take only floats, also as an ``Activation``."""

_NUMBERS = frozenset(
    {
        *("ActivityRegularization", "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "Add"),
        *("Average", "LeakyReLU", "MaxPooling1D", "MaxPooling2D", "Maximum", "Minimum"),
        *("Multiply", "ReLU", "Subtract"),
    }
)
"""Layers that take floats and integers, but no booleans."""

_NUMBERS_OF_OPERATIONS = frozenset(
    {
        *("add", "dot_product_attention", "einsum", "floor_divide", "fmax", "fmin", "fold"),
        *("greater", "greater_equal", "leaky_relu", "less", "less_equal", "maximum", "minimum"),
        *("moments", "multiply", "negative", "power", "relu", "relu6", "round", "sign"),
        *("subtract",),
    }
)
"""Operations that take floats and integers, but no booleans."""

TAKES_ANY = frozenset(
    {"CategoryEncoding", "Discretization", "Hashing", "HashedCrossing", "IntegerLookup"}
    | {"StringLookup", "TextVectorization"}
)
"""Layers that convert only their results to their own dtype, not what they are called on."""

Wanted = Literal["floats", "numbers"]


def wanted_kind(item: str, activation: object, dtypes: Collection[str]) -> Wanted | None:
    """Return what a layer or an operation takes, if all of ``dtypes`` are something else.

    ``activation`` is that of an ``Activation``, which is called as the operation of its name.
    """
    name = plain_name(item)
    operation = name != item
    if item == "Activation" and isinstance(activation, str):
        name, operation = activation, True
    floats = _FLOATS_OF_OPERATIONS if operation else _FLOATS
    numbers = _NUMBERS_OF_OPERATIONS if operation else _NUMBERS
    if not dtypes or any("int" not in dtype and dtype != "bool" for dtype in dtypes):
        return None
    if name in floats:
        return "floats"
    return "numbers" if name in numbers and all(dtype == "bool" for dtype in dtypes) else None
