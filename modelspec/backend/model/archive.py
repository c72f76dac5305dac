"""The graph of a ``.keras`` file, without its weights."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from modelspec.backend.model.recursion import with_deep_stack
from modelspec.backend.model.symbols import model_of_config


def symbolic_model(config: dict[str, Any]) -> Any:
    """Return the model of a ``config.json``, in safe mode, without memory for weights.

    Raises:
        ValueError: It is not a functional or sequential model; Keras raises other types too.
    """
    model = with_deep_stack(partial(model_of_config, config))
    if not getattr(model, "inputs", None):
        raise ValueError("it is not a functional or sequential model")
    return model


def losses_of(config: dict[str, Any], outputs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the loss and its weight by output, as they were passed to ``compile``."""
    compiled = config.get("compile_config")
    names = list(outputs)
    if not isinstance(compiled, dict):
        return {}
    losses = _by_output(compiled.get("loss"), names)
    weights = _by_output(compiled.get("loss_weights"), names)
    return {
        name: (f"loss: {_loss_name(losses[name])}", f"weight: {_number(weights.get(name))}")
        for name in names
        if losses.get(name) is not None
    }


def _by_output(value: Any, names: list[str]) -> dict[str, Any]:
    if isinstance(value, dict) and "class_name" not in value:
        return value
    if isinstance(value, list | tuple):
        return dict(zip(names, value, strict=False))
    return dict.fromkeys(names, value) if len(names) == 1 or value is None else {}


def _loss_name(loss: Any) -> str:
    if not isinstance(loss, dict):
        return str(loss)
    config = loss.get("config")
    # A loss that was passed by name is stored as Keras's function of that name.
    return config if isinstance(config, str) else str(loss.get("class_name"))


def _number(weight: Any) -> str:
    return f"{weight:g}" if isinstance(weight, int | float) else "1"
