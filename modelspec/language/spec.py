"""Document → Spec: the envelope of the language, as frozen pydantic models.

What a layer, a loss or an optimizer may be given is Keras's to say, and is checked elsewhere; here
stand the keys, their types, and which of them must be there. Fields that YAML can write in several
forms are discriminated by form, so that every error lands on the value that is wrong.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    StringConstraints,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from modelspec.language.document import Document
from modelspec.language.expressions import has_expression
from modelspec.language.recovery import MAX_MISTAKES, without_mistakes
from modelspec.language.validation import FORM, problems_of
from modelspec.problems.diagnostic import Diagnostic

LANGUAGE_VERSION = 1
_TYPE, _ARGUMENTS = f"{FORM}type", f"{FORM}arguments"

Dtype = Literal[
    "bfloat16", "float16", "float32", "float64", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64", "bool", "string",
]  # fmt: skip
Precision = Literal["float32", "float64", "bfloat16", "mixed_float16", "mixed_bfloat16"]

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")]
"""The form of the names of inputs, blocks and outputs, and of expanded layer names."""

ParameterName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""The form of a parameter's name, as ``${…}`` can read it."""

Length = Annotated[int, Field(gt=0, le=2**31 - 1)]
Shape = Annotated[tuple[Length | None, ...], Strict(False)]
Names = Annotated[tuple[str, ...], Strict(False), Field(min_length=1)]


Weight = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


def _form(value: Any) -> str | None:
    forms: dict[type[Any], str] = {str: "name", list: "list", tuple: "list", dict: "mapping"}
    form = forms.get(type(value))
    return FORM + form if form else None


def _by_form(message: str) -> Discriminator:
    return Discriminator(_form, custom_error_type="form", custom_error_message=message)


OneOrMany = Annotated[
    Annotated[str, Tag(FORM + "name")] | Annotated[Names, Tag(FORM + "list")],
    _by_form("a name, or a list of names"),
]
From = Annotated[
    Annotated[str, Tag(FORM + "name")]
    | Annotated[Names, Tag(FORM + "list")]
    | Annotated[dict[str, OneOrMany], Field(min_length=1), Tag(FORM + "mapping")],
    _by_form("a name, a list of names, or a mapping of call arguments to names"),
]
Outputs = Annotated[
    Annotated[Name, Tag(FORM + "name")]
    | Annotated[tuple[Name, ...], Strict(False), Field(min_length=1), Tag(FORM + "list")]
    | Annotated[dict[Name, str], Field(min_length=1), Tag(FORM + "mapping")],
    _by_form("a name, a list of names, or a mapping of public names to names"),
]


def _only(wanted: type, expected: str) -> BeforeValidator:
    """Of 1, 1.0 and true, which are equal to Python and so to pydantic, take one type."""

    def check(value: Any) -> Any:
        if isinstance(value, int | float) and type(value) is not wanted:
            raise PydanticCustomError("literal_error", "{expected}", {"expected": expected})
        return value

    return BeforeValidator(check)


def _or_computed(value: Any) -> str:
    return FORM + ("text" if has_expression(value) else "plain")


Count = Annotated[
    Annotated[int, Tag(FORM + "plain")] | Annotated[str, Tag(FORM + "text")],
    Discriminator(_or_computed),
]
Flag = Annotated[
    Annotated[bool | None, Tag(FORM + "plain")] | Annotated[str, Tag(FORM + "text")],
    Discriminator(_or_computed),
]


def _flag_or_patterns(value: Any) -> str:
    return FORM + "list" if isinstance(value, list | tuple) else _or_computed(value)


Trainable = Annotated[
    Annotated[bool | None, Tag(FORM + "plain")]
    | Annotated[str, Tag(FORM + "text")]
    | Annotated[Names, Tag(FORM + "list")],
    Discriminator(_flag_or_patterns),
]
"""Whether a layer is trained; in a block or a model, also the patterns of the layers that are."""


def _text_or_plain(value: Any) -> str:
    return FORM + ("text" if isinstance(value, str) else "plain")


StepsPerCall = Annotated[
    Annotated[Literal["auto"], Tag(FORM + "text")]
    | Annotated[int, Field(ge=1), Tag(FORM + "plain")],
    Discriminator(_text_or_plain),
]
Devices = StepsPerCall
"""How many devices of this machine share each batch; ``auto``: all GPUs."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class InputSpec(_Section):
    """One entry of ``inputs``; ``shape`` is without the batch, None an unknown length."""

    shape: Shape
    dtype: Dtype = "float32"


class LayerItem(_Section):
    """One item of ``layers``: a Keras object, or ``share``, and the keys beside it.

    ``type`` and ``arguments`` are the object's name and arguments; with ``share`` they are empty.
    Text may still hold ``${…}``, which the graph computes.
    """

    type: str = Field("", alias=_TYPE)
    arguments: Any = Field(None, alias=_ARGUMENTS)
    name: str | None = None
    from_: From | None = Field(None, alias="from")
    as_: Names | None = Field(None, alias="as")
    call: dict[str, Any] = Field(default_factory=dict)
    share: str | None = None
    repeat: Count = 1
    trainable: Trainable = None
    dtype: str | None = None
    adapt: Flag = None
    preprocess: Flag = None

    @model_validator(mode="before")
    @classmethod
    def _split(cls, item: Any) -> Any:
        """Take the Keras object out of the item's keys."""
        if isinstance(item, str):
            return {_TYPE: item}
        if not isinstance(item, dict):
            raise PydanticCustomError("not_a_layer", "a layer is a name, or a mapping")
        kind = object_key(item)
        if kind is None:
            if "share" in item:
                return item
            raise PydanticCustomError("no_layer", "this item has no layer")
        rest = {key: value for key, value in item.items() if key != kind}
        if "share" in item:
            raise PydanticCustomError("share_and_layer", "share replaces the layer")
        return {**rest, _TYPE: kind, _ARGUMENTS: item[kind]}


LAYER_KEYS = frozenset(
    field.alias or name
    for name, field in LayerItem.model_fields.items()
    if name not in {"type", "arguments"}
)


def object_key(item: Mapping[Any, Any]) -> str | None:
    """The key of a layer item that names its layer, among misspelt neighbours too."""
    candidates = [key for key in item if isinstance(key, str) and key not in LAYER_KEYS]

    def likeness(key: str) -> tuple[bool, bool]:
        return key[:1].isupper() or key.startswith("ops."), isinstance(item[key], dict) or item[
            key
        ] is None

    return max(candidates, key=likeness, default=None)


class BlockSpec(_Section):
    """A reusable piece of graph; a parameter of None must be given where the block is used."""

    params: dict[ParameterName, Any] = Field(default_factory=dict)
    inputs: Annotated[tuple[Name, ...], Strict(False), Field(min_length=1)]
    layers: Annotated[tuple[LayerItem, ...], Strict(False), Field(min_length=1)]
    outputs: Outputs


class ModelSource(_Section):
    """A model that stands in a file: a run, or a ``.keras`` file, up to the layer ``until``.

    ``layer`` is the model inside of it that is meant, behind the names of models around that one.
    """

    path: Annotated[str, Field(min_length=1)] | None = None
    layer: Annotated[str, Field(min_length=1)] | None = None
    until: Annotated[str, Field(min_length=1)] | None = None


Jit = Literal["auto", "optimizer", True, False]
Precompute = Literal["auto", True, False]


def _by_output(value: Any) -> Any:
    """Keras takes weights by class alone; with several outputs, they need an output's name."""
    if isinstance(value, dict) and value and all(isinstance(key, int) for key in value):
        raise PydanticCustomError("weights_by_output", "class weights belong to an output")
    return value


Fraction = Annotated[float, Field(ge=0.0, lt=1.0)]


Steps = Annotated[int, Field(ge=1, le=2**31 - 1)]
"""A number of epochs or samples, which NumPy and TensorFlow count in 32 bits."""


Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
"""What the optimizer's learning rate is multiplied by for some layers."""


class LastRows(_Section):
    """Validation on the last rows, for example of a time series."""

    last: Annotated[float, Field(gt=0.0, lt=1.0)]


class GroupedRows(_Section):
    """Validation on whole groups; the array ``groups`` contains the group of each row."""

    fraction: Annotated[float, Field(gt=0.0, lt=1.0)]
    groups: str


def _split_form(value: Any) -> str:
    if not isinstance(value, dict | LastRows | GroupedRows):
        return FORM + "plain"
    return FORM + ("last" if isinstance(value, LastRows) or "last" in value else "groups")


Split = Annotated[
    Annotated[Fraction, Tag(FORM + "plain")]
    | Annotated[LastRows, Tag(FORM + "last")]
    | Annotated[GroupedRows, Tag(FORM + "groups")],
    Discriminator(_split_form),
]


class Training(_Section):
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
    jit: Annotated[Jit, _only(bool, "auto, optimizer, true or false")] = "auto"
    precompute: Annotated[Precompute, _only(bool, "auto, true or false")] = "auto"
    steps_per_call: StepsPerCall = "auto"
    devices: Devices = "auto"


class ArraySource(_Section):
    """An array for one weight; without ``file``, it is one of the data's."""

    array: str | None = None
    file: str | None = None


class StartingWeights(_Section):
    """What layers start from: a file's weights by layer, and arrays for single weights."""

    from_: str | None = Field(None, alias="from")
    rename: dict[str, str] = Field(default_factory=dict)
    skip: Annotated[tuple[str, ...], Strict(False)] = ()
    layers: dict[str, ArraySource] = Field(default_factory=dict)


ClassName = Annotated[
    Annotated[str, Field(min_length=1), Tag(FORM + "text")] | Annotated[int, Tag(FORM + "plain")],
    Discriminator(_text_or_plain),
]


ColumnDtype = Literal["string", "int32", "int64", "float32", "float64"]


def _column_form(value: Any) -> str | None:
    forms: dict[type[Any], str] = {str: "name", list: "list", tuple: "list"}
    form = forms.get(type(value))
    return FORM + form if form else None


ColumnNames = Annotated[
    Annotated[str, Tag(FORM + "name")] | Annotated[Names, Tag(FORM + "list")],
    Discriminator(
        _column_form,
        custom_error_type="form",
        custom_error_message="the name of an array, or a list of names",
    ),
]


class ColumnSource(_Section):
    """How a column is read: its type, what marks a missing cell, and names of classes.

    The column of an output has names of classes, unless ``dtype`` makes its cells numbers. Without
    ``classes``, they are the data's own in sorted order.
    """

    column: ColumnNames
    classes: Annotated[tuple[ClassName, ...], Strict(False)] | None = None
    dtype: ColumnDtype | None = None
    missing: Annotated[tuple[str, ...], Strict(False)] = ()

    @property
    def has_classes(self) -> bool:
        """Whether the cells of an output's column are names of classes."""
        plain = isinstance(self.column, str) and self.dtype in (None, "string")
        return self.classes is not None or plain


def _source_form(value: Any) -> str | None:
    if isinstance(value, ColumnSource):
        return FORM + "classes"
    forms: dict[type[Any], str] = {str: "name", list: "list", tuple: "list", dict: "classes"}
    form = forms.get(type(value))
    return FORM + form if form else None


Source = Annotated[
    Annotated[str, Tag(FORM + "name")]
    | Annotated[Names, Tag(FORM + "list")]
    | Annotated[ColumnSource, Tag(FORM + "classes")],
    Discriminator(
        _source_form,
        custom_error_type="form",
        custom_error_message="the name of an array, a list of names, or {column: NAME}",
    ),
]


class Spec(_Section):
    """A whole spec with valid keys and types."""

    modelspec: Annotated[Literal[1], _only(int, "1")]
    name: Name | None = None
    description: str | None = None
    params: dict[ParameterName, Any] = Field(default_factory=dict)
    inputs: Annotated[dict[Name, InputSpec], Field(min_length=1)]
    blocks: dict[Name, BlockSpec] = Field(default_factory=dict)
    models: dict[Name, ModelSource] = Field(default_factory=dict)
    layers: Annotated[tuple[LayerItem, ...], Strict(False), Field(min_length=1)]
    outputs: Outputs
    losses: Any = None
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None
    optimizer: Any = "rmsprop"
    training: Training = Field(default_factory=Training)
    data: dict[str, Source] = Field(default_factory=dict)
    weights: StartingWeights = Field(default_factory=StartingWeights)

    @classmethod
    def from_document(cls, document: Document) -> tuple[Self | None, list[Diagnostic]]:
        """Validate a document whose parameters are put in."""
        try:
            return cls.model_validate(document.data), []
        except ValidationError as error:
            return None, problems_of(error, document.data, cls)

    @classmethod
    def without_mistakes(cls, document: Document, mistakes: Sequence[Diagnostic]) -> Self | None:
        """The spec with something else in place of each mistake, so that the rest is checked.

        None where that is not enough to make it valid.
        """
        if len(mistakes) > MAX_MISTAKES:
            return None
        try:
            return cls.model_validate(without_mistakes(document.data, mistakes))
        except ValidationError:
            return None
