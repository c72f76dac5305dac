"""A spec as a Python script."""

from pathlib import Path

from modelspec.api.model_spec import ModelSpec
from modelspec.api.python_start import start_of_script
from modelspec.api.reading import spec_of
from modelspec.api.spec_data import has_validation_part, load_data
from modelspec.convert.python.arrays import ArrayNames
from modelspec.convert.python.script import python_script
from modelspec.data.shards import Say
from modelspec.problems.diagnostic import has_errors
from modelspec.problems.errors import SpecError


def to_python(
    source: ModelSpec | str | Path, data: Path | str | None = None, *, say: Say | None = None
) -> str:
    """Write a spec as the Python script that a Keras user would have written.

    Args:
        source: The spec, or its path.
        data: An npz file or a table; the script then uses the names of its arrays.
        say: Receives notes: the arrays in use.

    Returns:
        The text of the script. It needs only Keras and NumPy; with a strategy for ``loss_weights``
        TensorFlow too, and with a Parquet file polars.

    Raises:
        SpecError: The spec has errors, or the data lacks arrays.
        ModelError: The spec has parts that such a script cannot have.
        TypeError: ``source`` is neither a spec nor a path.

    Example:
        >>> import modelspec
        >>> script = modelspec.to_python(modelspec.load("specs/digits.yaml"))
        >>> "layers.Flatten()(image)" in script
        True
    """
    source = spec_of(source)
    valid = source.require()
    weighted = _weighted(source) if valid.strategy is not None else frozenset()
    start = start_of_script(source, data)
    if data is None:
        return python_script(valid, None, weighted, start)
    dataset, problems = load_data(source, data, say=say)
    if dataset is None or has_errors(problems):
        raise SpecError(source.place(problems))
    validation = None
    if has_validation_part(source, data):
        held, more = load_data(source, data, "validation", say=say)
        if held is None or has_errors(more):
            raise SpecError(source.place(more))
        validation = held.array_names
    return python_script(
        valid, ArrayNames(str(data), dataset.array_names, validation), weighted, start
    )


def _weighted(source: ModelSpec) -> frozenset[str]:
    """Return the layers with trained weights."""
    return frozenset(row.name for row in source.summary().layers if row.trainable_params)
