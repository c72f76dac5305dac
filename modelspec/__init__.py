"""Compile a YAML spec into a Keras functional model, and train it on npz files or tables.

Example:
    >>> import modelspec
    >>> spec = modelspec.load("specs/digits.yaml", ["training.epochs=2"])
    >>> spec.problems
    []
    >>> model = spec.build()  # a compiled keras.Model
    >>> run = modelspec.train(spec, "data/digits.npz")
    >>> run.status
    'completed'
    >>> sorted(modelspec.evaluate(run, "data/digits.npz"))
    ['accuracy', 'loss']
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelspec.api.difference import diff
    from modelspec.api.evaluation import evaluate
    from modelspec.api.export import ExportError, export
    from modelspec.api.importing import ImportedSpec, import_model
    from modelspec.api.model_spec import ModelSpec
    from modelspec.api.plot import plot
    from modelspec.api.prediction import predict
    from modelspec.api.python import to_python
    from modelspec.api.reading import load, loads
    from modelspec.api.report import make_report
    from modelspec.api.target import open_target
    from modelspec.api.train import train
    from modelspec.problems.errors import (
        KerasError,
        ModelError,
        PluginError,
        RunError,
        RunInterrupted,
        SpecError,
    )
    from modelspec.problems.problem import Problem
    from modelspec.runs.run import Run

__all__ = [
    "ExportError",
    "ImportedSpec",
    "KerasError",
    "ModelError",
    "ModelSpec",
    "PluginError",
    "Problem",
    "Run",
    "RunError",
    "RunInterrupted",
    "SpecError",
    "__version__",
    "diff",
    "evaluate",
    "export",
    "import_model",
    "load",
    "loads",
    "make_report",
    "open_target",
    "plot",
    "predict",
    "to_python",
    "train",
]

__version__ = "0.1.0"
"""The version of the distribution; ``pyproject.toml`` reads it from here."""

_LATER = {
    "api.difference": ("diff",),
    "api.export": ("ExportError", "export"),
    "api.python": ("to_python",),
    "api.importing": ("ImportedSpec", "import_model"),
    "api.evaluation": ("evaluate",),
    "api.prediction": ("predict",),
    "api.plot": ("plot",),
    "api.report": ("make_report",),
    "api.target": ("open_target",),
    "api.model_spec": ("ModelSpec",),
    "api.reading": ("load", "loads"),
    "problems.errors": (
        "KerasError",
        "ModelError",
        "PluginError",
        "RunError",
        "RunInterrupted",
        "SpecError",
    ),
    "problems.problem": ("Problem",),
    "runs.run": ("Run",),
    "api.train": ("train",),
}


def __getattr__(name: str) -> Any:
    """Import a name on first access, because most commands need only a few of them."""
    for module, names in _LATER.items():
        if name in names:
            return getattr(import_module(f"modelspec.{module}"), name)
    raise AttributeError(f"module 'modelspec' has no attribute {name!r}")
