"""The weights of two layers compared, by shapes and types alone."""

from collections.abc import Mapping, Sequence

from modelspec.results.weights import Weight
from modelspec.weights.stored import Stored


def difference_of(ours: Sequence[Weight], theirs: Mapping[str, Stored]) -> str:
    """Describe how the weights of two layers differ; empty if they fit."""
    known = {weight.slot for weight in ours}
    stored = {
        slot: weight for slot, weight in theirs.items() if slot in known or not _is_seed(weight)
    }
    if stored.keys() != known:
        if any(weight.dtype == "int8" for weight in stored.values()):
            return "its weights are quantized (int8): save the model before it is quantized"
        shapes = (
            ", ".join(str(list(weight.shape)) for weight in weights)
            for weights in (stored.values(), ours)
        )
        return "its weights are {}, but here {}".format(*shapes)
    for weight in ours:
        other = stored[weight.slot]
        if other.shape != weight.shape:
            shapes_of_one = f"{list(other.shape)}, but here {list(weight.shape)}"
            return f"its {weight.name} is {shapes_of_one}"
        if (other.dtype == "int8") != (weight.dtype == "int8"):
            return f"its {weight.name} is {other.dtype}, but here {weight.dtype} (quantized)"
        if not _is_number(other.dtype):
            return f"its {weight.name} is {other.dtype}, which is not a number"
    return ""


def _is_seed(stored: Stored) -> bool:
    """Return True where an array is the state of a random generator, which is never loaded."""
    return stored.shape == (2,) and stored.dtype in ("uint32", "int64", "int32")


def _is_number(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat", "int", "uint", "bool"))


def cast_of(ours: Sequence[Weight], theirs: Mapping[str, Stored]) -> str:
    """Return the dtypes that change when the weights are loaded; empty if none does."""
    changed = {(theirs[weight.slot].dtype, weight.dtype) for weight in ours}
    return ", ".join(sorted(f"{one} → {other}" for one, other in changed if one != other))
