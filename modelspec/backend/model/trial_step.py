"""Losses and metrics, each alone, on symbols with the shapes and dtypes of the data."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras

from modelspec.backend.keras_private import (
    MissingPartError,
    compile_loss,
    compile_metrics,
    infer_output,
    set_mask,
)
from modelspec.backend.model.compiling import make_loss_or_metric
from modelspec.backend.model.keras_errors import error_text
from modelspec.backend.model.symbols import symbols_only
from modelspec.catalog import Catalog
from modelspec.data.batches import TensorType
from modelspec.graph.heads import Head
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Diagnostic, Route
from modelspec.results.output import Output
from modelspec.results.shape import Shape

_BATCHES = (83, 89, 97, 101, 103, 107, 109, 113)
"""Primes, so that another axis rarely has the length of the batch."""

_OVERLAPS = {"IoU", "MeanIoU", "BinaryIoU", "OneHotIoU", "OneHotMeanIoU"}


def try_heads(
    heads: Sequence[Head],
    outputs: Mapping[str, Output],
    targets: Mapping[str, TensorType],
    weights: Mapping[str, TensorType],
    catalog: Catalog,
) -> list[Diagnostic]:
    """Report every loss and metric that Keras cannot compute from its output and target.

    ``targets`` and ``weights`` are those of a batch in training, by output. A head without a target
    or with an output of unknown type is skipped.
    """
    problems: list[Diagnostic] = []
    for head in heads:
        output, target = outputs.get(head.output), targets.get(head.output)
        if output is not None and target is not None:
            problems += _try_head(head, output, target, weights.get(head.output), catalog)
    return problems


def _try_head(
    head: Head, output: Output, target: TensorType, weight: TensorType | None, catalog: Catalog
) -> Iterator[Diagnostic]:
    if output.shape[1:] == (1,) and not target[0]:
        target = ((1,), target[1])  # as in target_arrays
    batch = _batch_size([output.shape, target[0], weight[0] if weight else ()])
    truth, prediction = _symbol(batch, target), _known(batch, output.shape, output.dtype)
    mask = _known(batch, output.mask, "bool") if output.mask is not None else None
    scale = _symbol(batch, weight) if weight else None
    shapes = _written(output.shape[1:]), _written(target[0])
    sides = "its output has samples of shape {}, its target {}".format(*shapes)
    if head.loss is not None:
        loss = make_loss_or_metric(catalog, "loss", head.loss)
        error = _error(_loss_step(loss), truth, prediction, mask, scale)
        if error is not None:
            sides_and_weight = f"{sides}, its weights {_written(weight[0])}" if weight else sides
            yield _misfit("loss", head.loss, head.route, sides_and_weight, error)
    for metric in head.metrics:
        made = make_loss_or_metric(catalog, "metric", metric.value)
        step = _metric_step(made, head.output)
        error = _error(step, truth, prediction, mask, scale if metric.weighted else None)
        if error is not None:
            yield _misfit("metric", metric.value, metric.route, sides, error)


def _error(step: Callable[..., Any], *symbols: Any) -> Exception | None:
    """Return the error that Keras raises for a step on symbols; None if it raises none."""
    arguments = [symbol for symbol in symbols if symbol is not None]
    present = [symbol is not None for symbol in symbols]

    def with_absent(*arrays: Any) -> Any:
        rest = iter(arrays)
        truth, prediction, mask, scale = (next(rest) if here else None for here in present)
        if mask is not None:
            set_mask(prediction, mask)
        return step(truth, prediction, scale)

    try:
        with symbols_only():
            infer_output(with_absent, *arguments)
    except MissingPartError:
        raise
    except Exception as error:  # noqa: BLE001 - losses raise any type for wrong shapes
        return error
    return None


def _loss_step(loss: Any) -> Callable[..., Any]:
    dtype = getattr(loss, "dtype", "float32")
    if "float" in dtype:
        step: Callable[..., Any] = compile_loss()(loss)
        return step

    def refuse(*_: Any) -> Any:
        raise ValueError(f"its values are {dtype}, which have no gradient")

    return refuse


def _metric_step(metric: Any, output: str) -> Callable[..., Any]:
    def step(truth: Any, prediction: Any, scale: Any) -> Any:
        compiled = compile_metrics()(None, [metric], output_names=[output])
        compiled.update_state(truth, prediction, scale)
        results = compiled.result()
        if any(isinstance(value, Mapping) for value in results.values()):
            raise ValueError("its result is a mapping, but a metric has one value, or a list")
        return keras.tree.flatten(results)

    return step


def _batch_size(shapes: Iterable[Shape]) -> int:
    sizes = {size for shape in shapes for size in shape}
    return next((prime for prime in _BATCHES if prime not in sizes), _BATCHES[0])


def _symbol(batch: int, tensor_type: TensorType) -> Any:
    return keras.KerasTensor((batch, *tensor_type[0]), dtype=tensor_type[1])


def _known(batch: int, shape: Shape, dtype: str) -> Any:
    first = batch if shape[:1] == (None,) else next(iter(shape), batch)
    return keras.KerasTensor((first, *shape[1:]), dtype=dtype)


def _misfit(kind: str, value: Any, route: Route, sides: str, error: Exception) -> Diagnostic:
    written = Written.read(value)
    name = written.name if written else kind
    message = f"{name} cannot be computed: {sides}: {error_text(error)}"
    return Diagnostic(f"{kind}-mismatch", message, route, hint=_hint(name))


def _hint(name: str) -> str | None:
    if name in _OVERLAPS:
        return (
            "sparse_y_true and sparse_y_pred say whether targets and outputs are class ids: a "
            "softmax is not (sparse_y_pred: false); BinaryIoU is for a single probability"
        )
    return None


def _written(shape: Shape) -> str:
    return f"[{', '.join('null' if size is None else str(size) for size in shape)}]"
