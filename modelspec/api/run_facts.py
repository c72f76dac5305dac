"""The facts about a training for the record of its run, and the files of its spec."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelspec.api.model_spec import ModelSpec
from modelspec.api.resume import all_overrides, refuse_other_spec
from modelspec.data.shards import Data, paths_of
from modelspec.runs.layout import SPEC
from modelspec.runs.machine import machine
from modelspec.runs.models import describe_models, keep_models
from modelspec.runs.plugins import keep_plugins
from modelspec.runs.run import Run


def spec_facts(source: ModelSpec) -> dict[str, Any]:
    """Return the facts about the spec and the machine for the record of a run."""
    spec = source.require().spec
    return {
        "name": source.name,
        "seed": spec.training.seed,
        "machine": machine(),
        "parameters": dict(spec.params),
        "models": describe_models(source.require().catalog.models.values()),
    }


def call_facts(
    data: Data, validation: Data | None, run: str | Path | None, *, resume: bool
) -> dict[str, Any]:
    """Return the arguments of this call for the record of a run."""
    return {
        "arguments": {
            "data": [str(path) for path in paths_of(data)],
            "validation": [str(path) for path in paths_of(validation or [])],
            "run": str(run) if run else None,
            "resume": resume,
        }
    }


def write_spec(source: ModelSpec, run: Run, known: Mapping[str, Any]) -> dict[str, Any]:
    """Write the spec of a run, and return the facts about it for the record.

    It is written before the record, which makes the folder a run that can be resumed.
    """
    facts = {
        "epochs": source.require().spec.training.epochs,
        "overrides": all_overrides(run, source.overrides),
    }
    text = source.resolved_text(run.path)
    refuse_other_spec(run, text)
    run.write(SPEC, text)
    keep_models(run, source.catalog.models.values(), known["models"])
    return facts | {"plugins": keep_plugins(run, source.catalog.plugins)}
