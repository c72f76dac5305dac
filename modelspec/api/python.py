"""A spec as a Python script."""

from pathlib import Path

from modelspec.api.model_spec import ModelSpec
from modelspec.convert.python.arrays import ArrayNames
from modelspec.convert.python.script import python_script
from modelspec.convert.python.starting import StartingModel
from modelspec.data.shards import Say
from modelspec.problems.diagnostic import has_errors
from modelspec.problems.errors import ModelError, SpecError


def to_python(source: ModelSpec, data: Path | str | None = None, *, say: Say | None = None) -> str:
    """Write a spec as the Python script that a Keras user would have written.

    Args:
        source: The spec.
        data: An npz file, whose arrays the script then names.
        say: Receives notes: the arrays in use.

    Returns:
        The text of the script. It needs Keras and NumPy alone.

    Raises:
        SpecError: The spec has errors, or the data lacks arrays.
        ModelError: The spec has parts that such a script cannot have.

    Example:
        >>> import modelspec
        >>> script = modelspec.to_python(modelspec.load("specs/digits.yaml"))
        >>> "layers.Flatten()(image)" in script
        True
    """
    valid = source.require()
    weighted = _weighted(source) if valid.strategy is not None else frozenset()
    start = _start(source)
    if data is None:
        return python_script(valid, None, weighted, start)
    dataset, problems = source.load_data(data, say=say)
    if dataset is None or has_errors(problems):
        raise SpecError(source.place(problems))
    validation = None
    if source.has_validation_part(data):
        held, more = source.load_data(data, "validation", say=say)
        if held is None or has_errors(more):
            raise SpecError(source.place(more))
        validation = held.array_names
    return python_script(
        valid, ArrayNames(str(data), dataset.array_names, validation), weighted, start
    )


def _weighted(source: ModelSpec) -> frozenset[str]:
    """The layers with weights that are trained."""
    return frozenset(row.name for row in source.summary().layers if row.trainable_params)


def _start(source: ModelSpec) -> StartingModel | None:
    """The file that a spec starts from, and the layers that take their weights from it."""
    valid = source.require()
    weights = valid.spec.weights
    if weights == type(weights)():
        return None
    if weights.layers:
        raise ModelError("arrays for single weights (weights.layers) cannot be written to Python")
    from modelspec.api.starting_weights import plan_start
    from modelspec.api.weight_sources import layout
    from modelspec.weights.files import H5Weights

    start = plan_start(source, layout(source))
    if has_errors(start.problems):
        raise SpecError(source.place(start.problems))
    loads = start.plan.loads
    file = start.source
    if not isinstance(file, H5Weights) or file.path.name.endswith(".weights.h5"):
        raise ModelError(
            f"a script starts from the file of a whole model, and {weights.from_} holds weights "
            "alone: name a .keras file or a run that ended"
        )
    if any(theirs not in theirs.split(".") for theirs in loads.values()):
        raise ModelError("a script cannot start from layers inside of a nested model yet")
    return StartingModel(str(file.path), dict(loads))
