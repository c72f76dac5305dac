"""Keyword arguments of a Keras class, read from its source."""

import ast
from dataclasses import dataclass
from itertools import chain

from modelspec.catalog.source import Definition


@dataclass(frozen=True, slots=True)
class Parameter:
    """``default`` is source text, None when there is none; ``owner`` has the signature."""

    name: str
    default: str | None
    positional: bool
    owner: Definition


def accepted(lineage: list[Definition]) -> tuple[list[Parameter], bool]:
    """Return the arguments of the nearest ``__init__``, and of the bases that get its ``**kwargs``.

    The flag says that there may be others, which could not be read. Names that Keras only takes out
    of ``kwargs`` for old callers (``input_shape``, ``decay``) are not documented and left out.
    """
    for place, definition in enumerate(lineage):
        init = method(definition, "__init__")
        if init:
            own = parameters(definition, init)
            inherited, extra = _inherited(init, lineage[place + 1 :])
            names = {parameter.name for parameter in own}
            return own + [
                parameter for parameter in inherited if parameter.name not in names
            ], extra
    return [], not _complete(lineage)


def method(definition: Definition, name: str) -> ast.FunctionDef | None:
    for node in definition.node.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    return None


def parameters(owner: Definition, function: ast.FunctionDef) -> list[Parameter]:
    """Return the named parameters of a function; of a method, all but ``self``."""
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    required = len(positional) - len(spec.defaults)
    defaults = [None] * required + [ast.unparse(node) for node in spec.defaults]
    keyword = [ast.unparse(node) if node else None for node in spec.kw_defaults]
    named = [
        Parameter(arg.arg, default, arg in positional, owner)
        for arg, default in zip([*positional, *spec.kwonlyargs], [*defaults, *keyword], strict=True)
    ]
    return named[1:] if isinstance(owner.node, ast.ClassDef) else named


def _complete(lineage: list[Definition]) -> bool:
    """Return True where every base could be read, so that none has an unknown signature."""
    known = {definition.node.name for definition in lineage} | {"object"}
    classes = [
        definition.node for definition in lineage if isinstance(definition.node, ast.ClassDef)
    ]
    bases = [ast.unparse(base).rpartition(".")[2] for node in classes for base in node.bases]
    return bool(lineage) and known.issuperset(bases)


def _inherited(init: ast.FunctionDef, bases: list[Definition]) -> tuple[list[Parameter], bool]:
    rest = init.args.kwarg
    if rest is None or _closes(init, rest.arg):
        return [], False
    call = _forwards(init, rest.arg)
    if call is None:
        return [], _uses(init, rest.arg)
    offered, extra = accepted(bases)
    positional = [parameter.name for parameter in offered if parameter.positional]
    taken = set(positional[: len(call.args)]) | {keyword.arg for keyword in call.keywords}
    return [parameter for parameter in offered if parameter.name not in taken], extra


def _closes(init: ast.FunctionDef, rest: str) -> bool:
    """Return True where the method refuses other arguments: ``if kwargs: raise ...``."""
    return any(
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == rest
        and any(isinstance(statement, ast.Raise) for statement in node.body)
        for node in init.body
    )


def _uses(init: ast.FunctionDef, rest: str) -> bool:
    """Return True where the method uses its ``**kwargs``: some classes drop them silently."""
    return any(isinstance(node, ast.Name) and node.id == rest for node in ast.walk(init))


def _forwards(init: ast.FunctionDef, rest: str) -> ast.Call | None:
    """Return the call ``super().__init__(..., **kwargs)``; None if there is none."""
    plain = (statement.value for statement in init.body if isinstance(statement, ast.Expr))
    for node in chain(plain, ast.walk(init)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name)):
                spread = [
                    ast.unparse(keyword.value) for keyword in node.keywords if keyword.arg is None
                ]
                if name == "__init__" and rest in spread:
                    return node
    return None
