"""The options of a saved layer that every layer has: ``trainable`` and ``dtype``."""

from typing import Any

from modelspec.convert.plain_values import plain
from modelspec.convert.saved_graph import SavedLayer

_OWN_DTYPES = {
    "CategoryEncoding", "Discretization", "HashedCrossing", "Hashing", "IntegerLookup",
    "StringLookup", "TextVectorization",
}  # fmt: skip


def _has_own_dtype(saved: SavedLayer, policy: str) -> bool:
    """Return True where a dtype is the default of a layer of ids."""
    return saved.kind in _OWN_DTYPES and policy in ("int64", "string", "float32")


def layer_options(saved: SavedLayer, precision: str) -> dict[str, Any]:
    """Return ``trainable`` and ``dtype``, where they are not the model's."""
    options: dict[str, Any] = {}
    if saved.config.get("trainable") is False:
        options["trainable"] = False
    policy = saved.config.get("dtype")
    if policy is None:
        return options
    policy = plain(policy)
    if policy != precision and not _has_own_dtype(saved, str(policy)):
        options["dtype"] = policy
    return options
