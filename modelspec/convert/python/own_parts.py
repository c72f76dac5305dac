"""The parts of plugins in a script, which imports them from their modules."""

import ast
from collections.abc import Iterator

from modelspec.catalog.plugins import Plugin, active_plugins, registered
from modelspec.convert.python.layout import WIDTH, string
from modelspec.problems.errors import ModelError


def part_names() -> list[str]:
    """Return the names of all parts of plugins, which are reserved in a script."""
    return [part.name for plugin in active_plugins() for part in registered(plugin.tree())]


def import_lines(body: str) -> Iterator[str]:
    """Yield the imports of the parts that a script uses.

    Raises:
        ModelError: The file of a plugin has a name that Python cannot import.
    """
    plugins = active_plugins()
    tree = ast.parse(body if plugins else "")
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for plugin in plugins:
        parts = sorted(part.name for part in registered(plugin.tree()) if part.name in used)
        if not parts:
            continue
        yield ""
        yield f"# Own parts, from {plugin.path.name}."
        if plugin.module is None:
            yield f"sys.path.insert(0, {string(str(plugin.path.parent)).flat})"
        module = _module(plugin)
        line = f"from {module} import {', '.join(parts)}"
        yield from [line] if len(line) <= WIDTH else (f"from {module} import {p}" for p in parts)


def _module(plugin: Plugin) -> str:
    module = plugin.module or plugin.path.stem
    if not all(part.isidentifier() for part in module.split(".")):
        raise ModelError(
            f"a script cannot import {plugin.path}: its name is not a Python identifier"
        )
    return module
