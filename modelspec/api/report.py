"""All facts about a run, on one page."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelspec.api.costs import LengthError, estimate
from modelspec.api.evaluated import MOST_ROWS, evaluate_for_report
from modelspec.api.inference_data import Warn
from modelspec.api.model_spec import ModelSpec
from modelspec.api.plot import network, with_measure
from modelspec.api.target import Target, open_target
from modelspec.data.shards import Data, Say
from modelspec.graph.spec_facts import spec_facts
from modelspec.problems.errors import ModelError, RunError
from modelspec.report.pages.comparison import comparison_page
from modelspec.report.pages.markdown import comparison_markdown, report_markdown
from modelspec.report.pages.page import report_page
from modelspec.report.pages.rendering import require_jinja
from modelspec.report.pages.run_report import RunReport
from modelspec.results.costs import Costs
from modelspec.results.evaluated import Evaluated
from modelspec.runs.history import is_number
from modelspec.runs.run import Run
from modelspec.runs.verdict import verdict

FORMS = ("html", "markdown")


def make_report(
    runs: "str | Path | Sequence[str | Path]",
    data: Data | None = None,
    *,
    form: str = "html",
    rows: int = MOST_ROWS,
    say: Say | None = None,
    warn: Warn | None = None,
) -> str:
    """Describe a run on one page, or compare several.

    Args:
        runs: The folder of a run, or a list of folders to compare.
        data: The data on which the model is evaluated, in the forms of ``evaluate``. By default
            it is the data of the run, if it still exists.
        form: ``html``, or ``markdown`` for a model card.
        rows: The largest number of samples for charts, 50,000 by default. Metrics use all samples.
        say: Receives notes: the arrays in use, and arrays that are unpacked to the disk.
        warn: Receives the warnings about the data.

    Returns:
        The text of the page. HTML needs no other file.

    Raises:
        RunError: A folder contains no run, or the extra ``report`` is not installed.
        SpecError: The data does not fit the model.
        ModelError: The model cannot be loaded.
        ValueError: The form is unknown, or there are no runs.

    Example:
        >>> import modelspec
        >>> spec = modelspec.load("specs/digits.yaml", ["training.epochs=2"])
        >>> run = modelspec.train(spec, "data/digits.npz")
        >>> modelspec.make_report(run.path).splitlines()[0]
        '<!doctype html>'
    """
    if form not in FORMS:
        raise ValueError(f"form is html or markdown, not {form}")
    folders = [runs] if isinstance(runs, str | Path) else list(runs)
    if not folders:
        raise ValueError("there are no runs to report")
    if form == "html":
        require_jinja()
    reports = [gather(folder, data, rows=rows, say=say, warn=warn) for folder in folders]
    if len(reports) == 1:
        return report_page(reports[0]) if form == "html" else report_markdown(reports[0])
    return comparison_page(reports) if form == "html" else comparison_markdown(reports)


def gather(
    folder: str | Path,
    data: Data | None = None,
    *,
    rows: int = MOST_ROWS,
    say: Say | None = None,
    warn: Warn | None = None,
) -> RunReport:
    """Return all facts for a page about a run; arguments as for ``make_report``."""
    run = Run.open(folder)
    record, history = run.record, run.history
    target = open_target(folder)
    source = target.source
    assert source is not None
    valid = source.require()
    notes: list[str] = []
    evaluated = _evaluated(target, record, data, notes, rows=rows, say=say, warn=warn)
    costs = _costs(source, notes)
    graph = with_measure(network(Target(source)), "params" if costs is None else "flops", costs)
    trained = tuple(head.output for head in source.heads if head.loss is not None)
    return RunReport(
        path=str(run.path),
        name=str(record.get("name") or run.path.name),
        description=str(valid.spec.description or ""),
        record=record,
        history=history,
        findings=tuple(verdict(history, record, trained)),
        outputs=trained,
        command=_command(run, record),
        spec_text=run.spec_path.read_text(encoding="utf-8", errors="replace"),
        spec_facts=spec_facts(valid),
        network=graph,
        costs=costs,
        evaluated=evaluated,
        warnings=tuple(source.check()),
        rates=_rates(source, record, history),
        notes=tuple(notes),
    )


def _evaluated(
    target: Target,
    record: Mapping[str, Any],
    data: Data | None,
    notes: list[str],
    *,
    rows: int,
    say: Say | None,
    warn: Warn | None,
) -> Evaluated | None:
    if data is None:
        own = [Path(path) for path in (record.get("arguments") or {}).get("data") or ()]
        if not own or not all(path.exists() for path in own):
            notes.append(
                "The data of the run does not exist any more, so the model was not evaluated."
            )
            return None
        data = own
    try:
        return evaluate_for_report(target, data, rows=rows, say=say, warn=warn)
    except RunError as error:
        notes.append(f"The model was not evaluated: {error}")
        return None


def _costs(source: ModelSpec, notes: list[str]) -> Costs | None:
    try:
        return estimate(Target(source))
    except LengthError:
        notes.append("Operations depend on unknown lengths, so layers are coloured by parameters.")
    except ModelError as error:
        notes.append(f"Operations are not known: {error}")
    return None


def _command(run: Run, record: Mapping[str, Any]) -> str:
    """Return the command that repeats the run."""
    arguments = record.get("arguments") or {}
    words = ["modelspec", "train", str(run.spec_path)]
    for option in ("data", "validation"):
        for path in arguments.get(option) or ():
            words += [f"--{option}", str(path)]
    return shlex.join(words)


def _rates(
    source: ModelSpec, record: Mapping[str, Any], history: Sequence[Mapping[str, Any]]
) -> dict[int, float]:
    """Return the learning rate in each epoch: as recorded, or as the spec sets it."""
    known = [row for row in history if is_number(row.get("learning_rate"))]
    recorded = {row["epoch"]: float(row["learning_rate"]) for row in known}
    if recorded:
        return recorded
    from modelspec.backend.training.rates import rates

    valid = source.require()
    samples = (record.get("data") or {}).get("samples") or 0
    return rates(valid, samples, [row["epoch"] for row in history])
