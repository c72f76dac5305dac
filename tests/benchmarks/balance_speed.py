"""Steady epochs with strategies for loss weights, compared with fixed weights."""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness import REPOSITORY, Measured, Row, Table, alternate

import modelspec
from modelspec.api.spec_data import load_data
from modelspec.backend.start import start

BARS = {"equal_contribution": 0.7, "uncertainty": 0.7, "gradnorm": 0.4}
SETS = {
    "digits_heads": "digits_heads",
    "digits_restored": "digits",
    "breast_cancer_heads": "breast_cancer",
}
FIXED = "fixed weights"
SECONDS = 1.0


def epochs(name: str, weights: str) -> Measured:
    """Measure steady training of a spec in the engine; samples a second."""
    from modelspec.backend.loss_weights.factory import make_strategy
    from modelspec.backend.training.batch_source import make_batch_source
    from modelspec.backend.training.engine import Engine
    from modelspec.data.batches import Batches

    source = modelspec.load(REPOSITORY / "specs" / f"{name}.yaml", [f"loss_weights={weights}"])
    valid = source.require()
    spec, graph = valid.spec, valid.graph
    dataset, problems = load_data(source, REPOSITORY / "data" / f"{SETS[name]}.npz")
    assert dataset is not None, problems
    dtypes = {name: entry.dtype for name, entry in graph.inputs.items()}
    feed = Batches(dataset, np.arange(dataset.samples), spec.training.batch_size, dtypes)
    model = source.build()
    strategy = make_strategy(model, source.require())
    engine = Engine(model, step=strategy.train_step if strategy else None)
    rows: Any = make_batch_source(model, feed)

    def run() -> float:
        started, number = time.perf_counter(), 0
        while time.perf_counter() - started < SECONDS:
            for chunk in rows.chunks(feed.order(0, number)):
                engine.train(chunk)
            number += 1
        return number * feed.samples / (time.perf_counter() - started)

    run()
    return run


def compared(name: str, rounds: int) -> Iterator[Row]:
    outputs = [head.output for head in modelspec.load(REPOSITORY / "specs" / f"{name}.yaml").heads]
    fixed = "{" + ", ".join(f"{output}: 0.5" for output in outputs) + "}"
    sides = {FIXED: epochs(name, fixed)} | {
        strategy_name: epochs(name, strategy_name) for strategy_name in BARS
    }
    rates = alternate(sides, rounds)
    for strategy, bar in BARS.items():
        work = f"{name}, steady epoch, {strategy}"
        yield Row(work, FIXED, "samples/s", rates[strategy], rates[FIXED], bar)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, help="a file for the table, as Markdown")
    options = parser.parse_args()
    start()
    table = Table(options.output)
    for name in SETS:
        table.extend(compared(name, options.rounds))


if __name__ == "__main__":
    main()
