"""A quicker import of TensorFlow, which takes a third of a short training."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from modelspec.storage.silence import silent_stderr

_PUBLIC = "tensorflow._api.v2"
_PARENTS = (
    _PUBLIC,
    f"{_PUBLIC}.__internal__",
    f"{_PUBLIC}.__internal__.distribute",
    f"{_PUBLIC}.compat",
    f"{_PUBLIC}.compat.v1",
    f"{_PUBLIC}.compat.v1.compat",
)
"""The packages of TensorFlow's public names. ``import tensorflow`` imports all their parts."""


@contextmanager
def quick_tensorflow() -> Iterator[None]:
    """Defer the parts of TensorFlow to their first use, while ``import tensorflow`` runs.

    Parts that training never uses (those of ``tf.compat.v1``, ``tf.summary``, ``tf.saved_model``
    and others) take a sixth of the import. Every name keeps its place in TensorFlow.
    """
    finder = _PartFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _PartFinder(MetaPathFinder):
    """Finds the parts of TensorFlow, and defers their code."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        parent, _, name = fullname.rpartition(".")
        if parent not in _PARENTS or (parent == _PUBLIC and _has_namesake(name)):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _DeferringLoader(spec.loader)
        return spec


def _has_namesake(name: str) -> bool:
    """Return True where TensorFlow's code has a package of the same name: ``tensorflow/lite``.

    Python would replace the part by the package when the package is first imported.
    """
    folders = import_module(_PUBLIC.partition(".")[0]).__path__
    return any((Path(folder) / name).is_dir() for folder in folders)


class _DeferringLoader(Loader):
    """Runs the code of a module at the first use of one of its names."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._lock, self._has_begun = RLock(), False

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Do not run the code yet."""
        module.__class__ = _DeferredModule

    def load(self, module: ModuleType) -> None:
        """Run the code once; other threads wait, and the code itself sees its names so far."""
        with self._lock:
            if self._has_begun:
                return
            self._has_begun = True
            try:
                # Some libraries of TensorFlow log when they are loaded.
                with quick_tensorflow(), silent_stderr():
                    self._loader.exec_module(module)
            except BaseException:
                self._has_begun = False
                raise
            _finish(module, self._loader)


def _finish(module: ModuleType, loader: Loader) -> None:
    """Leave the module as if it had never been deferred."""
    module.__class__ = ModuleType
    module.__loader__ = loader
    if module.__spec__ is not None:
        module.__spec__.loader = loader
    parent, _, name = module.__name__.rpartition(".")
    # Parts of `compat.v1` put another object in their place.
    setattr(sys.modules[parent], name, sys.modules[module.__name__])


class _DeferredModule(ModuleType):
    def __getattr__(self, name: str) -> Any:
        _load(self)
        return ModuleType.__getattribute__(self, name)

    def __dir__(self) -> list[str]:
        _load(self)
        return sorted(vars(self))


def _load(module: ModuleType) -> None:
    loader = getattr(module.__spec__, "loader", None)
    if isinstance(loader, _DeferringLoader):
        loader.load(module)
