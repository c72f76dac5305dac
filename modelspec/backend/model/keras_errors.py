"""Keras's error messages, shortened to one line."""

import re
from collections.abc import Mapping
from typing import Any

from modelspec.problems.diagnostic import Diagnostic, Route


def bad_argument(name: str, arguments: Any, route: Route, error: Exception) -> Diagnostic:
    """Return the problem of an object; at the argument that Keras's message names, if any."""
    text = error_text(error)
    culprit = blamed_argument(text, arguments if isinstance(arguments, dict) else {})
    if culprit is not None:
        value = arguments[culprit]
        hint = f"write {value}.0" if type(value) is int and "should be float" in text else None
        return Diagnostic("bad-argument", f"{name}: {text}", (*route, name, culprit), hint=hint)
    return Diagnostic("bad-argument", f"{name}: {text}", (*route, name), "key")


def blamed_argument(text: str, arguments: Mapping[str, Any]) -> str | None:
    """Return the argument that a message of Keras names, if any."""
    named = (name for pair in re.findall(r"`(\w+)`|\b(\w+)=", text) for name in pair if name)
    return next((name for name in named if name in arguments), None)


def innermost(text: str) -> str:
    """Return the last cause in a message about a saved config, with its layer.

    Keras writes the whole config of each object between the causes. Other texts stay unchanged.
    """
    around, _, cause = text.rpartition("\n\nException encountered: ")
    if "deserializ" not in around:
        return text
    layers = re.findall(r"\{'name': '([^']{1,80})'", around)
    return f"layer {layers[-1]!r}: {cause}" if layers else cause


def without_devices(text: str) -> str:
    """Remove the names of nodes and devices, which TensorFlow adds to its messages."""
    text = re.sub(r"\s*\[Op:[^\]]*\]( name: ?\S*)?", "", text)
    text = re.sub(r"\{\{(?:function_)?node .*?\}\}\s*|<stack traces unavailable>\s*", "", text)
    text = re.sub(r" on /job:\S+ by allocator \w+", "", text)
    return text.replace("OOM when allocating tensor", "there is no memory for a tensor")


def error_text(error: Exception) -> str:
    """Return a Keras error's message, without the text that Keras adds around a layer's call."""
    text = innermost(re.sub(r"\x1b\[[0-9;]*m", "", str(error)))
    text = re.sub(r"^Exception encountered when calling .*?\n\n", "", text, flags=re.DOTALL)
    text = re.split(r"\n\nArguments received by |\n\s*\n", text)[0]
    text = re.sub(r" for '\{\{node .*?\}\} = (\w+)\[.*?(?=$| with input shapes)", r" in \1", text)
    text = " ".join(text.split()).rstrip(".") or type(error).__name__
    text = without_devices(text)
    rank = re.search(r"expected (min_|max_)?ndim=(\d+), found ndim=(\d+)", text)
    if rank:
        bound = {"min_": "at least ", "max_": "at most "}.get(rank[1] or "", "")
        return f"it needs {bound}{rank[2]} axes, including the batch, but gets {rank[3]}"
    text = re.sub(r"^Input \d+ .*? is incompatible with the layer: ", "", text)
    # The message of one of Python's own errors is unclear without its name.
    return text if isinstance(error, ValueError) else f"{type(error).__name__}: {text}"
