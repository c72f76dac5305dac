"""Sums over real workers, of all types and of lengths that are exchanged in different ways."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from worker_runs import QUIET, free_addresses

pytestmark = [pytest.mark.process, pytest.mark.sweep]

PROGRAM = Path(__file__).parents[1] / "support" / "collective_sums.py"


@pytest.mark.parametrize("count", [2, 3])
def test_sums_have_the_same_bits_on_all_workers(count: int) -> None:
    addresses = free_addresses(*["127.0.0.1"] * count)
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, str(PROGRAM), str(index), *addresses],
                    env=os.environ | QUIET,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for index in range(count)
        ]
        lines = {process.communicate(timeout=600)[0] for process in processes}
    [line] = lines
    assert float(line.split()[0]) <= count
