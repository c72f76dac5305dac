"""Several runs on one HTML page: their differences, joint curves, metrics."""

from collections.abc import Sequence

from modelspec.report.pages.comparing import compared_metrics, differences, run_names
from modelspec.report.pages.curves import STYLES, overlaid
from modelspec.report.pages.metrics import best_text
from modelspec.report.pages.rendering import render, safe
from modelspec.report.pages.run_report import RunReport


def comparison_page(reports: Sequence[RunReport]) -> str:
    """Return the page of several runs.

    Raises:
        RunError: Jinja2 is not installed.
    """
    names = run_names(reports)
    charts = overlaid(dict(zip(names, (report.history for report in reports), strict=True)))
    return render(
        "comparison.html",
        runs=[
            (name, f"s{place % STYLES}", report, best_text(report))
            for place, (name, report) in enumerate(zip(names, reports, strict=True))
        ],
        differences=differences(reports),
        metrics=compared_metrics(reports),
        charts=[safe(chart) for chart in charts],
    )
