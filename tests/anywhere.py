"""The suite as on other machines: with older instruction sets, one thread, and busy cores.

    python tests/anywhere.py [--only NAME ...] [arguments of pytest]

Each environment runs alone, one after the other, and the last lines name those that failed.
"""

import argparse
import contextlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).parents[1]
BUSY = "busy cores"
BUSY_LOOPS = 2
SUITE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")


def numpy_features() -> str:
    """Return the CPU features that NumPy selects at run time and this CPU has."""
    # NumPy 1 has no `_core`.
    parts = getattr(np, "_core", None) or np.core
    umath = parts._multiarray_umath
    return " ".join(name for name in umath.__cpu_dispatch__ if umath.__cpu_features__[name])


def environments() -> dict[str, dict[str, str]]:
    """Return variables by the name of the machine that they imitate."""
    # Where TensorFlow's own rewriting for oneDNN sees a newer CPU than oneDNN may use, half
    # precision aborts, as on no real machine. Its matrix products go through oneDNN either way.
    plain = {"TF_ENABLE_ONEDNN_OPTS": "0"}
    older = plain | {"NPY_DISABLE_CPU_FEATURES": numpy_features()}
    machines = {"one thread": plain | {"OMP_NUM_THREADS": "1"}, BUSY: {}}
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return {"older": older, **machines}
    return {
        "AVX": older | {"XLA_FLAGS": "--xla_cpu_max_isa=AVX", "ONEDNN_MAX_CPU_ISA": "AVX"},
        "SSE4.2": older | {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2", "ONEDNN_MAX_CPU_ISA": "SSE41"},
        **machines,
    }


@contextlib.contextmanager
def busy(loops: int) -> Iterator[None]:
    """Run ``loops`` endless loops beside the work inside."""
    command = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(command) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def run(name: str, arguments: Sequence[str]) -> bool:
    """Run the tests in an environment, and return True where they pass."""
    changes = environments()[name]
    print(
        f"== {name}: {' '.join(f'{key}={value!r}' for key, value in changes.items())}", flush=True
    )
    with busy(BUSY_LOOPS if name == BUSY else 0):
        command = [sys.executable, "-m", "pytest", *(arguments or SUITE)]
        return not subprocess.run(
            command, cwd=REPOSITORY, env=os.environ | changes, check=False
        ).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=environments(), metavar="NAME")
    options, arguments = parser.parse_known_args()
    passed = {name: run(name, arguments) for name in options.only or environments()}
    for name, kept in passed.items():
        print(f"{name}: {'passed' if kept else 'FAILED'}")
    return 0 if all(passed.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
