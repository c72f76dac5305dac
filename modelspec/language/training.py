"""The settings of training under the key ``training``."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Strict, Tag
from pydantic_core import PydanticCustomError

from modelspec.language.forms import FORM, Precision, Section, Weight, only, text_or_plain

StepsPerCall = Annotated[
    Annotated[Literal["auto"], Tag(FORM + "text")]
    | Annotated[int, Field(ge=1), Tag(FORM + "plain")],
    Discriminator(text_or_plain),
]


Devices = StepsPerCall
"""The number of this machine's devices that share each batch; ``auto`` means all GPUs."""


Jit = Literal["auto", "optimizer", True, False]
Precompute = Literal["auto", True, False]


def _by_output(value: Any) -> Any:
    """Refuse class weights without an output's name where the spec has several outputs."""
    if isinstance(value, dict) and value and all(isinstance(key, int) for key in value):
        raise PydanticCustomError("weights_by_output", "class weights belong to an output")
    return value


Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]
Steps = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A number of epochs or samples; NumPy and TensorFlow count them in 32 bits."""


Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
"""The factor of the optimizer's learning rate for some layers."""


class LastRows(Section):
    """Validation on the last rows, for example of a time series."""

    last: Annotated[float, Field(gt=0.0, lt=1.0)]


class GroupedRows(Section):
    """Validation on whole groups; the array ``groups`` contains the group of each row."""

    fraction: Annotated[float, Field(gt=0.0, lt=1.0)]
    groups: str


def _split_form(value: Any) -> str:
    if not isinstance(value, dict | LastRows | GroupedRows):
        return FORM + "plain"
    if isinstance(value, dict):
        grouped = "last" not in value and bool({"groups", "fraction"} & value.keys())
    else:
        grouped = isinstance(value, GroupedRows)
    return FORM + ("groups" if grouped else "last")


Split = Annotated[
    Annotated[Fraction, Tag(FORM + "plain")]
    | Annotated[LastRows, Tag(FORM + "last")]
    | Annotated[GroupedRows, Tag(FORM + "groups")],
    Discriminator(_split_form),
]


class Training(Section):
    """The settings of training, with the defaults of the language."""

    epochs: Steps = 10
    batch_size: Steps = 32
    validation_split: Split = 0.0
    shuffle: bool = True
    seed: int = Field(0, ge=0, lt=2**32)
    callbacks: Annotated[tuple[Any, ...], Strict(False)] = ()
    class_weights: Annotated[dict[str, dict[int, Weight]], BeforeValidator(_by_output)] = Field(
        default_factory=dict
    )
    learning_rates: dict[str, Rate] = Field(default_factory=dict)
    precision: Precision = "float32"
    jit: Annotated[Jit, only(bool, "auto, optimizer, true or false")] = "auto"
    precompute: Annotated[Precompute, only(bool, "auto, true or false")] = "auto"
    steps_per_call: StepsPerCall = "auto"
    devices: Devices = "auto"
