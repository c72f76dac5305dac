"""modelspec: a YAML spec, compiled into a Keras functional model and trained on npz data.

>>> import modelspec
>>> spec = modelspec.load("specs/digits.yaml")
>>> spec.problems
[]
>>> model = spec.build()                                  # a keras.Model
>>> run = spec.train("data/digits.npz", run="runs/first")  # a Run, with history and model
"""

from modelspec.inference import evaluate, open_target, predict
from modelspec.pipeline import ModelSpec, load, loads
from modelspec.problems import Problem, SpecError
from modelspec.run import Run, RunError

__all__ = [
    "ModelSpec",
    "Problem",
    "Run",
    "RunError",
    "SpecError",
    "evaluate",
    "load",
    "loads",
    "open_target",
    "predict",
]
