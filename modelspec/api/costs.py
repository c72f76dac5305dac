"""Costs of training a spec, a run or a ``.keras`` file, estimated without training."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from modelspec.api.building import import_plugins
from modelspec.api.model_spec import ModelSpec
from modelspec.api.target import Target
from modelspec.graph.graph import Graph
from modelspec.results.costs import Costs, from_stored
from modelspec.results.shape import Shape
from modelspec.storage import cache

BATCH_SIZE = 32
"""Keras's default, for a model without a spec."""


class LengthError(ValueError):
    """A length for the estimate is missing, or a length is given for no input."""


def estimate(
    target: Target,
    *,
    lengths: Mapping[str, Sequence[int]] | None = None,
    batch_size: int | None = None,
    light: bool = False,
) -> Costs:
    """Estimate the operations and the memory of training.

    Args:
        target: A run, a ``.keras`` file or a spec, from ``open_target``.
        lengths: The lengths of unknown axes (``null``) by input, in order. Names without such an
            input are ignored.
        batch_size: The number of samples in a batch; by default that of the spec, or 32.
        light: Allow Keras to start on JAX, which is faster. The process cannot train then.

    Returns:
        Floating-point operations for one sample, and bytes.

    Raises:
        SpecError: The spec has errors.
        ModelError: The file cannot be loaded.
        PluginError: The code of a plugin raises an exception.
        LengthError: A length is missing, or there are too many.

    Example:
        >>> import modelspec
        >>> from modelspec.api.costs import estimate
        >>> costs = estimate(modelspec.open_target("specs/digits.yaml"))
        >>> costs.batch_size, costs.parameters
        (32, 38440)
    """
    spec = target.source.spec if target.source else None
    batch_size = batch_size or (spec.training.batch_size if spec else BATCH_SIZE)
    if target.source is not None and target.path is None:
        costs = _of_spec(target.source, lengths or {}, light=light)
    else:
        costs = estimate_model(target.model(), lengths or {})
    return replace(costs, batch_size=batch_size)


def estimate_model(model: Any, lengths: Mapping[str, Sequence[int]]) -> Costs:
    """Return the costs of a Keras model, with or without weights, in batches of ``BATCH_SIZE``."""
    from modelspec.backend.costs.costs import costs

    shapes = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    estimated = costs(model, getattr(model, "optimizer", None), _filled(shapes, lengths))
    return replace(estimated, batch_size=BATCH_SIZE)


def with_lengths(graph: Graph, lengths: Mapping[str, Shape]) -> Graph:
    """Return the graph with other shapes for some of its inputs."""
    inputs = {
        name: replace(entry, shape=lengths.get(name, entry.shape))
        for name, entry in graph.inputs.items()
    }
    return replace(graph, inputs=inputs)


def _of_spec(source: ModelSpec, lengths: Mapping[str, Sequence[int]], *, light: bool) -> Costs:
    valid = source.require()
    spec, graph = valid.spec, valid.graph
    shapes = {name: entry.shape for name, entry in graph.inputs.items()}
    filled = _filled(shapes, lengths)
    known = with_lengths(graph, filled)
    name = cache.key(
        repr(known),
        repr((spec.optimizer, spec.training.precision)),
        source.catalog.identity,
        cache.code_stamp(),
    )
    stored = cache.load("costs", name)
    if stored is not None:
        return replace(from_stored(stored), lengths=filled)
    costs = _of_graph(source, known, light=light)
    cache.store("costs", name, asdict(costs))
    return replace(costs, lengths=filled)


def _of_graph(source: ModelSpec, graph: Graph, *, light: bool) -> Costs:
    """Estimate without allocating weights."""
    spec = source.require().spec
    from modelspec.backend.model.shapes import start_for

    start_for(graph, spec.training.precision, light=light and not source.catalog.plugins)
    import_plugins(source)
    from modelspec.backend.costs.costs import costs
    from modelspec.backend.model.compiling import build_model
    from modelspec.backend.model.dry_run import dry_run_objects
    from modelspec.backend.model.objects import make

    model, problems = build_model(graph, spec.training, source.catalog, allocate=False)
    source.require([*problems, *dry_run_objects(spec, source.heads, source.catalog)])
    return costs(model, make(source.catalog, "optimizer", spec.optimizer))


def _filled(shapes: Mapping[str, Shape], lengths: Mapping[str, Sequence[int]]) -> dict[str, Shape]:
    """Return the shapes that had unknown axes, with lengths in place of them."""
    return {
        name: _fill(name, shape, lengths.get(name, ()))
        for name, shape in shapes.items()
        if None in shape
    }


def _fill(name: str, shape: Shape, lengths: Sequence[int]) -> Shape:
    wanted = shape.count(None)
    if len(lengths) != wanted:
        written = ", ".join("null" if size is None else str(size) for size in shape)
        example = ",".join(["100"] * wanted)
        raise LengthError(
            f"costs depend on the unknown lengths in the shape of {name}, [{written}]: "
            f"set {wanted}, for example with --shape {name}={example}"
        )
    rest = iter(lengths)
    return tuple(next(rest) if size is None else size for size in shape)
