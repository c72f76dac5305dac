"""The weights that a spec names: those of a run, a ``.keras`` file or a ``.weights.h5`` file."""

import shlex
from typing import Any

from modelspec.api.building import import_plugins
from modelspec.api.model_cache import remember_layout
from modelspec.api.model_spec import ModelSpec
from modelspec.api.reading import load
from modelspec.language.paths import folder_of, near_name, path_from
from modelspec.problems.diagnostic import Diagnostic, Route, has_errors
from modelspec.problems.errors import RunError
from modelspec.results.weights import Layout
from modelspec.runs.commands import resume_words
from modelspec.runs.layout import CHECKPOINTS, RECORD
from modelspec.runs.run import Run
from modelspec.weights.checkpoint import CheckpointWeights
from modelspec.weights.files import read_weight_file
from modelspec.weights.stored import Stored, WeightFileError, WeightSource

_FROM: Route = ("weights", "from")


def open_weights(source: ModelSpec) -> tuple[WeightSource | None, list[Diagnostic]]:
    """Return the weights that a spec starts from, as far as headers describe them."""
    assert source.spec is not None
    assert source.document is not None
    written = source.spec.weights.from_
    if written is None:
        return None, _without_file(source)
    path = path_from(folder_of(source.document), written)
    if not path.exists():
        hint = near_name(path) or "a path is relative to the spec; train --weights PATH replaces it"
        return None, [Diagnostic("weights-not-found", f"there is no {path}", _FROM, hint=hint)]
    try:
        if path.name == RECORD or (path / RECORD).exists():
            return _of_run(Run.open(path.parent if path.name == RECORD else path))
        return read_weight_file(path), []
    except (WeightFileError, RunError) as error:
        return None, [unusable(error)]


def _without_file(source: ModelSpec) -> list[Diagnostic]:
    assert source.spec is not None
    written = source.spec.weights
    hint = "from: a run, a .keras file or a .weights.h5 file; or train --weights PATH"
    return [
        Diagnostic(
            "missing-key", f"{key} also needs the key from", ("weights", key), "key", hint=hint
        )
        for key in ("rename", "skip")
        if getattr(written, key)
    ]


def unusable(error: Exception) -> Diagnostic:
    hint = getattr(error, "hint", None)
    return Diagnostic("weights-unreadable", str(error), _FROM, hint=hint)


def _of_run(run: Run) -> tuple[WeightSource | None, list[Diagnostic]]:
    """Return the final weights of a run; those of its last checkpoint if it did not end."""
    status = run.status
    if run.model_path.exists():
        return read_weight_file(run.model_path), []
    kept = sorted((run.path / CHECKPOINTS).glob("epoch-*.npz"), key=lambda file: file.stem)
    hint = f"modelspec {shlex.join(resume_words(run))} finishes it"
    if not kept:
        raise WeightFileError(f"the run {run.path} ({status}) has no model and no checkpoint", hint)
    layout = run_layout(run)
    slots = {name: {weight.slot: weight.index for weight in ws} for name, ws in layout.items()}
    headers = {
        name: {weight.slot: Stored(weight.shape, weight.dtype) for weight in ws}
        for name, ws in layout.items()
    }
    message = f"the run {run.path} did not end: its last checkpoint is used, {kept[-1].name}"
    warning = Diagnostic("unfinished-run", message, _FROM, severity="warning", hint=hint)
    return CheckpointWeights(headers, slots, kept[-1]), [warning]


def run_layout(run: Run) -> Layout:
    """Return the weights of a run's model, from the spec in its folder."""
    source = load(run.spec_path)
    if has_errors(source.diagnostics):
        raise WeightFileError(f"{run.spec_path} has errors, so the checkpoint cannot be read")
    return layout(source, light=True)


def layout(source: ModelSpec, *, light: bool = False) -> Layout:
    """Return the weights of a spec's model, computed without allocating one.

    Raises:
        SpecError: Keras refuses a layer.
    """
    valid = source.require()
    precision = valid.spec.training.precision

    def describe() -> Layout:
        from modelspec.backend.model.shapes import start_for

        start_for(valid.graph, precision, light=light and not valid.catalog.plugins)
        import_plugins(source)
        from modelspec.backend.model.compiling import build_model
        from modelspec.backend.model.layout import layout_of

        training = valid.spec.training
        model, problems = build_model(valid.graph, training, source.catalog, allocate=False)
        source.require(problems)
        return layout_of(model)

    return remember_layout(valid.graph, source.catalog, precision, describe)


def start_of(model: Any) -> Layout:
    """Return the weights of a built model."""
    from modelspec.backend.model.layout import layout_of

    return layout_of(model)
