"""The environment of a training: its run, listener and stop requests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from modelspec.runs.progress import Listener
from modelspec.runs.run import Run


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment of a training, which does not change its results.

    Between steps, ``asked_to_stop`` returns whether a stop was requested, and ``find_change`` why
    the run cannot continue. ``checkpoint_seconds`` is the time between checkpoints within an epoch.
    ``check_ids`` gets the numbers of ids that fitted layers give, by layer, and raises where
    another layer looks up fewer.
    """

    run: Run
    listener: Listener
    checkpoint_seconds: float
    tensorboard: bool
    asked_to_stop: Callable[[], bool]
    find_change: Callable[[], str | None]
    check_ids: Callable[[Mapping[str, int]], None]
