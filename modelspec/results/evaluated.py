"""A trained model on a data set, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from modelspec.results.classification import Array, Calibration, ClassScores, Curve
from modelspec.results.regression import Fit


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence, and whether it is good news, a fact, or a reason to act."""

    kind: Literal["good", "fact", "warning"]
    text: str


@dataclass(frozen=True, slots=True)
class Classes:
    """The results of an output with classes; ``names`` are those of the rows of ``table``.

    ``macro_auc`` is the mean over the classes, one against the rest.
    """

    names: tuple[str, ...]
    table: Array
    accuracy: float
    scores: tuple[ClassScores, ...]
    roc: tuple[Curve, ...]
    precision: tuple[Curve, ...]
    macro_auc: float | None
    calibration: Calibration | None


@dataclass(frozen=True, slots=True)
class Labels:
    """The results of an output with several labels, each evaluated alone."""

    scores: tuple[ClassScores, ...]
    roc: tuple[Curve, ...]
    precision: tuple[Curve, ...]
    calibration: Calibration | None


@dataclass(frozen=True, slots=True)
class Judged:
    """One output on the data: ``details`` by its loss; ``note`` where there are none."""

    output: str
    loss: str
    mean_loss: float | None
    details: Classes | Labels | Fit | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """The picture of an input of one sample: an image as PNG, or text."""

    name: str
    text: str = ""
    png: bytes = b""


@dataclass(frozen=True, slots=True)
class Sample:
    """One of the worst samples: its row in the arrays, and by output true, predicted and loss."""

    row: int
    loss: float
    inputs: tuple[Shown, ...]
    outputs: Mapping[str, tuple[str, str, float]]


@dataclass(frozen=True, slots=True)
class Importance:
    """The rise of the loss when an input, or one of its columns, is shuffled."""

    name: str
    rise: float
    spread: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A model on a data set.

    ``metrics`` are those of ``evaluate``, on all ``samples``; all other values are of ``rows`` of
    them. ``loss`` is the mean over the ``importance_rows`` rows of ``importance``.
    """

    data: tuple[str, ...]
    samples: int
    rows: int
    metrics: Mapping[str, float]
    outputs: tuple[Judged, ...]
    worst: tuple[Sample, ...]
    importance: tuple[Importance, ...]
    importance_rows: int
    loss: float | None
    notes: tuple[str, ...] = ()
