"""A spec as values by path, which do not depend on how it is written."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelspec.catalog import Catalog
from modelspec.graph.graph import Graph, Node, Source
from modelspec.graph.heads import Head
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.written import Written, value_text


def spec_facts(valid: ValidSpec) -> dict[str, str]:
    """Return every layer, head and setting by its name: ``layers.encoder.units`` is ``64``.

    Blocks, repeats, parameters and expressions are expanded.
    """
    spec = valid.spec
    facts = dict(_graph(valid.graph))
    for head in valid.heads:
        facts |= _head(head)
    if valid.strategy is not None:
        facts["loss_weights"] = value_text(spec.loss_weights)
    facts |= _optimizer(spec.optimizer, valid.catalog)
    for key, value in spec.training.model_dump().items():
        facts[f"training.{key}"] = value_text(value)
    for key, value in spec.data.items():
        facts[f"data.{key}"] = str(value)
    return facts


def _graph(graph: Graph) -> Iterator[tuple[str, str]]:
    for name, declared in graph.inputs.items():
        yield f"inputs.{name}", f"{value_text(list(declared.shape))} {declared.dtype}"
    for node in graph.nodes:
        yield from _node(node)
    for name, source in graph.outputs.items():
        yield f"outputs.{name}", _source(source)


def _node(node: Node) -> Iterator[tuple[str, str]]:
    path = f"layers.{node.name}"
    yield path, str(node.type) if node.layer == node.name else f"{node.layer} again"
    for key, value in {**node.arguments, **node.options, **node.call}.items():
        yield f"{path}.{key}", value_text(value)
    for argument, connected in node.inputs.items():
        sources = connected if isinstance(connected, tuple) else (connected,)
        yield f"{path}.{argument or 'from'}", ", ".join(map(_source, sources))


def _source(source: Source) -> str:
    return source.name if source.index is None else f"{source.name}[{source.index}]"


def _head(head: Head) -> dict[str, str]:
    facts = {f"losses.{head.output}": value_text(head.loss)}
    if head.loss is not None:
        facts[f"loss_weights.{head.output}"] = f"{head.weight:g}"
    if head.metrics:
        metrics = ", ".join(value_text(metric.value) for metric in head.metrics)
        facts[f"metrics.{head.output}"] = metrics
    return facts


def _optimizer(value: Any, catalog: Catalog) -> dict[str, str]:
    """Return an optimizer's name as Keras has it, and its arguments."""
    path = "optimizer"
    written = Written.read(value)
    if written is None or not isinstance(written.raw, Mapping | None):
        return {path: value_text(value)}
    entry = catalog.find("optimizer", written.name)
    facts = {path: entry.name if entry else written.name}
    for key, item in written.arguments.items():
        facts[f"{path}.{key}"] = value_text(item)
    return facts
