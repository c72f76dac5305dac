"""A head on a frozen MobileNetV2: ``train`` against plain Keras, whole commands in turn.

``python tests/benchmarks/frozen.py [ROUNDS]`` prints, for 5 and 20 epochs, the seconds of plain
Keras's ``fit``, and of a head on features that were computed by hand first, divided by ours.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from check import Run
from harness import FOLDER, python

SPEC = """
modelspec: 1
name: frozen
inputs: {image: {shape: [96, 96, 3]}}
layers:
  - MobileNetV2: {include_top: false, weights: null, input_shape: [96, 96, 3], pooling: avg}
    preprocess: true
    trainable: false
  - Dense: {units: 3, activation: softmax}
    name: label
outputs: label
losses: sparse_categorical_crossentropy
"""
IMAGES = 600


def main(rounds: int) -> None:
    """Measure each side in turn, and print the medians of the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        random = np.random.default_rng(0)
        images = random.integers(0, 256, (IMAGES, 96, 96, 3)).astype("f")
        np.savez(folder / "d.npz", image=images, label=random.integers(0, 3, IMAGES))
        (folder / "s.yaml").write_text(SPEC, encoding="utf-8")
        for epochs in (5, 20):
            seconds = [_round(folder, epochs) for _ in range(rounds)]
            for position, what in ((1, "fit"), (2, "features by hand")):
                ratio = median(times[position] / times[0] for times in seconds)
                print(
                    f"{epochs} epochs: plain Keras, {what}: {ratio:.2f} times our {_ours(seconds)}"
                )


def _ours(seconds: list[tuple[float, float, float]]) -> str:
    return f"{median(times[0] for times in seconds):.1f} s"


def _round(folder: Path, epochs: int) -> tuple[float, float, float]:
    shutil.rmtree(folder / "run", ignore_errors=True)
    data, file = str(folder / "d.npz"), str(folder / "m.keras")
    ours = [python(), "-m", "modelspec", "train", str(folder / "s.yaml"), "--data", data]
    ours += ["--run", str(folder / "run"), "--epochs", str(epochs), "--quiet"]
    plain = [python(), str(FOLDER / "plain" / "frozen_trunk.py")]
    commands = (ours, *([*plain, how, data, str(epochs), file] for how in ("fit", "features")))
    one, two, three = (_seconds(command, folder / "cache") for command in commands)
    return one, two, three


def _seconds(command: list[str], cache: Path) -> float:
    run = Run(command, cache=cache)
    if run.exit_code:
        raise RuntimeError(f"ended with {run.exit_code}: {' '.join(command)}")
    return run.seconds


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
