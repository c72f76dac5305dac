"""A run as one HTML page without scripts, fonts or links to other sites."""

from collections.abc import Iterator
from typing import Any

from modelspec.problems.errors import RunError
from modelspec.report.pages.charts import bars
from modelspec.report.pages.curves import history_charts, share_names
from modelspec.report.pages.figures import figures
from modelspec.report.pages.metrics import best_text, metric_rows
from modelspec.report.pages.rendering import render, safe
from modelspec.report.pages.run_report import RunReport
from modelspec.report.pictures.drawing import can_draw, svg
from modelspec.report.pictures.scene import make_scene
from modelspec.results.evaluated import Evaluated

_SPEC_LINES = 3000
_IMPORTANCE = 40


def report_page(report: RunReport) -> str:
    """Return the page of a run.

    Raises:
        RunError: Jinja2 is not installed.
    """
    evaluated = report.evaluated
    lines = report.spec_text.splitlines()
    charts = [
        (output, [safe(chart) for chart in drawn])
        for output, drawn in history_charts(report.history, report.rates)
    ]
    return render(
        "report.html",
        report=report,
        facts=list(run_facts(report)),
        hashes=data_hashes(report),
        charts=charts,
        shares=share_names(report.history),
        metrics=metric_rows(report),
        best=best_text(report),
        evaluated=evaluated,
        figures=[_marked(figures(judged)) for judged in evaluated.outputs] if evaluated else [],
        importance=safe(_importance(evaluated)) if evaluated else "",
        graph=_graph(report),
        costs=_costs(report),
        lines=lines[:_SPEC_LINES],
        more_lines=max(len(lines) - _SPEC_LINES, 0),
    )


def _marked(shown: Any) -> dict[str, Any]:
    return {
        "of": shown,
        "charts": [safe(chart) for chart in shown.charts],
        "table": safe(shown.table),
    }


def _graph(report: RunReport) -> Any:
    if report.network is None or not can_draw():
        return ""
    try:
        return safe(svg(make_scene(report.network), linked=True))
    except RunError:
        return ""


def _importance(evaluated: Evaluated) -> str:
    if not evaluated.importance:
        return ""
    ranked = sorted(evaluated.importance, key=lambda importance: -importance.rise)[:_IMPORTANCE]
    rows = [
        (importance.name, importance.rise, f"{importance.rise:+.3g} ± {importance.spread:.1g}")
        for importance in ranked
    ]
    return bars("rise of the loss", rows)


def run_facts(report: RunReport) -> Iterator[tuple[str, str]]:
    """Yield the facts about a run, as names and values."""
    record = report.record
    yield "folder", report.path
    yield "status", str(record.get("status"))
    yield "started", str(record.get("started") or "")
    seconds = record.get("seconds")
    if isinstance(seconds, int | float):
        yield "time", f"{seconds:,.1f} s, of which epochs took {_epoch_seconds(report):,.1f} s"
    yield "epochs", f"{len(report.history)} of {record.get('epochs')}"
    yield "best", best_text(report)
    yield "seed", str(record.get("seed"))
    for part, held in (("data", record.get("data")), ("validation", record.get("validation"))):
        if isinstance(held, dict) and held.get("samples") is not None:
            yield f"{part}, samples", f"{held['samples']:,}"
    processors = (record.get("machine") or {}).get("processors")
    if processors:
        yield "processors", str(processors)
    versions = record.get("versions")
    for name, version in versions.items() if isinstance(versions, dict) else ():
        yield str(name), str(version)
    for text in record.get("overrides") or ():
        yield "--set", str(text)


def data_hashes(report: RunReport) -> list[tuple[str, str]]:
    """Return the SHA-256 of each array that the run was trained or validated on."""
    return [
        (str(name), str(digest))
        for part in ("data", "validation")
        for name, digest in ((report.record.get(part) or {}).get("sha256") or {}).items()
    ]


def _epoch_seconds(report: RunReport) -> float:
    return sum(float(row.get("seconds") or 0) for row in report.history)


def _costs(report: RunReport) -> list[tuple[str, int, int, int]]:
    """Return the most expensive layers: parameters, operations, and bytes for one sample."""
    if report.costs is None or report.network is None:
        return []
    params = {vertex.name: vertex.params for vertex in report.network.vertices}
    rows = [
        (layer.name, params.get(layer.name, 0), layer.flops, layer.activations)
        for layer in report.costs.layers
    ]
    return sorted(rows, key=lambda row: -row[2])[:15]
