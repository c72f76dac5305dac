"""Types of the values in a spec: names, shapes, numbers, and values with several forms in YAML.

A value with several forms is a union that is discriminated by form, so that every error has the
route of the value that is wrong.
"""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Strict,
    StringConstraints,
    Tag,
)
from pydantic_core import PydanticCustomError

from modelspec.language.expressions import has_expression

FORM = "\0"
"""Marks a part of a route or key that is not from the spec; no text of a spec contains it."""

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


def by_form(message: str) -> Discriminator:
    return Discriminator(_form, custom_error_type="form", custom_error_message=message)


OneOrMany = Annotated[
    Annotated[str, Tag(FORM + "name")] | Annotated[Names, Tag(FORM + "list")],
    by_form("a name, or a list of names"),
]


From = Annotated[
    Annotated[str, Tag(FORM + "name")]
    | Annotated[Names, Tag(FORM + "list")]
    | Annotated[dict[str, OneOrMany], Field(min_length=1), Tag(FORM + "mapping")],
    by_form("a name, a list of names, or a mapping of call arguments to names"),
]


Outputs = Annotated[
    Annotated[Name, Tag(FORM + "name")]
    | Annotated[tuple[Name, ...], Strict(False), Field(min_length=1), Tag(FORM + "list")]
    | Annotated[dict[Name, str], Field(min_length=1), Tag(FORM + "mapping")],
    by_form("a name, a list of names, or a mapping of public names to names"),
]


def only(wanted: type, expected: str) -> BeforeValidator:
    """Accept one type only: 1, 1.0 and true are equal in Python, and so in pydantic."""

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
"""True where a layer is trained; of a block or a model, also the patterns of trained layers."""


def text_or_plain(value: Any) -> str:
    return FORM + ("text" if isinstance(value, str) else "plain")


class Section(BaseModel):
    # Pydantic builds the validator of a section as a part of its spec's; one of its own, for which
    # each command would wait, is built where it is used.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)
