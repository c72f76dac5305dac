"""Checks of loss-weight strategies against the graph."""

from collections.abc import Iterator, Sequence

from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head
from modelspec.graph.shared_layers import outputs_of_layers
from modelspec.language.loss_weights import GradNorm, read_strategy
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import Diagnostic, Route

_ROUTE: Route = ("loss_weights",)


def check_strategy(spec: Spec, graph: Graph, heads: Sequence[Head]) -> Iterator[Diagnostic]:
    """Report a strategy that has nothing to balance."""
    strategy, _ = read_strategy(spec.loss_weights, [head.output for head in heads])
    trained = [head.output for head in heads if head.loss is not None]
    if strategy is None or (len(heads) > 1 and not trained):
        return
    if len(trained) < 2:  # noqa: PLR2004 - a single loss needs no weight
        yield single_head(trained or [heads[0].output], _ROUTE)
    elif all(name in graph.outputs for name in trained):
        together = isinstance(strategy, GradNorm)
        yield from check_sharing(graph, trained, _ROUTE, together=together)


def single_head(outputs: Sequence[str], route: Route) -> Diagnostic:
    message = f"{outputs[0]} is the only output with a loss, so there is nothing to balance"
    hint = "remove loss_weights" if route == _ROUTE else None
    return Diagnostic("single-head", message, route, hint=hint)


def check_sharing(
    graph: Graph, outputs: Sequence[str], route: Route, *, together: bool = False
) -> Iterator[Diagnostic]:
    """Report outputs without a shared layer; ``together`` requires one that all outputs share.

    Every layer counts here; only the built model shows which layers have weights.
    """
    served = outputs_of_layers(graph, outputs).values()
    shared = [names for names in served if len(names) > 1]
    if not shared or (together and not any(names.issuperset(outputs) for names in shared)):
        message = f"no layer is shared by {', '.join(outputs)}"
        hint = "outputs that share no layer do not affect each other, so they need no weights"
        if shared:
            hint = "gradnorm needs a shared layer; uncertainty and equal_contribution do not"
        yield Diagnostic("no-shared-layers", message, route, hint=hint)
        return
    for name in outputs:
        if not any(name in names for names in shared):
            message = (
                f"{name} shares no layer with other outputs, so its weight affects no other output"
            )
            yield Diagnostic("no-shared-layers", message, route, severity="warning")
