"""Resuming: the spec and data of a run, compared with those of the call."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from modelspec.api.model_spec import ModelSpec
from modelspec.api.reading import load
from modelspec.language.paths import folder_of, moved
from modelspec.problems.errors import RunError
from modelspec.runs.layout import SPEC
from modelspec.runs.machine import difference
from modelspec.runs.models import changed_models
from modelspec.runs.plugins import changed_plugins
from modelspec.runs.progress import Listener
from modelspec.runs.record import ALL_EPOCHS
from modelspec.runs.run import Run

Facts: TypeAlias = Mapping[str, Any]
"""The facts in ``run.json`` about the arrays of ``data`` and ``validation``: their SHA-256."""

_PARTS = {"data": "trained", "validation": "validated"}


def resumable(
    run: Run, source: ModelSpec, facts: Facts, listener: Listener, *, resume: bool
) -> ModelSpec:
    """Return the spec with which a run starts or continues.

    A run continues only with its own spec and data. The number of epochs can be larger; decisions
    such as ``jit`` are those of the run.

    Raises:
        RunError: The folder contains another run, or ``resume`` is false and it contains a run.
    """
    if not run.exists():
        if resume:
            listener.note(f"{run.path} contains no run yet, so a new run starts")
        return source
    if not resume:
        raise RunError(f"{run.path} already contains a run: resume it, or use another folder")
    for text in changed_plugins(run, source.catalog.plugins):
        listener.warn(text)
    source = _with_epochs(run, source, listener)
    training = source.require().spec.training
    models = _moved_models(run, source)
    written = load(run.spec_path, [f"training.epochs={training.epochs}", *models])
    written = written.with_training(devices=training.devices)  # the devices of this machine
    source = _as_decided(source, written)
    if written.resolved_text(run.path) != source.resolved_text(run.path):
        raise RunError(f"the spec differs from the spec of the run {run.path}: compare its {SPEC}")
    _refuse_changed_models(run, facts)
    _refuse_more_epochs(run, written)
    for part, verb in _PARTS.items():
        if not _same(run, facts, part):
            raise RunError(f"the {part} differs from the {part} that {run.path} was {verb} on")
    if differs := difference(_computed_on(run.record, facts), _computed_on(facts, facts)):
        listener.warn(f"the last digits may differ from those of an uninterrupted run: {differs}")
    return source


def from_checkpoint(source: ModelSpec, listener: Listener) -> ModelSpec:
    """Return the spec of a run whose checkpoint has all weights; report missing files."""
    for model in source.catalog.models.values():
        if not model.path.exists():
            listener.note(
                f"{model.path}, the model {model.name}, does not exist any more: "
                "its weights come from the checkpoint"
            )
    return source.with_restored_models()


def _computed_on(record: Facts, facts: Facts) -> dict[str, str | int]:
    """Return the machine of a record, and how many workers or devices share a batch."""
    counts = {name: record.get(name, 1) for name in ("workers", "devices")}
    return {**(record.get("machine") or facts["machine"]), **counts}


def _moved_models(run: Run, source: ModelSpec) -> list[str]:
    """Return overrides with the current paths of models for the run's own spec."""
    valid = source.require()
    own = folder_of(valid.document)
    return [
        f"models.{name}.path={json.dumps(moved(model.path, own, run.path))}"
        for name, model in valid.spec.models.items()
        if model.path is not None
    ]


def _refuse_changed_models(run: Run, facts: Facts) -> None:
    """Refuse to continue with other models than the run started with.

    Raises:
        RunError: A file differs from that of the run's record.
    """
    for name in changed_models(run, facts.get("models")):
        then, now = run.record["models"][name]["path"], facts["models"][name]["path"]
        raise RunError(
            f"the model {name} ({now}) is not the file that {run.path} was trained with: "
            f"its SHA-256 differs from the SHA-256 of {then}"
        )


def _as_decided(source: ModelSpec, written: ModelSpec) -> ModelSpec:
    """Return the spec with the decisions of a run, where it says ``auto``."""
    asked, decided = (spec.require().spec.training for spec in (source, written))
    changes = {
        key: getattr(decided, key) for key in ("jit", "precompute") if getattr(asked, key) == "auto"
    }
    return source.with_training(**changes) if changes else source


def all_overrides(run: Run, overrides: Sequence[str]) -> list[str]:
    """Return the overrides of a run since it started, in the order in which they apply.

    A run can continue with its own spec, which needs no override again.
    """
    before = run.record.get("overrides", []) if run.exists() else []
    return [*(text for text in before if text not in overrides), *overrides]


def takes_more_epochs(run: Run) -> bool:
    """Return True where a finished run would train longer with more epochs."""
    training = load(run.spec_path).require().spec.training
    ended = run.record.get("end_reason", ALL_EPOCHS) == ALL_EPOCHS
    return ended and not any(map(_swaps_at_the_end, training.callbacks))


def _refuse_more_epochs(run: Run, source: ModelSpec) -> None:
    """Refuse to extend a run whose last epoch would differ in a longer run.

    Raises:
        RunError: A callback replaced the weights because the epoch was the last.
    """
    training, done = source.require().spec.training, len(run.history)
    was_last = run.record.get("epochs") == done < training.epochs
    if was_last and any(_swaps_at_the_end(callback) for callback in training.callbacks):
        raise RunError(
            f"{run.path} cannot train more epochs: at the end of its last epoch ({done:,}), "
            "SwapEMAWeights replaced the weights by their averages"
        )


def _swaps_at_the_end(callback: Any) -> bool:
    match callback:
        case {"SwapEMAWeights": {"swap_on_epoch": bool(swaps)}}:
            return swaps
    return False


def _with_epochs(run: Run, source: ModelSpec, listener: Listener) -> ModelSpec:
    """Return the spec with the run's epochs, if it has fewer and no option sets them."""
    asked = source.require().spec.training.epochs
    own = load(run.spec_path).require().spec.training.epochs
    if asked >= own:
        return source
    if not _is_option(source, "training", "epochs"):
        listener.note(
            f"continuing to the {own:,} epochs of {run.path}; --epochs changes the number"
        )
        return source.with_training(epochs=own)
    done = max((line["epoch"] for line in run.history), default=0)
    if asked < done:
        raise RunError(f"{run.path} already has {done:,} epochs, more than {asked:,}")
    return source


def _is_option(source: ModelSpec, *route: str) -> bool:
    document = source.require().document
    return document.locate(route).file != document.name


def _same(run: Run, facts: Facts, part: str) -> bool:
    then, now = ((facts_of.get(part) or {}).get("sha256") for facts_of in (run.record, facts))
    return bool(then == now)


def warn_of_other_data(source: ModelSpec, facts: Facts, listener: Listener) -> None:
    """Warn if the spec comes from a run and the data is not the data of that run."""
    document = source.require().document
    path = Path(document.name)
    origin = Run(path.parent)
    if path.name != SPEC or not origin.exists():
        return
    for name in changed_models(origin, facts.get("models")):
        listener.warn(f"the model {name} differs from the one that {origin.path} was trained with")
    for part, verb in _PARTS.items():
        if not _same(origin, facts, part):
            listener.warn(f"the {part} differs from the {part} that {origin.path} was {verb} on")


def refuse_other_spec(run: Run, text: str) -> None:
    """Refuse to overwrite a ``spec.yaml`` that a user wrote into the folder.

    An interrupted start leaves the same text, which is allowed.

    Raises:
        RunError: The folder contains no run, but another ``spec.yaml``.
    """
    if run.exists() or not run.spec_path.exists():
        return
    if run.spec_path.read_bytes() != text.encode():
        raise RunError(
            f"{run.spec_path} does not belong to a run and would be overwritten: use another folder"
        )
