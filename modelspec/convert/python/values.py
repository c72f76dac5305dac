"""Values of a spec as Python expressions."""

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from modelspec.catalog import Argument, Catalog, Family
from modelspec.convert.python.layout import Code, call, mapping, sequence, string
from modelspec.graph.naming import snake_case
from modelspec.language.expressions import has_expression
from modelspec.language.written import Written

_MODULES: Mapping[Family, str] = {
    "layer": "layers",
    "optimizer": "keras.optimizers",
    "loss": "keras.losses",
    "metric": "keras.metrics",
    "initializer": "keras.initializers",
    "regularizer": "keras.regularizers",
    "constraint": "keras.constraints",
    "schedule": "keras.optimizers.schedules",
    "callback": "keras.callbacks",
    "activation": "keras.activations",
}

_EXPRESSION = re.compile(r"\$\{([^{}]*)\}")
_NEVER_BY_NAME = frozenset({"layer", "optimizer"})

Lookup = Callable[[str], str]
"""The Python name of a parameter."""


class UnwrittenError(Exception):
    """Something that this form of the script cannot contain."""


class Values:
    """Values with ``${…}``, whose parameters have Python names here."""

    def __init__(self, catalog: Catalog, names: Lookup) -> None:
        self._catalog, self._names = catalog, names

    def value(self, value: Any) -> Code:
        """Return plain data as a literal."""
        if has_expression(value):
            return self._text(value)
        if isinstance(value, str):
            return string(value)
        if isinstance(value, Mapping):
            return mapping((self.value(key), self.value(item)) for key, item in value.items())
        if isinstance(value, Sequence):
            return sequence(map(self.value, value))
        if isinstance(value, float) and not math.isfinite(value):
            return Code(f'float("{value}")')
        return Code(repr(value))

    def construct(self, family: Family, value: Any, options: Mapping[str, Any]) -> Code:
        """Return the call that creates a Keras object; required arguments first, by position."""
        written = Written.read(value)
        entry = self._catalog.find(family, written.name) if written else None
        if written is None or entry is None:
            raise UnwrittenError(f"{value} is not a Keras object")
        path = entry.name if entry.plugin else f"{_MODULES[family]}.{entry.name}"
        if entry.function:
            return Code(path)
        passed = written.arguments
        arguments = [
            self.argument(entry.arguments.get(str(key)), item).before(f"{key}=")
            for key, item in passed.items()
        ]
        by_position = 0
        for name in entry.arguments:
            if not entry.arguments[name].required or name not in passed:
                break
            by_position += 1
        leading = list(entry.arguments)[:by_position]
        first = [self.argument(entry.arguments[name], passed[name]) for name in leading]
        rest = [code for key, code in zip(passed, arguments, strict=True) if key not in leading]
        more = [self.value(item).before(f"{key}=") for key, item in options.items()]
        return call(path, [*first, *rest, *more])

    def argument(self, argument: Argument | None, value: Any) -> Code:
        """Return an argument: an object where the spec writes one, and plain data otherwise."""
        if argument is None or argument.family is None or value is None:
            return self.value(value)
        if argument.many and isinstance(value, list):
            return sequence(self.argument(argument, item) for item in value)
        by_name = isinstance(value, str) and not has_expression(value)
        if isinstance(value, Mapping) or (by_name and argument.family in _NEVER_BY_NAME):
            return self.construct(argument.family, value, {})
        if by_name and self._is_own(argument.family, value):
            return self.construct(argument.family, value, {})
        return self.value(value)

    def judge(self, family: Family, value: Any) -> Code:
        """Return a loss or a metric; names stay names, as ``compile`` accepts them."""
        if isinstance(value, str) and self._is_own(family, value):
            return self.construct(family, value, {})
        if value is None or isinstance(value, str):
            return self.value(value)
        written = Written.read(value)
        entry = self._catalog.find(family, written.name) if written else None
        name = entry.arguments.get("name") if entry and family == "metric" else None
        unnamed = name is not None and name.default == "None" and written is not None
        own = {"name": snake_case(entry.name)} if unnamed and entry else {}
        if written is not None and "name" in written.arguments:
            own = {}
        return self.construct(family, value, own)

    def _is_own(self, family: Family, name: str) -> bool:
        """Return True where a name is that of a part of a plugin."""
        entry = self._catalog.find(family, name)
        return entry is not None and entry.plugin is not None

    def _text(self, text: str) -> Code:
        whole = _EXPRESSION.fullmatch(text)
        if whole:
            return Code(self._expression(whole[1]))
        position, parts = 0, list[str]()
        for expression in _EXPRESSION.finditer(text):
            parts += [
                _literal(text[position : expression.start()]),
                f"{{{self._part(expression[1])}}}",
            ]
            position = expression.end()
        return Code('f"' + "".join([*parts, _literal(text[position:])]) + '"')

    def _part(self, expression: str) -> str:
        code = self._expression(expression)
        if '"' in code or "\\" in code:
            raise UnwrittenError("a string inside of an expression inside of a string")
        return code

    def _expression(self, expression: str) -> str:
        tree = ast.parse(expression.strip(), mode="eval").body
        return _unparsed(_Renamed(self._names).visit(tree))


def _unparsed(tree: ast.expr) -> str:
    # Formatters put no spaces around the power of names and numbers.
    text = re.sub(r"(?<![\w\])])([\w.]+) \*\* (-?[\w.]+)(?![\w(\[.])", r"\1**\2", ast.unparse(tree))
    return (
        string(tree.value).flat
        if isinstance(tree, ast.Constant) and isinstance(tree.value, str)
        else text.replace("'", '"')
        if '"' not in text
        else text
    )


def _literal(text: str) -> str:
    return string(text).flat[1:-1].replace("{", "{{").replace("}", "}}").replace('"', '\\"')


class _Renamed(ast.NodeTransformer):
    """Replaces the names of parameters; refuses everything that ``${…}`` does not allow."""

    _ALLOWED = (ast.BinOp, ast.UnaryOp, ast.Constant, ast.Subscript, ast.operator, ast.unaryop)

    def __init__(self, names: Lookup) -> None:
        self._lookup = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self._lookup(node.id), ast.Load())

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if not isinstance(node, (*self._ALLOWED, ast.expr_context)):
            raise UnwrittenError(f"{type(node).__name__} in an expression")
        return super().generic_visit(node)
