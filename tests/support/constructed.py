"""Two heads on one shared part, one with a loss scaled by 1,000; and a plain way to train them."""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import modelspec
from modelspec.backend.loss_weights.factory import make_strategy

FACTOR = 1000
TRAIN, TEST = 4000, 2000

SPEC = """
modelspec: 1
name: constructed
inputs: {x: {shape: [12]}}
layers:
  - Dense: {units: 64, activation: relu}
  - Dense: {units: 32, activation: relu}
    name: shared
  - {Dense: {units: 4, activation: softmax}, name: kind, from: shared}
  - {Dense: {units: 1}, name: size, from: shared}
outputs: [kind, size]
losses: [sparse_categorical_crossentropy, mse]
metrics: [accuracy, mae]
loss_weights: [1.0, 1.0]
optimizer: {Adam: {learning_rate: 3e-3}}
"""

Arrays = dict[str, NDArray[Any]]


def arrays(samples: int = TRAIN + TEST) -> Arrays:
    """Return a class and a size, both mixtures of x; weights scale the loss of size."""
    random = np.random.default_rng(0)
    x = random.normal(size=(samples, 12)).astype("f")
    mixed = x @ random.normal(size=(12, 6)) / np.sqrt(12)
    kind = 2 * (mixed[:, 0] > 0.3) + (mixed[:, 1] > 0)
    size = np.sin(mixed[:, 2]) + mixed[:, 3] + 0.5 * random.normal(size=samples)
    return {
        "x": x,
        "kind": kind.astype("i"),
        "size": size.astype("f")[:, None],
        "size_weight": np.full(samples, FACTOR, "f"),
    }


def results(weights: str, epochs: int = 12, seed: int = 0) -> dict[str, float]:
    """Return Keras's results on the last third, after training on the rest."""
    spec = modelspec.loads(SPEC, [f"loss_weights={weights}", f"training.seed={seed}"])
    model = spec.build()
    strategy = make_strategy(model, spec.require())
    whole = arrays()
    train, test = (form(whole, part) for part in (slice(TRAIN), slice(TRAIN, None)))
    model._symbolic_build(data_batch=train)
    step = strategy.train_step if strategy else model.train_step

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def epoch(order: Any) -> None:
        def body(at: Any) -> tuple[Any]:
            rows = order[at : at + 50]
            step(tf.nest.map_structure(lambda array: tf.gather(array, rows), train))
            return (at + 50,)

        tf.while_loop(lambda at: at < TRAIN, body, [tf.constant(0)], parallel_iterations=1)

    random = np.random.default_rng(seed)
    for _ in range(epochs):
        epoch(tf.constant(random.permutation(TRAIN)))
    if strategy:
        strategy.finish()
    x, y, _ = test
    metrics: dict[str, float] = model.evaluate(x, list(y), verbose=0, return_dict=True)
    return metrics


def form(whole: Arrays, rows: slice) -> Any:
    tensors = {name: tf.constant(array[rows]) for name, array in whole.items()}
    targets = [tensors["kind"], tensors["size"]]
    return tensors["x"], targets, [tf.ones_like(tensors["size_weight"]), tensors["size_weight"]]
