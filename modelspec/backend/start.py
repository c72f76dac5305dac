"""The import of Keras on one of its backends, without its log output."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import cast

from modelspec.backend.logical_cpus import prepare_devices
from modelspec.backend.xla_flags import has_xla_flags, require_xla_flags
from modelspec.storage.silence import silent_stderr

_CHATTY = ("tensorflow", "absl", "jax", "h5py")

_ASKED_FOR = ("jax", "matplotlib", "sklearn", "torch")
"""Packages that Keras and TensorFlow import only to find out whether they are installed."""

_AWAY_FROM_SHAPES = ("PIL", "requests")
"""Packages that Keras does not require, and that do not affect shapes."""

_SPARED = (
    "jax.experimental.sparse.linalg",
    "jax.experimental.pallas.ops.tpu.splash_attention",
)
"""Solvers, and attention on TPUs: a quarter of the time to import Keras on JAX."""


def start(*, light: bool = False, first: Callable[[], None] | None = None) -> ModuleType:
    """Import Keras on TensorFlow; ``light`` on JAX instead, where that works (the extra ``quick``).

    The light path starts in half the time and a third of the memory, returns Keras's own shapes and
    parameters, and cannot train: its process stays on JAX. Keras does not read the user's
    ``keras.json``. If Keras is imported already, it is not changed. ``first`` is called after
    TensorFlow is imported and before its first operation.

    Raises:
        KerasError: The environment sets options of XLA with which TensorFlow does not start.
    """
    if "keras" not in sys.modules:
        require_xla_flags()
        # JAX has its own XLA, which may know other options.
        light = light and not has_xla_flags()
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        for chatty in _CHATTY:
            logging.getLogger(chatty).setLevel(logging.ERROR)
        # TensorFlow in C++ logs before it reads its options.
        with silent_stderr(), _no_settings():
            if not (light and _import_on_jax()):
                _import_on_tensorflow(first)
    return sys.modules["keras"]


@contextmanager
def _no_settings() -> Iterator[None]:
    """Hide the user's ``keras.json``, because it would silently change dtypes and axes."""
    home = os.environ.get("KERAS_HOME")
    with TemporaryDirectory(prefix="modelspec-keras-") as empty:
        os.environ["KERAS_HOME"] = empty
        try:
            yield
        finally:
            del os.environ["KERAS_HOME"]
            if home is not None:
                os.environ["KERAS_HOME"] = home


def _import_on_tensorflow(first: Callable[[], None] | None) -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with _hidden(*_ASKED_FOR):
        import keras  # noqa: F401
        import tensorflow as tf

        prepare_devices()
        if first is not None:
            first()
        tf.constant(0)


def _import_on_jax() -> bool:
    """Import Keras on JAX and return True; return False, with no traces, where that fails."""
    before = set(sys.modules)
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        import jax  # noqa: F401

        # Keras would import it only to ask whether it is there, later too.
        sys.modules.setdefault("tensorflow", cast("ModuleType", None))
        for spared in _SPARED:
            sys.modules.setdefault(spared, _hollow(spared))
        with _hidden(*_ASKED_FOR, *_AWAY_FROM_SHAPES):
            import keras  # noqa: F401
    except Exception:  # noqa: BLE001 - after any error, TensorFlow is used
        for name in set(sys.modules) - before:
            if name == "tensorflow" or name.partition(".")[0] == "keras":
                del sys.modules[name]
        return False
    return True


def _hollow(name: str) -> ModuleType:
    """Return a module without contents, from which every name can be imported."""
    module = ModuleType(name)
    module.__dict__["__getattr__"] = lambda _: None
    return module


@contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Make packages look uninstalled, except those that were imported before."""
    wanted = {os.environ["KERAS_BACKEND"], *sys.modules}
    hidden = [package for package in packages if package not in wanted]
    sys.modules.update(dict.fromkeys(hidden, cast("ModuleType", None)))
    try:
        yield
    finally:
        for package in hidden:
            sys.modules.pop(package, None)
