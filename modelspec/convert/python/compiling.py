"""The call that compiles the model."""

from collections.abc import Mapping

from modelspec.convert.python.layout import Code, call, sequence
from modelspec.convert.python.outputs import in_form
from modelspec.convert.python.values import Values
from modelspec.graph.heads import Head
from modelspec.graph.valid_spec import ValidSpec


def compile_call(valid: ValidSpec, values: Values) -> Code:
    """Return ``model.compile`` with the optimizer, losses, weights and metrics of a spec."""
    heads, graph = valid.heads, valid.graph
    losses = {head.output: values.judge("loss", head.loss) for head in heads}
    arguments = [
        _optimizer(valid, values).before("optimizer="),
        in_form(graph, losses).before("loss="),
    ]
    if any(head.weight != 1.0 for head in heads):
        weights = {head.output: Code(repr(head.weight)) for head in heads}
        arguments.append(in_form(graph, weights).before("loss_weights="))
    for name, weighted in (("metrics", False), ("weighted_metrics", True)):
        metrics = {head.output: _metrics(head, values, weighted=weighted) for head in heads}
        if any(code.elements for code in metrics.values()):
            arguments.append(in_form(graph, metrics).before(f"{name}="))
    arguments.append(Code("jit_compile=False"))
    return call("model.compile", arguments)


def _optimizer(valid: ValidSpec, values: Values) -> Code:
    optimizer = valid.spec.optimizer
    if isinstance(optimizer, Mapping):
        return values.construct("optimizer", optimizer, {})
    return values.judge("optimizer", optimizer)


def _metrics(head: Head, values: Values, *, weighted: bool) -> Code:
    return sequence(
        values.judge("metric", metric.value)
        for metric in head.metrics
        if metric.weighted == weighted
    )
