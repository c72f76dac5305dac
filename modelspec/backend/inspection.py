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
    """Keras's classes and functions, each with the definition that Python has of it."""

    def __init__(self, keras: ModuleType) -> None:
        self._keras = keras
        self._definitions: dict[int, Definition] = {}
        self._objects: dict[Definition, Any] = {}

    @property
    def version(self) -> str:
        return str(self._keras.__version__)

    def exports(self, package: str) -> dict[str, Definition]:
        """The public classes and functions of ``keras.layers`` and the like."""
        return self._all(vars(self._package(package)))

    def aliases(self, package: str) -> dict[str, Definition]:
        """What other names Keras's own ``get`` of a package takes, and what they mean."""
        get = getattr(self._package(package), "get", None)
        table = getattr(get, "__globals__", {}).get("ALL_OBJECTS_DICT", {})
        return self._all(table)

    def trainer_function(self, name: str) -> Definition | None:
        """A function with which Keras compiles losses and metrics."""
        prefix = f"{self._keras.__name__}."
        modules = [module for key, module in sys.modules.items() if key.startswith(prefix)]
        functions = (vars(module).get(name) for module in modules)
        return next((self._define(each) for each in functions if inspect.isfunction(each)), None)

    def lineage(self, definition: Definition) -> list[Definition]:
        """A class and its bases, nearest first."""
        found = self._objects[definition]
        classes = inspect.getmro(found) if inspect.isclass(found) else (found,)
        return [self._define(each) for each in classes if each is not object]

    def docstring(self, lineage: list[Definition]) -> str:
        """As written; Keras fills its ``{{placeholders}}`` in without their indentation."""
        written = ast.get_docstring(lineage[0].node)
        if written is None:
            return inspect.cleandoc(self._objects[lineage[0]].__doc__ or "")
        modules = [sys.modules.get(each.module) for each in lineage]

        def shared(name: str) -> str:
            texts = (getattr(module, name, None) for module in modules)
            return inspect.cleandoc(next((each for each in texts if isinstance(each, str)), ""))

        return fill_placeholders(written, shared)

    def _package(self, package: str) -> ModuleType:
        found = self._keras
        for name in package.split("."):
            found = getattr(found, name, ModuleType(name))
        return found

    def _all(self, members: Mapping[str, Any]) -> dict[str, Definition]:
        return {
            name: self._define(found)
            for name, found in members.items()
            if inspect.isclass(found) or inspect.isfunction(found)
        }

    def _define(self, found: Any) -> Definition:
        if id(found) not in self._definitions:
            definition = Definition(found.__module__, _node(found))
            self._definitions[id(found)] = definition
            self._objects[definition] = found
        return self._definitions[id(found)]


def _node(found: Any) -> ast.ClassDef | ast.FunctionDef:
    """The definition in the text of its module; where there is none, what its signature tells."""
    return _definitions(found.__module__).get(found.__qualname__) or sketch(found)


@cache
def _definitions(module: str) -> dict[str, ast.ClassDef | ast.FunctionDef]:
    try:
        body = ast.parse(inspect.getsource(sys.modules[module])).body
    except (KeyError, OSError, TypeError, SyntaxError):
        return {}
    return {each.name: each for each in body if isinstance(each, ast.ClassDef | ast.FunctionDef)}


def sketch(found: Any) -> ast.ClassDef | ast.FunctionDef:
    """A class or function as text, from its signature alone.

    A class that takes other keyword arguments hands them to its bases; what its bases require and
    it does not take itself, it gives them.
    """
    text = _class_text(found) if inspect.isclass(found) else _function_text(found, "pass")
    [node] = ast.parse(text).body
    assert isinstance(node, ast.ClassDef | ast.FunctionDef)
    return node


def _class_text(found: type) -> str:
    lines = [f"class {found.__name__}({', '.join(each.__name__ for each in found.__bases__)}):"]
    own = vars(found)
    if inspect.isfunction(own.get("__init__")):
        lines += _function_text(own["__init__"], _super_call(found)).splitlines()
    for name in ("call", "adapt"):
        if inspect.isfunction(own.get(name)):
            lines += _function_text(own[name], "pass").splitlines()
    return "\n    ".join([*lines, "pass"])


def _function_text(function: Any, body: str) -> str:
    parameters = [
        each.replace(annotation=each.empty, default=_shown(each.default))
        for each in _parameters(function)
    ]
    return f"def {function.__name__}{inspect.Signature(parameters)}:\n    {body}"


def _super_call(found: type) -> str:
    own = _parameters(vars(found)["__init__"])
    rest = [each.name for each in own if each.kind is each.VAR_KEYWORD]
    if not rest:
        return "pass"
    inits = [vars(base)["__init__"] for base in found.__mro__[1:-1] if "__init__" in vars(base)]
    required = {
        each.name
        for init in inits
        for each in _parameters(init)[1:]
        if each.default is each.empty
        and each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    } - {each.name for each in own}
    given = "".join(f"{name}=..., " for name in sorted(required))
    return f"super().__init__({given}**{rest[0]})"


def _parameters(function: Any) -> list[inspect.Parameter]:
    return list(inspect.signature(function).parameters.values())


class _Text:
    """Shows as the text that it is made of."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _shown(default: Any) -> Any:
    """A default whose text can be parsed; an ellipsis where its own cannot."""
    if default is inspect.Parameter.empty:
        return default
    try:
        ast.parse(repr(default), mode="eval")
    except SyntaxError:
        return _Text("...")
    return default


def main() -> None:
    # Keras may print, and standard output is the catalogue's.
    with redirect_stdout(sys.stderr):
        payload = survey(ImportedKeras(start(light=True)))
    json.dump(payload, sys.stdout)


if __name__ == "__main__":
    main()
