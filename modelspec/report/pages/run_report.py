"""The report of a run: plain data from which pages are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelspec.problems.problem import Problem
from modelspec.results.costs import Costs
from modelspec.results.evaluated import Evaluated, Finding
from modelspec.results.network import Network


@dataclass(frozen=True, slots=True)
class RunReport:
    """All facts for a page about a run. ``evaluated`` is None without data.

    ``spec_facts`` are the values of the spec by path, ``rates`` the learning rates by epoch;
    ``command`` repeats the run.
    """

    path: str
    name: str
    description: str
    record: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]]
    findings: tuple[Finding, ...]
    outputs: tuple[str, ...]
    command: str
    spec_text: str
    spec_facts: Mapping[str, str]
    network: Network | None
    costs: Costs | None
    evaluated: Evaluated | None
    warnings: tuple[Problem, ...] = ()
    rates: Mapping[int, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
