"""Runs as Markdown: a model card, and a comparison, with the facts of the HTML pages."""

import re
from collections.abc import Iterable, Iterator, Sequence

from modelspec.problems.units import size
from modelspec.report.costs import operations
from modelspec.report.pages.comparing import Compared, compared_metrics, differences, run_names
from modelspec.report.pages.figures import Figures, figures
from modelspec.report.pages.metrics import best_text, metric_rows
from modelspec.report.pages.page import data_hashes, run_facts
from modelspec.report.pages.rendering import number
from modelspec.report.pages.run_report import RunReport
from modelspec.report.pictures.labels import shortened
from modelspec.report.pictures.mermaid import mermaid
from modelspec.results.evaluated import Evaluated, Importance, Sample

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$^=:@-])")
_CELL = 200


def report_markdown(report: RunReport) -> str:
    """Return a model card of a run."""
    parts = [f"# {_text(report.name)}", _text(report.description), "## Verdict"]
    parts += [
        _bullets([*(finding.text for finding in report.findings), *report.notes]),
        "## Metrics",
        _table(
            ("output", "metric", "training", "validation", "test"),
            (
                (
                    row.output or "whole model",
                    row.metric,
                    number(row.training),
                    number(row.validation),
                    number(row.test),
                )
                for row in metric_rows(report)
            ),
        ),
    ]
    if report.evaluated is not None:
        parts += _evaluated(report.evaluated)
    parts += _graph(report)
    parts += ["## What ran", _fenced(report.command), _table(("fact", "value"), run_facts(report))]
    if hashes := data_hashes(report):
        parts += ["### Data, SHA-256", _table(("array", "SHA-256"), hashes)]
    warnings = [
        f"line {problem.place.span.line}: {problem.message} [{problem.code}]"
        for problem in report.warnings
    ]
    parts += ["### Warnings of check", _bullets(warnings or ["None."])]
    parts += ["## Spec", _fenced(report.spec_text, "yaml")]
    return "\n\n".join(part for part in parts if part) + "\n"


def _evaluated(evaluated: Evaluated) -> Iterator[str]:
    yield "## Outputs"
    drawn = "drawn at random" if evaluated.rows < evaluated.samples else "all of them"
    yield _text(f"Figures are of {evaluated.rows:,} of {evaluated.samples:,} samples, {drawn}.")
    yield _bullets(evaluated.notes)
    for judged in evaluated.outputs:
        yield from _output(figures(judged))
    if evaluated.worst:
        yield "## Worst samples"
        yield _worst(evaluated.worst)
    if evaluated.importance:
        yield "## Importance of inputs"
        yield _text(
            f"How much the loss rises from {number(evaluated.loss)} where an input is shuffled, on "
            f"{evaluated.importance_rows:,} samples."
        )
        yield _importance(evaluated.importance)


def _worst(samples: Sequence[Sample]) -> str:
    names = list(samples[0].outputs)
    outputs = (part for name in names for part in (f"{name}: true", "predicted", "loss"))
    rows = (
        (
            str(sample.row),
            number(sample.loss),
            *(
                text
                for true, predicted, loss in sample.outputs.values()
                for text in (true, predicted, number(loss))
            ),
        )
        for sample in samples
    )
    return _table(("row", "loss", *outputs), rows)


def _importance(inputs: Sequence[Importance]) -> str:
    ranked = sorted(inputs, key=lambda importance: -importance.rise)
    rows = (
        (importance.name, number(importance.rise), number(importance.spread))
        for importance in ranked
    )
    return _table(("input", "rise", "spread"), rows)


def _output(shown: Figures) -> Iterator[str]:
    yield f"### {_text(shown.output)} ({_text(shown.loss)})"
    yield _text(shown.note)
    yield _bullets(f"{name}: {value}" for name, value in shown.facts)
    if shown.scores:
        yield _table(
            ("class", "precision", "recall", "F1", "samples"),
            (
                (
                    score.name,
                    number(score.precision),
                    number(score.recall),
                    number(score.f1),
                    number(score.support),
                )
                for score in shown.scores
            ),
        )


def _graph(report: RunReport) -> Iterator[str]:
    yield "## Graph and costs"
    if report.costs is not None:
        yield _text(
            f"{operations(report.costs.flops)}FLOP a sample, "
            f"{operations(report.costs.training_flops)}FLOP in training; "
            f"{size(report.costs.bytes)} of memory for a step of "
            f"{report.costs.batch_size:,} samples."
        )
    if report.network is not None:
        yield _fenced(mermaid(report.network), "mermaid")


def comparison_markdown(reports: Sequence[RunReport]) -> str:
    """Return a comparison of several runs."""
    names = run_names(reports)
    parts = [
        f"# {len(reports)} runs compared",
        _table(("run", "spec", "status", "epochs", "best"), _run_rows(names, reports)),
        "## What differs",
        _table(("value", *names), ((row.path, *row.values) for row in differences(reports))),
        "## Metrics",
        _table(("output", "metric", "part", *names), map(_metric_row, compared_metrics(reports))),
    ]
    return "\n\n".join(parts) + "\n"


def _run_rows(names: Sequence[str], reports: Sequence[RunReport]) -> Iterator[tuple[str, ...]]:
    for name, report in zip(names, reports, strict=True):
        status, epochs = str(report.record.get("status")), str(len(report.history))
        yield name, report.name, status, epochs, best_text(report)


def _metric_row(row: Compared) -> tuple[str, ...]:
    values = (
        number(value) + (" (best)" if place in row.best else "")
        for place, value in enumerate(row.values)
    )
    return (row.output or "whole model", row.metric, row.part, *values)


def _text(text: str) -> str:
    """Escape text for Markdown, on one line."""
    return _SPECIAL.sub(r"\\\1", shortened(text, 2000))


def _bullets(texts: Iterable[str]) -> str:
    return "\n".join(f"- {_text(text)}" for text in texts)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header)]
    listed = [[_text(shortened(cell, _CELL)) for cell in row] for row in rows]
    if not listed:
        return "None."
    head = [_text(cell) for cell in header]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, lines[1], *listed))


def _fenced(text: str, language: str = "") -> str:
    """Return a block of code whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
