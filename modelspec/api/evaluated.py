"""A trained model on a data set: figures by output, worst samples, importance of inputs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelspec.api.evaluation import evaluate_batches, load_for_evaluation
from modelspec.api.importance import InputImportance
from modelspec.api.inference_data import Warn
from modelspec.api.judging import judge
from modelspec.api.samples import show, text_of
from modelspec.api.step_places import place_step_errors
from modelspec.api.target import Target
from modelspec.catalog.losses import loss_facts
from modelspec.data.batches import Batch, Batches
from modelspec.data.concatenated import Array, Rows
from modelspec.data.shards import Data, Say
from modelspec.graph.heads import Head
from modelspec.results.evaluated import Evaluated, Judged, Sample

MOST_ROWS = 50_000
"""The most samples for figures; of more, this number is drawn at random."""

_MOST_BYTES = 128 << 20
_WORST = 20

Losses = Mapping[str, Callable[[Array, Array], Array]]


def evaluate_for_report(
    target: Target,
    data: Data,
    *,
    rows: int = MOST_ROWS,
    say: Say | None = None,
    warn: Warn | None = None,
) -> Evaluated:
    """Evaluate a run's model on the test part of some data, for a report.

    Raises:
        SpecError: The data does not fit the model.
        ModelError: The model has no losses, or a step cannot be computed.
    """
    model, batches = load_for_evaluation(target, data, say=say, warn=warn)
    metrics = evaluate_batches(target, model, batches, say=say)
    assert target.source is not None
    valid = target.source.require()
    with place_step_errors(target.source):
        judge_ = _Judge(
            model, batches, [head for head in valid.heads if head.loss], valid.spec.data
        )
        return judge_.all(_names(data), metrics, rows, valid.catalog)


def _names(data: Data) -> tuple[str, ...]:
    if isinstance(data, Mapping):
        return ("arrays in memory",)
    listed = data if isinstance(data, list | tuple) else [data]
    return tuple(map(str, listed))


@dataclass
class _Judge:
    model: Any
    batches: Batches
    heads: Sequence[Head]
    columns: Mapping[str, Any]

    def all(
        self, data: tuple[str, ...], metrics: Mapping[str, float], most: int, catalog: Any
    ) -> Evaluated:
        from modelspec.backend.training.eval_batch_size import eval_batch_size
        from modelspec.backend.training.predictors import predictor

        self.predict = predictor(self.model)
        self.catalog = catalog
        size = eval_batch_size(self.model, self.batches.batch_size)
        self.batches = replace(self.batches, batch_size=size)
        notes = [*self._notes()]
        chosen = self._chosen(most)
        targets, predictions = self._predictions(chosen)
        losses = self._losses(targets, predictions, notes)
        totals = _total(self.heads, losses)
        judged = tuple(
            self._judged(head, targets, predictions, losses)
            for head in self.heads
            if head.output in targets
        )
        measured = InputImportance(self.batches, self.columns, self._loss_of)
        base, importance, shuffled = measured.of_rows(chosen)
        return Evaluated(
            data=data,
            samples=self.batches.samples,
            rows=len(chosen),
            metrics=metrics,
            outputs=judged,
            worst=self._worst(chosen, totals, targets, predictions, losses),
            importance=importance,
            importance_rows=shuffled,
            loss=base,
            notes=tuple(notes),
        )

    def _judged(
        self,
        head: Head,
        targets: Mapping[str, Array],
        predictions: Mapping[str, Array],
        losses: Mapping[str, Array],
    ) -> Judged:
        name = head.output
        classes = self.batches.dataset.classes.get(name, ())
        return judge(head, targets[name], predictions[name], losses.get(name), classes)

    def _notes(self) -> Iterator[str]:
        if self.batches.dataset.weights:
            yield "Only the metrics of evaluate use the sample weights."
        from modelspec.backend.model.model_io import model_outputs

        for name, output in model_outputs(self.model).items():
            if output.mask is not None:
                yield f"The figures also count the steps of {name} that are masked."

    def _chosen(self, most: int) -> Rows:
        """Return the rows for figures, ascending: all, or random ones that fit into memory."""
        samples = self.batches.samples
        if not samples:
            return np.arange(0)
        first = self.predict(self.batches.gather(np.zeros(1, np.int64)))
        held = sum(array.nbytes for array in first.values())
        held += sum(array[:1].nbytes for array in self.batches.dataset.targets.values())
        most = max(1, min(most, _MOST_BYTES // max(held, 1)))
        if samples <= most:
            return np.arange(samples)
        return np.sort(np.random.default_rng(0).choice(samples, most, replace=False))

    def _predictions(self, chosen: Rows) -> tuple[dict[str, Array], dict[str, Array]]:
        targets: dict[str, list[Array]] = {}
        predictions: dict[str, list[Array]] = {}
        for batch in self.batches.in_order(chosen):
            for name, array in batch.targets.items():
                targets.setdefault(name, []).append(array)
            for name, array in self.predict(batch).items():
                predictions.setdefault(name, []).append(array)
        return (
            {name: np.concatenate(parts) for name, parts in targets.items()},
            {name: np.concatenate(parts) for name, parts in predictions.items()},
        )

    def _losses(
        self, targets: Mapping[str, Array], predictions: Mapping[str, Array], notes: list[str]
    ) -> dict[str, Array]:
        """Return the loss of each sample by output; losses of a whole batch are left out."""
        from modelspec.backend.training.sample_losses import sample_loss

        losses = {}
        for head in self.heads:
            if head.output not in targets:
                continue
            target, output = targets[head.output], predictions[head.output]
            facts = loss_facts(head.loss, target.shape[1:], output.shape[1:])
            if facts is not None and facts.of_batch:
                notes.append(
                    f"The loss of {head.output} has a value for a batch, but not for a sample."
                )
                continue
            function = sample_loss(self.catalog, head.loss, target.shape[1:], output.shape[1:])
            size = self.batches.batch_size
            starts = range(0, len(target), size)
            parts = [function(target[k : k + size], output[k : k + size]) for k in starts]
            losses[head.output] = np.concatenate(parts) if parts else np.zeros(0)
        return losses

    def _worst(
        self,
        chosen: Rows,
        totals: Array | None,
        targets: Mapping[str, Array],
        predictions: Mapping[str, Array],
        losses: Mapping[str, Array],
    ) -> tuple[Sample, ...]:
        if totals is None or not len(chosen):
            return ()
        ranked = np.argsort(-np.nan_to_num(totals, nan=np.inf), kind="stable")[:_WORST]
        samples, classes = [], self.batches.dataset.classes
        for place in ranked:
            batch = self.batches.gather(chosen[place : place + 1])
            outputs = {
                name: (
                    _truth(targets[name][place], classes.get(name, ())),
                    _prediction(
                        predictions[name][place], targets[name][place], classes.get(name, ())
                    ),
                    float(losses[name][place]),
                )
                for name in losses
            }
            inputs = tuple(show(name, array[0]) for name, array in batch.inputs.items())
            row = int(self.batches.rows[chosen[place]])
            samples.append(Sample(row, float(totals[place]), inputs, outputs))
        return tuple(samples)

    def _loss_of(self, batch: Batch) -> float | None:
        size = self.batches.batch_size
        rows = len(next(iter(batch.inputs.values())))
        parts = [
            self.predict(
                replace(
                    batch,
                    inputs={name: array[k : k + size] for name, array in batch.inputs.items()},
                )
            )
            for k in range(0, rows, size)
        ]
        predictions = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        total = _total(self.heads, self._losses(batch.targets, predictions, []))
        return None if total is None else float(total.mean())


def _total(heads: Sequence[Head], losses: Mapping[str, Array]) -> Array | None:
    """Return the weighted sum of the losses by sample."""
    weighted = [head.weight * losses[head.output] for head in heads if head.output in losses]
    return np.sum(weighted, axis=0) if weighted else None


def _truth(value: Array, classes: Sequence[str | int]) -> str:
    """Return a target as text; of a class its name, where classes have names."""
    single = np.asarray(value).reshape(-1)
    if single.size == 1 and 0 <= single[0] < len(classes):
        return str(classes[int(single[0])])
    return text_of(value)


def _prediction(value: Array, target: Array, classes: Sequence[str | int]) -> str:
    """Return the likeliest class with its value, or the numbers, as text."""
    flat = np.asarray(value)
    if flat.ndim == 1 and flat.size > 1 and np.asarray(target).size == 1:
        likeliest = int(flat.argmax())
        name = classes[likeliest] if likeliest < len(classes) else likeliest
        return f"{name} ({flat.max():.3g})"
    return text_of(flat)
