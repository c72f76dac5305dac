"""Writes ``modelspec/SCALE.md``: the cost of communication, measured with 2 and 4 processes here.

It needs quiet cores. On busy ones, ``chrt --rr 10`` before the command gives it precedence. The
constants in ``modelspec/results/scaling.py`` are the fit that this prints; where they differ, put
them there and run ``scale.py runs/scale.json``, which measures nothing again.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from harness import FOLDER, REPOSITORY, environment
from scale_text import page

import modelspec
from modelspec.api.costs import estimate, with_lengths
from modelspec.api.target import Target
from modelspec.api.timing import _arrays, _output_shapes
from modelspec.results import scaling
from modelspec.results.costs import Costs, Measured, from_stored

PROCESSES = (2, 4)
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}
MODELS = {"digits_conv": (512, 6), "author_profile": (64, 4)}
"""The rows of a batch, and the epochs."""

STEPS = 4
"""The sums and gathers in an epoch."""

LENGTHS = {"posts": (280,)}


class Operation(NamedTuple):
    """One sum or gather of several processes."""

    kind: str
    workers: int
    size: int
    seconds: float

    def terms(self) -> list[float]:
        """The factors of ``PER_OPERATION``, ``PER_MESSAGE`` and ``PER_BYTE``."""
        times, size = (2, 2 * self.size) if self.kind == "sum" else (1, self.size)
        if self.kind == "sum" and self.size * self.workers <= scaling.SHORT:
            times, size = 1, self.workers * self.size
        hops = self.workers - 1
        return [1.0, float(times * hops), hops / self.workers * size]


def main() -> None:
    stored = Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "runs" / "scale.json"
    if len(sys.argv) == 1:
        stored.parent.mkdir(exist_ok=True)
        stored.write_text(json.dumps(measured()), encoding="utf-8")
    figures = json.loads(stored.read_text(encoding="utf-8"))
    operations = [Operation(*values) for values in figures["operations"]]
    fitted = ", ".join(f"{value:.2g}" for value in fit(operations))
    print(f"PER_OPERATION, PER_MESSAGE, PER_BYTE = {fitted}")
    steps = [
        steps_of(from_stored(figures["costs"][name]), seconds, figures["cores"])
        for name, seconds in figures["steps"].items()
    ]
    how = "; real-time priority on a machine with other work" if figures["real_time"] else ""
    text = page(operations, steps, figures["date"], how)
    (REPOSITORY / "modelspec" / "SCALE.md").write_text(text, encoding="utf-8")


def measured() -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "real_time": os.sched_getscheduler(0) != os.SCHED_OTHER,
        "operations": [one for count in PROCESSES for one in measured_operations(count)],
        "costs": {name: asdict(costs_of(name)) for name in MODELS},
        "steps": {name: measured_steps(name) for name in MODELS},
    }


def measured_operations(count: int) -> list[Operation]:
    script = FOLDER / "workers" / "collective.py"
    command = [sys.executable, str(script)]
    where = free_addresses(count)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [*command, str(index), *where],
                    env=environment(**ONE_THREAD),
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for index in range(count)
        ]
        text = processes[0].communicate()[0]
    return [Operation(kind, count, size, seconds) for kind, size, seconds in json.loads(text)]


def free_addresses(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for single in sockets:
            single.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{single.getsockname()[1]}" for single in sockets]


def fit(operations: Iterable[Operation]) -> Sequence[float]:
    """Fit the constants with the smallest relative errors; none is negative."""
    rows = [np.array(operation.terms()) / operation.seconds for operation in operations]
    terms, ones = np.array(rows), np.ones(len(rows))
    kept = [0, 1, 2]
    while True:
        solution = np.linalg.lstsq(terms[:, kept], ones, rcond=None)[0]
        if (solution >= 0).all():
            break
        kept.pop(int(np.argmin(solution)))
    values = np.zeros(3)
    values[kept] = solution
    return [float(value) for value in values]


class Steps(NamedTuple):
    """The steps of a model, by the number of processes that shared them."""

    costs: Costs
    seconds: dict[int, float]
    predicted: dict[int, float]


def costs_of(name: str) -> Costs:
    return estimate(Target(source_of(name)), lengths=LENGTHS)


def source_of(name: str) -> modelspec.ModelSpec:
    return modelspec.load(REPOSITORY / "specs" / f"{name}.yaml", settings_of(name))


def settings_of(name: str) -> list[str]:
    batch, epochs = MODELS[name]
    return [
        f"training.batch_size={batch}",
        f"training.epochs={epochs}",
        "training.jit=false",
        "training.validation_split=0",
    ]


def measured_steps(name: str) -> dict[str, float]:
    """Return the seconds of a step, by the number of processes."""
    costs, source = costs_of(name), source_of(name)
    rows = STEPS * costs.batch_size
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        known = with_lengths(source.require().graph, costs.lengths)
        arrays: dict[str, Any] = dict(_arrays(source, known, _output_shapes(source, known), rows))
        np.savez(data, **arrays)
        return {
            str(count): epoch(name, data, Path(folder) / str(count), count) / STEPS
            for count in (1, *PROCESSES)
        }


def steps_of(costs: Costs, seconds: Mapping[str, float], cores: int) -> Steps:
    alone = replace(costs, measured=Measured(costs.batch_size, seconds["1"] / costs.batch_size))
    predicted = {count: on_shared_cores(alone, count, cores) for count in PROCESSES}
    return Steps(alone, {int(count): value for count, value in seconds.items()}, predicted)


def on_shared_cores(costs: Costs, count: int, cores: int) -> float:
    """Predict the step of processes with one thread each, which share the cores."""
    step = scaling.predict(costs, count, scaling.LOOPBACK)
    return step.alone / min(count, cores) + step.communicating


def epoch(name: str, data: Path, run: Path, count: int) -> float:
    """Return the seconds of the fastest epoch after the first."""
    spec = REPOSITORY / "specs" / f"{name}.yaml"
    words = [word for setting in settings_of(name) for word in ("--set", setting)]
    # TensorFlow would otherwise compute independent operations in parallel.
    one_core = ["taskset", "--cpu-list", "0"] if count == 1 else []
    command = [
        *one_core,
        sys.executable,
        "-m",
        "modelspec",
        "train",
        str(spec),
        "--data",
        str(data),
    ]
    more = ["--run", str(run), "--workers", str(count), "--quiet", *words]
    subprocess.run([*command, *more], env=environment(**ONE_THREAD), check=True)
    lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return float(min(json.loads(line)["seconds"] for line in lines[1:]))


if __name__ == "__main__":
    main()
