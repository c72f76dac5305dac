"""The weights of one layer, and their arrays in a file."""

import re
from collections.abc import Mapping, Sequence

from modelspec.results.weights import Weight
from modelspec.weights.legacy import by_slot
from modelspec.weights.stored import Stored

_NESTED = re.compile(r"(?:layers/[^/]+/)+")


def slots_of(ours: Sequence[Weight], theirs: Mapping[str, Stored], layer: str) -> dict[str, str]:
    """Return the slots of a layer in the file by our slots.

    Keras saves the layers of a nested model by their class and order. If both have layers of the
    same names, these count, because the same model can have its layers in another order.
    """
    own = {_name_of(weight): weight.slot for weight in ours}
    names = {_stored_name(slot, stored): slot for slot, stored in theirs.items()}
    if own.keys() == names.keys() and len(own) == len(ours) and len(names) == len(theirs):
        return {slot: names[name] for name, slot in own.items()}
    return dict(by_slot(ours, {slot: slot for slot in theirs}, layer))


def stored_by_slot(
    ours: Sequence[Weight], theirs: Mapping[str, Stored], layer: str
) -> dict[str, Stored]:
    """Return the headers of a layer in the file by our slots."""
    return {slot: theirs[other] for slot, other in slots_of(ours, theirs, layer).items()}


def _name_of(weight: Weight) -> tuple[str, str]:
    """Return the layer of a nested model that has a weight, and its place there."""
    rest = _NESTED.sub("", weight.slot, count=1)
    if rest == weight.slot:
        return "", rest
    steps = weight.name.split("/")
    inside = rest.count("/")  # objects in the layer, such as the cell of an LSTM, and the weight
    return (steps[-inside - 1] if len(steps) > inside else ""), rest


def _stored_name(slot: str, stored: Stored) -> tuple[str, str]:
    return stored.layer, _NESTED.sub("", slot, count=1)
