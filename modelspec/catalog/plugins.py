"""Own parts: Python files and modules named by ``--plugin``, read as text and not imported here.

A plugin offers its classes and functions with ``keras.saving.register_keras_serializable``.
"""

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path

from modelspec.problems.errors import PluginError

_DECORATOR = "register_keras_serializable"
_LIMIT = 16 << 20


@dataclass(frozen=True, slots=True)
class Plugin:
    """A Python file of the user's own parts.

    ``written`` is the value of the option, ``module`` the name to import it by, None for a file.
    """

    written: str
    path: Path
    module: str | None
    text: str = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def name(self) -> str:
        """The name by which a run remembers it: that of the file, or of the module."""
        return self.module or self.path.name

    def tree(self) -> ast.Module:
        """The syntax tree of its text, which was parsed before without errors."""
        return ast.parse(self.text)


_active: ContextVar[tuple[Plugin, ...]] = ContextVar("plugins", default=())


def active_plugins() -> tuple[Plugin, ...]:
    """Return the plugins that the command line, or a call of the API, has named."""
    return _active.get()


def activate(written: Sequence[str]) -> None:
    """Activate plugins from now on, as the option ``--plugin`` of a command does.

    Raises:
        PluginError: A plugin is missing, unreadable, or not Python.
    """
    _active.set(read_plugins(written))


@contextmanager
def using(plugins: tuple[Plugin, ...]) -> Iterator[None]:
    """Activate plugins within a ``with`` block."""
    token = _active.set(plugins)
    try:
        yield
    finally:
        _active.reset(token)


def read_plugins(written: Sequence[str]) -> tuple[Plugin, ...]:
    """Read plugins by the paths of their files, or by the names of their modules.

    Raises:
        PluginError: A plugin is missing, unreadable, or not Python.
    """
    return tuple(_read(name) for name in dict.fromkeys(written))


def _read(written: str) -> Plugin:
    is_file = written.endswith(".py") or "/" in written or Path(written).exists()
    path = Path(written) if is_file else _find_module(written)
    try:
        if path.stat().st_size > _LIMIT:
            raise PluginError(f"--plugin {written}: the file is larger than 16 MB")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = "there is no such file" if not path.exists() else error.strerror
        raise PluginError(f"--plugin {written}: {reason}") from error
    except UnicodeDecodeError as error:
        raise PluginError(f"--plugin {written}: it is not UTF-8 text") from error
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise PluginError(f"{path}:{line}: it is not Python: {error}") from error
    plugin = Plugin(written, path, None if is_file else written, text)
    if not any(True for _ in registered(tree)):
        raise PluginError(
            f"--plugin {written}: it registers nothing: write "
            f"@keras.saving.{_DECORATOR}() above a class or a function"
        )
    return plugin


def _find_module(name: str) -> Path:
    """Return the file of a module without importing the packages that contain it."""
    where: Sequence[str] | None = sys.path
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), where) if where is not None else None
        if spec is None:
            break
        if count == len(parts) and spec.origin is not None and spec.origin.endswith(".py"):
            return Path(spec.origin)
        where = list(spec.submodule_search_locations or ()) or None
    raise PluginError(f"--plugin {name}: no Python file and no module has this name")


def registered(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef]:
    """Yield the classes and functions that are registered with Keras, and callbacks.

    Keras registers only classes with a config, which callbacks do not need.
    """
    names = imported_names(tree)
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names |= {
                target.id: _whole_name(node.value, names)
                for target in node.targets
                if isinstance(target, ast.Name)
            }
        elif isinstance(node, ast.ClassDef) and _is_any(node.bases, "Callback", names):
            names[node.name] = "Callback"
            yield node
        elif isinstance(node, ast.ClassDef | ast.FunctionDef) and _is_any(
            node.decorator_list, _DECORATOR, names
        ):
            yield node


def imported_names(tree: ast.Module) -> dict[str, str]:
    """Return the dotted name of each name that a module imports."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.partition(".")[0]
                names[alias.asname or whole] = whole
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _is_any(expressions: Sequence[ast.expr], name: str, names: Mapping[str, str]) -> bool:
    return any(_whole_name(one, names).rpartition(".")[2] == name for one in expressions)


def _whole_name(expression: ast.expr, names: Mapping[str, str]) -> str:
    """Return the dotted name of an object or of a called function, its first part resolved."""
    called = expression.func if isinstance(expression, ast.Call) else expression
    head, dot, rest = ast.unparse(called).partition(".")
    return names.get(head, head) + dot + rest
