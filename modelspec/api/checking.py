"""Checks of a spec by Keras: its objects, shapes, losses and metrics, with and without data."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from modelspec.api.building import import_plugins
from modelspec.api.check_cache import ShapeCheck, remember_shapes, remember_trial
from modelspec.api.spec_data import has_validation_part, load_data, with_classes
from modelspec.catalog.losses import outputs_of_ids
from modelspec.checks.monitors import check_without_validation
from modelspec.graph.graph import Graph
from modelspec.graph.heads import sound_heads
from modelspec.graph.sound_part import is_touched, sound_part, without_followers
from modelspec.language.loss_weights import GradNorm, read_strategy
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import Diagnostic, has_errors
from modelspec.results.output import Output
from modelspec.storage.memory import total_memory

VALIDATION_DATA = "validation data: "
"""The beginning of messages about the data for validation."""

if TYPE_CHECKING:
    from modelspec.api.model_spec import ModelSpec
    from modelspec.data.dataset import Dataset
    from modelspec.data.shards import Data, Say


def check_spec(
    source: "ModelSpec",
    data: "Data | None",
    *,
    fast: bool,
    light: bool,
    say: "Say | None",
) -> list[Diagnostic]:
    """Return all problems of a spec and of data; arguments as for ``ModelSpec.check``."""
    problems = list(source.diagnostics)
    outputs: dict[str, Output] = {}
    graph, spec = source.graph, source.spec
    if graph is None or spec is None:
        return problems
    if not fast:
        outputs, refused = _try_objects(source, graph, spec, light=light)
        problems += refused
    if data is not None:
        known = replace(source, diagnostics=tuple(problems))
        of_data = _check_data(known, data, outputs, fast=fast, light=light, say=say)
        problems = [*without_followers(graph, problems, of_data), *of_data]
    return problems + _try_start(source, graph, problems, data, fast=fast, light=light)


def _check_data(
    source: "ModelSpec",
    data: "Data",
    outputs: Mapping[str, Output],
    *,
    fast: bool,
    light: bool,
    say: "Say | None",
) -> list[Diagnostic]:
    """Return the problems of data for training, without those of the spec alone."""
    from modelspec.checks.splits import check_accumulation, check_split

    dataset, problems = load_data(source, data, say=say, announce=False)
    # An array that is missing because its name is wrong elsewhere is the same mistake.
    unknown = [other for other in source.diagnostics if other.code == "unknown-name"]
    wrong = {(other.route, other.anchor) for other in unknown}
    problems = [
        problem
        for problem in problems
        if problem.code != "missing-array" or (problem.route, problem.anchor) not in wrong
    ]
    if dataset is None:
        return problems
    known = replace(source, diagnostics=(*source.diagnostics, *problems))
    problems += check_dataset(known, dataset, outputs, fast=fast, light=light)
    split = source.spec.training.validation_split if source.spec else 0.0
    if source.spec:
        problems += check_accumulation(source.spec, dataset.samples)
    if has_validation_part(source, data):
        seen = {(problem.code, problem.route) for problem in problems}
        held = _check_validation_part(known, data, dataset, outputs, fast=fast, light=light)
        problems += [problem for problem in held if (problem.code, problem.route) not in seen]
    elif source.spec:
        problems += check_split(source.spec, source.heads, dataset)
        problems += [] if split else check_without_validation(source.spec, source.catalog)
    return problems


def _check_validation_part(
    source: "ModelSpec",
    data: "Data",
    trained: "Dataset",
    outputs: Mapping[str, Output],
    *,
    fast: bool,
    light: bool,
) -> list[Diagnostic]:
    """Return the problems of the validation part of a file, apart from those about scales."""
    from modelspec.checks.scale import SCALE_CODES

    # The training part numbers the classes.
    source = with_classes(source, trained.classes)
    held, problems = load_data(source, data, "validation", announce=False)
    if held is None:
        return problems
    known = replace(source, diagnostics=(*source.diagnostics, *problems))
    judged = check_dataset(known, held, outputs, fast=fast, light=light)
    return problems + [
        replace(problem, message=f"{VALIDATION_DATA}{problem.message}")
        for problem in judged
        if problem.code not in SCALE_CODES
    ]


def check_dataset(
    source: "ModelSpec",
    dataset: "Dataset",
    outputs: Mapping[str, Output],
    *,
    targets: bool = True,
    fast: bool = False,
    light: bool = False,
) -> list[Diagnostic]:
    """Compare arrays with the graph, and compute its shapes again with the lengths of the data.

    Args:
        source: The spec.
        dataset: The arrays.
        outputs: The outputs of the graph.
        targets: Check targets and sample weights too, and try each loss and metric.
        fast: Skip the checks that need Keras.
        light: Allow Keras to start on JAX, which is faster. The process cannot train then.
    """
    from modelspec.checks.data import check_data
    from modelspec.checks.reach import pace_of

    assert source.graph is not None
    assert source.spec is not None
    heads = source.heads if targets else ()
    problems = check_data(
        source.graph, heads, dataset, outputs, pace_of(source.spec, dataset.samples)
    )
    if fast:
        return problems
    precision = source.spec.training.precision
    sound = sound_part(source.graph, [*source.diagnostics, *problems])
    unknown = any(None in entry.shape for entry in sound.inputs.values())
    if unknown and not is_touched(("inputs",), problems):
        from modelspec.backend.model.shapes import check_lengths, start_for

        start_for(sound, precision, light=light and not source.catalog.plugins)
        import_plugins(source)
        outputs, too_short = check_lengths(sound, source.catalog, dataset, precision)
        problems += too_short
    if targets and source.heads and not is_touched(("inputs",), problems):
        problems += _try_heads(source, dataset, outputs, problems, light=light)
    return problems


def _try_objects(source: "ModelSpec", graph: Graph, spec: Spec, *, light: bool) -> ShapeCheck:
    """Return Keras's problems with layers, calls and all other objects without errors."""
    sound = sound_part(graph, source.diagnostics)
    failed = [problem.route for problem in source.diagnostics if problem.severity == "error"]
    memory = total_memory()

    def judge() -> ShapeCheck:
        from modelspec.backend.model.shapes import Purpose, check_shapes, start_for

        start_for(sound, spec.training.precision, light=light and not source.catalog.plugins)
        import_plugins(source)
        from modelspec.backend.model.dry_run import dry_run_objects

        trained = [head.output for head in source.heads if head.loss is not None]
        strategy, _ = read_strategy(spec.loss_weights, [head.output for head in source.heads])
        reported = any(problem.code == "no-shared-layers" for problem in source.diagnostics)
        purpose = Purpose(
            rates=spec.training.learning_rates,
            outputs=trained,
            adds_loss=source.adds_loss,
            sharing=trained if isinstance(strategy, GradNorm) and not reported else (),
            optimizer=spec.optimizer,
            memory=memory,
        )
        outputs, problems = check_shapes(sound, source.catalog, spec.training.precision, purpose)
        return outputs, problems + dry_run_objects(spec, source.heads, source.catalog, failed)

    objects = repr((source.heads, spec.optimizer, spec.loss_weights, spec.training, failed, memory))
    return remember_shapes(sound, source.catalog, objects, judge)


def _try_heads(
    source: "ModelSpec",
    dataset: "Dataset",
    outputs: Mapping[str, Output],
    problems: Sequence[Diagnostic],
    *,
    light: bool,
) -> list[Diagnostic]:
    """Return Keras's problems with each loss and metric on symbols of its output and target."""
    from modelspec.data.batches import sample_types

    assert source.graph is not None
    assert source.spec is not None
    graph, training = source.graph, source.spec.training
    heads = sound_heads(source.heads, source.diagnostics)
    names = [head.output for head in heads if not is_touched(head.route, problems)]
    targets, weights = sample_types(dataset, names, training.class_weights, outputs_of_ids(heads))

    def judge() -> list[Diagnostic]:
        from modelspec.backend.model.shapes import start_for

        start_for(graph, training.precision, light=light and not source.catalog.plugins)
        import_plugins(source)
        from modelspec.backend.model.trial_step import try_heads

        return try_heads(heads, outputs, targets, weights, source.catalog)

    facts = repr((heads, outputs, targets, weights, training.precision, light))
    return remember_trial(source.catalog, facts, judge)


def _try_start(
    source: "ModelSpec",
    graph: Graph,
    problems: Sequence[Diagnostic],
    data: "Data | None",
    *,
    fast: bool,
    light: bool,
) -> list[Diagnostic]:
    """Return the problems of the weights that the layers start from."""
    written = source.starts_from_weights
    frozen = any(node.options.get("trainable", True) is not True for node in graph.nodes)
    if not written and not frozen:
        return []
    from modelspec.api.starting_weights import plan_start
    from modelspec.api.weight_sources import layout, open_weights

    if fast or has_errors(problems):
        return open_weights(source)[1] if written else []
    return plan_start(source, layout(source, light=light), data).problems
