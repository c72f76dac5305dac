"""Single weights that start from arrays of their own."""

from dataclasses import dataclass

from modelspec.language.spec import StartingWeights
from modelspec.problems.diagnostic import Diagnostic, Route, did_you_mean
from modelspec.results.weights import Layout, Weight


@dataclass(frozen=True, slots=True)
class Place:
    """The weight that an array is for: ``key`` is its key in ``weights.layers``."""

    layer: str
    weight: Weight
    key: str


def find_places(weights: StartingWeights, layout: Layout) -> tuple[list[Place], list[Diagnostic]]:
    places: list[Place] = []
    problems: list[Diagnostic] = []
    for key, source in weights.layers.items():
        route: Route = ("weights", "layers", key)
        if source.array is None and source.file is None:
            message = f"{key} needs array, the name of an array"
            problems.append(Diagnostic("missing-key", message, route, "key"))
        place = _weight(key, layout)
        if isinstance(place, Place):
            places.append(place)
        else:
            message = f"no weight is named {key}"
            problems.append(Diagnostic("unknown-weight", message, route, "key", hint=place))
    return places, problems


def _weight(key: str, layout: Layout) -> Place | str | None:
    """Return the weight that a key names; otherwise a hint."""
    layers = [name for name in layout if key.startswith(f"{name}.")]
    layer = max(layers, key=len, default=None)
    if layer is None:
        return did_you_mean(key, (f"{n}.{w.name}" for n, ws in layout.items() for w in ws)) or (
            "a key is LAYER.WEIGHT, as in words.embeddings"
        )
    name = key.removeprefix(f"{layer}.")
    weights = layout[layer]
    exact = [weight for weight in weights if weight.name == name]
    ending = [weight for weight in weights if weight.name.rpartition("/")[2] == name]
    for candidates in (exact, ending):
        if len(candidates) == 1:
            return Place(layer, candidates[0], key)
    return f"{layer} has {', '.join(weight.name for weight in weights)}"
