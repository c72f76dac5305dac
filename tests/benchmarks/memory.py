"""Data larger than memory: peak memory at 1 GB and 4 GB of data, and samples per second.

Each command runs in a separate process, under a memory limit if this machine supports one (as
root, in a control group). Anonymous memory is measured by sampling, because mapped files use only
free memory.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import numpy as np
from numpy.lib import format as npy

WIDTH = 256
SPEC = f"""\
modelspec: 1
name: large
inputs: {{x: {{shape: [{WIDTH}]}}}}
layers:
  - Dense: {{units: 32, activation: relu}}
  - Dense: {{units: 10, activation: softmax}}
    name: y
outputs: y
losses: sparse_categorical_crossentropy
metrics: accuracy
# Both parts are too large to be held as tensors. XLA, which auto takes for 4 GB alone, needs more.
training: {{epochs: 1, batch_size: 256, validation_split: 0.3, jit: false}}
"""
GROUPS = (
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
    ("/sys/fs/cgroup", "memory.max"),
)
ENTER = """
import os, sys
open(sys.argv[1], "w").write(str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""
MEASURE_SPEED = """
import sys
import modelspec
from modelspec.backend.training import batch_source
spec, data, run, resident = sys.argv[1:]
batch_source.RESIDENT_BYTES = int(resident)
settings = ["training.epochs=3", "training.validation_split=0", "training.jit=false"]
made = modelspec.train(modelspec.load(spec, settings), data, run=run)
print(made.record["data"]["samples"], *(epoch["seconds"] for epoch in made.history[1:]))
"""


def write(path: Path, gigabytes: float, method: int) -> None:
    """Write rows of 1 KB, which compress to about a fifth."""
    rows = int(gigabytes * 1e9) // (4 * WIDTH)
    random = np.random.default_rng(0)
    with ZipFile(path, "w", method, compresslevel=1) as npz:
        for name, descr, shape in (("x", "<f4", (rows, WIDTH)), ("y", "|u1", (rows,))):
            with npz.open(f"{name}.npy", "w", force_zip64=True) as member:
                header = {"descr": descr, "fortran_order": False, "shape": shape}
                npy.write_array_header_1_0(member, header)
                for start in range(0, rows, 1 << 14):
                    size = (min(1 << 14, rows - start), *shape[1:])
                    block = random.integers(0, 10, size, "u1")
                    member.write(block.astype(descr).tobytes())


def forget(path: Path) -> None:
    """Drop a file from the system's cache, so that reading it counts against the limit."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def limit(size: int) -> Iterator[Path | None]:
    """Yield the file to enter a control group of limited memory; None where none can be made."""
    group = next(filter(None, (_group(Path(folder), name, size) for folder, name in GROUPS)), None)
    try:
        yield group / "cgroup.procs" if group else None
    finally:
        if group:
            group.rmdir()


def _group(folder: Path, name: str, size: int) -> Path | None:
    group = folder / f"modelspec-{os.getpid()}"
    try:
        group.mkdir()
        (group / name).write_text(str(size))
    except OSError:
        with suppress(OSError):
            group.rmdir()
        return None
    return group


def measure(command: Sequence[str], folder: Path, enter: Path | None) -> tuple[float, float]:
    """Return seconds, and the peak of anonymous memory in MB."""
    prefix = [sys.executable, "-S", "-c", ENTER, str(enter)] if enter else []
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    started = time.perf_counter()
    process = subprocess.Popen(
        [*prefix, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    peak = [0.0]
    sampler = threading.Thread(target=_sample, args=(process, peak))
    sampler.start()
    _, said = process.communicate()
    sampler.join()
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}: {said.decode()[-800:]}")
    return time.perf_counter() - started, peak[0]


def _sample(process: "subprocess.Popen[bytes]", peak: list[float]) -> None:
    while process.poll() is None:
        with suppress(OSError):
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            for line in status.splitlines():
                if line.startswith("RssAnon:"):
                    peak[0] = max(peak[0], int(line.split()[1]) / 1000)
        time.sleep(0.02)


def commands(data: Path, run: Path) -> dict[str, list[str]]:
    cli = [sys.executable, "-m", "modelspec"]
    options = ["--data", str(data)]
    return {
        "check": [*cli, "check", "spec.yaml", *options],
        "train": [*cli, "train", "spec.yaml", *options, "--run", str(run)],
        "evaluate": [*cli, "evaluate", str(run), *options],
        "predict": [*cli, "predict", str(run), *options, "-o", f"{run}.npz"],
    }


def memory(folder: Path, sizes: Sequence[float], megabytes: int) -> None:
    with limit(megabytes * 10**6) as enter:
        print(f"memory limit: {f'{megabytes} MB' if enter else 'none could be set'}")
        for kind, method in (("stored", ZIP_STORED), ("compressed", ZIP_DEFLATED)):
            taken_by_command: dict[str, list[tuple[float, float]]] = {}
            for size in sizes:
                data = folder / f"{kind}.npz"
                write(data, size, method)
                forget(data)
                for name, command in commands(data, folder / f"{kind}-{size}").items():
                    taken_by_command.setdefault(name, []).append(measure(command, folder, enter))
                data.unlink()
                for file in (folder / "cache").rglob("*.array"):
                    file.unlink()
            for name, runs in taken_by_command.items():
                taken = ", ".join(
                    f"{size:g} GB {peak:.0f} MB in {seconds:.1f} s"
                    for size, (seconds, peak) in zip(sizes, runs, strict=True)
                )
                ratio = runs[-1][1] / runs[0][1]
                verdict = "kept" if ratio <= 1.1 else "MISSED"
                print(f"{name}, {kind}: {taken}; ratio {ratio:.2f}, bar 1.1: {verdict}", flush=True)


def speed(folder: Path, size: float, rounds: int) -> None:
    """Compare the same rows in the same batches, from memory and from the cached file."""
    data = folder / "speed.npz"
    write(data, size, ZIP_STORED)
    taken: dict[str, list[float]] = {"in memory": [], "streamed": []}
    for number in range(rounds):
        for kind in taken:
            run = folder / f"speed-{kind[0]}{number}"
            resident = str(10**12 if kind == "in memory" else 0)
            arguments = [str(folder / "spec.yaml"), str(data), str(run), resident]
            ran = subprocess.run(
                [sys.executable, "-c", MEASURE_SPEED, *arguments],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            )
            samples, *seconds = map(float, ran.stdout.split())
            taken[kind] += [samples / duration for duration in seconds]
    data.unlink()
    inside, streamed = (statistics.median(taken[kind]) for kind in taken)
    ratio = streamed / inside
    print(
        f"{size:g} GB, samples per second: in memory {inside:,.0f}, streamed {streamed:,.0f}, "
        f"ratio {ratio:.2f}, bar 0.8: {'kept' if ratio >= 0.8 else 'MISSED'}"
    )
    print(json.dumps({kind: [round(rate) for rate in values] for kind, values in taken.items()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=float, nargs="+", default=[1, 4], help="in GB")
    parser.add_argument("--limit", type=int, default=1500, help="in MB")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["memory", "speed"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "spec.yaml").write_text(SPEC, encoding="utf-8")
        if options.only != "speed":
            memory(folder, options.sizes, options.limit)
        if options.only != "memory":
            speed(folder, options.sizes[0], options.rounds)


if __name__ == "__main__":
    main()
