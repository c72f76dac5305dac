"""Starting weights: the lines of ``main`` that copy them from another model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from modelspec.convert.python.layout import Code, lines, mapping, sequence, string


@dataclass(frozen=True, slots=True)
class StartingModel:
    """A file of a whole model, and its layers by those of ours that start from them."""

    path: str
    layers: Mapping[str, str]


def starting_lines(start: StartingModel) -> Iterator[str]:
    """Copy the weights, layer by layer."""
    load = Code(
        "saved = keras.saving.load_model(", (string(start.path), Code("compile=False")), ")"
    )
    yield from lines(load, 4)
    if all(ours == theirs for ours, theirs in start.layers.items()):
        names = sequence(map(string, start.layers))
        yield from lines(names.before("for name in "), 4, ":")
        ours = theirs = "name"
    else:
        pairs = mapping((string(a), string(b)) for a, b in start.layers.items())
        loop = Code(f"for name, theirs in {pairs.head}", pairs.elements, f"{pairs.tail}.items()")
        yield from lines(loop, 4, ":")
        ours, theirs = "name", "theirs"
    yield f"        weights = saved.get_layer({theirs}).get_weights()"
    yield f"        model.get_layer({ours}).set_weights(weights)"
