"""Evaluation and prediction, on a run, a ``.keras`` file or a spec."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from modelspec.api.model_spec import ModelSpec, load, loads
from modelspec.checks.data import check_data
from modelspec.data.batches import Feed
from modelspec.data.concatenated import Array, Column
from modelspec.data.dataset import Dataset, load_dataset
from modelspec.data.shards import Paths, Say
from modelspec.data.validation_split import hold_out
from modelspec.graph.graph import Graph, Input
from modelspec.language.places import place_all
from modelspec.problems.diagnostic import has_errors
from modelspec.problems.errors import ModelError, RunError, SpecError
from modelspec.problems.problem import Problem
from modelspec.results.summary import Summary
from modelspec.runs.layout import RECORD
from modelspec.runs.run import Run
from modelspec.storage.atomic import replacing

ZIP_MAGIC = b"PK\x03\x04"

Warn: TypeAlias = Callable[[Sequence[Problem]], None]
"""Is told what is odd about data that can be used all the same."""


@dataclass(frozen=True)
class Target:
    """Something to evaluate, predict with or summarise.

    ``source`` is its spec, where it has one; ``path`` its ``.keras`` file, or ``raw`` the bytes of
    one. With neither, the model is built from the spec.
    """

    source: ModelSpec | None = None
    path: Path | None = None
    raw: bytes | None = None

    def model(self) -> Any:
        """The Keras model: loaded, or built with fresh weights.

        Raises:
            SpecError, ModelError: where it cannot be had.
        """
        if self.source is not None:
            self.source.require()
        if self.raw is not None:
            return _load_bytes(self.raw)
        if self.path is not None:
            return load_model(self.path)
        assert self.source is not None
        return self.source.build()

    def summary(self, *, light: bool = False) -> Summary:
        """Layers, shapes and parameters."""
        if self.source is not None and self.path is None:
            return self.source.summary(light=light)
        model = self.model()
        from modelspec.backend.model.description import describe

        return describe(model)


def load_model(path: Path) -> Any:
    """Read a ``.keras`` file, in Keras's safe mode.

    Raises:
        ModelError: where the file is not a Keras model, or holds code.
    """
    _check_magic(path)
    from modelspec.backend.start import start

    start()
    from modelspec.backend.model.saving import read_model

    try:
        return read_model(path)
    except Exception as error:  # what a broken or hostile file raises is Keras's choice
        text = " ".join(str(error).split())
        raise ModelError(f"{path} cannot be loaded: {text[:300]}") from error


def _check_magic(path: Path) -> None:
    """Tell what is no ``.keras`` file at all before Keras is started for it."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(ZIP_MAGIC))
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    if magic != ZIP_MAGIC:
        raise ModelError(f"{path} is not a .keras file, which is a zip")


def save_model(model: Any, path: Path) -> None:
    """Write a model as Keras loads it, whole or not at all; ``path`` ends in ``.keras``."""
    from modelspec.backend.model.saving import write_model

    with replacing(path) as aside:
        write_model(model, aside)


def _load_bytes(raw: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.keras"
        path.write_bytes(raw)
        return load_model(path)


def open_target(path: str | Path, overrides: Iterable[str] = ()) -> Target:
    """A run's folder, a ``.keras`` file, or a spec.

    Raises:
        RunError: where a folder is no run, or its model is not there yet.
    """
    place = Path(path)
    if place.is_dir() or place.name == RECORD:
        run = Run.open(place if place.is_dir() else place.parent)
        if not run.model_path.exists():
            raise RunError(f"{run.path} has no model: the run is {run.status}")
        return Target(load(run.spec_path), path=run.model_path)
    if place.suffix == ".keras":
        return Target(path=place)
    return Target(load(place, list(overrides)))


def target_from_bytes(raw: bytes, overrides: Iterable[str] = ()) -> Target:
    """What came through a pipe: a spec, or the bytes of a ``.keras`` file."""
    if not raw.startswith(ZIP_MAGIC):
        return Target(loads(raw, list(overrides), "<stdin>"))
    return Target(raw=raw)


def evaluate(
    target: Target, data: Paths, *, say: Say | None = None, warn: Warn | None = None
) -> dict[str, float]:
    """Loss and metrics on the test part of npz files, by Keras's own names.

    ``say`` is told what is unpacked to the disk, ``warn`` what is odd about the data.

    Raises:
        SpecError: where the data does not fit.
        ModelError: where the model has no losses.
    """
    model = target.model()
    if not getattr(model, "compiled", False):
        raise ModelError("the model has no losses to evaluate")
    from modelspec.backend.training.engine import Engine
    from modelspec.backend.training.evaluation import Evaluation

    dataset = _dataset(target, model, data, targets=True, say=say, warn=warn)
    return Evaluation(Engine(model), _feed(dataset, target, model))()


@dataclass(frozen=True, slots=True)
class Predictions:
    """One array for each output, by name; and the targets, where the data has them."""

    arrays: Mapping[str, Array]
    targets: Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Predicting:
    """Predictions that are made as they are asked for, and kept by nobody.

    ``pieces`` gives some rows of each output at a time, by name.
    """

    pieces: Iterator[Mapping[str, Array]]
    targets: Mapping[str, Column]


def predict(
    target: Target, data: Paths, *, say: Say | None = None, warn: Warn | None = None
) -> Predictions:
    """Predict for the test part of npz files, which need no targets; all in memory.

    Raises:
        SpecError: where the data does not fit.
    """
    made = predicting(target, data, say=say, warn=warn)
    pieces = list(made.pieces)
    arrays = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return Predictions(arrays, made.targets)


def predicting(
    target: Target, data: Paths, *, say: Say | None = None, warn: Warn | None = None
) -> Predicting:
    """As ``predict``, a piece at a time, for what is larger than memory.

    Raises:
        SpecError: where the data does not fit.
    """
    model = target.model()
    from modelspec.backend.training.engine import predictor
    from modelspec.backend.training.eval_batch_size import wide_batch
    from modelspec.data.batches import BatchesPerPiece

    dataset = _dataset(target, model, data, targets=False, say=say, warn=warn)
    feed = _feed(replace(dataset, targets={}, weights={}), target, model)
    feed = replace(feed, batch_size=wide_batch(model, feed.batch_size))
    pieces = map(predictor(model), feed.pieces(feed.rows, BatchesPerPiece(1)))
    return Predicting(pieces, dataset.targets)


def _dataset(
    target: Target, model: Any, data: Paths, *, targets: bool, say: Say | None, warn: Warn | None
) -> Dataset:
    from modelspec.backend.model.model_io import output_names, output_shapes

    graph = _interface(target, model)
    outputs = target.source.trained_outputs() if target.source else output_names(model)
    dataset, found = load_dataset(
        data,
        inputs=list(graph.inputs),
        outputs=outputs,
        names=target.source.spec.data if target.source and target.source.spec else {},
        part="test",
        targets="required" if targets else "optional",
        say=say,
    )
    heads = target.source.heads if target.source and targets else ()
    if dataset is not None:
        found += check_data(graph, heads, dataset, output_shapes(model))
    problems = place_all(found, target.source.document if target.source else None)
    if dataset is None or has_errors(found):
        raise SpecError(problems)
    if warn and problems:
        warn(problems)
    return dataset


def _feed(dataset: Dataset, target: Target, model: Any) -> Feed:
    graph = _interface(target, model)
    dtypes = {name: given.dtype for name, given in graph.inputs.items()}
    spec = target.source.spec if target.source else None
    batch = max(spec.training.batch_size, 1) if spec else 32
    return Feed(dataset, hold_out(dataset, (), 0.0, 0).rows, batch, dtypes)


def _interface(target: Target, model: Any) -> Graph:
    """The graph of the spec; for a bare model, its inputs alone."""
    if target.source is not None and target.source.graph is not None:
        return target.source.graph
    inputs = {
        tensor.name: Input(tensor.name, tuple(tensor.shape[1:]), str(tensor.dtype), ())
        for tensor in model.inputs
    }
    return Graph(model.name, inputs, (), {}, "name")
