"""Keras's source text, read without importing it."""

import ast
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from pathlib import Path

from modelspec.catalog.aliases import read_aliases
from modelspec.catalog.docs import fill_placeholders

UNKNOWN = "unknown"
"""The version of a package whose text does not have it in the place where Keras does."""

_HOPS = 16
"""More re-exports in a row than Keras has, so that a ring of imports ends."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A class or function, and the module that defines it."""

    module: str
    node: ast.ClassDef | ast.FunctionDef


class Source:
    """The modules of one installed package, each parsed on first use."""

    def __init__(self, package: str, folder: Path) -> None:
        self.package = package
        self._folder = folder
        self.tree = cache(self._tree)
        self.names = cache(self._names)
        self._own_docstring = cache(self._read_docstring)

    @property
    def version(self) -> str:
        return self.constant(f"{self.package}.src.version", "__version__") or UNKNOWN

    def exports(self, package: str) -> dict[str, Definition]:
        """Return the public classes and functions of a package such as ``keras.layers``."""
        module = f"{self.package}.{package}"
        definitions = ((name, self.resolve(module, name)) for name in self.names(module))
        return {name: definition for name, definition in definitions if definition}

    def aliases(self, package: str) -> dict[str, Definition]:
        """Return the other names that Keras's ``get`` of a package takes, and their definitions."""
        module = f"{self.package}.src.{package}"
        meant = read_aliases(self.tree(module))
        definitions = (
            (name, self.resolve(module, ast.unparse(expression)))
            for name, expression in meant.items()
        )
        return {name: definition for name, definition in definitions if definition}

    def trainer_function(self, name: str) -> Definition | None:
        """Return a function with which Keras compiles losses and metrics."""
        return self.resolve(f"{self.package}.src.trainers.compile_utils", name)

    def resolve(self, module: str, dotted: str, hops: int = _HOPS) -> Definition | None:
        """Return the definition of a name in a module, through imports; None if unreadable."""
        head, _, rest = dotted.partition(".")
        meant = self.names(module).get(head)
        if meant is None or not hops:
            return None
        if isinstance(meant, ast.ClassDef | ast.FunctionDef):
            return None if rest else Definition(module, meant)
        origin, name = meant
        # A package that imports one of its own modules has it as an attribute, too.
        beside = self.names(origin).get(name, meant) == meant
        if beside and self._path(f"{origin}.{name}"):
            return self.resolve(f"{origin}.{name}", rest, hops - 1) if rest else None
        return self.resolve(origin, f"{name}.{rest}" if rest else name, hops - 1)

    def lineage(self, definition: Definition, hops: int = _HOPS) -> list[Definition]:
        """Return a class and those of its bases that can be read, nearest first."""
        line = [definition]
        if not isinstance(definition.node, ast.ClassDef) or not hops:
            return line
        for base in definition.node.bases:
            parent = self.resolve(definition.module, ast.unparse(base))
            if parent:
                line += [
                    ancestor for ancestor in self.lineage(parent, hops - 1) if ancestor not in line
                ]
        return line

    def constant(self, module: str, name: str) -> str | None:
        """Return the value of a module's string constant; None if there is none."""
        for node in self.tree(module).body:
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=ast.Constant(value=str(text))):
                    if target == name:
                        return text
        return None

    def docstring(self, lineage: list[Definition]) -> str:
        """Return a class's or function's docstring, with Keras's ``{{placeholders}}`` filled in."""

        def shared(name: str) -> str:
            constants = (self.constant(ancestor.module, name) for ancestor in lineage)
            return cleandoc(next((text for text in constants if text), ""))

        return fill_placeholders(self._own_docstring(lineage[0]), shared)

    def _read_docstring(self, definition: Definition) -> str:
        return ast.get_docstring(definition.node) or ""

    def _path(self, module: str) -> Path | None:
        inner = module.removeprefix(self.package).strip(".").replace(".", "/")
        for path in (self._folder / f"{inner}.py", self._folder / inner / "__init__.py"):
            if inner and path.is_file():
                return path
        return None

    def _tree(self, module: str) -> ast.Module:
        path = self._path(module) if module.startswith(f"{self.package}.") else None
        try:
            return ast.parse(path.read_bytes() if path else b"")
        except (OSError, SyntaxError, ValueError):
            # Callers treat a missing name as an unreadable one.
            return ast.Module(body=[], type_ignores=[])

    def _names(self, module: str) -> dict[str, ast.ClassDef | ast.FunctionDef | tuple[str, str]]:
        names: dict[str, ast.ClassDef | ast.FunctionDef | tuple[str, str]] = {}
        for node in self.tree(module).body:
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                    names[name] = node
                case ast.ImportFrom(module=str(origin), names=imported, level=0):
                    names |= {
                        alias.asname or alias.name: (origin, alias.name) for alias in imported
                    }
        return names
