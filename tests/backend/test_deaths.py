"""Runs that are killed, or run out of room, at random moments end as if nothing had happened."""

import random
from pathlib import Path

import pytest
from deaths import SPECS, Disturbance, fill_disk, fingerprint, kill, train, train_disturbed

pytestmark = [pytest.mark.keras, pytest.mark.process, pytest.mark.slow]


def disturbed(kind: str, folder: Path, disturbances: list[Disturbance]) -> Path:
    folder.mkdir(exist_ok=True)
    run = folder / "disturbed"
    while disturbances:
        hits = train_disturbed(kind, run, disturbances)
        # Disturbances that came after the end of one run are left for the next.
        disturbances = disturbances[hits:]
        run = run if not disturbances else run.with_name(run.name + "-again")
    return run


@pytest.mark.sweep
def test_a_run_that_is_killed_and_runs_out_of_room_goes_on_to_the_same_bytes(
    tmp_path: Path,
) -> None:
    whole = tmp_path / "whole"
    seconds = train("schedule", whole)
    chance = random.Random()
    moments = chance.uniform(0, 0.4 * seconds), chance.uniform(0, 0.4 * seconds)
    run = disturbed("schedule", tmp_path, [kill(moments[0]), fill_disk(moments[1])])
    assert fingerprint(run) == fingerprint(whole), moments


@pytest.mark.sweep
@pytest.mark.parametrize(("kind", "kills"), [("schedule", 3), ("plateau", 2)])
def test_runs_that_are_killed_again_and_again(kind: str, kills: int, tmp_path: Path) -> None:
    assert kind in SPECS
    whole = tmp_path / "whole"
    seconds = train(kind, whole)
    chance = random.Random()
    moments = [chance.uniform(0, 0.8 * seconds / kills) for _ in range(kills)]
    run = disturbed(kind, tmp_path, [kill(moment) for moment in moments])
    assert fingerprint(run) == fingerprint(whole), moments
    moment = chance.uniform(0, 0.5 * seconds)
    full = disturbed(kind, tmp_path / "full", [fill_disk(moment)])
    assert fingerprint(full) == fingerprint(whole), moment
