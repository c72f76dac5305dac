"""Starting weights: the lines of ``main`` that copy them from files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from modelspec.convert.python.layout import Code, call, lines, mapping, sequence, string

LOAD_WEIGHTS = '''def load_weights(model, path, layers):
    """Set the weights of layers to arrays of an HDF5 file."""
    with h5py.File(path) as file:
        for name, arrays in layers.items():
            model.get_layer(name).set_weights([file[array][()] for array in arrays])'''

_ATTRIBUTES = frozenset(
    {"kernel", "bias", "embeddings", "gamma", "beta", "moving_mean", "moving_variance"}
)
"""Weights that every layer with them has as attributes of these names."""


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A file of a whole model, and its layers by the spec's layers that start from them.

    The name of a layer in a nested model follows the name of that model.
    """

    path: str
    layers: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """An HDF5 file of weights, and its arrays by the spec's layers, in the order of their weights.

    ``is_whole`` says that it has the weights of exactly this model.
    """

    path: str
    layers: Mapping[str, tuple[str, ...]]
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class SingleWeight:
    """One weight that starts from an array: of ``file``, or of the data where it is None.

    ``index`` is the weight's place among those of its layer. Without ``array``, the file has only
    one array.
    """

    layer: str
    name: str
    index: int
    file: str | None
    array: str | None


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a model; ``derived`` are layers that compute with values from their weights."""

    file: SavedModel | WeightsFile | None = None
    weights: tuple[SingleWeight, ...] = ()
    derived: tuple[str, ...] = field(default=())

    @property
    def names(self) -> set[str]:
        """The layers that ``main`` looks up."""
        whole = isinstance(self.file, WeightsFile) and self.file.is_whole
        loaded = set(self.file.layers) if self.file and not whole else set()
        return loaded | {weight.layer for weight in self.weights} | set(self.derived)

    @property
    def needs_data(self) -> bool:
        """True where one of the arrays comes from the data."""
        return any(weight.file is None for weight in self.weights)


def starting_functions(start: Start) -> Iterator[str]:
    """Yield the functions that the lines call."""
    if isinstance(start.file, WeightsFile) and start.file.layers and not start.file.is_whole:
        yield LOAD_WEIGHTS


def starting_lines(start: Start) -> Iterator[str]:
    """Yield lines that copy the weights, layer by layer."""
    match start.file:
        case SavedModel(path, layers) if layers:
            yield from _from_model(path, layers)
        case WeightsFile(path, is_whole=True):
            yield from lines(call("model.load_weights", [string(path)]), 4)
        case WeightsFile(path, layers) if layers:
            arrays = mapping(
                (string(name), sequence(map(string, names))) for name, names in layers.items()
            )
            yield from lines(call("load_weights", [Code("model"), string(path), arrays]), 4)
    for weight in start.weights:
        yield from _single(weight)
    for name in start.derived:
        yield f"    model.get_layer({string(name).flat}).finalize_state()"


def _from_model(path: str, layers: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    load = call("keras.saving.load_model", [string(path), Code("compile=False")])
    yield from lines(load.before("saved = "), 4)
    if any(len(steps) > 1 for steps in layers.values()):
        for name, steps in layers.items():
            theirs = "".join(f".get_layer({string(step).flat})" for step in steps)
            ours = f"model.get_layer({string(name).flat})"
            yield from lines(call(f"{ours}.set_weights", [Code(f"saved{theirs}.get_weights()")]), 4)
        return
    if all((name,) == steps for name, steps in layers.items()):
        names = sequence(map(string, layers))
        yield from lines(names.before("for name in "), 4, ":")
        ours = theirs = "name"
    else:
        pairs = mapping((string(name), string(steps[0])) for name, steps in layers.items())
        loop = Code(f"for name, theirs in {pairs.head}", pairs.elements, f"{pairs.tail}.items()")
        yield from lines(loop, 4, ":")
        ours, theirs = "name", "theirs"
    yield f"        weights = saved.get_layer({theirs}).get_weights()"
    yield f"        model.get_layer({ours}).set_weights(weights)"


def _single(weight: SingleWeight) -> Iterator[str]:
    layer = f"model.get_layer({string(weight.layer).flat})"
    name = weight.name
    place = f"{layer}.{name}" if name in _ATTRIBUTES else f"{layer}.weights[{weight.index}]"
    yield from lines(call(f"{place}.assign", [_array(weight)]), 4)


def _array(weight: SingleWeight) -> Code:
    if weight.file is None:
        return Code(f"data[{string(weight.array or '').flat}]")
    load = call("np.load", [string(weight.file)])
    if weight.array is None:
        return load
    return Code(load.head, load.elements, f")[{string(weight.array).flat}]")
