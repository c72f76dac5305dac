"""Keyword arguments of a Keras class, read from its source."""

import ast
from dataclasses import dataclass
from itertools import chain

from modelspec.catalog.source import Definition


@dataclass(frozen=True, slots=True)
class Parameter:
    """``default`` is source text, None when there is none; ``owner`` holds the signature."""

    name: str
    default: str | None
    positional: bool
    owner: Definition


def accepted(lineage: list[Definition]) -> tuple[list[Parameter], bool]:
    """The arguments of the nearest ``__init__``, with what its ``**kwargs`` hand to the bases.

    The flag says that there may be others, which could not be read. Names that Keras only takes out
    of ``kwargs`` to stay compatible (``input_shape``, ``decay``) are not documented and left out.
    """
    for place, definition in enumerate(lineage):
        init = method(definition, "__init__")
        if init:
            own = parameters(definition, init)
            inherited, extra = _inherited(init, lineage[place + 1 :])
            names = {each.name for each in own}
            return own + [each for each in inherited if each.name not in names], extra
    return [], not _complete(lineage)


def method(definition: Definition, name: str) -> ast.FunctionDef | None:
    for node in definition.node.body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    return None


def parameters(owner: Definition, function: ast.FunctionDef) -> list[Parameter]:
    """The named parameters of a function; of a method, all but ``self``."""
    spec = function.args
    positional = [*spec.posonlyargs, *spec.args]
    required = len(positional) - len(spec.defaults)
    defaults = [None] * required + [ast.unparse(each) for each in spec.defaults]
    keyword = [ast.unparse(each) if each else None for each in spec.kw_defaults]
    found = [
        Parameter(arg.arg, default, arg in positional, owner)
        for arg, default in zip([*positional, *spec.kwonlyargs], [*defaults, *keyword], strict=True)
    ]
    return found[1:] if isinstance(owner.node, ast.ClassDef) else found


def _complete(lineage: list[Definition]) -> bool:
    """Whether every base is there, so that none can have a signature of its own."""
    known = {each.node.name for each in lineage} | {"object"}
    classes = [each.node for each in lineage if isinstance(each.node, ast.ClassDef)]
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
    positional = [each.name for each in offered if each.positional]
    taken = set(positional[: len(call.args)]) | {each.arg for each in call.keywords}
    return [each for each in offered if each.name not in taken], extra


def _closes(init: ast.FunctionDef, rest: str) -> bool:
    """Whether it refuses what is left over: ``if kwargs: raise ...``."""
    return any(
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == rest
        and any(isinstance(each, ast.Raise) for each in node.body)
        for node in init.body
    )


def _uses(init: ast.FunctionDef, rest: str) -> bool:
    """Whether it looks at its ``**kwargs`` at all: some classes drop them silently."""
    return any(isinstance(node, ast.Name) and node.id == rest for node in ast.walk(init))


def _forwards(init: ast.FunctionDef, rest: str) -> ast.Call | None:
    """The call ``super().__init__(..., **kwargs)``."""
    plain = (each.value for each in init.body if isinstance(each, ast.Expr))
    for node in chain(plain, ast.walk(init)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name)):
                spread = [ast.unparse(each.value) for each in node.keywords if each.arg is None]
                if name == "__init__" and rest in spread:
                    return node
    return None
