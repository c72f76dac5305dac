"""Shapes of a graph, computed by Keras without weights."""

import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from modelspec.backend.model.keras_errors import error_text
from modelspec.backend.model.recursion import with_deep_stack
from modelspec.backend.start import start
from modelspec.catalog import Catalog
from modelspec.graph.graph import Graph
from modelspec.graph.tensorflow_only import requires_tensorflow
from modelspec.problems.diagnostic import Diagnostic
from modelspec.results.output import Output
from modelspec.results.shape import Shape

if TYPE_CHECKING:
    from modelspec.backend.model.assembled import Assembly
    from modelspec.data.dataset import Dataset

_LONGEST = 2**16


def start_for(graph: Graph, precision: str = "float32", *, light: bool) -> None:
    """Start Keras; on JAX only if JAX gives the same results as TensorFlow."""
    start(light=light and not requires_tensorflow(graph, precision))


@dataclass(frozen=True, slots=True)
class Purpose:
    """The training that a graph is checked for.

    ``rates`` are the factors of learning rates, ``outputs`` those with a loss. ``adds_loss`` says
    that layers may have losses of their own. ``sharing`` are outputs that must share a layer with
    trained weights. ``memory`` are the bytes that training may use.
    """

    rates: Mapping[str, float] = field(default_factory=dict)
    outputs: Collection[str] = ()
    adds_loss: bool = False
    sharing: Sequence[str] = ()
    optimizer: Any = "rmsprop"
    memory: int | None = None


def check_shapes(
    graph: Graph, catalog: Catalog, precision: str = "float32", purpose: Purpose | None = None
) -> tuple[dict[str, Output], list[Diagnostic]]:
    """Return each output that was computed, and a problem for every call that Keras refuses.

    Where all calls succeed, the functional model is also created, as in training, and compared with
    its ``purpose``.
    """
    from modelspec.backend.model.output_problems import check_outputs
    from modelspec.backend.model.weight_objects import check_weight_objects

    def check() -> tuple[dict[str, Output], list[Diagnostic]]:
        assembly = _assemble(graph, catalog, {}, precision)
        problems = _with_batch_hint(check_outputs(graph, assembly), graph, catalog, precision)
        outputs = outputs_of(graph, assembly)
        fit = not problems
        with _symbols():
            problems += check_weight_objects(graph, assembly)
        if fit and outputs and len(outputs) == len(graph.outputs):
            problems += _fitness(graph, catalog, precision, purpose or Purpose(), assembly)
        return outputs, problems

    return with_deep_stack(check)


def _fitness(
    graph: Graph, catalog: Catalog, precision: str, purpose: Purpose, assembly: "Assembly"
) -> Iterator[Diagnostic]:
    """Yield the problems of training a graph whose calls all succeeded."""
    from modelspec.backend.model.conversions import check_conversions
    from modelspec.backend.model.crops import check_crops
    from modelspec.backend.model.functional import make_functional
    from modelspec.backend.model.gradients import check_gradients
    from modelspec.backend.model.learning_rates import check_rates
    from modelspec.backend.model.masks import check_masks
    from modelspec.backend.model.needed_memory import check_memory
    from modelspec.backend.model.objects import make
    from modelspec.backend.model.rows import check_rows
    from modelspec.backend.model.shared_weights import check_shared_weights

    with _symbols():
        model = make_functional(graph, assembly)
    yield from check_rates(model, purpose.rates)
    yield from check_masks(graph, assembly)
    yield from check_conversions(graph, assembly)
    yield from check_shared_weights(graph, assembly, purpose.sharing)
    yield from check_crops(graph, assembly, lambda other: _assemble(other, catalog, {}, precision))
    again = partial(_assemble, graph, catalog, {}, precision)
    yield from check_rows(graph, assembly, again)
    yield from check_gradients(graph, assembly, purpose.outputs, more_losses=purpose.adds_loss)
    if purpose.outputs:
        yield from check_memory(
            graph,
            assembly,
            model,
            lambda: make(catalog, "optimizer", purpose.optimizer),
            purpose.memory,
        )


def _with_batch_hint(
    problems: list[Diagnostic], graph: Graph, catalog: Catalog, precision: str
) -> list[Diagnostic]:
    """Add a hint to leave the batch out of an input's shape, where every call then succeeds."""
    if not any(problem.code == "shape-mismatch" for problem in problems):
        return problems
    for name, declared in graph.inputs.items():
        sample = declared.shape[1:]
        if not sample or _assemble(graph, catalog, {name: sample}, precision).problems:
            continue
        listed = ", ".join("null" if size is None else str(size) for size in sample)
        hint = f"a shape describes one sample: leave the batch out of {name}: shape: [{listed}]"
        return [
            replace(problem, hint=hint) if problem.code == "shape-mismatch" else problem
            for problem in problems
        ]
    return problems


def check_lengths(
    graph: Graph, catalog: Catalog, dataset: "Dataset", precision: str = "float32"
) -> tuple[dict[str, Output], list[Diagnostic]]:
    """Compute shapes again with the data's own lengths in place of unknown ones."""
    real = {
        name: tuple(dataset.inputs[name].shape[1:])
        for name, declared in graph.inputs.items()
        if None in declared.shape and dataset.inputs[name].ndim == len(declared.shape) + 1
    }
    assembly = _walk(graph, catalog, real, precision)
    problems = [
        _with_length(problem, graph, catalog, dataset, real) for problem in assembly.problems
    ]
    return outputs_of(graph, assembly), problems


def outputs_of(graph: Graph, assembly: "Assembly") -> dict[str, Output]:
    """Return the outputs that the calls computed."""
    reached = {
        name: assembly.tensor(source)
        for name, source in graph.outputs.items()
        if assembly.shape(source) is not None
    }
    from modelspec.backend.model.model_io import output_of

    return {name: output_of(tensor) for name, tensor in reached.items()}


def check_model_lengths(model: Any, dataset: "Dataset") -> list[Diagnostic]:
    """Compute a model's shapes, without a spec, with the data's lengths for unknown ones."""
    import keras

    if all(None not in tensor.shape[1:] for tensor in model.inputs):
        return []
    inputs = [
        keras.KerasTensor((None, *dataset.inputs[tensor.name].shape[1:]), tensor.dtype)
        for tensor in model.inputs
    ]
    try:
        with_deep_stack(lambda: model(inputs if len(inputs) > 1 else inputs[0]))
    except Exception as error:  # noqa: BLE001 - layers raise any type
        sizes = (
            f"array {dataset.array_names[tensor.name]} has samples of shape {list(shape.shape[1:])}"
            for tensor, shape in zip(model.inputs, inputs, strict=True)
        )
        message = f"{', '.join(sizes)}, but the model does not accept them: {error_text(error)}"
        return [Diagnostic("too-short", message)]
    return []


def _with_length(
    problem: Diagnostic,
    graph: Graph,
    catalog: Catalog,
    dataset: "Dataset",
    real: Mapping[str, Shape],
) -> Diagnostic:
    """Name the array, its length, and the length at which the graph would work."""
    for name, shape in real.items():
        axis = graph.inputs[name].shape.index(None)
        needed = _shortest(graph, catalog, real, name, axis)
        if needed is not None:
            array = dataset.array_names[name]
            message = (
                f"{array} has {shape[axis]} steps, and runs out here; it needs {needed}: "
                f"{problem.message}"
            )
            return Diagnostic(
                "too-short", message, problem.route, problem.anchor, related=problem.related
            )
    return problem


def _shortest(
    graph: Graph, catalog: Catalog, real: Mapping[str, Shape], name: str, axis: int
) -> int | None:
    """Return the least length of one input's axis at which every call succeeds, by bisection."""

    def works(length: int) -> bool:
        shape = list(real[name])
        shape[axis] = length
        return not _walk(graph, catalog, {**real, name: tuple(shape)}).problems

    low = high = max(real[name][axis] or 1, 1)
    while not works(high):
        low, high = high, 2 * high
        if high > _LONGEST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


def _walk(
    graph: Graph, catalog: Catalog, shapes: Mapping[str, Shape], precision: str = "float32"
) -> "Assembly":
    return with_deep_stack(lambda: _assemble(graph, catalog, shapes, precision))


def _assemble(
    graph: Graph,
    catalog: Catalog,
    shapes: Mapping[str, Shape],
    precision: str,
    batch: int | None = None,
) -> "Assembly":
    from modelspec.backend.model.assembly import assemble, dtype_policy

    with _symbols(), dtype_policy(precision):
        return assemble(graph, catalog, shapes, batch)


@contextmanager
def _symbols() -> Iterator[None]:
    from modelspec.backend.model.symbols import symbols_only

    # Where warnings are errors, Keras's advice would look like a refusal.
    with symbols_only(), warnings.catch_warnings(action="ignore"):
        yield
