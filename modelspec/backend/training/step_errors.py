"""Errors of TensorFlow in a step: the reason, and the layer in which it happened."""

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeVar

import tensorflow as tf

from modelspec.backend.keras_private import MissingPartError, graph_nodes
from modelspec.backend.model.failed_layer import all_frames, failed_in_optimizer, failed_layer
from modelspec.backend.model.keras_errors import error_text, without_devices
from modelspec.backend.model.operations import operation_name
from modelspec.problems.errors import StepError

T = TypeVar("T")

_LONGEST = 400
_FRAME = re.compile(
    r"Graph execution error:|Detected at node |Stack trace |\d+ root error|.*most recent call last"
    r"|File \"|\[\[\{\{node |<class |\t*\[\[|\(1\) |Hint: "
)
"""Beginnings of lines that state the origin of an error instead of its reason."""

_OPERATION_FRAME = re.compile(r"keras/src/backend/tensorflow/\w+\.py\", line \d+, in (\w+)")

_HINTS: dict[type[Exception], str] = {
    tf.errors.ResourceExhaustedError: "a smaller training.batch_size needs less memory",
}


_CHANNELS_FIRST = (
    "on a CPU, data_format: channels_first needs oneDNN, which TF_ENABLE_ONEDNN_OPTS=0 turns off"
)
"""The remedy: with oneDNN, all of Keras's layers train in this format (TensorFlow 2.21)."""


def reason(error: Exception) -> str:
    """Return the message of TensorFlow or Keras, without stack frames."""
    text_before_frames = re.split(r"(?<=\w)\s*\nTraceback \(", str(error))[0]
    lines = (line.strip() for line in text_before_frames.splitlines())
    said = [line for line in lines if line and not _FRAME.match(line)]
    text = " ".join(" ".join(said).split())
    text = without_devices(text)
    text = re.sub(r"^\(0\)\s*|^[A-Z_]+: ", "", text).strip()
    return text[:_LONGEST] or f"it gives no reason for {type(error).__name__}"


def layer_of(error: Exception, model: Any) -> str | None:
    """Return the name of the layer of an error's node, if the error names a node."""
    path = _node(error)
    return (layer_on(path, model) or _operation(error, model)) if path else None


def _operation(error: Exception, model: Any) -> str | None:
    """Return the only operation of a model whose function is in the stack of a node.

    Keras gives the nodes of operations no scope of their own.
    """
    functions = set(_OPERATION_FRAME.findall(str(error)))
    named: list[str] = []
    with suppress(MissingPartError):  # only functional models have nodes
        named = [
            node.operation.name
            for node in graph_nodes(model)
            if (operation_name(node.operation) or "").rpartition(".")[2] in functions
        ]
    return named[0] if len(named) == 1 else None


def _node(error: Exception) -> list[str]:
    node = re.search(r"Detected at node (\S+)|\{\{node (\S+?)\}\}", str(error))
    return (node[1] or node[2]).split("/") if node else []


def _in_optimizer(error: Exception, model: Any) -> bool:
    # The second optimizer of a process is rm_sprop_1, and its nodes may have a number more or less.
    name = _without_number(getattr(getattr(model, "optimizer", None), "name", "")).replace("_", "")
    steps = (_without_number(step).replace("_", "") for step in _node(error))
    return bool(name) and name in steps


def layer_on(path: Iterable[str], model: Any) -> str | None:
    """Return the layer in the scopes of a node, if it is a layer of the model.

    TensorFlow adds the same number to the scopes of a model and its layers at each trace.
    """
    names = {layer.name for layer in model.layers}
    number = ""
    for step in path:
        trace = re.fullmatch(re.escape(model.name) + r"(_\d+)", step)
        if trace is not None:
            number = trace[1]
        candidates = (step.removesuffix(number) if number else step, step, _without_number(step))
        layer = next((name for name in candidates if name in names), None)
        if layer is not None:
            return layer
    return None


def _without_number(step: str) -> str:
    return re.sub(r"_\d+$", "", step)


def run_step(step: Callable[[], T], model: Any, way_out: str = "") -> T:
    """Call a step, and raise errors of TensorFlow and Keras with their reason.

    ``way_out`` is added to the message of an operation that TensorFlow does not support.

    Raises:
        StepError: TensorFlow, or a layer, loss or metric of Keras, cannot compute a step.
    """
    try:
        with all_frames():
            return step()
    except tf.errors.OpError as error:
        hint = next((hint for kind, hint in _HINTS.items() if isinstance(error, kind)), way_out)
        if "NHWC" in str(error):
            hint = _CHANNELS_FIRST
        updates = _in_optimizer(error, model)
        what = "a step of the optimizer" if updates else "a step"
        if updates and hint == way_out:
            hint = way_out or "another optimizer, or this one with fewer arguments, may work"
        layer = layer_of(error, model)
        raise StepError(_sentence(what, error, hint), layer, in_optimizer=updates) from error
    except Exception as error:
        # Raised while TensorFlow traces: dtypes that Keras mixes, or shapes that do not fit.
        said = f"Keras cannot compute a step: {_explained(error_text(error))}"
        layer = layer_of(error, model) or failed_layer(error, model)
        updates = failed_in_optimizer(error)
        if layer is None and not updates and not isinstance(error, TypeError | ValueError):
            raise  # not by Keras
        raise StepError(said, layer, in_optimizer=updates) from error


def _explained(text: str) -> str:
    """Return a message of Keras with its usual cause, where it names none."""
    if not text.startswith("No gradients provided"):
        return text
    return (
        "no gradient reaches any weight: an operation after the weights, such as argmax, round or "
        "a cast to integers, has none"
    )


def _sentence(what: str, error: Exception, hint: str) -> str:
    said = reason(error)
    return f"TensorFlow cannot compute {what}: {said}" + (f"; {hint}" if hint else "")
