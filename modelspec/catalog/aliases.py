"""The other names that Keras's ``get`` functions take, from the tables in its source text."""

import ast
import re


def read_aliases(module: ast.Module) -> dict[str, ast.expr]:
    """Return what each name in a module's ``ALL_OBJECTS_DICT`` means."""
    members = _members(module)
    meant: dict[str, ast.expr] = {}
    for node in module.body:
        meant |= _table_of(node, members)
    return meant


def _members(module: ast.Module) -> list[ast.expr]:
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="ALL_OBJECTS")], value=ast.Set(elts=members)):
                return members
    return []


def _table_of(node: ast.stmt, members: list[ast.expr]) -> dict[str, ast.expr]:
    match node:
        case (
            ast.Assign(targets=[ast.Name(id="ALL_OBJECTS_DICT")], value=ast.DictComp(key=key))
            | ast.Expr(value=ast.Call(args=[ast.DictComp(key=key)]))
        ):
            return {_spell(ast.unparse(key), ast.unparse(member)): member for member in members}
        case ast.Expr(value=ast.Call(args=[ast.Dict(keys=keys, values=values)])):
            pairs = zip(keys, values, strict=True)
            return {
                str(key.value): member for key, member in pairs if isinstance(key, ast.Constant)
            }
        case ast.Assign(
            targets=[ast.Subscript(value=ast.Name(id="ALL_OBJECTS_DICT"), slice=ast.Constant(key))],
            value=member,
        ):
            return {str(key): member}
    return {}


def _spell(key: str, name: str) -> str:
    if "lower" in key:
        return name.lower()
    if "snake" in key:
        words = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
        return re.sub("([a-z])([A-Z])", r"\1_\2", words).lower()
    return name
