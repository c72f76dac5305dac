"""Models on symbols: their layers create no weights, only the shapes of weights."""

import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import Any

import keras


def symbols_only() -> AbstractContextManager[Any]:
    """Return a scope in which layers create no weights, only their shapes, whatever their size."""
    scope: AbstractContextManager[Any] = keras.StatelessScope(initialize_variables=False)
    return scope


def model_of_config(config: Mapping[str, Any], *, symbols: bool = True) -> Any:
    """Return the model of a ``config.json``, in safe mode; with ``symbols``, without weights.

    Raises:
        Exception: Of any kind, where Keras refuses the config.
    """
    # Keras removes entries from its argument.
    shown = deepcopy({key: part for key, part in config.items() if key != "compile_config"})
    with symbols_only() if symbols else nullcontext(), warnings.catch_warnings(action="ignore"):
        return keras.saving.deserialize_keras_object(shown, safe_mode=True)
