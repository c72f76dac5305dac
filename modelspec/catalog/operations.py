"""The functions of ``keras.ops``, and which of their arguments are tensors.

The source of Keras's functions shows it: ``any_symbolic_tensors((x, y))`` names arguments that may
be tensors, and ``Operation(...).symbolic_call(x, y)`` those that the model treats as tensors.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from modelspec.catalog import docs, signatures
from modelspec.catalog.entries import OPERATION_PREFIX
from modelspec.catalog.source import Definition

_PACKAGES = ("ops", "ops.image", "ops.linalg", "ops.nn", "ops.numpy")
"""The packages that export functions; most have their shortest name in the first."""

_NOT_TENSORS = {("reshape", "newshape")}
"""Arguments that can be tensors in Keras, but not in a model, which has no shapes as values."""

_CALLABLE = re.compile(r"f|.*fun|.*func|.*function|.*_fn|body|branches")
_SEVERAL = re.compile(
    r"\b(?:sequence|list) of (?:\w+ )?tensors\b|\btuple of the real and imaginary parts\b",
    re.IGNORECASE,
)
_TENSOR = re.compile(r"\btensors?\b|\barray\b", re.IGNORECASE)


class Exports(Protocol):
    def exports(self, package: str) -> dict[str, Definition]: ...


@dataclass(frozen=True, slots=True)
class Signature:
    """The arguments of an operation, which of them are tensors, and which take several tensors.

    ``refused`` is the reason why a spec cannot use it; ``extra`` says that it takes other keywords.
    """

    parameters: list[signatures.Parameter]
    tensors: tuple[str, ...]
    several: frozenset[str]
    extra: bool
    refused: str | None


def find_operations(keras: Exports) -> tuple[dict[str, Definition], dict[str, str]]:
    """Return the functions by their shortest names, and the function of every other name."""
    names: dict[Definition, str] = {}
    aliases: dict[str, str] = {}
    for package in _PACKAGES:
        prefix = OPERATION_PREFIX + package.removeprefix("ops").removeprefix(".")
        for name, definition in keras.exports(package).items():
            if not isinstance(definition.node, ast.FunctionDef):
                continue
            written = f"{prefix.rstrip('.')}.{name}"
            known = names.setdefault(definition, written)
            if known != written:
                aliases[written] = known
    return {name: definition for definition, name in names.items()}, aliases


def read_signature(definition: Definition, doc: str) -> Signature:
    """Read the signature of a function of ``keras.ops``."""
    function = definition.node
    assert isinstance(function, ast.FunctionDef)
    helps = docs.argument_helps(doc)
    parameters = signatures.parameters(definition, function)
    names = [parameter.name for parameter in parameters]
    rest = function.args.vararg
    if rest is not None:
        place = len([*function.args.posonlyargs, *function.args.args])
        parameters.insert(place, signatures.Parameter(rest.arg, None, True, definition))
        names.insert(place, rest.arg)
    read_as_tensors = set(_tensors(function, helps))
    tensors = tuple(name for name in names if name in read_as_tensors)
    several = frozenset(
        name
        for name in tensors
        if (rest is not None and name == rest.arg)
        or _SEVERAL.search(helps.get(name, ""))
        or name in _asked_whole(function)
    )
    keywords = function.args.kwarg
    extra = keywords is not None and keywords.arg in helps
    return Signature(parameters, tensors, several, extra, _refusal(names, tensors))


def _refusal(names: list[str], tensors: tuple[str, ...]) -> str | None:
    functions = [name for name in names if _CALLABLE.fullmatch(name)]
    if functions:
        return f"its argument {functions[0]} is a Python function, which a spec cannot contain"
    return None if tensors else "it takes no tensor; write its values as constants where it is used"


def _tensors(function: ast.FunctionDef, helps: Mapping[str, str]) -> Iterator[str]:
    """Yield the arguments that are tensors, from the function's source or else its docstring."""
    asked = {name for call in _asking(function) for name in _names(call)}
    passed = {name for call in _calling(function) for name in _names(call)}
    if isinstance(function.body[-1], ast.Pass):  # the replacement of unreadable source
        asked = {name for name, text in helps.items() if _TENSOR.search(text.split(". ")[0])}
        asked -= {"dtype", "shape"}
    for name in asked | passed:
        stated = name in asked or not asked or _TENSOR.search(helps.get(name, ""))
        if stated and (function.name, name) not in _NOT_TENSORS:
            yield name


def _asked_whole(function: ast.FunctionDef) -> set[str]:
    """Return the arguments that are passed whole: ``any_symbolic_tensors(xs)``."""
    return {
        call.args[0].id
        for call in _asking(function)
        if call.args and isinstance(call.args[0], ast.Name)
    }


def _asking(function: ast.FunctionDef) -> Iterator[ast.Call]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("any_symbolic_tensors"):
            yield node


def _calling(function: ast.FunctionDef) -> Iterator[ast.Call]:
    """Yield ``Add().symbolic_call(x1, x2)`` or ``Diff(n)(a)``, or the call of another function."""
    for node in ast.walk(function):
        match node:
            case ast.Call(func=ast.Attribute(attr="symbolic_call") | ast.Call()):
                yield node
            case ast.Return(value=ast.Call(func=ast.Name()) as call) if len(function.body) <= 2:  # noqa: PLR2004 - a docstring, and the call of another function
                yield call


def _names(call: ast.Call) -> set[str]:
    values = [*call.args, *(value.value for value in call.keywords if value.arg)]
    return {node.id for value in values for node in ast.walk(value) if isinstance(node, ast.Name)}
