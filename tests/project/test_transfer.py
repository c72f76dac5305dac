"""The page modelspec/TRANSFER.md about starting from weights, and its specs."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import modelspec

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "modelspec" / "TRANSFER.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
DATA, SPECS = ROOT / "data", ROOT / "specs" / "transfer"


def accuracies() -> dict[str, float]:
    rows = re.findall(r"^\| ([^|]+) \| ([\d.]+) ± ", PAGE, re.MULTILINE)
    return {name: float(value) for name, value in rows}


def test_starting_from_weights_is_worth_it() -> None:
    _, scratch, longer, head, full, at_once = accuracies().values()
    assert max(scratch, longer) + 0.3 < head < full
    assert head < at_once


def test_the_readme_repeats_the_page() -> None:
    _, scratch, _, head, full, _ = accuracies().values()
    text = " ".join(README.split())
    assert (
        f"accuracy is {scratch:.2f} from scratch, {head:.2f} after the first stage and {full:.2f} "
        "after the second"
    ) in text


def test_the_page_counts_the_labels_of_the_data() -> None:
    with np.load(DATA / "digits_faint.npz") as few, np.load(DATA / "digits_placed.npz") as many:
        counts = np.bincount(few["digit_train"]).tolist()
        assert counts == [5] * 10
        text = " ".join(PAGE.split())
        assert f"from {sum(counts)} labelled images, five of each digit" in text
        assert f"from {len(many['digit_train']):,} images" in text
        assert f"on {len(few['digit_test'])} faint test images" in text


@pytest.mark.parametrize("text", [PAGE, README], ids=["page", "readme"])
def test_commands_are_those_that_were_measured(text: str) -> None:
    script = runpy.run_path(str(ROOT / "tests" / "benchmarks" / "transfer.py"))
    block = next(part for part in text.split("```sh\n")[1:] if "specs/transfer" in part)
    first, head, full = block.split("```")[0].replace("\\\n", " ").strip().splitlines()
    ways = {way.name: way for way in script["WAYS"]}
    assert first.split()[2] == f"specs/transfer/{script['FIRST']}.yaml"
    assert not ways[script["HEAD"]].overrides
    assert "--set" not in head.split()
    overrides = ways[script["FULL"]].overrides
    assert full.split("--set ", 1)[1].split(" --set ") == list(overrides)


@pytest.mark.keras
@pytest.mark.sweep
def test_specs_do_what_the_page_says(tmp_path: Path) -> None:
    def train(name: str, run: str, *overrides: str) -> float:
        source = modelspec.load(SPECS / f"{name}.yaml", overrides)
        data = DATA / f"{name}.npz"
        path = modelspec.train(source, data, run=tmp_path / run).path
        return float(modelspec.evaluate(modelspec.open_target(path), data)["accuracy"])

    trained = "layers.trunk.trainable=true"
    train("digits_placed", "placed", "training.epochs=6")
    scratch = train("digits_faint", "scratch", trained)
    head = train("digits_faint", "head", f"weights.from={tmp_path / 'placed'}")
    small = "optimizer.Adam.learning_rate=3e-4"
    full = train("digits_faint", "full", f"weights.from={tmp_path / 'head'}", trained, small)
    assert scratch + 0.2 < head < full
