"""Steady epochs of ``model.fit``: ``keras_fit.py MODEL ROWS [tuned]``; samples a second.

Tuned, it uses the best of a few ``steps_per_execution``. ``KERAS_BACKEND`` selects the backend.
"""

import sys
import time
from pathlib import Path
from typing import Any

import keras
import protocol
from samples import BATCH, as_keras, samples

sys.path.insert(0, str(Path(__file__).parents[1] / "plain"))
from models import MODELS

WARM = 2
STEPS_PER_EXECUTION = (10, 50, 100, 300, 625)


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures the seconds of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        del epoch, logs
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        del epoch, logs
        self.seconds.append(time.perf_counter() - self.started)


class Paced(Clock):
    """Holds training between epochs until the harness asks for the next."""

    def __init__(self, rows: int, note: str) -> None:
        super().__init__()
        self.rows, self.note = rows, note

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        if epoch + 1 == WARM:
            protocol.ready(self.note)
        elif epoch + 1 > WARM:
            protocol.report(self.rows / self.seconds[-1])


def main() -> None:
    name, rows = sys.argv[1], int(sys.argv[2])
    data = as_keras(name, samples(name, rows))
    steps = best(name, rows, data) if "tuned" in sys.argv else 1
    note = f"steps_per_execution={steps}" if steps > 1 else ""
    fit(name, data, steps, 1_000_000, Paced(rows, note))


def best(name: str, rows: int, data: tuple[Any, Any]) -> int:
    seconds = {}
    for steps in STEPS_PER_EXECUTION:
        if steps <= -(-rows // BATCH[name]):
            clock = Clock()
            fit(name, data, steps, 3, clock)
            seconds[steps] = min(clock.seconds[1:])
    return min(seconds, key=lambda steps: seconds[steps], default=1)


def fit(name: str, data: tuple[Any, Any], steps: int, epochs: int, clock: Clock) -> None:
    model = MODELS[name].build()
    model.compile(**MODELS[name].compiled(), steps_per_execution=steps)
    model.fit(*data, batch_size=BATCH[name], epochs=epochs, verbose=0, callbacks=[clock])


if __name__ == "__main__":
    main()
