"""Types of an argument's values, from its name, its default and its docstring.

Keras states types in prose, so only clear statements count. A value that Keras accepts must never
be reported as wrong: every type that the text mentions is allowed, and if it mentions none,
``kinds`` is empty.
"""

import ast
import re
from functools import cache

from modelspec.catalog.entries import Family

_WORDS = {
    "int": r"int(?:eger)?s?",
    "float": r"floats?|floating|scalars?|python number",
    "bool": r"bool(?:ean)?s?",
    "str": r"str(?:ing)?s?",
    "list": r"lists?|tuples?|arrays?|matri(?:x|ces)|tensors?",
    "object": r"dict(?:ionar(?:y|ies))?|callables?|instances?|functions?",
}
_WORD = {kind: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for kind, words in _WORDS.items()}
_ALSO: dict[str, frozenset[str]] = {
    **dict.fromkeys(("axis", "axes", "pool_size", "strides", "size"), frozenset({"int", "list"})),
    **dict.fromkeys(("kernel_size", "output_size"), frozenset({"int", "list"})),
    **dict.fromkeys(("scale", "offset", "factor", "value"), frozenset({"list"})),
    "verbose": frozenset({"bool"}),
}
"""Types that Keras accepts by these names, although some of its docstrings omit them."""

_STATED = {"target_shape": frozenset({"list"})}
"""Types that Keras states too late in its text; it would split a string into letters."""

_OF_OPERATIONS = {
    **dict.fromkeys(("axis", "axes"), frozenset({"int", "list"})),
    "dtype": frozenset({"str"}),
}
"""Types of arguments with these names in all of ``keras.ops``, whatever the docstrings say."""

_UNWRITTEN = {"fill_mode": ("mirror",)}
"""Choices that Keras takes but does not list."""

_FILLERS = (
    "optional|an?|either|python|positive|non-negative|small|single|the|value|number|one|constant"
)
_QUOTED = re.compile(r"`+[^`]*`+|\"[^\"]*\"|'[^']*'")
_OPENING = re.compile(rf"\W*(?:(?:{_FILLERS})\W+)*(?:{'|'.join(_WORDS.values())})\b", re.IGNORECASE)
_CHOICE = r"`?(?:\"\w+\"|'\w+'|(?<=`)\w+)`?(?: \(default\))?"
_BETWEEN = r"(?:\s*(?:,|\bor\b|\band\b|`?None`?|\{|\}|/)\s*)+"
_CHOICES = re.compile(
    r"(?:one of|either|string,|supports?|(?:supported|acceptable|possible|valid|available|allowed)"
    r" (?:values?|options?|methods?|modes?)(?: are| is)?|options include|can be one of):?\s*"
    rf"[`{{(\[]*((?:`?None`?{_BETWEEN})?{_CHOICE}(?:{_BETWEEN}{_CHOICE})+(?:{_BETWEEN})?)([^.]*)",
    re.IGNORECASE,
)
_OPEN_ENDED = re.compile(r"\bor\b|callable|e\.g|etc|any\b|such as", re.IGNORECASE)

_OBJECTS: dict[tuple[Family, str], tuple[Family, frozenset[str]]] = {
    ("layer", "layer"): ("layer", frozenset({"object"})),
    ("layer", "backward_layer"): ("layer", frozenset({"object"})),
    ("layer", "cell"): ("layer", frozenset({"object", "list"})),
    ("layer", "cells"): ("layer", frozenset({"list"})),
    ("layer", "layers"): ("layer", frozenset({"list"})),
    ("optimizer", "learning_rate"): ("schedule", frozenset({"object", "float"})),
    ("optimizer", "inner_optimizer"): ("optimizer", frozenset({"object"})),
}
_ENDINGS: tuple[Family, ...] = ("activation", "initializer", "regularizer", "constraint")


def objects(owner: Family, name: str) -> tuple[Family | None, frozenset[str]]:
    """Return the family of Keras objects that an argument takes, and in which forms."""
    if (owner, name) in _OBJECTS:
        return _OBJECTS[owner, name]
    for family in _ENDINGS:
        if name == family or name.endswith(f"_{family}"):
            return family, frozenset({"object"})
    return None, frozenset()


@cache
def kinds(owner: Family, name: str, default: str | None, text: str) -> frozenset[str]:
    """Return the types of plain values that an argument takes; empty if the text is unclear."""
    if name in _STATED:
        return _STATED[name]
    if owner == "operation" and name in _OF_OPERATIONS:
        return _OF_OPERATIONS[name]
    prose = _QUOTED.sub("", text)
    said = {
        kind
        for kind, words in _WORDS.items()
        if re.search(rf"\b(?:{words})\b", prose, re.IGNORECASE)
    } | ({"float"} if re.search("python number", prose, re.IGNORECASE) else set())
    shown = _kinds_of_default(default)
    if not _OPENING.match(prose):
        # The default alone shows only whether the value is a number, a flag or a text.
        if not shown or "str" in shown | said or _QUOTED.search(text.replace("`", "")):
            return frozenset()
        said |= {"list", "float"} if shown & {"int", "float"} else set()
    allowed = said | shown | _ALSO.get(name, frozenset())
    # Schedules cast every number to the type of the learning rate, and 1e4 is a float in YAML.
    return frozenset(allowed | {"float"} if owner == "schedule" and "int" in allowed else allowed)


@cache
def choices(name: str, text: str) -> tuple[str, ...]:
    """Return the strings in a phrase like ``one of "valid", "same"``; empty if it is incomplete."""
    phrase = _CHOICES.search(text)
    if not phrase or _OPEN_ENDED.match(phrase.group(2).strip()):
        return ()
    words = re.findall(r"\b(?!or\b|and\b|default\b)\w+", phrase.group(1))
    # Arguments that can be None usually accept the string as well.
    plain = ["none" if word == "None" else word for word in words]
    return tuple(dict.fromkeys([*plain, *_UNWRITTEN.get(name, ())]))


def _kinds_of_default(default: str | None) -> set[str]:
    try:
        value = ast.literal_eval(default or "None")
    except (ValueError, SyntaxError):
        return set()
    names = {bool: "bool", int: "int", float: "float", str: "str", tuple: "list", list: "list"}
    return {names[type(value)]} if type(value) in names else set()
