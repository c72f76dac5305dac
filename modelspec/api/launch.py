"""The checks of a training for several machines, before a scheduler gets it."""

from collections.abc import Sequence
from pathlib import Path

from modelspec.api.model_spec import ModelSpec
from modelspec.data.shards import Say
from modelspec.problems.problem import Problem


def check_launch(source: ModelSpec, data: Sequence[Path], say: Say) -> list[Problem]:
    """Find all problems of a spec that other machines will train, and of its data.

    Data that is not on this machine is not checked, and a note says so.

    Args:
        source: The spec.
        data: The paths of the training data, as ``train`` takes them.
        say: Receives notes.

    Returns:
        Errors and warnings, each with its place.

    Example:
        >>> from pathlib import Path
        >>> import modelspec
        >>> from modelspec.api.launch import check_launch
        >>> check_launch(modelspec.load("specs/digits.yaml"), [Path("data/digits.npz")], print)
        []
    """
    missing = [str(path) for path in data if not path.exists()]
    if missing:
        say(f"{', '.join(missing)}: not on this machine, so the data is not checked")
    light = not source.requires_tensorflow
    return source.check(None if missing else list(data), light=light, say=say)
