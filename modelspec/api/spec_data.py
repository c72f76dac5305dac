"""The arrays that a spec uses, read from its data."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from modelspec.api.model_spec import ModelSpec
from modelspec.catalog.losses import outputs_of_one_hot
from modelspec.graph.needed_targets import outputs_with_targets
from modelspec.language.columns import ColumnSource
from modelspec.language.training import GroupedRows

if TYPE_CHECKING:
    from modelspec.data.claims import Part
    from modelspec.data.dataset import Dataset
    from modelspec.data.shards import Data, Say
    from modelspec.problems.diagnostic import Diagnostic


def load_data(
    source: ModelSpec,
    paths: "Data",
    part: "Part" = "train",
    *,
    targets: bool = True,
    say: "Say | None" = None,
    announce: bool = True,
) -> "tuple[Dataset | None, list[Diagnostic]]":
    """Read the arrays that a spec uses; those of several files are concatenated."""
    assert source.spec is not None
    from modelspec.data.dataset import load_dataset

    spec = source.spec
    return load_dataset(
        paths,
        inputs=list(spec.inputs),
        outputs=trained_outputs(source),
        names=spec.data,
        dtypes={name: entry.dtype for name, entry in spec.inputs.items()},
        groups=_groups(source) if part == "train" else None,
        part=part,
        targets="required" if targets else "optional",
        say=say,
        announce=announce,
        one_hot=outputs_of_one_hot(source.heads),
        others=[values.array for values in spec.weights.layers.values() if values.array],
    )


def trained_outputs(source: ModelSpec) -> list[str]:
    """Return the outputs that need targets: those with a loss or a metric that uses them.

    A spec without losses and metrics has targets for all outputs.
    """
    heads = source.heads
    if source.adds_loss or any(head.loss is not None or head.metrics for head in heads):
        return outputs_with_targets(heads, source.catalog)
    return [head.output for head in heads]


def has_validation_part(source: ModelSpec, paths: "Data") -> bool:
    """Return True where the data has a validation part, such as ``x_val`` and ``y_val``."""
    assert source.spec is not None
    from modelspec.data import dataset

    spec, outputs = source.spec, trained_outputs(source)
    return dataset.has_validation_part(
        paths, inputs=list(spec.inputs), outputs=outputs, names=spec.data
    )


def _groups(source: ModelSpec) -> str | None:
    """Return the name of the array with each sample's group, for a split by groups."""
    split = source.spec.training.validation_split if source.spec else 0.0
    return split.groups if isinstance(split, GroupedRows) else None


def with_classes(source: ModelSpec, classes: Mapping[str, Sequence[str | int]]) -> ModelSpec:
    """Return the same spec with the classes of the data, by output."""
    assert source.spec is not None
    columns = {
        name: column.model_copy(update={"classes": tuple(classes[name])})
        for name, column in source.spec.data.items()
        if isinstance(column, ColumnSource) and column.classes is None and name in classes
    }
    if not columns:
        return source
    data = {**source.spec.data, **columns}
    return replace(source, spec=source.spec.model_copy(update={"data": data}))
