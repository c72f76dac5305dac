"""The time to check each hostile spec, relative to that of a small one.

    python tests/benchmarks/limits.py [NAME ...]

A ratio above BAR is marked. Times are processor times.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / name) for name in ("support", "cli")]

import test_hostile as hostile  # noqa: E402 - found by the paths above

BAR = 10.0
"""The limit, as a multiple of the time to check a small spec."""


def seconds(spec: str | bytes) -> float:
    """Return the user time of the processes of one check, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "hostile.yaml")
        path.write_bytes(spec.encode() if isinstance(spec, str) else spec)
        command = [sys.executable, "-m", "modelspec", "check", str(path), "--format", "json"]
        subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def main() -> None:
    seconds(hostile.PLAIN)
    small = min(seconds(hostile.PLAIN) for _ in range(3))
    print(f"a small spec: {small:.2f} s")
    for name in sys.argv[1:] or hostile.SPECS:
        taken = seconds(hostile.SPECS[name][0])
        mark = "  MISSED" if taken > BAR * small else ""
        print(f"{name}: {taken:.2f} s, {taken / small:.1f} times{mark}", flush=True)


if __name__ == "__main__":
    main()
