"""Training, inference and whole commands beside the limits that they must beat.

    python tests/benchmarks/training.py [--only NAME]... [--rounds N] [--long] [--quick]
        [--torch PYTHON] [--output TABLE.md]

Every line is a ratio: both sides in one run, in turn, for several rounds. ``--torch`` is an
interpreter that has PyTorch, which this project does not require.
"""

import argparse
import os
import subprocess
from pathlib import Path

import commands
import steady
from harness import Table

NAMES = (
    *("mlp", "inference", "question_answering", "author_profile"),
    *("digits", "specs", "summary", "memory"),
)


def main() -> None:
    arguments = options()
    rounds: int = 1 if arguments.quick else arguments.rounds
    quick: bool = arguments.quick
    table = Table(arguments.output, torch_version(arguments.torch))
    print(table.made_by(), flush=True)
    benches = {
        "mlp": lambda: steady.mlp(rounds, quick=quick, torch=arguments.torch),
        "inference": lambda: steady.inference(rounds, quick=quick),
        "question_answering": lambda: steady.question_answering(rounds, quick=quick),
        "author_profile": lambda: steady.author_profile(rounds, quick=quick),
        "digits": lambda: commands.digits(rounds, quick=quick, long=arguments.long),
        "specs": lambda: commands.specs(rounds, quick=quick),
        "summary": lambda: commands.summary(rounds),
        "memory": lambda: commands.memory(rounds, quick=quick),
    }
    for name in arguments.only or NAMES:
        table.extend(benches[name]())


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", action="append", choices=NAMES)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--long", action="store_true", help="also 1,000 epochs of digits")
    parser.add_argument("--quick", action="store_true", help="a short run, to test the script")
    parser.add_argument("--torch", metavar="PYTHON", default=os.environ.get("TORCH_PYTHON"))
    parser.add_argument("--output", type=Path, help="a file for the table, as Markdown")
    return parser.parse_args()


def torch_version(interpreter: str | None) -> dict[str, str]:
    if not interpreter:
        return {}
    code = "import torch; print(torch.__version__)"
    ran = subprocess.run([interpreter, "-c", code], capture_output=True, text=True, check=True)
    return {"torch": ran.stdout.strip()}


if __name__ == "__main__":
    main()
