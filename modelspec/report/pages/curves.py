"""The history of one run, or of several, as charts."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelspec.report.pages.charts import Series, area_chart, line_chart
from modelspec.runs.history import VALIDATION, best, columns, groups, is_number

STYLES = 8
"""The number of colours of a page."""

_MOST_OUTPUTS = 20

Records = Sequence[Mapping[str, Any]]


def history_charts(history: Records, rates: Mapping[int, float]) -> Iterator[tuple[str, list[str]]]:
    """Yield the charts of each output, the whole model's first; with learning rate and shares."""
    if not history:
        return
    top = best(history)
    mark = top.epoch if top else None
    of_outputs = groups(columns(history))
    shares = {g.output: g.names["share"] for g in of_outputs if g.output and "share" in g.names}
    for group in of_outputs[: _MOST_OUTPUTS + 1]:
        charts = []
        for label, name in group.names.items():
            if label.startswith(VALIDATION) or label in ("share", "learning_rate"):
                continue
            series = [_series("training", history, name, "s0")]
            if f"{VALIDATION}{label}" in group.names:
                validation = group.names[f"{VALIDATION}{label}"]
                series.append(_series("validation", history, validation, "s1 validation"))
            title = f"{group.output} {label}".strip()
            charts.append(line_chart(title, series, mark=mark))
        if not group.output:
            charts += _rate(rates)
            if shares:
                parts = [
                    _series(output, history, name, f"s{place % STYLES}")
                    for place, (output, name) in enumerate(shares.items())
                ]
                charts.append(area_chart("shares of the loss", parts))
        yield group.output, charts


def share_names(history: Records) -> list[tuple[str, str]]:
    """Return the outputs in the chart of shares, with the class of their colour."""
    outputs = [g.output for g in groups(columns(history)) if g.output and "share" in g.names]
    return [(output, f"s{place % STYLES}") for place, output in enumerate(outputs)]


def _rate(rates: Mapping[int, float]) -> Iterator[str]:
    if rates:
        yield line_chart(
            "learning rate", [Series("learning rate", [*rates], [*rates.values()], "s2")]
        )


def _series(title: str, history: Records, name: str, style: str) -> Series:
    values = [row.get(name) for row in history]
    return Series(
        title,
        [row["epoch"] for row in history],
        [float(value) if is_number(value) else None for value in values],
        style,
    )


def overlaid(histories: Mapping[str, Records]) -> Iterator[str]:
    """Yield charts of every name in runs, with a line for each run."""
    names = dict.fromkeys(
        name
        for history in histories.values()
        for name in columns(history)
        if name not in ("epoch", "seconds") and not name.endswith("_share")
    )
    for name in names:
        series = [
            _series(title, history, name, f"s{place % STYLES}")
            for place, (title, history) in enumerate(histories.items())
            if history
        ]
        if series:
            yield line_chart(name, series)
