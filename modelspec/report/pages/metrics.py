"""Metrics by output and by part of the data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelspec.report.pages.run_report import RunReport
from modelspec.runs.history import VALIDATION, best, columns, groups, is_number


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric of an output (empty: of the whole model), at the model's epoch; None is unknown."""

    output: str
    metric: str
    training: float | None
    validation: float | None
    test: float | None


def metric_rows(report: RunReport) -> list[MetricRow]:
    """Return all losses and metrics, of training and validation at one epoch, and ``evaluate``."""
    test = dict(report.evaluated.metrics) if report.evaluated else {}
    at = epoch_record(report)
    rows = []
    for group in groups([*columns(report.history), *test]):
        for label, name in group.names.items():
            if label.startswith(VALIDATION) or label in ("share", "learning_rate"):
                continue
            validation = group.names.get(f"{VALIDATION}{label}")
            values = (at.get(name), at.get(validation or ""), test.get(name))
            rows.append(MetricRow(group.output, label, *map(_number, values)))
    return rows


def epoch_record(report: RunReport) -> Mapping[str, Any]:
    """Return the record of the epoch whose weights the model has; the last if unknown."""
    held = report.record.get("model_epoch")
    rows = [row for row in report.history if row["epoch"] == held]
    return (rows or list(report.history[-1:]) or [{}])[0]


def best_text(report: RunReport) -> str:
    top = best(report.history)
    return f"epoch {top.epoch}, {top.name} {top.value:.4g}" if top else "none"


def _number(value: Any) -> float | None:
    return float(value) if is_number(value) else None
