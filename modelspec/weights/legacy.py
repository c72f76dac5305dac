"""Weights in the layout of Keras 2, in which ``model.save("m.h5")`` still writes whole models.

It lists the weights of a layer by their names, in the order of the layer, without slots.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from modelspec.results.weights import Weight

MODEL = "model_weights"
LEGACY = "legacy:"
"""The prefix of the slots of such a file; the rest is the name of the weight."""

_Value = TypeVar("_Value")

_CHUNKS = 10_000
_NAME = 500


def is_legacy(file: Any) -> bool:
    """Return True where an HDF5 file has this layout."""
    return "layer_names" in file.attrs or "layer_names0" in file.attrs or MODEL in file


def legacy_arrays(file: Any) -> Iterator[tuple[str, str, str, Any]]:
    """Yield each weight: the names of its layer, the layer's group and itself, and the array.

    The layers of a nested model are ``model.layer``, and its own name has all of its weights.

    Raises:
        TypeError: An array in the file's list is missing.
        ValueError: The list contains something else than names.
    """
    import h5py

    root, place = (file[MODEL], f"{MODEL}/") if MODEL in file else (file, "")
    for layer in _listed(root, "layer_names"):
        group = root.get(layer)
        if not isinstance(group, h5py.Group):
            raise TypeError(f"there is no group for the layer {ascii(layer)[:80]}")
        for name in _listed(group, "weight_names"):
            array = group.get(name)
            if not isinstance(array, h5py.Dataset):
                raise TypeError(f"there is no array for the weight {ascii(name)[:80]}")
            yield layer, f"{place}{layer}", name, array
            # Some models put their name before those of their layers.
            first, _, rest = name.removeprefix(f"{layer}/").partition("/")
            if rest:
                yield f"{layer}.{first}", f"{place}{layer}", name, array


def _listed(group: Any, attribute: str) -> list[str]:
    """Return a list of names; a long one is split over several attributes."""
    parts = [group.attrs[attribute]] if attribute in group.attrs else []
    while len(parts) < _CHUNKS and f"{attribute}{len(parts)}" in group.attrs:
        parts.append(group.attrs[f"{attribute}{len(parts)}"])
    names = [
        name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        for part in parts
        for name in part
    ]
    if not all(0 < len(name) <= _NAME and name.isprintable() for name in names):
        raise ValueError(f"{attribute} has invalid names")
    return names


def by_slot(
    ours: Sequence[Weight], theirs: Mapping[str, _Value], layer: str
) -> Mapping[str, _Value]:
    """Return the weights of a layer in the file by our slots, if the file has this layout.

    They are matched by their names, or else by their order, in which trained weights come first.
    """
    if not theirs or not all(slot.startswith(LEGACY) for slot in theirs):
        return theirs
    top = layer.rpartition(".")[2]
    named = {_within(slot.removeprefix(LEGACY), top): value for slot, value in theirs.items()}
    if named.keys() == {weight.name for weight in ours}:
        return {weight.slot: named[weight.name] for weight in ours}
    if len(theirs) != len(ours):
        return theirs
    ordered = sorted(ours, key=lambda weight: (not weight.learned, weight.index))
    return {weight.slot: value for weight, value in zip(ordered, theirs.values(), strict=True)}


def _within(name: str, layer: str) -> str:
    """Return the name of a weight in its layer: ``kernel`` of ``model/layer/kernel:0``."""
    before, _, after = f"/{name.partition(':')[0]}".partition(f"/{layer}/")
    return after or before.removeprefix("/")
