"""Document → Spec: the keys of the language, as frozen pydantic models.

The models define the keys, their types, and which keys are required. The arguments of layers,
losses and optimizers are Keras's, and are checked in ``checks``. The types of the values are in
``forms``.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from modelspec.language.columns import Source
from modelspec.language.document import Document
from modelspec.language.forms import (
    FORM,
    Count,
    Dtype,
    Flag,
    From,
    Name,
    Names,
    Outputs,
    ParameterName,
    Section,
    Shape,
    Trainable,
    only,
)
from modelspec.language.recovery import MAX_MISTAKES, without_mistakes
from modelspec.language.training import Training
from modelspec.language.validation import problems_of
from modelspec.problems.diagnostic import Diagnostic

LANGUAGE_VERSION = 1
_TYPE, _ARGUMENTS = f"{FORM}type", f"{FORM}arguments"


class InputSpec(Section):
    """One entry of ``inputs``; ``shape`` is without the batch, None an unknown length."""

    shape: Shape
    dtype: Dtype = "float32"


class LayerItem(Section):
    """One item of ``layers``: a Keras object, or ``share``, and the keys beside it.

    ``type`` and ``arguments`` are the object's name and arguments; with ``share`` they are empty.
    Texts can contain ``${…}``, which ``graph`` computes.
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
        """Separate the Keras object from the item's other keys."""
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
    """Return the key of a layer item that names its layer, also among misspelt keys."""
    candidates = [key for key in item if isinstance(key, str) and key not in LAYER_KEYS]

    def likeness(key: str) -> tuple[bool, bool]:
        return key[:1].isupper() or key.startswith("ops."), isinstance(item[key], dict) or item[
            key
        ] is None

    return max(candidates, key=likeness, default=None)


class BlockSpec(Section):
    """A reusable part of a graph; a parameter of None has no default and is required."""

    params: dict[ParameterName, Any] = Field(default_factory=dict)
    inputs: Annotated[tuple[Name, ...], Strict(False), Field(min_length=1)]
    layers: Annotated[tuple[LayerItem, ...], Strict(False), Field(min_length=1)]
    outputs: Outputs


class ModelSource(Section):
    """A model in a file: a run, or a ``.keras`` file, up to the layer ``until``.

    ``layer`` names a model inside of it, after the names of the models that contain it.
    """

    path: Annotated[str, Field(min_length=1)] | None = None
    layer: Annotated[str, Field(min_length=1)] | None = None
    until: Annotated[str, Field(min_length=1)] | None = None


class ArraySource(Section):
    """An array for one weight, from ``file``; without it, an array of the training data."""

    array: str | None = None
    file: str | None = None


class StartingWeights(Section):
    """The weights that layers start from: a file's weights by layer, and single arrays."""

    from_: str | None = Field(None, alias="from")
    rename: dict[str, str] = Field(default_factory=dict)
    skip: Annotated[tuple[str, ...], Strict(False)] = ()
    layers: dict[str, ArraySource] = Field(default_factory=dict)


class Spec(Section):
    """A whole spec with valid keys and types."""

    modelspec: Annotated[Literal[1], only(int, "1")]
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
        """Validate a document in which the parameters are filled in."""
        try:
            return cls.model_validate(document.data), []
        except ValidationError as error:
            return None, problems_of(error, document.data, cls)

    @classmethod
    def without_mistakes(cls, document: Document, mistakes: Sequence[Diagnostic]) -> Self | None:
        """Return the spec with a replacement for each mistake, so that its other parts are checked.

        Return None where the spec is still invalid.
        """
        if len(mistakes) > MAX_MISTAKES:
            return None
        try:
            return cls.model_validate(without_mistakes(document.data, mistakes))
        except ValidationError:
            return None
