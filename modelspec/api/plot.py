"""The graph of a spec, a run or a ``.keras`` file as a picture."""

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from modelspec.api.costs import estimate, estimate_model
from modelspec.api.keras_files import check_magic, reason, saved_by
from modelspec.api.target import Model, Target, target_of
from modelspec.catalog.tensorflow_only import needs_tensorflow
from modelspec.graph.network import make_network
from modelspec.problems.errors import ModelError
from modelspec.report.pictures.files import SUFFIXES, picture
from modelspec.results.costs import Costs
from modelspec.results.network import Measure, Network
from modelspec.storage.archives import read_config

Lengths = Mapping[str, Sequence[int]]


def plot(
    target: Model,
    form: str = "mmd",
    *,
    by: Measure | None = None,
    depth: int | None = None,
    lengths: Lengths | None = None,
    light: bool = False,
) -> bytes:
    """Draw the graph of a model.

    Args:
        target: A run, a ``.keras`` file or a spec: its path, or what ``load`` and ``open_target``
            return.
        form: ``mmd`` (Mermaid), ``dot``, ``svg``, ``png`` or ``pdf``.
        by: Colour the layers by ``params``, by ``flops`` or by ``memory``.
        depth: The number of levels of blocks, repeats and nested models that are expanded. By
            default it is as large as a readable picture allows.
        lengths: The lengths of unknown axes by input, for ``flops`` and ``memory``.
        light: Allow Keras to start on JAX, which is faster. The process cannot train then.

    Returns:
        The contents of the file; Mermaid, DOT and SVG are UTF-8.

    Raises:
        SpecError: The spec has errors.
        ModelError: The file cannot be read.
        PluginError: The code of a plugin raises an exception.
        RunError: A folder contains no run, or the form needs the extra ``graph``, which is not
            installed.
        LengthError: A length is missing, or there are too many.
        ValueError: The form is unknown.
        TypeError: ``target`` has another type.

    Example:
        >>> import modelspec
        >>> text = modelspec.plot(modelspec.open_target("specs/digits.yaml")).decode()
        >>> text.splitlines()[0]
        'flowchart TD'
    """
    if f".{form}" not in SUFFIXES:
        raise ValueError(
            f"form is one of {', '.join(suffix[1:] for suffix in SUFFIXES)}, not {form}"
        )
    return picture(
        network(target_of(target), by=by, lengths=lengths, light=light), f".{form}", depth
    )


def network(
    target: Target,
    *,
    by: Measure | None = None,
    lengths: Lengths | None = None,
    light: bool = False,
) -> Network:
    """Return the graph of a model as plain data; arguments as for ``plot``."""
    if target.source is not None:
        drawn = make_network(target.source.require(), target.source.summary(light=light))
        # The costs of a run are those of its spec.
        costs = (
            estimate(Target(target.source), lengths=lengths, light=light)
            if by in ("flops", "memory")
            else None
        )
        return with_measure(drawn, by, costs)
    return _of_file(target, by, lengths, light=light)


def with_measure(graph: Network, by: Measure | None, costs: Costs | None) -> Network:
    """Return the graph with the values that a picture colours by."""
    if by is None:
        return graph
    if costs is None or by == "params":
        return graph.with_params()
    if by == "flops":
        flops = {layer.name: layer.flops for layer in costs.layers}
        return graph.with_costs(flops, by, "the operations of a sample")
    whole = max(graph.params, 1)
    params: dict[str, int] = {}
    for vertex in graph.vertices:
        for name in {vertex.name, *(group.name for group in vertex.groups[:1])}:
            params[name] = params.get(name, 0) + vertex.params
    memory = {
        layer.name: costs.batch_size * layer.activations
        + costs.parameters * params.get(layer.name, 0) // whole
        for layer in costs.layers
    }
    unit = f"the bytes of weights and of the activations of {costs.batch_size} samples"
    return graph.with_costs(memory, by, unit)


def _of_file(
    target: Target, by: Measure | None, lengths: Lengths | None, *, light: bool
) -> Network:
    """Return the graph of a ``.keras`` file, without reading its weights."""
    from modelspec.backend.start import start

    source: Any = target.path
    if target.raw is not None:
        source = BytesIO(target.raw)
    else:
        assert target.path is not None
        check_magic(target.path)
    name = str(target.path or "<stdin>")

    try:
        config = read_config(source)
        start(light=light and not needs_tensorflow(list(_class_names(config))))
        from modelspec.backend.model.archive import losses_of, symbolic_model
        from modelspec.backend.model.model_io import output_names
        from modelspec.backend.model.tracing import trace

        model = symbolic_model(config)
        traced = trace(model, losses_of(config, output_names(model)))
    except Exception as error:  # Keras raises any type for a broken or hostile file
        raise ModelError(f"{name} cannot be read: {reason(error)}{saved_by(source)}") from error
    costs = estimate_model(model, lengths or {}) if by in ("flops", "memory") else None
    return with_measure(traced, by, costs)


def _class_names(config: Any) -> Iterator[str]:
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            name = value.get("class_name")
            if isinstance(name, str):
                yield name
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
