"""Summaries of models as tables, JSON, CSV and Markdown."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from rich.console import Console
from rich.text import Text

from modelspec.problems.units import size
from modelspec.report.costs import cost_lines, operations
from modelspec.report.prose import print_prose
from modelspec.report.table import Row, as_csv, as_markdown, print_table
from modelspec.results.costs import Costs
from modelspec.results.summary import LayerRow, Summary

Shown: TypeAlias = tuple[Summary, Costs | None]
"""A model, and its costs if they are shown."""

_HEADER = ("layer", "type", "output shape", "params", "trainable", "from", "line")
_NUMERIC = {3, 4, 6}
_COSTS = ("flops", "training flops", "activation bytes")


def print_summary(console: Console, summary: Summary, costs: Costs | None = None) -> None:
    """Print the layers as a table, and the numbers of parameters below it."""
    console.print(Text(summary.name, style="bold"))
    print_table(console, *_table(summary, costs))
    params = summary.params
    print_prose(
        console,
        f"parameters: {params.total:,} ({size(params.bytes)}); "
        f"trainable: {params.trainable:,}; non-trainable: {params.non_trainable:,}",
    )
    for line in cost_lines(costs):
        print_prose(console, line)


def summary_csv(shown: Sequence[Shown]) -> str:
    """Return one row for each layer; for several models, the first column has the model."""
    header = (*_HEADER, *_COSTS) if shown[0][1] else _HEADER
    if len(shown) == 1:
        return as_csv(header, _rows(*shown[0], plain=True))
    rows = [[pair[0].name, *row] for pair in shown for row in _rows(*pair, plain=True)]
    return as_csv(("model", *header), rows)


def summary_markdown(summary: Summary, costs: Costs | None = None) -> str:
    params = summary.params
    lines = "".join(f"\n{line[0].upper()}{line[1:]}\n" for line in cost_lines(costs))
    return (
        f"## {summary.name}\n\n{as_markdown(*_table(summary, costs))}\n"
        f"Parameters: {params.total:,} ({size(params.bytes)}); trainable: {params.trainable:,}; "
        f"non-trainable: {params.non_trainable:,}\n{lines}"
    )


def _table(summary: Summary, costs: Costs | None) -> tuple[Row, list[list[str]], set[int]]:
    """Return header, rows, and the columns of numbers; costs are of one sample."""
    if costs is None:
        return _HEADER, _rows(summary, None), _NUMERIC
    header = (*_HEADER, "flops", "training", "activations")
    return header, _rows(summary, costs), _NUMERIC | set(range(len(_HEADER), len(header)))


def _rows(summary: Summary, costs: Costs | None, *, plain: bool = False) -> list[list[str]]:
    """Return rows with ``plain`` numbers for programs, or with numbers for people."""
    count: Callable[[int], str] = str if plain else "{:,}".format
    more = _cost_cells(costs, plain=plain) if costs else {}
    return [
        [
            layer.name,
            layer.type,
            shape_text(layer),
            count(layer.params),
            count(layer.trainable_params),
            ", ".join(layer.sources),
            "" if layer.line is None else str(layer.line),
            *more.get(layer.name, ["", "", ""] if costs else []),
        ]
        for layer in summary.layers
    ]


def _cost_cells(costs: Costs, *, plain: bool) -> dict[str, list[str]]:
    flops: Callable[[int], str] = str if plain else operations
    count: Callable[[int], str] = str if plain else size
    return {
        layer.name: [flops(layer.flops), flops(layer.training_flops), count(layer.activations)]
        for layer in costs.layers
    }


def shape_text(layer: LayerRow) -> str:
    shapes = layer.output_shape if isinstance(layer.output_shape, list) else [layer.output_shape]
    return ", ".join(str(shape) for shape in shapes)
