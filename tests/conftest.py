"""Keras on TensorFlow in every test process, TensorFlow quiet, and caches that start empty."""

import os
import tempfile

import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

THEIRS = (
    # NumPy 2 asks TensorFlow's variables for an argument that they do not know.
    "__array__ implementation doesn't accept a copy:DeprecationWarning:keras.src.backend",
)

_CACHE = tempfile.TemporaryDirectory(prefix="modelspec-tests-")


def pytest_configure(config: pytest.Config) -> None:
    """Let pass the warnings of TensorFlow and Keras that nobody here can avoid."""
    for warning in THEIRS:
        config.addinivalue_line("filterwarnings", f"ignore:{warning}")
    # What was remembered of an earlier state of the code must not answer for this one.
    os.environ["XDG_CACHE_HOME"] = _CACHE.name
