"""modelspec: a YAML spec, compiled into a Keras functional model and trained on npz data.

>>> import modelspec
>>> spec = modelspec.load("specs/digits.yaml")
>>> spec.problems
[]
>>> model = spec.build()                                  # a keras.Model
>>> run = modelspec.train(spec, "data/digits.npz")         # a Run, with history and model
>>> modelspec.evaluate(modelspec.open_target(run.path), "data/digits.npz")
"""

from modelspec.inference import evaluate, open_target, predict
from modelspec.pipeline import ModelSpec, load, loads
from modelspec.problems import Problem, SpecError
from modelspec.run import Run, RunError
from modelspec.training import train

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
    "train",
]
