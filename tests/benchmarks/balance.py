"""Writes modelspec/BALANCE.md: the effect of strategies for loss weights, on the shipped data.

``python tests/benchmarks/balance.py [--jobs N] [--seeds N] [--keep FILE] [--output PAGE]`` takes a
quarter of an hour on two cores.
"""

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from modelspec.api.spec_data import load_data

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "modelspec" / "BALANCE.md"
SPECS = ROOT / "specs"
RAW = Path(__file__).parent / "raw_targets.yaml"
SETS = {
    "digits_heads": "digits_heads",
    "digits_restored": "digits",
    "breast_cancer_heads": "breast_cancer",
    RAW.stem: RAW.stem,
}
STRATEGIES = ("equal_contribution", "uncertainty", "gradnorm")
ONES, OWN, BEST = "weights of 1", "the spec's own numbers", "best of the grid"
MEASURED = {
    "equal_contributions": "`balance`: equal contributions",
    "equal_gradients": "`balance`: equal gradients",
}

Weights = Mapping[str, float]


def spec_of(name: str) -> Path:
    return RAW if name == RAW.stem else SPECS / f"{name}.yaml"


def data_of(name: str) -> Path:
    """Return the shipped data; that of the raw targets is made once for all processes."""
    if name != RAW.stem:
        return ROOT / "data" / f"{SETS[name]}.npz"
    path = Path(tempfile.gettempdir()) / f"modelspec-{name}.npz"
    if not path.exists():
        aside = path.with_name(f"{os.getpid()}-{path.name}")
        make_raw_targets(aside)
        aside.replace(path)
    return path


def make_raw_targets(path: Path) -> None:
    """Make targets of 20 features: three kinds, a price of some 240 (deviation 200), a churn."""
    import numpy as np

    random = np.random.default_rng(11)
    count, held = 2400, 400
    features = random.normal(size=(count, 20)).astype("f")
    hidden = features @ random.normal(size=(20, 5))
    arrays = {
        "x": features,
        "kind": hidden[:, :3].argmax(1),
        "price": (45 * hidden[:, 3] + 240 + random.normal(0, 5, count)).astype("f"),
        "churn": (hidden[:, 4] + random.normal(0, 1, count) > 0).astype("i8"),
    }
    parts = {f"{name}_train": array[:-held] for name, array in arrays.items()}
    parts |= {f"{name}_test": array[-held:] for name, array in arrays.items()}
    np.savez(path, **parts)


@dataclass(frozen=True)
class Job:
    """One training of a set; ``weights`` in the form of YAML."""

    name: str
    row: str
    weights: str
    seed: int


@dataclass(frozen=True)
class Head:
    """An output and its metric; ``samples`` of the test part."""

    output: str
    metric: str
    samples: int

    def error(self, value: float) -> float:
        """Return a value that is better where it is smaller, and never 0."""
        return max(1 - value, 0.5 / self.samples) if self.metric == "accuracy" else value


def train(job: Job) -> dict[str, float]:
    """Return Keras's results on the test part."""
    _calm()
    import numpy as np
    import tensorflow as tf

    import modelspec
    from modelspec.backend.loss_weights.factory import make_strategy
    from modelspec.backend.model.model_io import batch_arrays
    from modelspec.data.batches import Batches

    source = modelspec.load(
        spec_of(job.name),
        [f"loss_weights={job.weights}", f"training.seed={job.seed}"],
    )
    valid = source.require()
    spec, graph = valid.spec, valid.graph
    tf.config.experimental.enable_op_determinism()
    model = source.build()

    def tensors(part: Any) -> tuple[Batches, Any]:
        dataset, problems = load_data(source, data_of(job.name), part)
        assert dataset is not None, problems
        rows = np.arange(dataset.samples)
        feed = Batches(
            dataset, rows, spec.training.batch_size, dict.fromkeys(graph.inputs, "float32")
        )
        arrays = batch_arrays(model, feed.gather(np.arange(len(rows))))
        return feed, tf.nest.map_structure(tf.constant, arrays)

    feed, known = tensors("train")
    _, held = tensors("test")
    model._symbolic_build(data_batch=known)
    strategy = make_strategy(model, source.require())
    step = strategy.train_step if strategy else model.train_step

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def epoch(order: Any) -> None:
        def body(start: Any) -> tuple[Any]:
            rows = order[start : start + feed.batch_size]
            step(tf.nest.map_structure(lambda array: tf.gather(array, rows), known))
            return (start + feed.batch_size,)

        tf.while_loop(lambda start: start < feed.samples, body, [0], parallel_iterations=1)

    for number in range(spec.training.epochs):
        epoch(tf.constant(feed.order(spec.training.seed, number)))
    if strategy:
        strategy.finish()
    metrics: dict[str, float] = model.evaluate(*held, verbose=0, return_dict=True)
    return metrics


def _calm() -> None:
    """Reduce log output and threads, before TensorFlow is imported in a process of the pool."""
    os.environ |= {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    }


def measure(name: str) -> dict[str, dict[str, float]]:
    """Return the weights that ``modelspec balance`` prints."""
    _calm()
    import modelspec
    from modelspec.api import balance as measuring

    source = modelspec.load(spec_of(name))
    balance = measuring.measure(source, data_of(name))
    return {row: getattr(balance, row) for row in MEASURED}


def heads(name: str) -> tuple[list[Head], Any]:
    """Return the heads of a set, and the loss weights of its spec where they are numbers."""
    import modelspec

    source = modelspec.load(spec_of(name))
    dataset, _ = load_data(source, data_of(name), "test")
    assert dataset is not None
    set_heads = [Head(head.output, head.metrics[0].value, dataset.samples) for head in source.heads]
    own = source.require().spec.loss_weights
    return set_heads, None if isinstance(own, str) else own


def rows(name: str, measured: Mapping[str, Weights]) -> Iterator[tuple[str, str]]:
    """Yield the row of the table and the loss weights of each training."""
    known, own = heads(name)
    outputs = [head.output for head in known]
    yield ONES, written(dict.fromkeys(outputs, 1.0))
    for output in outputs:
        yield alone(output), written(dict.fromkeys(outputs, 0.0) | {output: 1.0})
    if own is not None:
        yield OWN, written(own)
    yield from ((strategy, strategy) for strategy in STRATEGIES)
    yield from ((row, written(measured[key])) for key, row in MEASURED.items())
    yield from ((f"grid {point}", point) for point in grid(measured["equal_contributions"]))


def grid(start: Weights) -> Iterator[str]:
    """Yield equal contributions; and for each head ten times and a tenth of that."""
    yield written(start)
    for output, weight in start.items():
        for factor in (10, 0.1):
            yield written({**start, output: factor * weight})


def written(weights: Weights) -> str:
    return "{" + ", ".join(f"{name}: {value:.3g}" for name, value in weights.items()) + "}"


def alone(output: str) -> str:
    return f"{output} alone"


class Results:
    """Test metrics of one set by row and head, one value a seed."""

    def __init__(self, known: Sequence[Head], values: Mapping[str, Sequence[Mapping[str, float]]]):
        self.heads = known
        self.values = values

    def of(self, row: str, head: Head) -> list[float]:
        return [metrics[f"{head.output}_{head.metric}"] for metrics in self.values[row]]

    def mean(self, row: str, head: Head) -> float:
        return statistics.mean(self.of(row, head))

    def score(self, row: str) -> float:
        """Return the geometric mean of the heads' errors, relative to heads trained alone."""
        ratios = [
            head.error(self.mean(row, head)) / head.error(self.mean(alone(head.output), head))
            for head in self.heads
        ]
        return math.prod(ratios) ** (1 / len(ratios))

    def best_of_grid(self) -> str:
        return min((row for row in self.values if row.startswith("grid ")), key=self.score)

    def worse(self, row: str, than: str) -> list[str]:
        """Return heads for which one row is worse than another by more than both spreads."""
        worse_heads = []
        for head in self.heads:
            one, other = (
                list(map(head.error, self.of(compared, head))) for compared in (row, than)
            )
            gap = statistics.mean(one) - statistics.mean(other)
            if gap > spread(one) + spread(other):
                worse_heads.append(head.output)
        return worse_heads


def spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=PAGE)
    parser.add_argument("--keep", type=Path, help="a file of results, to continue later")
    options = parser.parse_args()
    kept = Kept(options.keep)
    # A new process from time to time: TensorFlow keeps the functions of every model it has traced.
    # (concurrent.futures would hang there: https://github.com/python/cpython/issues/115634)
    with get_context("spawn").Pool(options.jobs, maxtasksperchild=12) as pool:
        measured = dict(zip(SETS, pool.map(measure, SETS), strict=True))
        jobs = [
            Job(name, row, weights, seed)
            for name in SETS
            for row, weights in rows(name, measured[name])
            for seed in range(options.seeds)
        ]
        missing = [job for job in jobs if job not in kept]
        for number, (job, metrics) in enumerate(
            zip(missing, pool.imap(train, missing), strict=True)
        ):
            kept.add(job, metrics)
            print(f"{number + 1}/{len(missing)} {job}", file=sys.stderr)
    results = {name: Results(heads(name)[0], kept.by_row(jobs, name)) for name in SETS}
    options.output.write_text(page(results, options.seeds), encoding="utf-8")


class Kept:
    """Results by training, in a file of JSON lines if there is one."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path and path.exists() else []
        pairs = (json.loads(line) for line in lines)
        self.results: dict[Job, dict[str, float]] = {Job(**job): metrics for job, metrics in pairs}

    def __contains__(self, job: Job) -> bool:
        return job in self.results

    def add(self, job: Job, metrics: dict[str, float]) -> None:
        self.results[job] = metrics
        if self.path:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([asdict(job), metrics]) + "\n")

    def by_row(self, jobs: Sequence[Job], name: str) -> dict[str, list[dict[str, float]]]:
        by_row: dict[str, list[dict[str, float]]] = {}
        for job in jobs:
            if job.name == name:
                by_row.setdefault(job.row, []).append(self.results[job])
        return by_row


def page(results: Mapping[str, Results], seeds: int) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in ("keras", "tensorflow", "numpy"))
    parts = [
        INTRODUCTION.format(seeds=seeds, date=f"{datetime.now(UTC):%Y-%m-%d}", versions=versions),
        overview(results),
    ]
    parts += [section(name, of_set) for name, of_set in results.items()]
    from modelspec.language.loss_weights import BEST
    from modelspec.language.loss_weights import STRATEGIES as KINDS

    [auto] = [name for name, kind in KINDS.items() if kind is BEST]
    return "\n".join([*parts, READING.format(auto=auto)])


def overview(results: Mapping[str, Results]) -> str:
    """Return scores by row and set; and over all sets."""
    lines = [
        f"| | {' | '.join(f'`{name}`' for name in results)} | all |",
        "|---|" + "---:|" * (len(results) + 1),
    ]
    for row in (ONES, *STRATEGIES, *MEASURED.values(), BEST):
        scores = [of_set.score(_real(row, of_set)) for of_set in results.values()]
        overall = math.prod(scores) ** (1 / len(scores))
        cells = " | ".join(f"{score:.2f}" for score in (*scores, overall))
        lines.append(f"| {row} | {cells} |")
    return "\n".join([*lines, ""])


def _real(row: str, results: Results) -> str:
    return results.best_of_grid() if row == BEST else row


def section(name: str, results: Results) -> str:
    titles = [f"{head.output} {head.metric}" for head in results.heads]
    lines = [f"## `{name}`", "", f"| | {' | '.join(titles)} | score |"]
    lines.append("|---|" + "---:|" * (len(titles) + 1))
    single = [alone(head.output) for head in results.heads]
    cells = " | ".join(
        _cell(results.of(row, head)) for row, head in zip(single, results.heads, strict=True)
    )
    lines.append(f"| each head alone | {cells} | 1.00 |")
    shown = [row for row in results.values if row not in single and not row.startswith("grid ")]
    for row in (*shown, BEST):
        real = _real(row, results)
        cells = " | ".join(_cell(results.of(real, head)) for head in results.heads)
        label = f"{BEST}: `{real.removeprefix('grid ')}`" if row == BEST else row
        lines.append(f"| {label} | {cells} | {results.score(real):.2f} |")
    return "\n".join([*lines, "", *losses(results), ""])


def _cell(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.3g} ± {spread(values):.2g}"


def losses(results: Results) -> Iterator[str]:
    """Yield a line for each strategy: where it is worse than weights of 1, or than a search."""
    for row in STRATEGIES:
        against = ((ONES, ONES), (BEST, results.best_of_grid()))
        losing = [
            f"to {label} on {', '.join(outputs)}"
            for label, other in against
            if (outputs := results.worse(row, other))
        ]
        yield f"- `{row}` loses {' and '.join(losing) if losing else 'nowhere'}."


INTRODUCTION = """\
# Strategies for loss weights, measured

This page compares the strategies for `loss_weights` on the shipped specs with several outputs
(heads), and on data with a target of hundreds (`raw_targets`): {seeds} seeds each, the specs' own
epochs, metrics on the test part, ± one standard deviation over the seeds. Made by `python
tests/benchmarks/balance.py` on {date} with {versions}.

For each head, the error (1 - accuracy, or the mean absolute error) is divided by the error of a
model with this head alone. The score is the geometric mean of these ratios: 1 is as good as a
separate model for each head, and less is better. The grid starts from the weights for equal
contributions, which `modelspec balance` measures, and multiplies and divides the weight of each
head by ten. The best point of the grid is selected by the score on the test part, so its score is
too good. A strategy "loses" on a head if the difference of the means is larger than the sum of the
two standard deviations.
"""

READING = """\
## How to read it

`equal_contribution` divides each loss by its running mean. `uncertainty` learns a log-variance for
each head: the weights are nearly the same, but all of them can grow while the losses fall.
`gradnorm` compares the gradients on the last shared layer, and increases the weights of the heads
that learn more slowly.

`auto` stands for `{auto}`. It is not the best on each data set, and not the best on average. But it
is the only strategy with which every head learned more than its mean: with the others, `price` of
`raw_targets` predicts little more than its mean. A head that ends in a `Rescaling` to the scale of
its targets, such as `worst` of `breast_cancer_heads`, works well with every strategy. Weights of 1
favour the head with the largest loss.

`modelspec balance` and the strategies only use the losses. If one head is more important to you,
multiply its weight.
"""


if __name__ == "__main__":
    main()
