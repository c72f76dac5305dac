"""A head on a frozen beginning: ``train`` compared with plain Keras, whole commands in turn.

``python tests/benchmarks/frozen.py [ROUNDS]`` prints how many times as long plain Keras takes: its
``fit`` on the whole model, and a head on features that were computed by hand first. In brackets are
the ratios of the processor time, which are more reliable where other work shares the machine.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from check import Run
from harness import FOLDER, alternate, python

IMAGES = """
modelspec: 1
name: images
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
TEXTS = """
modelspec: 1
name: texts
inputs: {words: {shape: [80], dtype: int32}}
layers:
  - Embedding: {input_dim: 5000, output_dim: 64}
    trainable: false
  - LSTM: {units: 128}
    trainable: false
  - Dense: {units: 3, activation: softmax}
    name: label
outputs: label
losses: sparse_categorical_crossentropy
"""


@dataclass(frozen=True)
class Case:
    """A spec, its plain script, a function for its rows, and least ratios by epochs and side."""

    spec: str
    script: str
    rows: Callable[[np.random.Generator], Mapping[str, Any]]
    bars: Mapping[int, Mapping[str, float]]


CASES = {
    "MobileNetV2, 600 images": Case(
        IMAGES,
        "frozen_trunk.py",
        lambda random: {
            "image": random.integers(0, 256, (600, 96, 96, 3)).astype("f"),
            "label": random.integers(0, 3, 600),
        },
        {5: {"fit": 2.5}, 20: {"fit": 8, "features": 1}},
    ),
    "Embedding and LSTM, 4000 texts": Case(
        TEXTS,
        "frozen_text.py",
        lambda random: {
            "words": random.integers(0, 5000, (4000, 80), dtype="int32"),
            "label": random.integers(0, 3, 4000),
        },
        {20: {"fit": 5, "features": 1}},
    ),
}


def main(rounds: int) -> None:
    """Measure each side in turn, and print the medians of the ratios."""
    for title, case in CASES.items():
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            np.savez(folder / "d.npz", **case.rows(np.random.default_rng(0)))
            (folder / "s.yaml").write_text(case.spec, encoding="utf-8")
            for epochs in case.bars:
                _compare(title, folder, case, epochs, rounds)


def _compare(title: str, folder: Path, case: Case, epochs: int, rounds: int) -> None:
    bars = case.bars[epochs]
    busy: dict[str, list[float]] = {side: [] for side in ("ours", *bars)}

    def side(name: str) -> float:
        run = _run(folder, case, name, epochs)
        busy[name].append(run.busy)
        return run.seconds

    seconds = alternate({name: partial(side, name) for name in busy}, rounds)
    for name, bar in bars.items():
        wall, processor = (_ratio(times[name], times["ours"]) for times in (seconds, busy))
        verdict = "kept" if wall >= bar else "MISSED"
        ours, our_busy = median(seconds["ours"]), median(busy["ours"])
        print(
            f"{title}, {epochs} epochs: plain Keras, {name}: {wall:.2f} times our {ours:.1f} s, "
            f"bar {bar}: {verdict} [processor {processor:.2f} times {our_busy:.1f} s]",
            flush=True,
        )


def _ratio(theirs: list[float], ours: list[float]) -> float:
    return median(other / one for one, other in zip(ours, theirs, strict=True))


def _run(folder: Path, case: Case, side: str, epochs: int) -> Run:
    shutil.rmtree(folder / "run", ignore_errors=True)
    data = str(folder / "d.npz")
    if side == "ours":
        command = [python(), "-m", "modelspec", "train", str(folder / "s.yaml"), "--data", data]
        command += ["--run", str(folder / "run"), "--epochs", str(epochs), "--quiet"]
    else:
        command = [python(), str(FOLDER / "plain" / case.script), side, data, str(epochs)]
        command.append(str(folder / "m.keras"))
    run = Run(command, cache=folder / "cache")
    if run.exit_code:
        raise RuntimeError(f"ended with {run.exit_code}: {' '.join(command)}")
    return run


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
