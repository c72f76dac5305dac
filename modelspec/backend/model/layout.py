"""The weights of a model by layer, as in files of weights."""

from collections.abc import Mapping
from typing import Any

import keras

from modelspec.backend.keras_private import all_layers, learned_variables, saved_state
from modelspec.backend.model.recursion import with_deep_stack
from modelspec.data.concatenated import Array
from modelspec.results.weights import Weight

Values = Mapping[str, Mapping[str, Array]]
"""Values by the name of a layer, then by slot."""


def layout_of(model: Any) -> dict[str, tuple[Weight, ...]]:
    """Return the weights of each layer of a model, without random states; values are not needed."""
    learned = {id(variable) for layer in all_layers(model) for variable in learned_variables(layer)}
    indices = {id(variable): index for index, variable in enumerate(model.variables)}

    def weight(layer: str, slot: str, variable: Any) -> Weight:
        return Weight(
            name=variable.path.removeprefix(f"{layer}/"),
            slot=slot,
            shape=tuple(variable.shape),
            dtype=str(keras.backend.standardize_dtype(variable.dtype)),
            index=indices[id(variable)],
            learned=id(variable) in learned,
            frozen=id(variable) in learned and not variable.trainable,
        )

    return {
        layer: tuple(weight(layer, slot, variable) for slot, variable in slots.items())
        for layer, slots in _slots(model).items()
    }


def assign_weights(model: Any, values: Values) -> None:
    """Assign values to the weights of a built model; their shapes must fit."""
    slots = _slots(model)
    for layer, arrays in values.items():
        for slot, array in arrays.items():
            slots[layer][slot].assign(array)
    for layer in all_layers(model):
        # Normalization computes with values that it derived from its weights when it was built.
        if layer.name in values and isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def _slots(model: Any) -> dict[str, dict[str, Any]]:
    """Return the variables of each layer by slot; a layer without any is left out."""
    known = {id(variable) for variable in model.variables}
    known -= {id(state) for layer in all_layers(model) for state in _random_states(layer)}
    saved = with_deep_stack(lambda: saved_state(model.layers))
    kept = {
        layer.name: {slot: variable for slot, variable in slots.items() if id(variable) in known}
        for layer, slots in zip(model.layers, saved, strict=True)
    }
    return {name: slots for name, slots in kept.items() if slots}


def _random_states(layer: Any) -> list[Any]:
    """Return a layer's generator states, which come from the spec's seed, not from another run."""
    parts = vars(layer).values()
    return [part.state for part in parts if isinstance(part, keras.random.SeedGenerator)]
