"""Writes modelspec/TRANSFER.md: what starting from weights is worth where labels are few.

``python tests/benchmarks/transfer.py [--seeds N] [--output PAGE]`` takes some minutes on two cores.
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
FIRST, FEW = "digits_first", "digits_few"
FROZEN = "layers.trunk.trainable=false"
SMALL_STEPS = "optimizer.Adam.learning_rate=1e-4"
SCRATCH = "from scratch"
HEAD = "new head on the frozen trunk"
FULL = "then all of it, with small steps"
AT_ONCE = "all of it at once, from the trunk's weights"
SLOWER = "the same, the trunk a tenth as fast"


@dataclass(frozen=True)
class Way:
    """One way to train the model of few labels: the weights that it starts from, and overrides."""

    name: str
    start: str | None = None
    overrides: tuple[str, ...] = ()


WAYS = (
    Way(SCRATCH),
    Way(HEAD, FIRST, (FROZEN,)),
    Way(FULL, HEAD, (SMALL_STEPS,)),
    Way(AT_ONCE, FIRST),
    Way(SLOWER, FIRST, ("training.learning_rates={trunk: 0.1}",)),
)


def train(name: str, folder: Path, overrides: Sequence[str]) -> float:
    """Train a shipped spec; its accuracy on the test part."""
    source = modelspec.load(SPECS / f"{name}.yaml", overrides)
    data = DATA / f"{name}.npz"
    run = modelspec.train(source, data, run=folder)
    values = modelspec.evaluate(modelspec.open_target(run.path), data)
    return float(next(value for key, value in values.items() if "acc" in key))


def measure(seed: int, folder: Path) -> dict[str, float]:
    """The accuracy of every way; all weights and orders are drawn from ``seed``."""
    seeded = f"training.seed={seed}"
    train(FIRST, folder / FIRST, [seeded])
    accuracies = {}
    for way in WAYS:
        start = [] if way.start is None else [f"weights.from={folder / way.start}"]
        accuracies[way.name] = train(FEW, folder / way.name, [seeded, *start, *way.overrides])
    return accuracies


def page(results: Mapping[str, Sequence[float]], seeds: int) -> Iterator[str]:
    versions = ", ".join(f"{name} {version(name)}" for name in ("keras", "tensorflow", "numpy"))
    yield f"""# Starting from weights, measured

What it is worth to start from weights where labels are few. `specs/transfer/digits_first.yaml`
learns the digits 0 to 4 from 721 images. `specs/transfer/digits_few.yaml` has the same trunk and a
new head, and learns the digits 5 to 9 from 15 images, three of each. The accuracy is that on 180
test images of these digits, ± one standard deviation over {seeds} seeds; guessing gives 0.2. Made
by `make transfer` on {datetime.now(UTC):%Y-%m-%d} with {versions}.

| | accuracy | least | most |
|---|---:|---:|---:|
"""
    for name, values in results.items():
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        mean = statistics.mean(values)
        yield f"| {name} | {mean:.3f} ± {spread:.3f} | {min(values):.3f} | {max(values):.3f} |\n"
    yield f"""
The two stages are two commands, and the weights of the first are those of another:

```sh
modelspec train specs/transfer/digits_first.yaml --data data/digits_first.npz --run runs/first
modelspec train specs/transfer/digits_few.yaml --data data/digits_few.npz --run runs/head \\
    --weights runs/first --set {FROZEN}
modelspec train specs/transfer/digits_few.yaml --data data/digits_few.npz --run runs/full \\
    --weights runs/head --set {SMALL_STEPS}
```

The last two rows start all layers from `runs/first`; the last one adds
`--set 'training.learning_rates={{trunk: 0.1}}'`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--output", type=Path, default=PAGE)
    options = parser.parse_args()
    results: dict[str, list[float]] = {way.name: [] for way in WAYS}
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            for name, accuracy in measure(seed, Path(folder)).items():
                results[name].append(accuracy)
        shown = ", ".join(f"{name} {values[-1]:.3f}" for name, values in results.items())
        print(f"seed {seed}: {shown}", flush=True)
    options.output.write_text("".join(page(results, options.seeds)), encoding="utf-8")


if __name__ == "__main__":
    main()
