"""Specs trained by one process, by several workers and on several devices, and their differences.

    python tests/support/worker_series.py --shipped --models 20 --launches "workers 2" "devices 4"
    python tests/support/worker_series.py --cases mlp "random 3" --precision float64

Several cases are trained by the same processes, one after the other, so that they start once. With
``--folder`` the runs are kept, and existing ones are not trained again.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import worker_runs
import yaml

from modelspec.backend.logical_cpus import LOGICAL_CPUS
from modelspec.cluster.cluster import TF_CONFIG, Cluster, config_text, from_environment
from modelspec.cluster.local import free_ports

ROOT = Path(__file__).resolve().parents[2]
EPOCHS = 3
PART = 8
"""The number of cases of a launch."""

LIMIT = 1200.0
"""Seconds after which the processes of a launch are ended."""

ONE = "one"
RANDOM = "random"
PRECISE = "float64"
SHIPPED = {
    **dict.fromkeys(("attention", "digits", "digits_conv", "residual"), "digits.npz"),
    **dict.fromkeys(("breast_cancer", "breast_cancer_heads"), "breast_cancer.npz"),
    **dict.fromkeys(("digits_heads", "digits_restored"), "digits_heads.npz"),
    **{name: f"{name}.npz" for name in ("author_profile", "mlp", "question_answering")},
    "siamese": "digit_pairs.npz",
}
"""The specs of the notebook and of the first templates; each has its data."""

LAYERS_WITH_DATA = {
    "wine": "wine_train.csv",  # a table, names of classes, and layers that are fitted to the rows
    "reviews": "reviews.npz",  # text
    "siamese_l1": "digit_pairs.npz",  # operations
}
LAUNCHES = ("workers 2", "workers 3", "devices 2", "devices 4")


EQUAL = 1e-6
"""The relative tolerance.

Cases that are further apart are trained again in float64, and must be within it there. In float32,
a sum in another order differs by 1e-7; under Adam and similar optimizers, deep networks let that
grow to any size, which depends on the processor.
"""

ROUNDED = 1e-4
"""The same for ``NO_GRADIENT`` in float64."""

NO_GRADIENT = ("attention", "random 22", "random 24", "random 27")
"""Cases with a weight whose exact gradient is 0: the bias of attention's keys, or one before
BatchNormalization. Adam and similar optimizers follow its rounding, in float64 too.
"""

REFUSED = {"random 9": "CutMix"}
"""Cases with a layer that combines the samples of a batch, which workers refuse."""


@dataclass(frozen=True)
class Case:
    """A spec as text, its data, and settings in place of its own."""

    name: str
    text: str
    data: Any
    settings: Mapping[str, Any]


def cases(names: Sequence[str], precision: str) -> Iterator[Case]:
    from random_models import random_model  # imports Keras, which the launch starts its own way

    settings = {"training.epochs": EPOCHS, "training.jit": False, "training.precompute": False}
    for name in names:
        kind, _, seed = name.partition(" ")
        if kind != RANDOM:
            text = (ROOT / "specs" / f"{name}.yaml").read_text(encoding="utf-8")
            own = {"training.precision": precision} if precision else {}
            text = synchronized(text)
            data = ROOT / "data" / (SHIPPED | LAYERS_WITH_DATA)[name]
            yield Case(name, text, data, settings | own)
            continue
        model = random_model(int(seed))
        spec = model.spec
        if precision:
            spec["training"]["precision"] = precision
        if precision == PRECISE:
            # Keras adds penalties in float32 alone.
            for layer in spec["layers"]:
                for arguments in layer.values():
                    if isinstance(arguments, dict):
                        arguments.pop("kernel_regularizer", None)
                        arguments.pop("activity_regularizer", None)
        text = synchronized(yaml.safe_dump(spec, sort_keys=False, default_flow_style=True))
        yield Case(name, text, model.arrays, settings)


def synchronized(text: str) -> str:
    """Make workers normalize as one process does, which uses the statistics of all rows."""
    return re.sub(r"(BatchNormalization:\s*\{)(?=momentum)", r"\1synchronized: true, ", text)


def start_keras() -> Cluster | None:
    """Start Keras, as one of several workers if the environment says so."""
    from modelspec.api import train as module
    from modelspec.backend.start import start
    from modelspec.backend.workers.joining import join

    cluster = from_environment()
    if cluster is None:
        start()
        return None
    workers = join(cluster.addresses, cluster.index)
    # They compared themselves when they started: one process cannot listen twice.
    setattr(module, "connect", lambda *_: workers)  # noqa: B010 - mypy knows it as an import
    return cluster


def compute_losses_precisely() -> None:
    """Make Keras compute losses in float64; their type comes from Keras's own setting."""
    import keras

    keras.config.set_floatx(PRECISE)


def train_all(folder: Path, chosen: Sequence[Case], devices: int, cluster: Cluster | None) -> None:
    """Train every case in this process, which may be one of several workers."""
    import keras

    import modelspec

    for case in chosen:
        options = {**case.settings, **({"training.devices": devices} if devices else {})}
        overrides = [f"{name}={json.dumps(value)}" for name, value in options.items()]
        run = place(folder, case.name)
        try:
            source = modelspec.loads(case.text, overrides)
            modelspec.train(source, case.data, run=run, cluster=cluster)
        except Exception:  # noqa: BLE001 - the comparison tells what has no history
            if cluster is None or cluster.is_chief:
                run.mkdir(parents=True, exist_ok=True)
                (run / "error.txt").write_text(traceback.format_exc())
        keras.backend.clear_session()


def place(folder: Path, *names: str) -> Path:
    """Return the folder of the runs of a launch, or of one of its cases."""
    return folder.joinpath(*(name.replace(" ", "_") for name in names))


def launch_missing(kind: str, folder: Path, names: Sequence[str], precision: str = "") -> None:
    """Train the cases whose runs are not in the folder yet."""
    ended = ("model.keras", "error.txt")
    missing = [
        name for name in names if not any((place(folder, name) / file).exists() for file in ended)
    ]
    for name in missing:
        shutil.rmtree(place(folder, name), ignore_errors=True)  # left by processes that were ended
    for start in range(0, len(missing), PART):
        launch(kind, folder, ["--precision", precision, "--cases", *missing[start : start + PART]])


def launch(kind: str, folder: Path, words: Sequence[str]) -> None:
    """Run this program as one process, as ``workers N`` or with ``devices N``."""
    name, _, count = kind.partition(" ")
    workers = int(count) if name == "workers" else 1
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers)]
    command = [sys.executable, "-W", "ignore", __file__, "--into", str(folder), *words]
    shared = os.environ | worker_runs.QUIET | {"OMP_NUM_THREADS": "1"}
    if name == "devices":
        shared[LOGICAL_CPUS] = count
        command += ["--devices", count]
    processes = [
        subprocess.Popen(
            command,
            env=shared | ({TF_CONFIG: config_text(addresses, index)} if workers > 1 else {}),
        )
        for index in range(workers)
    ]
    end = time.monotonic() + LIMIT
    for process in processes:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def error(run: Path) -> str:
    """Return why a run did not end; empty if it did."""
    if (run / "error.txt").exists():
        return (run / "error.txt").read_text().strip().splitlines()[-1][:200]
    return "" if (run / "model.keras").exists() else f"{run.parent.name} did not end"


def compare(one: Path, other: Path) -> tuple[str, float, float]:
    """Return an error, and the largest relative differences of the histories and of the weights.

    The optimizer's variables are left out: sums of gradients that cancel are mostly rounding.
    """
    if said := error(other):
        return said, 0.0, 0.0
    logs = zip(worker_runs.history(one), worker_runs.history(other), strict=True)
    apart = max(
        abs((ours[name] or 0) - (theirs[name] or 0)) / max(abs(ours[name] or 0), 1e-3)
        for ours, theirs in logs
        for name in ours
    )
    return "", apart, worker_runs.distance(one, other, optimizer=False)


def wrong_cases(kind: str, folder: Path, names: Sequence[str], precision: str = "") -> list[str]:
    """Train all cases, and return those whose numbers differ from those of one process."""
    if precision == PRECISE:
        return precisely_wrong(kind, folder, names)
    for where in (ONE, kind):
        launch_missing(where, place(folder, where), names, precision)
    apart = {name: print_difference(folder, kind, name) for name in names}
    wrong = [name for name in names if not apart[name] < float("inf")]
    doubtful = [name for name in names if EQUAL < apart[name] < float("inf")]
    if doubtful:
        wrong += [f"{name} {PRECISE}" for name in precisely_wrong(kind, folder / PRECISE, doubtful)]
    return wrong


def precisely_wrong(kind: str, folder: Path, names: Sequence[str]) -> list[str]:
    """Train all cases in float64, and return those that differ there."""
    for where in (ONE, kind):
        launch_missing(where, place(folder, where), names, PRECISE)
    limits = {name: ROUNDED if name in NO_GRADIENT else EQUAL for name in names}
    return [name for name in names if not print_difference(folder, kind, name) <= limits[name]]


def print_difference(folder: Path, kind: str, name: str) -> float:
    """Print the difference between a case and one process; infinite if it did not end."""
    if said := error(place(folder, ONE, name)):
        print(f"{name}\t{kind}\tone process does not train it\t{said}", flush=True)
        return 0.0
    said, logs, weights = compare(place(folder, ONE, name), place(folder, kind, name))
    precision = f" {PRECISE}" if folder.name == PRECISE else ""
    print(f"{name}\t{kind}{precision}\t{logs:.1e}\t{weights:.1e}\t{said}", flush=True)
    if name in REFUSED and "combines the samples of a batch" in said:
        return 0.0
    return float("inf") if said else max(logs, weights)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shipped", action="store_true")
    parser.add_argument("--models", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cases", nargs="*", default=[], help="names, such as mlp and 'random 3'")
    parser.add_argument("--precision", default="")
    parser.add_argument("--launches", nargs="+", default=LAUNCHES)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--into", type=Path, help="train here, as a process of a launch")
    parser.add_argument("--devices", type=int, default=0)
    options = parser.parse_args()
    names = [*options.cases, *(SHIPPED if options.shipped else ())]
    names += [f"{RANDOM} {options.seed + index}" for index in range(options.models)]
    if options.into:
        cluster = start_keras()
        if options.precision == PRECISE:
            compute_losses_precisely()
        train_all(options.into, list(cases(names, options.precision)), options.devices, cluster)
        return 0
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as temporary:
        for kind in options.launches:
            folder = options.folder or Path(temporary)
            wrong += [
                f"{name} ({kind})" for name in wrong_cases(kind, folder, names, options.precision)
            ]
    print(f"not the numbers of one process: {', '.join(wrong) or 'none'}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
