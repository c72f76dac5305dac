"""Plugins imported, so that models with their parts can be built and loaded."""

import importlib
import sys
import traceback
from functools import cache
from types import ModuleType
from typing import Any

from modelspec.catalog.plugins import Plugin
from modelspec.problems.errors import PluginError

PREFIX = "modelspec_plugin_"
"""The prefix of the names of the modules that plugins become."""


def import_plugins(plugins: tuple[Plugin, ...]) -> None:
    """Run the code of plugins, each once in a process.

    Raises:
        PluginError: A plugin raises an error.
    """
    for plugin in plugins:
        _imported(plugin)


def part(plugins: tuple[Plugin, ...], plugin_name: str, name: str) -> Any:
    """Return a class or function of a plugin.

    Raises:
        PluginError: The plugin raises an error, or does not define the name.
    """
    plugin = next(candidate for candidate in plugins if candidate.name == plugin_name)
    try:
        return getattr(_imported(plugin), name)
    except AttributeError:
        raise PluginError(f"{plugin.path} does not define {name} when it is imported") from None


@cache
def _imported(plugin: Plugin) -> ModuleType:
    try:
        if plugin.module is not None:
            return importlib.import_module(plugin.module)
        name = f"{PREFIX}{plugin.path.stem}_{plugin.sha256[:8]}"
        module = ModuleType(name)
        module.__file__ = str(plugin.path)
        sys.modules[name] = module
        # This is the text that was checked; the file may have changed since.
        exec(compile(plugin.text, plugin.path, "exec"), module.__dict__)  # noqa: S102 - the user's own code, named on the command line
    except Exception as error:
        lines = traceback.extract_tb(error.__traceback__)
        own = [frame.lineno for frame in lines if frame.filename == str(plugin.path)]
        place = f"{plugin.path}:{own[-1]}" if own else str(plugin.path)
        raise PluginError(f"{place}: {type(error).__name__}: {error}") from error
    return module
