"""A training for several machines, checked before a scheduler gets it."""

from collections.abc import Sequence
from pathlib import Path

from modelspec.api.model_spec import ModelSpec
from modelspec.data.shards import paths_of
from modelspec.problems.problem import Problem
from modelspec.runs.progress import Listener, NullListener


def check_launch(
    source: ModelSpec, data: Sequence[Path], listener: Listener | None = None
) -> list[Problem]:
    """Find all problems of a spec that machines elsewhere shall train, and of its data.

    Data that is not on this machine is not checked, and a note says so.

    Args:
        source: The spec.
        data: The paths of the training data, as ``train`` takes them.
        listener: Receives notes; by default nothing does.

    Returns:
        Errors and warnings, each with its place.

    Example:
        >>> from pathlib import Path
        >>> import modelspec
        >>> from modelspec.api.launch import check_launch
        >>> check_launch(modelspec.load("specs/digits.yaml"), [Path("data/digits.npz")])
        []
    """
    listener = listener or NullListener()
    paths = paths_of(list(data))
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        listener.note(f"{', '.join(missing)}: not on this machine, so the data is not checked")
    light = not source.requires_tensorflow
    return source.check(None if missing else paths, light=light, say=listener.note)
