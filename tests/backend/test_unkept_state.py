"""State that no checkpoint contains is reported before the first step; all other state is saved."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelspec
from modelspec.problems.problem import Problem
from modelspec.runs.progress import NullListener

pytestmark = pytest.mark.keras

PARTS = '''
import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable(package="{package}")
class Unseeded(keras.layers.Layer):
    def call(self, inputs):
        return inputs + keras.random.normal(keras.ops.shape(inputs))


@keras.saving.register_keras_serializable(package="{package}")
class Generated(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.source = tf.random.Generator.from_seed(3)

    def call(self, inputs):
        return inputs + self.source.normal(tf.shape(inputs))


@keras.saving.register_keras_serializable(package="{package}")
class Drawn(keras.layers.Layer):
    def call(self, inputs):
        return inputs + tf.random.normal(tf.shape(inputs))


@keras.saving.register_keras_serializable(package="{package}")
class Hooked(keras.layers.Layer):
    def call(self, inputs):
        noise = tf.numpy_function(lambda x: 0 * x, [inputs], tf.float32)
        return inputs + tf.stop_gradient(tf.ensure_shape(noise, inputs.shape))


@keras.saving.register_keras_serializable(package="{package}")
class Tabled(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)

    def call(self, inputs):
        return inputs


@keras.saving.register_keras_serializable(package="{package}")
class OwnNadam(keras.optimizers.Nadam):
    pass


class Listing(keras.callbacks.Callback):
    def __init__(self, watched=None):
        super().__init__()
        self.watched = watched or ["loss"]
        self.fixed = ["a", "b"]
        self.losses = []

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(logs[self.watched[0]])


class Naming(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.best = "none"

    def on_epoch_end(self, epoch, logs=None):
        self.best = f"epoch {{epoch}}"


class Counting(keras.callbacks.Callback):
    """Lowers the learning rate by what it has counted, from an attribute that it makes late."""

    def __init__(self):
        super().__init__()
        self.steps = np.int64(0)

    def on_epoch_end(self, epoch, logs=None):
        self.steps += 1
        self.late = getattr(self, "late", 0) + 1
        self.model.optimizer.learning_rate = 0.1 / self.late / float(self.steps)
'''

SPEC = """
modelspec: 1
name: unkept
inputs: {x: {shape: [3]}}
layers:
  - Dense: {units: 2}
  - LAYER
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
optimizer: OPTIMIZER
training:
  epochs: 4
  batch_size: 8
  callbacks: CALLBACKS
"""
RANDOM = np.random.default_rng(0)
DATA: dict[str, Any] = {
    "x": RANDOM.normal(size=(20, 3)).astype("f"),
    "y": RANDOM.normal(size=(20, 1)).astype("f"),
}


class Told(NullListener):
    """Records problems, and stops after some epochs as Ctrl-C does."""

    def __init__(self, epochs: int = 9) -> None:
        self.epochs, self.heard = epochs, list[Problem]()

    def problems(self, problems: Sequence[Problem]) -> None:
        self.heard += problems

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None:
        del epochs, samples
        if epoch > self.epochs:
            raise KeyboardInterrupt

    def epoch_finished(self, record: Mapping[str, Any]) -> None: ...


def spec(folder: Path, layer: str, optimizer: str, callbacks: str) -> modelspec.ModelSpec:
    plugin = folder / f"parts{len(list(folder.iterdir()))}.py"
    plugin.write_text(PARTS.format(package=f"unkept_{plugin.stem}_{folder.name}"))
    text = SPEC.replace("LAYER", layer).replace("OPTIMIZER", optimizer)
    return modelspec.loads(text.replace("CALLBACKS", callbacks), plugins=[plugin])


@pytest.mark.parametrize(
    ("layer", "callbacks", "line", "said"),
    [
        ("Identity", "[Listing]", 16, "losses of Listing"),
        ("Identity", "[Counting, Listing: {watched: [loss]}]", 16, "losses of Listing"),
        ("Identity", "[Naming]", 16, "best of Naming"),
        ("Tabled", "[]", 7, "the table of tabled"),
        ("Drawn", "[]", 7, "random numbers of drawn"),
        ("Hooked", "[]", 7, "step of hooked runs Python code"),
    ],
)
def test_what_no_checkpoint_holds_is_told_at_its_line(
    layer: str, callbacks: str, line: int, said: str, tmp_path: Path
) -> None:
    told = Told(epochs=0 if "Drawn" not in layer and "Hooked" not in layer else 1)
    callbacks = callbacks.replace("Listing: {watched: [loss]}", "{Listing: {watched: [loss]}}")
    with pytest.raises(KeyboardInterrupt):
        modelspec.train(
            spec(tmp_path, layer, "sgd", callbacks), DATA, run=tmp_path / "r", listener=told
        )
    [problem] = told.heard
    assert (problem.code, problem.severity) == ("state-not-kept", "warning")
    assert problem.place.span.line == line
    assert said in problem.message


@pytest.mark.parametrize(
    ("layer", "optimizer", "callbacks"),
    [
        ("Unseeded", "sgd", "[]"),
        pytest.param("Generated", "sgd", "[]", marks=pytest.mark.sweep),
        ("Identity", "{LossScaleOptimizer: {inner_optimizer: {OwnNadam: {}}}}", "[]"),
        ("Identity", "{SGD: {learning_rate: 0.1}}", "[Counting]"),
    ],
)
def test_what_a_checkpoint_holds_goes_on_exactly(
    layer: str, optimizer: str, callbacks: str, tmp_path: Path
) -> None:
    """Without a message, although neither Keras nor the model lists all of this state."""
    told = Told()
    parts = spec(tmp_path, layer, optimizer, callbacks)
    whole = modelspec.train(parts, DATA, run=tmp_path / "whole", listener=told)
    assert told.heard == []
    with pytest.raises(KeyboardInterrupt):
        modelspec.train(parts, DATA, run=tmp_path / "cut", listener=Told(2))
    cut = modelspec.train(parts, DATA, run=tmp_path / "cut", resume=True)
    losses = [[epoch["loss"] for epoch in run.history] for run in (whole, cut)]
    assert losses[0] == losses[1]
