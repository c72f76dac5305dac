"""Training time on this machine, measured by a short run on random data."""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelspec.api.building import import_plugins
from modelspec.api.costs import with_lengths
from modelspec.api.model_spec import ModelSpec
from modelspec.api.spec_data import trained_outputs
from modelspec.api.train import train
from modelspec.catalog.losses import loss_facts
from modelspec.checks.entries import strict_lookups
from modelspec.checks.id_feeds import feeds
from modelspec.data.claims import own_names
from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head
from modelspec.problems.errors import RunInterrupted
from modelspec.results.costs import Measured
from modelspec.results.shape import Shape
from modelspec.runs.progress import NullListener

Array = npt.NDArray[Any]

_EPOCHS = 3
_FIRST_BATCHES = 8
_ENOUGH_SECONDS = 0.3
_OTHER_IDS = 2
_MAX_ELEMENTS = 2**25


def measure(source: ModelSpec, lengths: Mapping[str, Shape]) -> Measured:
    """Train for some epochs on random data, and measure the time for one sample.

    The data fits the spec: ids in the range of their Embedding, targets that fit their losses.

    Args:
        source: The spec.
        lengths: Complete shapes, without the batch, for the inputs with unknown axes.

    Returns:
        The number of samples, and the seconds for one sample in the fastest epoch after the first.

    Raises:
        SpecError: The spec has errors, or cannot be trained.
        PluginError: The code of a plugin raises an exception.

    Example:
        >>> import modelspec
        >>> from modelspec.api.timing import measure
        >>> measured = measure(modelspec.load("specs/digits.yaml"), {})
        >>> measured.seconds_per_sample > 0
        True
    """
    valid = source.require()
    spec, graph = valid.spec, valid.graph
    known = with_lengths(graph, lengths)
    shapes = _output_shapes(source, known)
    sizes = [entry.shape for entry in known.inputs.values()] + list(shapes.values())
    most = max(1, _MAX_ELEMENTS // sum(math.prod(size or 1 for size in shape) for shape in sizes))
    samples = min(_FIRST_BATCHES * spec.training.batch_size, most)
    seconds = _epoch(source, _arrays(source, known, shapes, samples))
    if seconds < _ENOUGH_SECONDS:
        wanted = round(samples * _ENOUGH_SECONDS / max(seconds, 1e-3))
        samples = max(samples, min(wanted, most))
        seconds = _epoch(source, _arrays(source, known, shapes, samples))
    return Measured(samples, max(seconds, 1e-3) / samples)


def _output_shapes(source: ModelSpec, graph: Graph) -> dict[str, Shape]:
    """Return the shapes of the outputs, without the batch."""
    from modelspec.backend.start import start

    start()
    import_plugins(source)
    from modelspec.backend.model.shapes import check_shapes

    outputs, problems = check_shapes(graph, source.catalog)
    source.require(problems)
    return {name: output.shape[1:] for name, output in outputs.items()}


def _epoch(source: ModelSpec, arrays: Mapping[str, Array]) -> float:
    """Return the seconds of a steady epoch.

    The run keeps its number of epochs, because ``jit: auto`` depends on it, and is interrupted
    after a few epochs. The first ones are slow, because they trace and compile.
    """
    epochs = max(_EPOCHS, source.require().spec.training.epochs)
    source = source.with_training(epochs=epochs)
    stopwatch = _Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.npz"
        named: dict[str, Any] = dict(arrays)
        np.savez(path, **named)
        try:
            train(source, path, run=Path(folder) / "run", listener=stopwatch)
        except RunInterrupted:
            if len(stopwatch.seconds) < _EPOCHS:
                raise
    return min(stopwatch.seconds[1:] or stopwatch.seconds)


@dataclass
class _Stopwatch(NullListener):
    seconds: list[float] = field(default_factory=list)

    def epoch_finished(self, record: Mapping[str, Any]) -> None:
        self.seconds.append(record["seconds"])
        if len(self.seconds) == _EPOCHS:
            raise KeyboardInterrupt


def _arrays(
    source: ModelSpec, graph: Graph, shapes: Mapping[str, Shape], samples: int
) -> dict[str, Array]:
    """Return random data for a spec, by the names in its npz file."""
    spec = source.require().spec
    random = np.random.default_rng(0)
    trained = trained_outputs(source)
    made = {name: _input(random, graph, name, samples) for name in graph.inputs}
    made |= {
        head.output: _target(random, head, (samples, *(size or 1 for size in shapes[head.output])))
        for head in source.heads
        if head.output in trained
    }
    own = {name: own_names(name, spec.data) for name in made}
    return {
        column: array[..., position] if len(own[name]) > 1 else array
        for name, array in made.items()
        for position, column in enumerate(own[name])
    }


def _input(random: np.random.Generator, graph: Graph, name: str, samples: int) -> Array:
    entry = graph.inputs[name]
    shape = (samples, *(size or 1 for size in entry.shape))
    lookup = next(strict_lookups(graph, name), None)
    if lookup is not None:
        return random.choice(np.array(lookup.arguments["vocabulary"]), shape)
    if entry.dtype == "string":
        return np.full(shape, "text")
    ids, dtype = _ids(graph, name), _kept(entry.dtype)
    if "int" in dtype:
        ids = min(ids or _OTHER_IDS, int(np.iinfo(dtype).max) + 1)
    # Inputs of an Embedding can be floats, which is Keras's default, but must contain ids.
    made = random.random(shape, np.float32) if ids is None else random.integers(ids, size=shape)
    return made.astype(dtype)


def _kept(dtype: str) -> str:
    """Replace bfloat16, which NumPy does not have."""
    return "float32" if dtype == "bfloat16" else dtype


def _ids(graph: Graph, name: str) -> int | None:
    """Return the number of ids that all calls which look them up have; None without such calls."""
    return min((feed.size for feed in feeds(graph, name)), default=None)


def _target(random: np.random.Generator, head: Head, shape: tuple[int, ...]) -> Array:
    """Return random targets that fit the loss of an output with this ``shape``."""
    facts = loss_facts(head.loss, shape[1:], shape[1:])
    match facts.targets if facts else None:
        case "ids":
            return random.integers(max(shape[-1], 2), size=shape[:-1]).astype(np.int32)
        case "one-hot":
            ids = random.integers(max(shape[-1], 2), size=shape[:-1])
            return np.eye(max(shape[-1], 2), dtype=np.float32)[ids]
        case "binary" | "signs" | "counts":
            return random.integers(2, size=shape).astype(np.float32)
        case "sequences":
            # A blank separates equal ids, so that half as many ids as steps always fit.
            most, steps = max(shape[-1], 2), max(1, shape[1] // 2)
            return random.integers(1, most, size=(shape[0], steps)).astype(np.int32)
        case "groups":
            # Two groups, so that a batch has samples of the same group and of another.
            return (np.arange(shape[0]) % 2).astype(np.int32)
        case _:
            return random.random(shape, np.float32)
