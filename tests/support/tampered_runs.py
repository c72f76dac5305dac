"""Commands on runs that somebody changed, judged by a watch over a whole tree of files."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
from tampering import Tamper
from watching import changes, run_watched, states, tree_with_decoys, trespasses


def _sandbox(base: Path, tree: Path, ways: Mapping[str, Tamper]) -> dict[str, Path]:
    """A tree of a user's files, with a folder for each way: a run that is changed by it."""
    tree_with_decoys(tree)
    places = {}
    for index, (name, tamper) in enumerate(ways.items()):
        place = tree / "users" / f"{index}"
        shutil.copytree(base, place)
        victim = place / "victim"
        (victim / "folder").mkdir(parents=True)
        for file in (victim / "precious", victim / "folder" / "precious"):
            file.write_text("precious", encoding="utf-8")
        shutil.copytree(place / "run" / "checkpoints", victim / "folder" / "checkpoints")
        with h5py.File(victim / "other.h5", "w") as other:
            other["data"] = np.zeros((4, 3), "f4")
        tamper(place / "run", victim)
        places[name] = place
    return places


def wrong_answers(
    base: Path, tree: Path, cases: Mapping[str, Mapping[str, Tamper]], *, must_refuse: bool = True
) -> list[str]:
    """Run commands on changed runs, all in one process, and return what is wrong.

    Args:
        base: A folder with the run ``run`` and the files that it was trained with.
        tree: The folder to make and watch; it gets a copy of ``base`` for each way.
        cases: The ways to change the run, by name, for each command. Names of files in ``base``
            become, in the command, the paths of their copies.
        must_refuse: A command that succeeds is wrong too.
    """
    offered = {path.name for path in base.iterdir()}
    written = {f"{name}, {command}": command for command, ways in cases.items() for name in ways}
    tampers = [tamper for ways in cases.values() for tamper in ways.values()]
    places = _sandbox(base, tree, dict(zip(written, tampers, strict=True)))
    commands = {
        name: [
            str(places[name] / word) if word.partition("/")[0] in offered else word
            for word in command.split()
        ]
        for name, command in written.items()
    }
    before = states(tree)
    plugins = [
        places[name] / "own.py" for name, command in written.items() if "--plugin own.py" in command
    ]
    answers = run_watched(commands, tree, plugins)
    wrong = []
    fonts = [tree / "home" / ".fonts", tree / "home" / ".local" / "share" / "fonts"]
    for name, answer in answers.items():
        refused = answer.code == 1 and ("error: " in answer.stderr + answer.stdout)
        fine = not must_refuse and (
            answer.code == 0 or (written[name].startswith("diff ") and answer.code == 1)
        )
        if not (refused or fine) or "Traceback" in answer.stderr:
            wrong.append(f"{name}: exit {answer.code}, {answer.stderr[:300]!r}")
        place = places[name]
        # A spec may name models and weights; modelspec reads them.
        named = [place / "victim" / "other.h5"] if name.startswith("a spec with") else []
        read = [*(place / name for name in offered - {"run"}), *named, *fonts]
        read += [place / "models"]  # beside a spec, as in the folder of a run
        wrong += [f"{name}: {text}" for text in trespasses(answer, tree, place / "run", read)]
    temporary = tree / "tmp"
    own = (*(f"{place}/run" for place in places.values()), str(temporary))
    wrong += [
        text
        for text in changes(before, states(tree))
        if f"{temporary}/" in text or not text.partition(": ")[2].startswith(own)
    ]
    return wrong
