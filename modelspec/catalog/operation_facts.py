"""Facts about operations, for checks, costs and the decision about XLA. Names are without ``ops.``.

On every backend, these operations return the shapes and dtypes that Keras states on symbols.
"""

from modelspec.catalog.entries import OPERATION_PREFIX

ELEMENTWISE = frozenset(
    {
        *("abs", "absolute", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2"),
        *("arctanh", "bitwise_and", "bitwise_invert", "bitwise_left_shift", "bitwise_not"),
        *("bitwise_or", "bitwise_right_shift", "bitwise_xor", "cbrt", "ceil", "celu", "clip"),
        *("cos", "cosh", "deg2rad", "divide", "divide_no_nan", "elu", "equal", "erf", "exp"),
        *("exp2", "expm1", "fabs", "floor", "floor_divide", "fmax", "fmin", "fmod", "gelu"),
        *("greater", "greater_equal", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh"),
        *("isclose", "isfinite", "isinf", "isnan", "leaky_relu", "left_shift", "less"),
        *("less_equal", "log", "log10", "log1p", "log2", "log_sigmoid", "logaddexp"),
        *("logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum", "mod"),
        *("multiply", "nan_to_num", "negative", "not_equal", "power", "rad2deg", "reciprocal"),
        *("relu", "relu6", "right_shift", "round", "rsqrt", "selu", "sigmoid", "sign", "silu"),
        *("sin", "sinh", "soft_shrink", "softplus", "softsign", "sparse_plus", "sparse_sigmoid"),
        *("sqrt", "square", "squareplus", "subtract", "tan", "tanh", "tanh_shrink", "threshold"),
        *("true_divide", "trunc", "where"),
    }
)
REDUCTIONS = frozenset(
    {
        *("all", "amax", "amin", "any", "argmax", "argmin", "average", "count_nonzero"),
        *("logsumexp", "max", "mean", "min", "moments", "prod", "std", "sum", "var"),
    }
)
NORMALIZATIONS = frozenset(
    {"softmax", "log_softmax", "normalize", "layer_normalization", "rms_normalization"}
)
MOVES = frozenset(
    {
        *("broadcast_to", "cast", "concatenate", "copy", "convert_to_tensor", "expand_dims"),
        *("flip", "full_like", "get_item", "hstack", "dstack", "vstack", "moveaxis", "one_hot"),
        *("ones_like", "zeros_like", "pad", "ravel", "repeat", "reshape", "roll", "slice"),
        *("split", "squeeze", "stack", "stop_gradient", "swapaxes", "take", "take_along_axis"),
        *("tile", "transpose", "tril", "triu", "unstack"),
    }
)
"""Operations that move numbers without computing any."""

PRODUCTS = frozenset({"dot", "einsum", "inner", "matmul", "outer", "tensordot", "vdot"})

PLAIN = ELEMENTWISE | REDUCTIONS | NORMALIZATIONS | MOVES | PRODUCTS

TAKES_NAN = frozenset(
    {"nan_to_num", "isnan", "isfinite", "isinf", "nanargmax", "nanargmin", "nancumprod"}
    | {"nancumsum", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod"}
    | {"nanquantile", "nanstd", "nansum", "nanvar"}
)
"""Operations that return numbers where their input is NaN."""

TELLS_NAN = frozenset({"isnan", "isfinite"})
"""Operations that find NaN, for the condition of an ``ops.where`` that replaces it."""


NO_GRADIENT = frozenset(
    {
        *("ceil", "floor", "floor_divide", "full_like", "heaviside", "image.hsv_to_rgb"),
        *("ones_like", "round", "sign", "stop_gradient", "trunc", "zeros_like"),
        *("CategoryEncoding", "ContrastLimitedAdaptiveHistogramEqualization", "Discretization"),
    }
)
"""Operations and layers whose result is of floats, with a gradient of None or 0 everywhere."""


def plain_name(name: str) -> str:
    """Convert ``ops.mean`` to ``mean``; the name of a layer stays unchanged."""
    return name.removeprefix(OPERATION_PREFIX)


def is_plain(name: str) -> bool:
    """Return True where Keras states correct shapes for an operation on every backend."""
    return plain_name(name) in PLAIN
