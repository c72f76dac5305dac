"""What surrounds the training of a run, and changes no number of it."""

from collections.abc import Callable
from dataclasses import dataclass

from modelspec.runs.progress import Listener
from modelspec.runs.run import Run


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a run is kept, who follows it, and who may stop it.

    ``asked_to_stop`` and ``find_change``, which says why the run cannot go on, are asked between
    steps. ``checkpoint_seconds`` is the time between checkpoints inside an epoch.
    """

    run: Run
    listener: Listener
    checkpoint_seconds: float
    tensorboard: bool
    asked_to_stop: Callable[[], bool]
    find_change: Callable[[], str | None]
