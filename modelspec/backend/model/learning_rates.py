"""Parts of a model that learn more slowly than the rest: ``training.learning_rates``.

Keras's ``MultiOptimizer`` has an optimizer for each part, which not every supported Keras offers.
Here the one optimizer uses another learning rate for some weights, so that a saved model has a
plain optimizer of Keras, and schedules and callbacks change the rate of all parts together.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras

from modelspec.backend.keras_private import weight_decay
from modelspec.backend.model.nested import layers_inside, names_of
from modelspec.graph.freezing import unmatched
from modelspec.language.patterns import matching
from modelspec.problems.diagnostic import Diagnostic, Route

_ROUTE: Route = ("training", "learning_rates")


def check_rates(model: Any, rates: Mapping[str, float]) -> list[Diagnostic]:
    """Report patterns that match no layer, and layers with different factors from two patterns."""
    if not rates:
        return []
    layers = {name: names for name, names, _ in _layers(model)}
    known = list(dict.fromkeys(name for names in layers.values() for name in names))
    problems = [
        unmatched(pattern, known, (*_ROUTE, pattern), "key")
        for pattern in rates
        if not matching(pattern, known)
    ]
    for name, names in layers.items():
        matches = [pattern for pattern in rates if matching(pattern, names)]
        if len({rates[pattern] for pattern in matches}) > 1:
            message = f"{name} has two factors: {matches[0]} and {matches[1]} both match it"
            problems.append(Diagnostic("rate-set-twice", message, (*_ROUTE, matches[1]), "key"))
            break
    return problems


def scale_rates(optimizer: Any, model: Any, rates: Mapping[str, float]) -> None:
    """Make an optimizer that is not built yet scale the learning rate of some weights."""
    slower = [
        (variable, factor)
        for _, names, variables in _layers(model)
        if (factor := _factor(names, rates)) is not None
        for variable in variables
    ]
    if not slower:
        return
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    changes = {
        id(part): (factor, weight_decay(optimizer, variable))
        for variable, factor in slower
        # On TensorFlow, optimizers get the variable inside of Keras's variable.
        for part in (variable, variable.value)
    }
    if any(decay is not None for _, decay in changes.values()):
        # Keras computes the decay from the optimizer's own rate, and before the update, as here.
        optimizer.exclude_from_weight_decay(var_list=[variable for variable, _ in slower])
    update = optimizer.update_step

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        factor, decay = changes.get(id(variable), (None, None))
        if factor is None:
            update(gradient, variable, learning_rate)
            return
        rate = keras.ops.cast(learning_rate, "float32") * factor
        if decay is not None:
            step = keras.ops.cast(rate, variable.dtype) * keras.ops.cast(decay, variable.dtype)
            variable.assign(variable - variable * step)
        update(gradient, variable, rate)

    optimizer.update_step = update_step


def _factor(names: Iterable[str], rates: Mapping[str, float]) -> float | None:
    return next((rate for pattern, rate in rates.items() if matching(pattern, names)), None)


def _layers(model: Any) -> Iterator[tuple[str, list[str], list[Any]]]:
    """Yield each layer with weights, the names that patterns match, and its trained weights."""
    for name, layer in layers_inside(model):
        if layer.weights:
            yield name, names_of(name), layer.trainable_variables
