"""The meaning of a run's history, in plain words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelspec.results.evaluated import Finding
from modelspec.runs.history import VALIDATION, Best, best, is_number

_FIFTH = 5
_LEVEL = 0.01
_WORSE = 0.05
_DROWNED = 0.02
_FEW = 3


def verdict(
    records: Sequence[Mapping[str, Any]], run: Mapping[str, Any], outputs: Sequence[str]
) -> list[Finding]:
    """Return the findings of a run, from its ``history.jsonl`` and ``run.json``.

    ``outputs`` are the trained ones.
    """
    findings = [*_ending(run, records)]
    top = best(records)
    if top is None:
        return [*findings, Finding("warning", "No epoch has a finite loss.")]
    findings.append(_best(top, run, len(records)))
    findings += _trend(records, top)
    if len(outputs) > 1:
        findings += _drowning(records[-1], outputs)
    return findings


def _ending(run: Mapping[str, Any], records: Sequence[Any]) -> Iterator[Finding]:
    status, epochs = run.get("status"), run.get("epochs")
    if status == "failed":
        yield Finding("warning", f"The run failed: {run.get('error') or 'no reason is recorded'}")
    elif status != "completed":
        of = f" of {epochs}" if epochs else ""
        yield Finding("warning", f"The run is {status}: {len(records)}{of} epochs are finished.")
    reason = str(run.get("end_reason") or "")
    if reason.startswith("stopped early"):
        yield Finding("fact", f"Training {reason}, after {len(records)} of {epochs} epochs.")


def _best(top: Best, run: Mapping[str, Any], count: int) -> Finding:
    held = run.get("model_epoch")
    text = f"The best epoch is {top.epoch} of {count}, with a {top.name} of {top.value:.4g}."
    if held is None:
        return Finding("fact", text)
    if held == top.epoch:
        return Finding("good", f"{text} The model is of that epoch.")
    return Finding("fact", f"{text} The model is of epoch {held}.")


def _trend(records: Sequence[Mapping[str, Any]], top: Best) -> Iterator[Finding]:
    values = [(row["epoch"], row.get(top.name)) for row in records]
    known = [(epoch, float(value)) for epoch, value in values if is_number(value)]
    last = known[-1][1]
    if top.name != VALIDATION + "loss":
        yield Finding("fact", "There was no validation data, so nothing shows overfitting.")
    if len(known) < _FEW:
        yield Finding("fact", "The run is too short to tell a trend.")
        return
    overfitted = _overfitting(records, top, last)
    if overfitted:
        yield overfitted
        return
    span = max(1, len(known) // _FIFTH)
    before = min(value for _, value in known[:-span])
    gain = (before - top.value) / abs(before) if before else 0.0
    if top.epoch > known[-1 - span][0] and gain > _LEVEL:
        yield Finding(
            "warning",
            f"Still improving: {top.name} fell by {gain:.1%} in the last {_counted(span)}, so more "
            "epochs may help.",
        )
    else:
        yield Finding("good", f"{top.name} has levelled off: more epochs are unlikely to help.")


def _overfitting(records: Sequence[Mapping[str, Any]], top: Best, last: float) -> Finding | None:
    """Return a finding where the validation loss rose while the training loss still fell."""
    if top.name != VALIDATION + "loss" or last - top.value <= _WORSE * abs(top.value):
        return None
    [at_best] = [row for row in records if row["epoch"] == top.epoch][:1]
    then, now = at_best.get("loss"), records[-1].get("loss")
    if not (is_number(then) and is_number(now)) or now >= then:
        return None
    return Finding(
        "warning",
        f"Overfitted after epoch {top.epoch}: the training loss still fell ({then:.4g} to "
        f"{now:.4g}), but the validation loss rose ({top.value:.4g} to {last:.4g}). Stop there "
        "(EarlyStopping with restore_best_weights), or regularize more.",
    )


def _drowning(record: Mapping[str, Any], outputs: Sequence[str]) -> Iterator[Finding]:
    shares = {name: record.get(f"{name}_share") for name in outputs}
    known = {name: float(share) for name, share in shares.items() if is_number(share)}
    if not known:
        return
    largest = max(known, key=lambda name: known[name])
    drowned = [name for name, share in known.items() if share < _DROWNED]
    if drowned:
        yield Finding(
            "warning",
            f"{largest} makes up {known[largest]:.1%} of the loss, and {', '.join(drowned)} nearly "
            "nothing. `modelspec balance` measures better loss_weights.",
        )
    else:
        yield Finding(
            "good",
            f"No loss dominates: {largest} has the largest share, {known[largest]:.0%}.",
        )


def _counted(span: int) -> str:
    return "epoch" if span == 1 else f"{span} epochs"
