"""Strategies: the rules for loss weights, and their updates after each step."""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from modelspec.backend.loss_weights.gradients import gradient_of, product
from modelspec.backend.loss_weights.weighted_step import Balancer, Recompile, all_finite
from modelspec.language.loss_weights import EqualContribution, GradNorm, Uncertainty

_SMALLEST = 1e-3
_LOG_VARIANCES = (-20.0, 80.0)
"""Limits within which variances and weights are finite in float32."""

_EPSILON = 1e-5
"""Adam's epsilon for gradients of log-variances, which are near 1: smaller ones are rounding."""
_ROUNDING = 1e-5


class EqualContributionStep(Balancer):
    """Weights in inverse proportion to the running means of the losses, averaging 1."""

    def __init__(
        self, model: Any, outputs: Sequence[str], recompile: Recompile, settings: EqualContribution
    ) -> None:
        super().__init__(model, outputs, recompile)
        self.momentum = settings.momentum
        self.sums = self.state([0.0] * self.count, "running_sums")
        self.first = self.state([0.0] * self.count, "first_losses")

    def choose(self, losses: Any, tape: Any) -> tuple[Any, Any]:
        del tape
        sizes = tf.stop_gradient(tf.abs(losses))
        first = self.keep(self.first, self.at_first(sizes, self.first))
        sums = self.keep(self.sums, self.momentum * self.sums + (1 - self.momentum) * sizes)
        means = sums / (1 - self.momentum ** (self.steps + 1))
        # A head that cannot improve further must not take all weight from the others.
        return averaging_one(1 / tf.maximum(means, _SMALLEST * first)), losses


class UncertaintyStep(Balancer):
    """Kendall, Gal and Cipolla 2018: log-variances s, learned with the model.

    The sum of ``form * exp(-s) * loss + s / 2`` is minimized, where ``form`` is 1/2 for regression
    and 1 for classification. So a weight is ``form * exp(-s)``, and the gradient of s is 1/2 less
    the weighted loss.
    """

    def __init__(
        self,
        model: Any,
        outputs: Sequence[str],
        recompile: Recompile,
        settings: Uncertainty,
        forms: Sequence[float],
    ) -> None:
        super().__init__(model, outputs, recompile)
        self.forms = tf.constant(forms, tf.float32)
        self.fitted = settings.from_first_batch
        self.log_variances = self.learned([0.0] * self.count, "log_variances")
        self.optimizer = self.adam(settings.learning_rate, self.log_variances, _EPSILON)

    def choose(self, losses: Any, tape: Any) -> tuple[Any, Any]:
        del tape
        if self.fitted:
            # The value at which the gradient of s is 0.
            best = tf.math.log(2 * self.forms * tf.stop_gradient(tf.abs(losses)))
            started = self.at_first(tf.clip_by_value(best, *_LOG_VARIANCES), self.log_variances)
            self.keep(self.log_variances, started)
        return self.forms * tf.exp(-self.log_variances), losses

    def learn(self, losses: Any, weights: Any) -> None:
        gradient = 0.5 - weights * tf.abs(losses)
        self.optimizer.apply_gradients([(or_zero(gradient), self.log_variances)])
        self.log_variances.assign(tf.clip_by_value(self.log_variances, *_LOG_VARIANCES))
        self.keep(self.current, self.forms * tf.exp(-self.log_variances))

    def beside(self) -> Any:
        return tf.reduce_sum(self.log_variances) / 2


class GradNormStep(Balancer):
    """Chen et al. 2018, on the last layer that all heads share.

    ``G = weight * norm of the loss's gradient`` moves towards ``mean(G) * rate**alpha``, where the
    rate of a head is its loss divided by its first loss, relative to the mean of all heads; the
    weights are then scaled so that their sum is the number of heads. The paper starts with weights
    of 1 and adds to them, which suits losses of similar size; so weights are learned in units that
    make the first G equal.
    """

    def __init__(
        self,
        model: Any,
        outputs: Sequence[str],
        recompile: Recompile,
        settings: GradNorm,
        shared: Sequence[Any],
    ) -> None:
        super().__init__(model, outputs, recompile)
        self.alpha = settings.alpha
        self.fitted = settings.from_first_batch
        self.shared = shared
        self.first = self.state([1.0] * self.count, "first_losses")
        self.units = self.state([1.0] * self.count, "units")
        self.norms = self.state([1.0] * self.count, "gradient_norms")
        self.relative = self.learned([1.0] * self.count, "relative_weights")
        self.optimizer = self.adam(settings.learning_rate, self.relative)

    def choose(self, losses: Any, tape: Any) -> tuple[Any, Any]:
        norms = self._norms(losses, tape)
        self.keep(self.norms, norms)
        self.keep(self.first, self.at_first(tf.stop_gradient(losses), self.first))
        if self.fitted:
            self.keep(self.units, self.at_first(averaging_one(1 / norms), self.units))
        return self.relative * self.units, norms

    def _norms(self, losses: Any, tape: Any) -> Any:
        scale = self.model.optimizer.scale_loss(tf.constant(1.0))
        gradients = (
            self.total_gradients(gradient_of(tape, losses, head, self.shared, scale))
            for head in range(self.count)
        )
        norms = tf.sqrt(tf.stack([product(gradient, gradient) for gradient in gradients]))
        # If one of them overflowed, the others mean nothing either.
        return tf.where(all_finite(norms), norms, math.nan)

    def learn(self, losses: Any, weights: Any) -> None:
        pulls = weights * self.norms
        left = losses / self.first
        rates = left / tf.reduce_mean(left)
        targets = tf.reduce_mean(pulls) * rates**self.alpha
        # The gradient of |pull - target| where the target is held constant.
        apart = pulls - targets
        signs = tf.where(tf.abs(apart) > _ROUNDING * targets, tf.sign(apart), 0.0)
        gradient = signs * self.units * self.norms
        self.optimizer.apply_gradients([(or_zero(gradient), self.relative)])
        # The paper does not define a weight below zero.
        positive = tf.maximum(self.relative, _SMALLEST)
        sums = tf.reduce_sum(positive * self.units)
        self.keep(self.relative, positive * self.count / sums)
        self.keep(self.current, self.relative * self.units)


def averaging_one(weights: Any) -> Any:
    return weights / tf.reduce_mean(weights)


def or_zero(gradient: Any) -> Any:
    """Return zeros for a step whose float16 overflowed: it must not change the state."""
    return tf.where(all_finite(gradient), gradient, tf.zeros_like(gradient))
