"""The command that continues a run, as messages name it."""

from pathlib import Path

import pytest

from modelspec.cli.again import naming_resume_command
from modelspec.cli.train import train
from modelspec.problems.errors import RunInterrupted


@pytest.mark.parametrize(("option", "named"), [("runs/a", "runs/a"), (None, "runs/new")])
def test_the_folder_is_that_of_the_command(option: str | None, named: str) -> None:
    """A worker that is not the chief has a copy of the run elsewhere."""
    run = Path(option) if option else None
    words = ["s.yaml", "--data", "x.npz", *(["--run", option] if option else [])]
    with (
        train.make_context("train", words),
        pytest.raises(RunInterrupted, match=f"--run {named} --resume"),
        naming_resume_command(run),
    ):
        raise RunInterrupted(Path("/tmp/copy" if run else named))  # noqa: S108
