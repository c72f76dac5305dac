"""modelspec: a YAML spec, compiled into a Keras functional model and trained on npz data.

>>> import modelspec
>>> spec = modelspec.load("specs/digits.yaml")
>>> spec.problems
[]
>>> model = spec.build()                                  # a keras.Model
>>> run = modelspec.train(spec, "data/digits.npz")         # a Run, with history and model
>>> modelspec.evaluate(modelspec.open_target(run.path), "data/digits.npz")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelspec.api.inference import evaluate, predict
    from modelspec.api.model_spec import ModelSpec, load, loads
    from modelspec.api.target import open_target
    from modelspec.api.train import train
    from modelspec.problems.errors import ModelError, RunError, RunInterrupted, SpecError
    from modelspec.problems.problem import Problem
    from modelspec.runs.run import Run

__all__ = [
    "ModelError",
    "ModelSpec",
    "Problem",
    "Run",
    "RunError",
    "RunInterrupted",
    "SpecError",
    "__version__",
    "evaluate",
    "load",
    "loads",
    "open_target",
    "predict",
    "train",
]

__version__ = "0.1.0"
"""Of the distribution too: ``pyproject.toml`` reads it here."""

_LATER = {
    "api.inference": ("evaluate", "predict"),
    "api.target": ("open_target",),
    "api.model_spec": ("ModelSpec", "load", "loads"),
    "problems.errors": ("ModelError", "RunError", "RunInterrupted", "SpecError"),
    "problems.problem": ("Problem",),
    "runs.run": ("Run",),
    "api.train": ("train",),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: most commands need little of it."""
    for module, names in _LATER.items():
        if name in names:
            return getattr(import_module(f"modelspec.{module}"), name)
    raise AttributeError(f"module 'modelspec' has no attribute {name!r}")
