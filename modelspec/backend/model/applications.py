"""The models of ``keras.applications`` as layers, with their weights from Keras's own cache."""

from collections.abc import Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import keras

from modelspec.backend.keras_private import intercepted_downloads, is_without_values, keras_home
from modelspec.catalog import Entry

IMAGENET = "imagenet"


class MissingWeightsError(ValueError):
    """Trained weights that are not in Keras's cache and cannot be downloaded."""

    def __init__(self, place: Path, origin: str, why: str) -> None:
        super().__init__(f"{place} does not exist, and cannot be downloaded: {why}")
        self.hint = f"put {origin} there, or write weights: null"


class _Asked(Exception):  # noqa: N818 - not an error: the model is valid
    pass


def make_application(entry: Entry, arguments: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """Make a model of ``keras.applications``; without values, its weights are not looked for.

    Raises:
        MissingWeightsError: The weights are not in Keras's cache, and there is no network.
    """
    function = getattr(keras.applications, entry.name)
    plain = {key: _plain(value) for key, value in arguments.items()}
    with _policy(options.get("dtype")):
        model = _made(function, plain)
    # Keras chooses the blocks and the weights of some models by their name (EfficientNetV2).
    model.name = options.get("name", model.name)
    return model


def _made(function: Any, arguments: Mapping[str, Any]) -> Any:
    if arguments.get("weights", IMAGENET) is None:
        return function(**arguments)
    if is_without_values():
        return _without_values(function, arguments)
    return _with_weights(function, arguments)


def _without_values(function: Any, arguments: Mapping[str, Any]) -> Any:
    """Return the same model with new weights, after Keras accepted the arguments."""

    def asked(_name: str, _origin: str) -> None:
        raise _Asked

    try:
        with intercepted_downloads(asked):
            function(**arguments)
    except _Asked:
        pass
    return function(**{**arguments, "weights": None})


def _with_weights(function: Any, arguments: Mapping[str, Any]) -> Any:
    wanted: list[tuple[str, str]] = []
    with intercepted_downloads(lambda name, origin: wanted.append((name, origin))):
        try:
            return function(**arguments)
        except Exception as error:
            place = keras_home() / "models" / wanted[-1][0] if wanted else None
            if place is None or place.exists():
                raise
            # Keras repeats the address, which is in the hint.
            why = " ".join(str(error).rpartition(" -- ")[2].split())[:200]
            raise MissingWeightsError(place, wanted[-1][1], why) from error


def preprocess(entry: Entry, tensor: Any) -> Any:
    """Apply the ``preprocess_input`` of a model as operations on a symbolic tensor."""
    assert entry.module is not None
    return import_module(entry.module).preprocess_input(tensor)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@contextmanager
def _policy(dtype: Any) -> Any:
    if dtype is None:
        yield
        return
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
