"""The catalogue of an imported Keras, in the same form as the one read from its source text.

Run as a program, it writes the catalogue of the installed Keras to standard output, as JSON.
"""

import ast
import inspect
import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import cache
from types import ModuleType
from typing import Any

from modelspec.backend.start import start
from modelspec.catalog.docs import fill_placeholders
from modelspec.catalog.source import Definition
from modelspec.catalog.survey import survey


class ImportedKeras:
    """Keras's classes and functions, each with its definition in Python."""

    def __init__(self, keras: ModuleType) -> None:
        self._keras = keras
        self._definitions: dict[int, Definition] = {}
        self._objects: dict[Definition, Any] = {}

    @property
    def version(self) -> str:
        return str(self._keras.__version__)

    def exports(self, package: str) -> dict[str, Definition]:
        """Return the public classes and functions of a package such as ``keras.layers``."""
        return self._all(vars(self._package(package)))

    def aliases(self, package: str) -> dict[str, Definition]:
        """Return the other names that Keras's ``get`` of a package takes, and their definitions."""
        get = getattr(self._package(package), "get", None)
        table = getattr(get, "__globals__", {}).get("ALL_OBJECTS_DICT", {})
        return self._all(table)

    def trainer_function(self, name: str) -> Definition | None:
        """Return a function with which Keras compiles losses and metrics."""
        prefix = f"{self._keras.__name__}."
        modules = [module for key, module in sys.modules.items() if key.startswith(prefix)]
        functions = (vars(module).get(name) for module in modules)
        return next(
            (self._define(function) for function in functions if inspect.isfunction(function)), None
        )

    def lineage(self, definition: Definition) -> list[Definition]:
        """Return a class and its bases, nearest first."""
        member = self._objects[definition]
        classes = inspect.getmro(member) if inspect.isclass(member) else (member,)
        return [self._define(base) for base in classes if base is not object]

    def docstring(self, lineage: list[Definition]) -> str:
        """Return a docstring; Keras fills its ``{{placeholders}}`` in without their indentation."""
        written = ast.get_docstring(lineage[0].node)
        if written is None:
            return inspect.cleandoc(self._objects[lineage[0]].__doc__ or "")
        modules = [sys.modules.get(definition.module) for definition in lineage]

        def shared(name: str) -> str:
            texts = (getattr(module, name, None) for module in modules)
            return inspect.cleandoc(next((text for text in texts if isinstance(text, str)), ""))

        return fill_placeholders(written, shared)

    def _package(self, package: str) -> ModuleType:
        module = self._keras
        for name in package.split("."):
            module = getattr(module, name, ModuleType(name))
        return module

    def _all(self, members: Mapping[str, Any]) -> dict[str, Definition]:
        return {
            name: self._define(member)
            for name, member in members.items()
            if inspect.isclass(member) or inspect.isfunction(member)
        }

    def _define(self, member: Any) -> Definition:
        if id(member) not in self._definitions:
            definition = Definition(member.__module__, _node(member))
            self._definitions[id(member)] = definition
            self._objects[definition] = member
        return self._definitions[id(member)]


def _node(member: Any) -> ast.ClassDef | ast.FunctionDef:
    """Return the definition in the text of its module; without one, its signature."""
    return _definitions(member.__module__).get(member.__qualname__) or sketch(member)


@cache
def _definitions(module: str) -> dict[str, ast.ClassDef | ast.FunctionDef]:
    try:
        body = ast.parse(inspect.getsource(sys.modules[module])).body
    except (KeyError, OSError, TypeError, SyntaxError):
        return {}
    return {node.name: node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}


def sketch(member: Any) -> ast.ClassDef | ast.FunctionDef:
    """Return a class or function as text, from its signature alone.

    A class that takes other keyword arguments passes them to its bases; it also passes the required
    arguments of its bases that it does not take itself.
    """
    text = _class_text(member) if inspect.isclass(member) else _function_text(member, "pass")
    [node] = ast.parse(text).body
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    return node


def _class_text(cls: type) -> str:
    lines = [f"class {cls.__name__}({', '.join(base.__name__ for base in cls.__bases__)}):"]
    own = vars(cls)
    if inspect.isfunction(own.get("__init__")):
        lines += _function_text(own["__init__"], _super_call(cls)).splitlines()
    for name in ("call", "adapt"):
        if inspect.isfunction(own.get(name)):
            lines += _function_text(own[name], "pass").splitlines()
    return "\n    ".join([*lines, "pass"])


def _function_text(function: Any, body: str) -> str:
    parameters = [
        parameter.replace(annotation=parameter.empty, default=_shown(parameter.default))
        for parameter in _parameters(function)
    ]
    return f"def {function.__name__}{inspect.Signature(parameters)}:\n    {body}"


def _super_call(cls: type) -> str:
    own = _parameters(vars(cls)["__init__"])
    rest = [parameter.name for parameter in own if parameter.kind is parameter.VAR_KEYWORD]
    if not rest:
        return "pass"
    inits = [vars(base)["__init__"] for base in cls.__mro__[1:-1] if "__init__" in vars(base)]
    required = {
        parameter.name
        for init in inits
        for parameter in _parameters(init)[1:]
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    } - {parameter.name for parameter in own}
    passed = "".join(f"{name}=..., " for name in sorted(required))
    return f"super().__init__({passed}**{rest[0]})"


def _parameters(function: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


class _Text:
    """A default value whose ``repr`` is a text that can be parsed."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _shown(default: Any) -> Any:
    """Return a default with a ``repr`` that can be parsed; an ellipsis where it has none."""
    if default is inspect.Parameter.empty:
        return default
    try:
        ast.parse(repr(default), mode="eval")
    except SyntaxError:
        return _Text("...")
    return default


def main() -> None:
    # Keras may print, but standard output is for the catalogue.
    with redirect_stdout(sys.stderr):
        payload = survey(ImportedKeras(start(light=True)))
    json.dump(payload, sys.stdout)


if __name__ == "__main__":
    main()
