"""The charts and tables of one output, depending on its loss."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelspec.report.pages.charts import (
    Series,
    confusion_chart,
    histogram,
    line_chart,
    scatter_chart,
)
from modelspec.report.pages.curves import STYLES
from modelspec.results.classification import Calibration, ClassScores, Curve
from modelspec.results.evaluated import Classes, Judged, Labels
from modelspec.results.regression import Fit

_TABLE_ROWS = 50


@dataclass(frozen=True, slots=True)
class Figures:
    """One output as it is shown; ``facts`` are names and values, ``scores`` those by class."""

    output: str
    loss: str
    note: str
    facts: tuple[tuple[str, str], ...]
    scores: tuple[ClassScores, ...]
    more: int
    charts: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]
    table: str


def figures(judged: Judged) -> Figures:
    """Return the charts and tables of an output."""
    details = judged.details
    scores = details.scores if isinstance(details, Classes | Labels) else ()
    curves = details.roc if isinstance(details, Classes | Labels) else ()
    facts = (
        [] if judged.mean_loss is None else [("loss, mean over samples", f"{judged.mean_loss:.4g}")]
    )
    table = ""
    if isinstance(details, Classes):
        table = confusion_chart("confusion matrix", details.names, details.table.tolist())
    return Figures(
        judged.output,
        judged.loss,
        judged.note,
        (*facts, *_facts(details)),
        scores[:_TABLE_ROWS],
        max(len(scores) - _TABLE_ROWS, 0),
        tuple(_charts(details)),
        tuple((f"class {curve.name}", f"s{k % STYLES}") for k, curve in enumerate(curves))
        if len(curves) > 1
        else (),
        table,
    )


def _facts(details: Classes | Labels | Fit | None) -> Iterator[tuple[str, str]]:
    if isinstance(details, Classes):
        yield "accuracy", f"{details.accuracy:.4g}"
        known = [score for score in details.scores if score.support]
        yield "mean F1", f"{np.mean([score.f1 for score in known]):.4g}"
        if details.macro_auc is not None:
            yield "area under ROC", f"{details.macro_auc:.4g}"
    if isinstance(details, Classes | Labels) and details.calibration is not None:
        yield "calibration error", f"{details.calibration.error:.4g}"
    if isinstance(details, Fit):
        yield "mean absolute error", f"{details.mae:.4g}"
        yield "root mean squared error", f"{details.rmse:.4g}"
        yield "median absolute error", f"{details.median:.4g}"
        yield "mean residual", f"{details.bias:.4g}"
        yield "R²", "not defined" if details.r2 is None else f"{details.r2:.4g}"


def _charts(details: Classes | Labels | Fit | None) -> Iterator[str]:
    if isinstance(details, Classes | Labels):
        if details.roc:
            yield _curves("ROC", details.roc, "false positive rate", diagonal=True)
        if details.precision:
            yield _curves("precision by recall", details.precision, "recall")
        if details.calibration is not None:
            yield _calibration(details.calibration)
    if isinstance(details, Fit):
        yield scatter_chart(
            "predicted against true", details.true.tolist(), details.predicted.tolist()
        )
        yield histogram(
            "residuals (true less predicted)",
            details.edges.tolist(),
            details.counts.tolist(),
            "residual",
        )


def _curves(title: str, curves: tuple[Curve, ...], x_label: str, *, diagonal: bool = False) -> str:
    what = "area" if diagonal else "average precision"
    named = f"{title}, {what} {curves[0].area:.3f}" if len(curves) == 1 else title
    series = [
        Series(
            f"class {curve.name}, {what} {curve.area:.3f}",
            curve.x.tolist(),
            curve.y.tolist(),
            f"s{place % STYLES}",
        )
        for place, curve in enumerate(curves)
    ]
    return line_chart(named, series, x_label=x_label, unit=True, diagonal=diagonal)


def _calibration(measured: Calibration) -> str:
    series = [Series("correct", measured.confidence.tolist(), measured.correct.tolist(), "s0")]
    return line_chart("calibration", series, x_label="confidence", unit=True, diagonal=True)
