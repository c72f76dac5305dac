"""Which array of a file is which weight of ours, within one layer."""

import re
from collections.abc import Mapping, Sequence

from modelspec.results.weights import Weight
from modelspec.weights.legacy import by_slot
from modelspec.weights.stored import Stored

_NESTED = re.compile(r"(?:layers/[^/]+/)+")


def slots_of(ours: Sequence[Weight], theirs: Mapping[str, Stored], layer: str) -> dict[str, str]:
    """The slots of a layer of theirs by ours.

    Keras saves the layers of a nested model by their class and order. Where both have layers of the
    same names, these count, since the same model can have its layers in another order.
    """
    own = {_name_of(weight): weight.slot for weight in ours}
    names = {_stored_name(slot, stored): slot for slot, stored in theirs.items()}
    if own.keys() == names.keys() and len(own) == len(ours) and len(names) == len(theirs):
        return {slot: names[name] for name, slot in own.items()}
    return dict(by_slot(ours, {slot: slot for slot in theirs}, layer))


def stored_by_slot(
    ours: Sequence[Weight], theirs: Mapping[str, Stored], layer: str
) -> dict[str, Stored]:
    """The headers of a layer of theirs by our slots."""
    return {slot: theirs[other] for slot, other in slots_of(ours, theirs, layer).items()}


def _name_of(weight: Weight) -> tuple[str, str]:
    """The layer of a nested model that has a weight, and its place there."""
    rest = _NESTED.sub("", weight.slot, count=1)
    if rest == weight.slot:
        return "", rest
    steps = weight.name.split("/")
    inside = rest.count("/")  # parts of the layer, such as the cell of an LSTM, and the weight
    return (steps[-inside - 1] if len(steps) > inside else ""), rest


def _stored_name(slot: str, stored: Stored) -> tuple[str, str]:
    return stored.layer, _NESTED.sub("", slot, count=1)
