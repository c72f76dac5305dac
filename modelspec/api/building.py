"""Building and summarizing the model of a spec."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from modelspec.graph.graph import Graph
from modelspec.problems.diagnostic import Diagnostic

if TYPE_CHECKING:
    from modelspec.api.model_spec import ModelSpec
    from modelspec.data.shards import Data
    from modelspec.results.summary import Summary


def import_plugins(source: "ModelSpec") -> None:
    """Run the code of the plugins, before any of their parts is built."""
    from modelspec.backend.model.own_parts import import_plugins

    import_plugins(source.catalog.plugins)


def beginning(source: "ModelSpec", data: "Data | None" = None) -> Callable[[Any], None] | None:
    """Return a function that sets the starting weights of a built model; None for new weights."""
    if not source.starts_from_weights:
        return None

    def begin(model: Any) -> None:
        from modelspec.api.starting_weights import apply_start, plan_start
        from modelspec.api.weight_sources import start_of

        start = plan_start(source, start_of(model), data if data is not None else {})
        source.require(start.problems)
        apply_start(source, model, start)

    return begin


def build_unfitted(source: "ModelSpec", begin: Callable[[Any], None] | None = None) -> Any:
    """Build the model; its layers with ``adapt: true`` are still to be fitted to data.

    Args:
        source: The spec.
        begin: Changes the initial weights before the model is compiled, because an optimizer that
            averages weights starts from the weights at that time.

    Raises:
        SpecError: The spec has errors.
    """
    valid = source.require()
    spec, graph = valid.spec, valid.graph
    from modelspec.backend.start import start

    start()
    import_plugins(source)
    from modelspec.backend.model.compiling import build_model, compile_model
    from modelspec.backend.model.dry_run import dry_run_objects

    model, problems = build_model(graph, spec.training, source.catalog)
    source.require([*problems, *dry_run_objects(spec, source.heads, source.catalog)])
    if begin is not None:
        begin(model)
    if source.adds_loss or any(head.loss is not None for head in source.heads):
        compile_model(model, source.require())
    return model


def summarize(source: "ModelSpec", *, light: bool, nested: bool) -> "Summary":
    """Summarize the model; arguments as for ``ModelSpec.summary``."""
    from modelspec.api.model_cache import remember_summary

    valid = source.require()
    spec, graph, document = valid.spec, valid.graph, valid.document
    lines = {
        node.layer: document.locate(node.route).span.line
        for node in graph.nodes
        if node.layer == node.name
    }
    lines |= {name: document.locate(("inputs", name), "key").span.line for name in graph.inputs}

    def describe() -> "Summary":
        from modelspec.backend.model.shapes import start_for

        start_for(graph, spec.training.precision, light=light and not source.catalog.plugins)
        import_plugins(source)
        from modelspec.backend.model.compiling import build_model
        from modelspec.backend.model.description import describe

        model, problems = build_model(graph, spec.training, source.catalog, allocate=False)
        source.require(problems)
        return describe(model, {node.layer: node.type for node in graph.nodes}, nested=nested)

    key = f"{spec.training.precision} nested" if nested else spec.training.precision
    return remember_summary(graph, source.catalog, key, describe).with_lines(lines)


def unfitted(graph: Graph | None) -> list[Diagnostic]:
    """Return an error for each layer that must be fitted to data."""
    hint = (
        "train fits it, and model.keras in the folder of the run is the fitted model; without "
        "data, write the values as arguments"
    )
    return [
        Diagnostic(
            "cannot-adapt",
            f"{node.name} is fitted to data, and without data the model cannot be used",
            (*node.route, "adapt"),
            "key",
            hint=hint,
        )
        for node in (graph.adapted if graph else ())
    ]
