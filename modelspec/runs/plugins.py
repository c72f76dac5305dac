"""The plugins of a run: their SHA-256 in its record, and a copy of each in its folder.

The copies are for people. modelspec does not read them: code comes only from the command line.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from modelspec.problems.errors import PluginError
from modelspec.runs.layout import PLUGINS
from modelspec.runs.run import Run, require_plain


class NamedPlugin(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def text(self) -> str: ...


def keep_plugins(run: Run, plugins: Sequence[NamedPlugin]) -> list[dict[str, str]] | None:
    """Copy plugins to the folder of a run, and return their entries for its record.

    Raises:
        RunError: The folder of plugins is a link.
    """
    if not plugins:
        return None
    folder = run.path / PLUGINS
    require_plain(folder)
    folder.mkdir(exist_ok=True)
    kept = []
    for number, plugin in enumerate(plugins):
        stem = plugin.name.removesuffix(".py")
        taken = any(stem == other.name.removesuffix(".py") for other in plugins[:number])
        file = f"{PLUGINS}/{stem}{f'_{number}' if taken else ''}.py"
        run.write(file, plugin.text)
        kept.append({"name": plugin.name, "sha256": plugin.sha256, "file": file})
    return kept


def require_plugins(run: Run, plugins: Sequence[NamedPlugin]) -> None:
    """Require that all plugins of a run are active.

    Raises:
        PluginError: A plugin is missing.
    """
    offered = {plugin.name for plugin in plugins}
    for entry in _recorded(run):
        if entry["name"] not in offered:
            raise PluginError(
                f"{run.path} was trained with --plugin {entry['name']}: name it again "
                f"(a copy of it is {run.path / entry['file']})"
            )


def changed_plugins(run: Run, plugins: Sequence[NamedPlugin]) -> Iterator[str]:
    """Yield a message for each plugin that differs from that of a run."""
    hashes = {plugin.name: plugin.sha256 for plugin in plugins}
    for entry in _recorded(run):
        if hashes.get(entry["name"], entry["sha256"]) != entry["sha256"]:
            yield (
                f"the plugin {entry['name']} differs from the one that {run.path} was trained with "
                f"({run.path / entry['file']})"
            )


def _recorded(run: Run) -> list[dict[str, Any]]:
    return list(run.record.get("plugins") or [])
