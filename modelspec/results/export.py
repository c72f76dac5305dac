"""The result of the proof of an exported file, as plain data."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Format = Literal["saved_model", "onnx", "litert"]

FORMATS: tuple[Format, ...] = ("saved_model", "onnx", "litert")


NEEDS_FLEX = "the file needs a runtime with TensorFlow's operations (Flex)"


@dataclass(frozen=True, slots=True)
class Subject:
    """A written file, and the facts known before it runs."""

    format: Format
    path: Path
    int8: bool = False
    notes: tuple[str, ...] = ()

    @property
    def needs_flex(self) -> bool:
        return NEEDS_FLEX in self.notes


@dataclass(frozen=True, slots=True)
class OutputProof:
    """One output of the file compared with Keras's.

    ``largest_relative`` is the largest difference divided by the largest magnitude that Keras has
    anywhere in the same unit (the same position on the last axis). ``typical_relative`` is the root
    mean square of all differences, divided by that of Keras's values. ``same_argmax`` is the share
    of rows whose largest unit is the same; None for an output of one unit. A difference is infinite
    where only one side is a finite number.
    """

    name: str
    largest_absolute: float
    largest_relative: float
    typical_relative: float
    same_argmax: float | None
    passed: bool


@dataclass(frozen=True, slots=True)
class Proof:
    """A file compared with the Keras model from which it was made.

    ``from_data`` says whether the rows are the user's, or generated for the inputs. ``tolerance``
    is that of ``largest_relative``; of ``typical_relative`` for a file of ``int8``. ``before`` and
    ``after`` are loss and metrics of Keras's outputs and of the file's; empty without targets.
    Times are in milliseconds for each row. A file that no runtime here can run has no ``outputs``,
    and its ``notes`` say so.
    """

    format: Format
    path: str
    bytes: int
    runtime: str
    rows: int
    from_data: bool
    int8: bool
    tolerance: float
    outputs: tuple[OutputProof, ...]
    before: Mapping[str, float]
    after: Mapping[str, float]
    milliseconds_keras: float
    milliseconds: float
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return bool(self.outputs) and all(output.passed for output in self.outputs)

    def as_json(self) -> dict[str, Any]:
        """Return the proof as JSON data: a number that is not finite becomes null."""
        finite: dict[str, Any] = _finite({**asdict(self), "passed": self.passed})
        return finite


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
