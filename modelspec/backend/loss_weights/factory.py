"""Creation of the strategy that sets a model's loss weights during training."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from modelspec.backend.loss_weights.gradients import common_layer
from modelspec.backend.loss_weights.strategies import (
    EqualContributionStep,
    GradNormStep,
    UncertaintyStep,
)
from modelspec.backend.model.compiling import compile_model
from modelspec.backend.model.shared_weights import no_shared_weights
from modelspec.catalog.losses import is_regression
from modelspec.graph.heads import Head
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.loss_weights import (
    APART,
    BEST,
    Auto,
    EqualContribution,
    GradNorm,
    Uncertainty,
)
from modelspec.problems.diagnostic import Diagnostic


class Strategy(Protocol):
    """Trains a compiled model while it sets the weights of its losses.

    ``total_gradients`` sums gradients over the workers, if there are several. ``forward`` computes
    the outputs from the inputs of a batch: the model, or the rest of it from precomputed values.
    """

    total_gradients: Callable[[list[Any]], list[Any]]
    forward: Callable[..., Any]

    @property
    def variables(self) -> Sequence[Any]:
        """State beyond that of the model and its optimizer, for checkpoints."""

    def train_step(self, data: Any) -> Any:
        """Do what ``model.train_step`` does, in a TensorFlow function."""

    def weights(self) -> dict[str, float]:
        """The current weight of each trained output."""

    def finish(self) -> None:
        """Leave a plain Keras model, compiled with the current weights as numbers."""


def check_strategy(model: Any, valid: ValidSpec) -> list[Diagnostic]:
    """Report heads without a shared layer that has weights, which only the built model shows."""
    heads, graph = valid.heads, valid.graph
    outputs = _trained(heads)
    if not isinstance(valid.strategy, GradNorm) or common_layer(model, graph, outputs) is not None:
        return []
    return [no_shared_weights(outputs)]


def make_strategy(model: Any, valid: ValidSpec) -> Strategy | None:
    """Create the strategy of a spec without errors; None where its loss weights are numbers.

    The model is compiled already. Until ``finish``, its validation loss and saved models have the
    strategy's weights.
    """
    heads, graph = valid.heads, valid.graph
    settings = valid.strategy
    outputs = _trained(heads)
    recompile = partial(compile_model, model, valid, model.optimizer)
    if isinstance(settings, Auto):
        settings = APART() if common_layer(model, graph, outputs) is None else BEST()
    match settings:
        case None:
            return None
        case GradNorm():
            layer = common_layer(model, graph, outputs)
            assert layer is not None
            return GradNormStep(model, outputs, recompile, settings, layer.trainable_variables)
        case Uncertainty():
            forms = [
                0.5 if is_regression(head.loss) else 1.0 for head in heads if head.loss is not None
            ]
            return UncertaintyStep(model, outputs, recompile, settings, forms)
    assert isinstance(settings, EqualContribution)
    return EqualContributionStep(model, outputs, recompile, settings)


def _trained(heads: Sequence[Head]) -> list[str]:
    return [head.output for head in heads if head.loss is not None]
