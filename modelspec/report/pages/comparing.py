"""The differences between runs, and the run with the best value of each metric."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from modelspec.report.pages.metrics import metric_rows
from modelspec.report.pages.run_report import RunReport

_HIGHER = (
    *("acc", "auc", "precision", "recall", "f1", "fbeta", "iou", "r2", "correlation", "cosine"),
    *("sensitivity", "specificity", "positives", "concordance"),
)
_LOWER = ("false", "loss")
_ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that is not the same in all runs."""

    path: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """A metric of a part of the data in each run; ``best`` has the places of the best ones."""

    output: str
    metric: str
    part: str
    values: tuple[float | None, ...]
    best: frozenset[int]


def run_names(reports: Sequence[RunReport]) -> list[str]:
    """Return a name for each run: its folder's, or the whole path if two are equal."""
    short = [report.path.rstrip("/").rpartition("/")[2] for report in reports]
    return short if len(set(short)) == len(short) else [report.path for report in reports]


def differences(reports: Sequence[RunReport]) -> list[Difference]:
    """Return the values that differ in the specs, settings and data of runs, not their spelling."""
    facts = [dict(_facts(report)) for report in reports]
    paths = dict.fromkeys(path for facts_of_run in facts for path in facts_of_run)
    rows = (
        Difference(path, tuple(facts_of_run.get(path, _ABSENT) for facts_of_run in facts))
        for path in paths
    )
    return [row for row in rows if len(set(row.values)) > 1]


def _facts(report: RunReport) -> Iterator[tuple[str, str]]:
    yield from report.spec_facts.items()
    record = report.record
    versions = record.get("versions")
    for name, version in versions.items() if isinstance(versions, dict) else ():
        yield f"version of {name}", str(version)
    for part in ("data", "validation"):
        held = record.get(part) or {}
        for name, digest in (held.get("sha256") or {}).items():
            yield f"{part} {name}, SHA-256", str(digest)[:12]
    yield "processors", str((record.get("machine") or {}).get("processors", _ABSENT))


def compared_metrics(reports: Sequence[RunReport]) -> list[Compared]:
    """Return every metric of some run, for each part of the data."""
    values_by_key: dict[tuple[str, str, str], dict[int, float]] = {}
    for place, report in enumerate(reports):
        for row in metric_rows(report):
            parts = {"training": row.training, "validation": row.validation, "test": row.test}
            for part, value in parts.items():
                if value is not None:
                    values_by_key.setdefault((row.output, row.metric, part), {})[place] = value
    return [
        Compared(
            *key,
            tuple(values.get(place) for place in range(len(reports))),
            _best(key[1], values) if len(reports) > 1 else frozenset(),
        )
        for key, values in values_by_key.items()
    ]


def _best(metric: str, values: Mapping[int, float]) -> frozenset[int]:
    known = [value for value in values.values() if math.isfinite(value)]
    if not known or min(known) == max(known):
        return frozenset()
    best = max(known) if is_higher_better(metric) else min(known)
    return frozenset(place for place, value in values.items() if value == best)


def is_higher_better(metric: str) -> bool:
    """Return True where a larger value of a metric is better, by its name."""
    plain = metric.replace("_", "")
    return not any(word in plain for word in _LOWER) and any(word in plain for word in _HIGHER)
