"""What a worker says to the harness that started it."""

import json
import sys
from collections.abc import Callable

# Keras and others print to standard output; the harness's line is kept aside.
_HARNESS = sys.stdout
sys.stdout = sys.stderr


def ready(note: str = "") -> None:
    """Say so, and wait for the first round."""
    _say(note=note)
    _wait()


def told(value: float) -> None:
    """Give one round's figure, and wait for the next."""
    _say(value=value)
    _wait()


def serve(measure: Callable[[], float], note: str = "") -> None:
    ready(note)
    while True:
        told(measure())


def _say(**said: object) -> None:
    print(json.dumps(said), file=_HARNESS, flush=True)


def _wait() -> None:
    if not sys.stdin.readline():
        sys.exit()
