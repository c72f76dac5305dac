"""TextVectorization inside of a model: ``train`` compared with plain Keras, commands in turn.

``python tests/benchmarks/text.py [ROUNDS]`` prints the seconds, and in brackets the processor's, of
plain Keras with the layer inside of the model, and with texts that are vectorized first by hand,
divided by ours. 20,000 texts of 20 to 80 words, 10 epochs.
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
name: text
inputs: {review: {shape: [], dtype: string}}
layers:
  - TextVectorization: {max_tokens: 5000, output_sequence_length: 60}
    adapt: true
  - Embedding: {input_dim: 5000, output_dim: 16}
  - GlobalAveragePooling1D
  - Dense: {units: 16, activation: relu}
  - Dense: {units: 1, activation: sigmoid}
    name: positive
outputs: positive
losses: binary_crossentropy
metrics: accuracy
optimizer: adam
"""
TEXTS, EPOCHS, WORDS = 20_000, "10", 8_000
BARS = {"inside": 3.0, "first": 1.0}


def main(rounds: int) -> None:
    """Measure each side in turn, and print the medians of the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "d.npz")
        (folder / "s.yaml").write_text(SPEC, encoding="utf-8")
        runs = [_round(folder) for _ in range(rounds)]
        for how, bar in BARS.items():
            print(
                f"plain Keras, {how}: {_ratio(runs, how, 'seconds'):.2f} times ours, "
                f"processor {_ratio(runs, how, 'busy'):.2f} (bar {bar:g})"
            )


def write(path: Path) -> None:
    """Write texts whose words follow Zipf's law, and a class that depends on some of the words."""
    random = np.random.default_rng(0)
    words = np.array([f"word{index}" for index in range(WORDS)])
    ids = (random.zipf(1.2, (TEXTS, 80)) - 1) % WORDS
    lengths = random.integers(20, 81, TEXTS)
    texts = [" ".join(words[row[:length]]) for row, length in zip(ids, lengths, strict=True)]
    positive = ((ids % 7 == 3).sum(-1) > 9).astype(np.float32)
    np.savez(path, review=np.array(texts), positive=positive)


def _round(folder: Path) -> dict[str, Run]:
    shutil.rmtree(folder / "run", ignore_errors=True)
    data, file = str(folder / "d.npz"), str(folder / "m.keras")
    ours = [python(), "-m", "modelspec", "train", str(folder / "s.yaml"), "--data", data]
    ours += ["--run", str(folder / "run"), "--epochs", EPOCHS, "--quiet"]
    plain = [python(), str(FOLDER / "plain" / "text_inside.py")]
    commands = {"ours": ours, **{how: [*plain, how, data, EPOCHS, file] for how in BARS}}
    runs = {name: _run(command, folder / "cache") for name, command in commands.items()}
    listed = ", ".join(f"{name} {run.seconds:.1f} ({run.busy:.1f}) s" for name, run in runs.items())
    print(listed, flush=True)
    return runs


def _run(command: list[str], cache: Path) -> Run:
    run = Run(command, cache=cache)
    if run.exit_code:
        raise RuntimeError(f"ended with {run.exit_code}: {' '.join(command)}")
    return run


def _ratio(runs: list[dict[str, Run]], how: str, what: str) -> float:
    ratios = [getattr(run[how], what) / getattr(run["ours"], what) for run in runs]
    return float(median(ratios))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
