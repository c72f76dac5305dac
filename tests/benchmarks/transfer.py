"""Writes modelspec/TRANSFER.md: the effect of starting from weights where labels are few.

``python tests/benchmarks/transfer.py [--seeds N] [--output PAGE]`` takes ten minutes on two cores.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import modelspec

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "modelspec" / "TRANSFER.md"
SPECS, DATA = ROOT / "specs" / "transfer", ROOT / "data"
FIRST, FEW = "digits_placed", "digits_faint"
ALL_TRAINED = "layers.trunk.trainable=true"
SMALL_STEPS = "optimizer.Adam.learning_rate=3e-4"
AS_IT_IS = "the first model as it is"
SCRATCH = "from scratch"
LONGER = "from scratch, five times as long"
HEAD = "the head, on the frozen trunk of the first model"
FULL = "then all layers, with small steps"
AT_ONCE = "all layers at once, from the first model"


RATES = (3e-4, 1e-3, 3e-3, 1e-2)
CHOSEN = ", the rate chosen"
OTHER_SEEDS = (100, 101, 102)
HELD = "training.validation_split=0.4"


@dataclass(frozen=True)
class Way:
    """One way to train the model of few labels: the weights that it starts from, and overrides."""

    name: str
    start: str | None = None
    overrides: tuple[str, ...] = ()


WAYS = (
    Way(SCRATCH, None, (ALL_TRAINED,)),
    Way(LONGER, None, (ALL_TRAINED, "training.epochs=300")),
    Way(HEAD, FIRST),
    Way(FULL, HEAD, (ALL_TRAINED, SMALL_STEPS)),
    Way(AT_ONCE, FIRST, (ALL_TRAINED, SMALL_STEPS)),
)


def train(name: str, folder: Path, overrides: Sequence[str]) -> float:
    """Train a shipped spec; return its accuracy on the faint test images."""
    source = modelspec.load(SPECS / f"{name}.yaml", overrides)
    run = modelspec.train(source, DATA / f"{name}.npz", run=folder)
    values = modelspec.evaluate(modelspec.open_target(run.path), DATA / f"{FEW}.npz")
    return float(values["accuracy"])


def measure(seed: int, folder: Path, rates: Mapping[str, float]) -> dict[str, float]:
    """Return the accuracy of every way; all weights and orders are drawn from ``seed``.

    Those with the learning rates ``rates`` have the names of the ways with ``CHOSEN``.
    """
    seeded = f"training.seed={seed}"
    accuracies = {AS_IT_IS: train(FIRST, folder / FIRST, [seeded])}
    for way in WAYS:
        start = start_of(way, folder)
        accuracies[way.name] = train(FEW, folder / way.name, [seeded, *start, *way.overrides])
    for way in WAYS:
        path, rate = folder / f"{way.name}{CHOSEN}", rate_of(rates[way.name])
        overrides = [seeded, *start_of(way, folder, CHOSEN), *way.overrides, rate]
        accuracies[path.name] = train(FEW, path, overrides)
    return accuracies


def start_of(way: Way, folder: Path, suffix: str = "") -> list[str]:
    """Return the override for the run that a way starts from; ``suffix`` ends the names of runs."""
    if way.start is None:
        return []
    return [f"weights.from={folder / way.start}{suffix if way.start != FIRST else ''}"]


def rate_of(rate: float) -> str:
    return f"optimizer.Adam.learning_rate={rate:g}"


def choose_rates(folder: Path) -> dict[str, float]:
    """Return the learning rate with the best mean accuracy on labelled images that are held out.

    The test images and the seeds of the rows take no part in this.
    """
    rates: dict[str, float] = {}
    for seed in OTHER_SEEDS:
        train(FIRST, folder / str(seed) / FIRST, [f"training.seed={seed}"])
    for way in WAYS:
        means = {
            rate: statistics.mean(held_accuracy(way, seed, rate, folder) for seed in OTHER_SEEDS)
            for rate in RATES
        }
        rates[way.name] = max(means, key=means.__getitem__)
        for seed in OTHER_SEEDS:
            best = folder / str(seed) / f"{way.name} {rates[way.name]:g}"
            best.rename(best.with_name(f"{way.name}{CHOSEN}"))
        print(f"{way.name}: {means}", flush=True)
    return rates


def held_accuracy(way: Way, seed: int, rate: float, folder: Path) -> float:
    runs = folder / str(seed)
    overrides = [f"training.seed={seed}", HELD, *start_of(way, runs, CHOSEN), *way.overrides]
    source = modelspec.load(SPECS / f"{FEW}.yaml", [*overrides, rate_of(rate)])
    run = modelspec.train(source, DATA / f"{FEW}.npz", run=runs / f"{way.name} {rate:g}")
    return float(run.history[-1]["val_accuracy"])


def page(
    results: Mapping[str, Sequence[float]], rates: Mapping[str, float], seeds: int
) -> Iterator[str]:
    versions = ", ".join(f"{name} {version(name)}" for name in ("keras", "tensorflow", "numpy"))
    yield f"""# Starting from weights, measured

This page measures how much starting weights help if there are few labels.
`specs/transfer/digits_placed.yaml` learns to recognize clean digits at random places, from 6,935
images that are made from 1,387 real ones. `specs/transfer/digits_faint.yaml` has the same layers,
and learns to recognize faint and noisy digits from 50 labelled images, five of each digit, made
from other real images. The accuracy is measured on 360 faint test images, ± one standard deviation
over {seeds} seeds; guessing gives 0.1. Made by
`make transfer` on {datetime.now(UTC):%Y-%m-%d} with {versions}.

| | accuracy | least | most |
|---|---:|---:|---:|
"""
    for name, values in results.items():
        if not name.endswith(CHOSEN):
            yield f"| {name} | {_cells(values)} |\n"
    tried = ", ".join(f"{rate:g}" for rate in RATES)
    yield f"""
The images, the noise and the settings of these rows were chosen after others had been tried on the
same test images, so the differences may be a little too large. For the next table, the learning
rate of each row was chosen without the test images: it is the one of {tried}
with the best mean accuracy on 20 of the 50 labelled images, which `validation_split` held out, over
{len(OTHER_SEEDS)} other seeds (the smallest of equal ones). The models were then trained on all
labelled images:

| | learning rate | accuracy | least | most |
|---|---:|---:|---:|---:|
"""
    for name, rate in rates.items():
        yield f"| {name} | {rate:g} | {_cells(results[f'{name}{CHOSEN}'])} |\n"
    yield f"""
These commands give the rows of the first table; the last two are the stages of fine-tuning:

```sh
modelspec train specs/transfer/{FIRST}.yaml --data data/{FIRST}.npz --run runs/placed
modelspec train specs/transfer/{FEW}.yaml --data data/{FEW}.npz --run runs/head \\
    --weights runs/placed
modelspec train specs/transfer/{FEW}.yaml --data data/{FEW}.npz --run runs/full \\
    --weights runs/head --set {ALL_TRAINED} --set {SMALL_STEPS}
```

From scratch, `specs/transfer/{FEW}.yaml` trains without `--weights`, with its own learning rate,
1e-3, and with `--set {ALL_TRAINED}`.
"""


def _cells(values: Sequence[float]) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} ± {spread:.3f} | {min(values):.3f} | {max(values):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=PAGE)
    options = parser.parse_args()
    results: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        rates = choose_rates(Path(folder))
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            for name, accuracy in measure(seed, Path(folder), rates).items():
                results.setdefault(name, []).append(accuracy)
        shown = ", ".join(f"{name} {values[-1]:.3f}" for name, values in results.items())
        print(f"seed {seed}: {shown}", flush=True)
    options.output.write_text("".join(page(results, rates, options.seeds)), encoding="utf-8")


if __name__ == "__main__":
    main()
