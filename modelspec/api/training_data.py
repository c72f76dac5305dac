"""The arrays of a training: read, compared with the model, and divided into batches."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from modelspec.api.checking import VALIDATION_DATA, check_dataset
from modelspec.api.model_spec import ModelSpec
from modelspec.api.spec_data import has_validation_part, load_data, with_classes
from modelspec.catalog.losses import outputs_of_ids
from modelspec.checks.looked_up import check_looked_up
from modelspec.checks.monitors import fields_without_validation
from modelspec.checks.scale import SCALE_CODES
from modelspec.checks.splits import untrained_classes
from modelspec.data.arrays import digest
from modelspec.data.batches import Batches, Phases
from modelspec.data.dataset import Dataset
from modelspec.data.shards import Data
from modelspec.data.validation_split import ValidationSplit, split_validation
from modelspec.language.training import Split
from modelspec.problems.diagnostic import Diagnostic
from modelspec.problems.errors import RunError
from modelspec.runs.progress import Listener


@dataclass(frozen=True)
class TrainingArrays:
    """The arrays for training, and those for validation if they are separate data."""

    trained: Dataset
    held: Dataset | None

    def facts(self) -> dict[str, Any]:
        """The facts about the data for the record of a run."""
        return {
            "data": _identity(self.trained),
            "validation": _identity(self.held) if self.held else None,
        }


def load_training_arrays(
    source: ModelSpec, data: Data, validation: Data | None, listener: Listener
) -> tuple[ModelSpec, TrainingArrays]:
    """Read the arrays for training and for validation, before Keras is imported.

    The spec gets the classes of the training data, if its targets are names of classes.

    Raises:
        SpecError: The spec has no losses, or the data has errors.
    """
    source.require(_missing_losses(source))
    dataset, problems = load_data(source, data, say=listener.note)
    if dataset is not None:
        source = with_classes(source, dataset.classes)
    held: Dataset | None = None
    more: list[Diagnostic] = []
    if not validation and has_validation_part(source, data):
        validation = data
        if source.require().spec.training.validation_split:
            listener.note("the data has a validation part, so validation_split is not used")
    if validation:
        held, more = load_data(source, validation, "validation", say=listener.note)
    source.require([*problems, *more])
    listener.problems(source.place([*problems, *more]))
    assert dataset is not None
    return source, TrainingArrays(dataset, held)


def _missing_losses(source: ModelSpec) -> list[Diagnostic]:
    if source.graph is None or any(head.loss is not None for head in source.heads):
        return []
    if source.adds_loss:
        return []
    hint = "losses: mse, or output: loss for each output"
    return [Diagnostic("missing-losses", "training needs losses", ("losses",), "key", hint=hint)]


def compare_with_model(
    source: ModelSpec, model: Any, arrays: TrainingArrays, listener: Listener
) -> None:
    """Compare the arrays with a built model, and report warnings.

    Raises:
        SpecError: They do not fit.
    """
    listener.problems(source.place(_checked(source, model, arrays.trained)))
    if arrays.held:
        warnings = _checked(source, model, arrays.held, VALIDATION_DATA)
        listener.problems(source.place(warnings))


def _checked(source: ModelSpec, model: Any, dataset: Dataset, prefix: str = "") -> list[Diagnostic]:
    """Return the warnings about a data set for this model; raise its errors."""
    from modelspec.backend.model.model_io import model_outputs

    problems = check_dataset(source, dataset, model_outputs(model))
    if prefix:
        # Warnings about the scale concern training data, for which they were reported.
        judged = (problem for problem in problems if problem.code not in SCALE_CODES)
        problems = [replace(problem, message=prefix + problem.message) for problem in judged]
    source.require(problems)
    return problems


def make_phases(source: ModelSpec, arrays: TrainingArrays, listener: Listener) -> Phases:
    """Return the batches for training, and those for validation if there are any.

    Raises:
        RunError: No row is left for training.
        SpecError: Only rows for validation have a class.
    """
    training = source.require().spec.training
    dataset, held = arrays.trained, arrays.held
    split = 0.0 if held else training.validation_split
    parts = split_validation(dataset, source.heads, split, training.seed)
    _require_rows(dataset, parts, split, listener)
    trained = _training_batches(source, dataset, parts)
    source.require(untrained_classes(dataset, parts))
    _tell_of_split(source, parts, split, listener)
    if held is not None:
        everything = split_validation(held, (), 0.0, training.seed).rows
        return Phases(trained, Batches(held, everything, training.batch_size, trained.dtypes))
    if not len(parts.held):
        source.require(list(fields_without_validation(source.require().spec)))
    drawn = Batches(dataset, parts.held, training.batch_size, trained.dtypes)
    return Phases(trained, drawn if drawn.samples else None)


def _require_rows(
    dataset: Dataset, parts: ValidationSplit, split: Split, listener: Listener
) -> None:
    if not len(parts.rows):
        raise RunError(
            f"validation_split leaves none of the {dataset.samples:,} samples for training"
        )
    if split and not len(parts.held):
        listener.warn(
            f"validation_split selects none of the {dataset.samples:,} samples for validation"
        )


def _training_batches(source: ModelSpec, dataset: Dataset, parts: ValidationSplit) -> Batches:
    valid = source.require()
    training = valid.spec.training
    return Batches(
        dataset,
        parts.rows,
        training.batch_size,
        {name: entry.dtype for name, entry in valid.graph.inputs.items()},
        training.class_weights,
        outputs_of_ids(valid.heads),
    )


def _tell_of_split(
    source: ModelSpec, parts: ValidationSplit, split: Split, listener: Listener
) -> None:
    if not parts.phrase:
        return
    listener.note(parts.phrase)
    if isinstance(split, float) and not source.require().spec.training.shuffle:
        listener.note(
            f"the rows are drawn at random; validation_split: {{last: "
            f"{split:g}}} takes the last rows"
        )


def _identity(dataset: Dataset) -> dict[str, Any]:
    """Return the number of samples, and the SHA-256 of every array by its name in the npz file."""
    parts = [
        *dataset.inputs.items(),
        *dataset.targets.items(),
        *((f"{name}_weight", array) for name, array in dataset.weights.items()),
    ]
    digests = {dataset.array_names[name]: digest(array) for name, array in parts}
    return {"samples": dataset.samples, "sha256": digests}


def check_fitted_ids(source: ModelSpec, listener: Listener, counts: Mapping[str, int]) -> None:
    """Compare the ids that fitted layers give with the layers that look them up.

    Args:
        source: The spec.
        listener: Receives the warnings.
        counts: The number of ids that each fitted layer gives, by its name.

    Raises:
        SpecError: A layer has fewer ids than it is called on.
    """
    problems = list(check_looked_up(source.require().graph, counts))
    source.require(problems)
    listener.problems(source.place(problems))
