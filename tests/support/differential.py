"""Random models by modelspec and by plain Keras: trained, evaluated and used for predictions.

    python tests/support/differential.py --models 500 --seed 0

A model is equal on both sides, or refused by both. Where the numbers differ, the model is run again
in double precision and without XLA, where differences by rounding disappear.
"""

import argparse
import copy
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import yaml
from plain_keras import PlainKeras
from random_models import RandomModel, random_model

import modelspec

TOLERANCE = {"float32": 1e-5, "float64": 2e-6, "mixed_bfloat16": 2e-2, "mixed_float16": 5e-3}
"""Relative tolerances, by precision. Half precision rounds at every layer, in an order of its own;
losses and metrics are computed in single precision, whatever the layers have.
"""

OURS = {"epoch", "seconds"}
REFUSALS = (modelspec.SpecError, modelspec.ModelError, modelspec.RunError)


@dataclass(frozen=True)
class Side:
    """The results of a model on one side, or the reason why it is refused."""

    logs: Any = None
    scores: Any = None
    predictions: Any = None
    weights: Any = None
    refusal: str | None = None


def ours(model: RandomModel) -> Side:
    with tempfile.TemporaryDirectory() as folder:
        try:
            source = modelspec.loads(yaml.safe_dump(model.spec, sort_keys=False))
            run = modelspec.train(source, model.arrays, run=Path(folder) / "run")
            target = modelspec.open_target(run.path)
            return Side(
                run.history,
                modelspec.evaluate(target, model.arrays),
                list(modelspec.predict(target, model.arrays).arrays.values()),
                target.model().get_weights(),
            )
        except REFUSALS as error:
            return Side(refusal=str(error))


def plain(model: RandomModel) -> Side:
    try:
        built = PlainKeras(model.spec, model.arrays)
        logs = built.fit()
        if not all(np.isfinite(log["loss"]) for log in logs):
            return Side(refusal="the loss is not finite")
        return Side(logs, built.evaluate(), built.predict(), built.model.get_weights())
    except Exception as error:  # noqa: BLE001 - whatever Keras raises is a refusal
        return Side(refusal=f"{type(error).__name__}: {error}")


def verdict(seed: int) -> tuple[str, str]:
    """Return ``equal``, ``rounding``, ``refused`` or ``different``, and a text."""
    model = random_model(seed)
    outcome, problem = _compare(model)
    exact = {"precision": "float64", "jit": False}
    if outcome != "different" or model.spec["training"].items() >= exact.items():
        return outcome, problem
    precise = copy.deepcopy(model.spec)
    precise["training"] |= exact
    again, still = _compare(replace(model, spec=precise))
    return ("rounding", problem) if again in ("equal", "refused") else (outcome, still)


def _compare(model: RandomModel) -> tuple[str, str]:
    left, right = ours(model), plain(model)
    keras.backend.clear_session()
    if left.refusal is not None and right.refusal is not None:
        return "refused", left.refusal
    if left.refusal is not None:
        return "different", f"only modelspec refuses it: {left.refusal}"
    if right.refusal is not None:
        return "different", f"only Keras refuses it: {right.refusal}"
    training = model.spec["training"]
    tolerance = TOLERANCE[training["precision"]] * (10 if training["jit"] else 1)
    problem = next(_differences(left, right, tolerance), "")
    return ("different", problem) if problem else ("equal", "")


def _differences(left: Side, right: Side, tolerance: float) -> Iterator[str]:
    logs = zip(left.logs, right.logs, strict=True)
    for epoch, (mine, theirs) in enumerate(logs):
        yield from _different_values(f"epoch {epoch + 1}", mine, theirs, tolerance)
    yield from _different_values("evaluate", left.scores, right.scores, tolerance)
    for part in ("predictions", "weights"):
        pairs = zip(getattr(left, part), getattr(right, part), strict=True)
        for index, (one, other) in enumerate(pairs):
            if not _close(np.asarray(one, "f8"), np.asarray(other, "f8"), tolerance):
                yield f"{part}[{index}] differ by {np.max(np.abs(one - other)):g}"


def _different_values(
    place: str, mine: Mapping[str, float], theirs: Mapping[str, float], tolerance: float
) -> Iterator[str]:
    for name, value in theirs.items():
        if name not in mine:
            yield f"{place}: there is no {name}, but {sorted(mine.keys() - OURS)}"
        elif np.isnan(value) and (mine[name] is None or np.isnan(mine[name])):
            continue  # a metric without a value, which is null in a history
        elif not _close(np.float64(mine[name]), np.float64(value), tolerance):
            yield f"{place}: {name} is {mine[name]}, and {value} by Keras"


def _close(one: Any, other: Any, tolerance: float) -> bool:
    scale = max(float(np.max(np.abs(other), initial=0.0)), 1e-3)
    return one.shape == other.shape and bool(np.all(np.abs(one - other) <= tolerance * scale))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + options.models):
        try:
            outcome, problem = verdict(seed)
        except Exception:  # noqa: BLE001 - a traceback is what this looks for
            outcome, problem = "crash", traceback.format_exc(limit=-4)
        counts[outcome] += 1
        if outcome != "equal":
            print(f"{seed}: {outcome}: {problem[:500]}", flush=True)
    print(dict(counts))
    return 1 if counts["different"] or counts["crash"] else 0


if __name__ == "__main__":
    sys.exit(main())
