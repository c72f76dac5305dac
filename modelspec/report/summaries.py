"""Summaries of models as tables, JSON, CSV and Markdown."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from modelspec.report.table import as_csv, as_markdown, print_table
from modelspec.summary import LayerRow, Summary

_HEADER = ("layer", "type", "output shape", "params", "trainable", "from", "line")
_NUMERIC = {3, 4, 6}
_UNITS = ("bytes", "KB", "MB", "GB", "TB")


def print_summary(console: Console, summary: Summary) -> None:
    """The layers as a table, and the counts of parameters below it."""
    console.print(Text(summary.name, style="bold"))
    print_table(console, _HEADER, _rows(summary, thousands=True), _NUMERIC)
    params = summary.params
    console.print(
        f"parameters: {params.total:,} ({size(params.bytes)}); "
        f"trainable: {params.trainable:,}; non-trainable: {params.non_trainable:,}",
        highlight=False,
        soft_wrap=True,
    )


def summary_csv(summaries: Sequence[Summary]) -> str:
    """One row a layer; with several models, a first column says which."""
    if len(summaries) == 1:
        return as_csv(_HEADER, _rows(summaries[0]))
    rows = [[summary.name, *row] for summary in summaries for row in _rows(summary)]
    return as_csv(("model", *_HEADER), rows)


def summary_markdown(summary: Summary) -> str:
    table = as_markdown(_HEADER, _rows(summary, thousands=True), _NUMERIC)
    params = summary.params
    return (
        f"## {summary.name}\n\n{table}\n"
        f"Parameters: {params.total:,} ({size(params.bytes)}); trainable: {params.trainable:,}; "
        f"non-trainable: {params.non_trainable:,}\n"
    )


def size(count: float) -> str:
    """Bytes in the unit that reads best: ``13.5 KB``, by powers of 1,000."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:  # noqa: PLR2004 - the step between units
            return f"{count:.0f} {unit}" if unit == _UNITS[0] else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError


def _rows(summary: Summary, *, thousands: bool = False) -> list[list[str]]:
    count = "{:,}" if thousands else "{}"
    return [
        [
            layer.name,
            layer.type,
            shape_text(layer),
            count.format(layer.params),
            count.format(layer.trainable_params),
            ", ".join(layer.sources),
            "" if layer.line is None else str(layer.line),
        ]
        for layer in summary.layers
    ]


def shape_text(layer: LayerRow) -> str:
    shapes = layer.output_shape if isinstance(layer.output_shape, list) else [layer.output_shape]
    return ", ".join(str(shape) for shape in shapes)
