"""The cost of a check, beside its limits.

    python tests/benchmarks/check.py [--rounds 7]

Every line is a ratio of medians over rounds in which both sides run in turn, and the spread of the
rounds' own ratios. Times are of whole processes unless the line says otherwise; in brackets is the
processor time, which is more reliable where other work shares the machine.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PROFILE = REPOSITORY / "specs" / "author_profile.yaml"
CHECK = (sys.executable, "-m", "modelspec", "check")

IMPORTS = "import numpy, pydantic, yaml, click"
HELP = (sys.executable, "-m", "modelspec", "--help")
HELP_IMPORTS = "import click, rich.console"

PLAIN_PROFILE = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
from keras import layers
posts = keras.Input((None,), dtype="int32")
x = layers.Embedding(50000, 256)(posts)
x = layers.Conv1D(128, 5, activation="relu")(x)
x = layers.MaxPooling1D(5)(x)
x = layers.Conv1D(256, 5, activation="relu")(x)
x = layers.Conv1D(256, 5, activation="relu")(x)
x = layers.MaxPooling1D(5)(x)
x = layers.Conv1D(256, 5, activation="relu")(x)
x = layers.Conv1D(256, 5, activation="relu")(x)
x = layers.GlobalMaxPooling1D()(x)
x = layers.Dense(128, activation="relu")(x)
age, gender = layers.Dense(1)(x), layers.Dense(1, activation="sigmoid")(x)
keras.Model(posts, [age, layers.Dense(10, activation="softmax")(x), gender])
"""

BLOCKS = 1000
RESIDUAL = f"""\
modelspec: 1
name: deep
inputs:
  x: {{shape: [64]}}
blocks:
  residual:
    inputs: [x]
    layers:
      - Dense: {{units: 64, activation: relu}}
      - Dense: {{units: 64}}
        name: y
      - Add:
        from: [x, y]
        name: sum
    outputs: sum
layers:
  - residual:
    repeat: {BLOCKS}
  - Dense: {{units: 1}}
    name: y
outputs: y
"""

PLAIN_RESIDUAL = f"""
import os, sys, threading, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
from keras import layers
threading.stack_size(512 << 20)
sys.setrecursionlimit(1_000_000)
def build():
    started, busy = time.perf_counter(), time.process_time()
    x = inputs = keras.Input((64,))
    for _ in range({BLOCKS}):
        y = layers.Dense(64)(layers.Dense(64, activation="relu")(x))
        x = layers.Add()([x, y])
    keras.Model(inputs, layers.Dense(1)(x))
    print(time.perf_counter() - started, time.process_time() - busy)
thread = threading.Thread(target=build)
thread.start()
thread.join()
"""

OUR_RESIDUAL = """
import sys, time
import modelspec
from modelspec.backend.start import start
start(light=True)
text = sys.stdin.read()
started, busy = time.perf_counter(), time.process_time()
problems = modelspec.loads(text).check(light=True)
assert not problems, problems
print(time.perf_counter() - started, time.process_time() - busy)
"""

LARGE = """\
modelspec: 1
name: large
inputs:
  ids: {shape: [null], dtype: int32}
layers:
  - Embedding: {input_dim: 2000000, output_dim: 4000}
  - GlobalAveragePooling1D
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
"""

WRONG = """\
modelspec: 1
inputs:
  x: {shape: [4]}
layers:
  - Dense: {unit: 1}
    name: y
outputs: y
"""

DATA = """\
modelspec: 1
name: data
inputs:
  x: {shape: [256]}
layers:
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
"""

SCAN = """
import sys, time
from pathlib import Path
import numpy as np
from modelspec.data.arrays import load, read_headers
path = Path(sys.argv[1])
members, _ = read_headers(path)
kept = {name: load(member)[0] for name, member in members.items()}
def numpy_pass():
    opened = np.load(path) if "compressed" in path.name else kept
    for array in dict(opened).values():
        array.min(), array.max(), np.isfinite(array).all()
import modelspec
from modelspec.api.spec_data import load_data
spec = modelspec.loads(sys.stdin.read())
from modelspec.checks.data import check_data
from modelspec.results.output import Output
def our_pass():
    dataset, _ = load_data(spec, path)
    assert not check_data(spec.graph, spec.heads, dataset, {"y": Output((None, 1), "float32")})
for one_pass in (numpy_pass, our_pass):
    one_pass()
for _ in range(int(sys.argv[2])):
    for one_pass in (our_pass, numpy_pass):
        started = time.perf_counter()
        one_pass()
        print(time.perf_counter() - started)
"""

LAUNCH = """
import json, os, sys, time
started = time.perf_counter()
pid = os.fork()
if not pid:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.execv(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(pid, 0)
seconds = time.perf_counter() - started
code, busy = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime
sys.stderr.write(json.dumps([code, seconds, busy, used.ru_maxrss / 1024]))
"""


class Run:
    """One command, measured from a small process, with its output."""

    exit_code: int
    seconds: float
    busy: float
    megabytes: float

    def __init__(self, command: Sequence[str], stdin: str = "", cache: Path | None = None) -> None:
        environment = dict(os.environ)
        # Installed modules have bytecode; so have ours where a user runs them.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        if cache is not None:
            environment["XDG_CACHE_HOME"] = str(cache)
        ran = subprocess.run(
            [sys.executable, "-S", "-c", LAUNCH, *command],
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        self.exit_code, self.seconds, self.busy, self.megabytes = json.loads(ran.stderr)
        self.output = ran.stdout


Measured = Callable[[], tuple[float, float]]
"""Wall and processor seconds of one round."""


def compare(title: str, bar: float, rounds: int, ours: Measured, theirs: Measured) -> None:
    """Run both in turn and print their times."""
    ours(), theirs()
    pairs = []
    for number in range(rounds):
        first, second = (ours, theirs) if number % 2 else (theirs, ours)
        one, other = first(), second()
        pairs.append((other, one) if first is theirs else (one, other))
    mine, plain = (statistics.median(wall for wall, _ in side) for side in zip(*pairs, strict=True))
    busy, their = (statistics.median(busy for _, busy in side) for side in zip(*pairs, strict=True))
    ratios = sorted(one[0] / other[0] for one, other in pairs)
    print(
        f"{title}: {mine:.3f} s against {plain:.3f} s, ratio {mine / plain:.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}), bar {bar}: "
        f"{'kept' if mine / plain <= bar else 'MISSED'} "
        f"[processor {busy:.3f} s against {their:.3f} s, {busy / their:.2f}]"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    names = ("keras", "tensorflow", "jax", "numpy", "pydantic", "keras-modelspec")
    print(datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    print(f"{platform.platform()}, {os.cpu_count()} cores, CPython {platform.python_version()}")
    print(", ".join(f"{name} {version(name)}" for name in names))
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), rounds)


def measure(folder: Path, rounds: int) -> None:
    cache = folder / "cache"

    def python(code: str) -> tuple[float, float]:
        ran = Run([sys.executable, "-c", code])
        assert ran.exit_code == 0
        return ran.seconds, ran.busy

    def forget() -> None:
        for kept in (*cache.glob("modelspec/shapes/*"), *cache.glob("modelspec/summaries/*")):
            kept.unlink()

    def check(path: Path) -> Run:
        return Run([*CHECK, str(path)], cache=cache)

    def fresh(path: Path) -> Run:
        forget()
        return check(path)

    wrong, large, deep = (folder / f"{name}.yaml" for name in ("wrong", "large", "deep"))
    for path, text in ((wrong, WRONG), (large, LARGE), (deep, RESIDUAL)):
        path.write_text(text, "utf-8")
    check(wrong)

    compare("--help, against click and rich.console", 1.3, max(rounds, 10),
            lambda: times(Run(HELP)), lambda: python(HELP_IMPORTS))  # fmt: skip
    compare("stops before shapes, against the four imports", 2, rounds,
            lambda: times(check(wrong)), lambda: python(IMPORTS))  # fmt: skip
    compare("shapes of author_profile, against plain Keras", 0.4, rounds,
            lambda: times(fresh(PROFILE)), lambda: python(PLAIN_PROFILE))  # fmt: skip
    check(PROFILE)
    compare("the same file again", 0.15, rounds,
            lambda: times(check(PROFILE)), lambda: python(PLAIN_PROFILE))  # fmt: skip

    runs = [fresh(large) for _ in range(min(rounds, 3))]
    most = max(run.megabytes for run in runs)
    seconds = statistics.median(run.seconds for run in runs)
    verdict = "kept" if most < 400 else "MISSED"
    print(f"8 billion parameters: {most:.0f} MB, {seconds:.2f} s, bar 400 MB: {verdict}")

    few = min(rounds, 3)
    compare(f"{BLOCKS} residual blocks, whole processes", 2, few,
            lambda: times(fresh(deep)), lambda: python(PLAIN_RESIDUAL))  # fmt: skip

    def inside() -> tuple[float, float]:
        forget()
        return own_seconds(Run([sys.executable, "-c", OUR_RESIDUAL], RESIDUAL, cache))

    compare(f"{BLOCKS} residual blocks, without imports", 2, few,
            inside, lambda: own_seconds(Run([sys.executable, "-c", PLAIN_RESIDUAL])))  # fmt: skip
    scan(folder, rounds)


def times(run: Run) -> tuple[float, float]:
    return run.seconds, run.busy


def own_seconds(run: Run) -> tuple[float, float]:
    wall, busy = map(float, run.output.split())
    return wall, busy


def scan(folder: Path, rounds: int) -> None:
    """Compare a check of data with NumPy, whose stored arrays are mapped already."""
    import numpy as np

    values = np.random.default_rng(0).random((200_000, 256), np.float32)
    targets = np.random.default_rng(1).random((200_000, 1), np.float32)
    for save in (np.savez, np.savez_compressed):
        path = folder / f"{save.__name__}.npz"
        save(path, x=values, y=targets)
        ran = Run([sys.executable, "-c", SCAN, str(path), str(rounds)], DATA)
        taken = [float(line) for line in ran.output.split()]
        times = {"ours": taken[::2], "theirs": taken[1::2]}
        mine, plain = (statistics.median(side) for side in times.values())
        ratios = sorted(a / b for a, b in zip(*times.values(), strict=True))
        print(
            f"data, 205 MB by {save.__name__}: {mine:.3f} s against NumPy's {plain:.3f} s, "
            f"ratio {mine / plain:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), bar 2: "
            f"{'kept' if mine / plain <= 2 else 'MISSED'}"
        )


if __name__ == "__main__":
    main()
