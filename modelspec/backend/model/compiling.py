"""Graph and heads → a compiled Keras functional model."""

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import keras

from modelspec.backend.keras_private import MissingPartError, build_metrics
from modelspec.backend.model.assembly import assemble, dtype_policy
from modelspec.backend.model.failed_layer import all_frames, failed_layer, first_error
from modelspec.backend.model.functional import make_functional
from modelspec.backend.model.keras_errors import error_text
from modelspec.backend.model.learning_rates import check_rates, scale_rates
from modelspec.backend.model.model_io import output_names
from modelspec.backend.model.needed_memory import refuse_need, weights_within
from modelspec.backend.model.objects import is_own, make
from modelspec.backend.model.output_problems import check_outputs
from modelspec.backend.model.recursion import with_deep_stack
from modelspec.backend.model.symbols import symbols_only
from modelspec.catalog import Catalog, Family
from modelspec.graph.graph import Graph
from modelspec.graph.naming import snake_case
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.spec import Spec
from modelspec.language.training import Training
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic
from modelspec.problems.errors import ModelError, StepError
from modelspec.storage.memory import free_memory


def build_model(
    graph: Graph, training: Training, catalog: Catalog, *, allocate: bool = True
) -> tuple[Any, list[Diagnostic]]:
    """Build a Keras functional model with new weights, drawn from the spec's seed.

    With ``allocate`` False it has no weights, only their shapes, whatever its size.
    """

    def build() -> tuple[Any, list[Diagnostic]]:
        if allocate:
            keras.utils.set_random_seed(training.seed)
        room = weights_within(free_memory()) if allocate else symbols_only()
        with dtype_policy(training.precision), room:
            assembly = assemble(graph, catalog)
            if problems := check_outputs(graph, assembly):
                return None, problems
            model = make_functional(graph, assembly)
            return model, check_rates(model, training.learning_rates)

    return with_deep_stack(build)


def compile_model(
    model: Any,
    valid: ValidSpec,
    optimizer: Any = None,
    *,
    weights: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Compile a model with its optimizer, losses, weights and metrics, matched to outputs here.

    An ``optimizer`` that is passed keeps its state; ``weights`` replace those of the heads.
    """
    heads, catalog = valid.heads, valid.catalog
    losses = {head.output: make_loss_or_metric(catalog, "loss", head.loss) for head in heads}
    metrics, weighted_metrics = (_metrics(valid, weighted=weighted) for weighted in (False, True))
    factors = {head.output: weights.get(head.output, head.weight) for head in heads}
    weighted = any(factor != 1.0 for factor in factors.values())
    kept = optimizer is not None
    if not kept:
        optimizer = _optimizer(valid.spec, catalog)
        scale_rates(optimizer, model, valid.spec.training.learning_rates)
    model.compile(
        optimizer=optimizer,
        # Without any loss, the losses that layers add are the total.
        loss=in_form(model, losses) if any(loss is not None for loss in losses.values()) else None,
        loss_weights=in_form(model, factors) if weighted else None,
        metrics=in_form(model, metrics),
        weighted_metrics=in_form(model, weighted_metrics)
        if any(weighted_metrics.values())
        else None,
        # The engine compiles the steps, if the spec wants that; Keras's own loop never runs.
        jit_compile=False,
    )
    if not kept:
        refuse_need(model, lambda: _optimizer(valid.spec, catalog), free_memory())
        model.optimizer.build(model.trainable_variables)


def _metrics(valid: ValidSpec, *, weighted: bool) -> dict[str, list[Any]]:
    """Return the metrics of each output: those that use weights of samples, or the others."""
    return {
        head.output: [
            make_loss_or_metric(valid.catalog, "metric", metric.value)
            for metric in head.metrics
            if metric.weighted == weighted
        ]
        for head in valid.heads
    }


def compile_as_spec(model: Any, valid: ValidSpec) -> None:
    """Compile a loaded model by the spec of its run, instead of the settings in its file.

    Weights that a strategy set during training stay as in the file.
    """
    config = model.get_compile_config() or {}
    kept = config.get("loss_weights")
    weights = _by_output(model, kept) if valid.strategy is not None and kept else {}
    compile_model(model, valid, weights=weights)


def _by_output(model: Any, values: Any) -> dict[str, float]:
    """Return values in the form of ``compile``, by the outputs' public names."""
    if isinstance(values, Mapping):
        return dict(values)
    several = values if isinstance(values, list) else [values]
    return dict(zip(output_names(model), several, strict=True))


def build_losses(model: Any, batch: Any) -> None:
    """Create the variables of losses and metrics, on symbols, for a batch in the form of ``fit``.

    Raises:
        StepError: Keras cannot call a layer.
        ModelError: Keras cannot compute one of them from the outputs and targets.
    """
    try:
        with all_frames():
            build_metrics(model, batch)
    except MissingPartError:
        raise
    except Exception as error:  # metrics raise any type for wrong shapes
        first = first_error(error)
        why = error_text(first)
        if (layer := failed_layer(first, model)) is not None:
            raise StepError(f"Keras cannot call it: {why}", layer) from error
        raise ModelError(f"a loss or a metric does not fit its output and target: {why}") from error


def in_form(model: Any, values: Mapping[str, Any]) -> Any:
    """Return one value for each output in the form of the outputs, by which Keras matches them."""
    if isinstance(model.output, dict):
        return dict(values)
    several = list(values.values())
    return several if len(several) > 1 else several[0]


def _optimizer(spec: Spec, catalog: Catalog) -> Any:
    """Create the optimizer, with a scaled loss where float16 would lose small gradients.

    Keras would also scale it automatically, but not save that: the saved model could not be loaded.
    """
    optimizer = make(catalog, "optimizer", spec.optimizer)
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    if spec.training.precision == "mixed_float16" and not scaled:
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def make_loss_or_metric(catalog: Catalog, family: Family, value: Any) -> Any:
    """Create a loss or metric; names that Keras knows stay names, because its logs repeat them.

    So do names that only ``compile`` knows: the meaning of ``acc`` depends on the shapes.
    """
    if value is None:
        return None
    module = keras.losses if family == "loss" else keras.metrics
    if isinstance(value, str):
        entry = catalog.find(family, value)
        if is_own(catalog, family, value):
            return make(catalog, family, value, **_own_name(catalog, family, value))
        if entry is None or not hasattr(module, entry.name):
            return value
        with suppress(ValueError):
            module.get(value)
            return value
    return make(catalog, family, value, **_own_name(catalog, family, value))


def _own_name(catalog: Catalog, family: Family, value: Any) -> dict[str, str]:
    """Return the name that Keras gives a class's first unnamed metric: the second is ``auc_1``.

    So the names in logs do not depend on earlier models of the process.
    """
    written = Written.read(value)
    entry = catalog.find(family, written.name) if written else None
    if family != "metric" or written is None or entry is None or "name" in written.arguments:
        return {}
    unnamed = "name" in entry.arguments and entry.arguments["name"].default == "None"
    return {"name": snake_case(entry.name)} if unnamed else {}
