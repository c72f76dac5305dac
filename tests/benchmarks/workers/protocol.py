"""The messages of a worker to the harness that started it."""

import json
import sys
from collections.abc import Callable

# Keras and others print to standard output; the harness's line is written separately.
_HARNESS = sys.stdout
sys.stdout = sys.stderr


def ready(note: str = "") -> None:
    """Report that the worker is ready, and wait for the first round."""
    _say(note=note)
    _wait()


def report(value: float) -> None:
    """Send one round's figure, and wait for the next."""
    _say(value=value)
    _wait()


def serve(measure: Callable[[], float], note: str = "") -> None:
    ready(note)
    while True:
        report(measure())


def _say(**said: object) -> None:
    print(json.dumps(said), file=_HARNESS, flush=True)


def _wait() -> None:
    if not sys.stdin.readline():
        sys.exit()
