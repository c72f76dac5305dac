"""The sources of arrays under the key ``data``: names, lists of names, and columns of tables."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Strict, Tag

from modelspec.language.forms import FORM, Names, Section, text_or_plain

ClassName = Annotated[
    Annotated[str, Field(min_length=1), Tag(FORM + "text")] | Annotated[int, Tag(FORM + "plain")],
    Discriminator(text_or_plain),
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


class ColumnSource(Section):
    """The form of a column: its type, the texts of missing cells, and the class names.

    The column of an output has class names, unless ``dtype`` makes its cells numbers. Without
    ``classes``, they are the data's own in sorted order.
    """

    column: ColumnNames
    classes: Annotated[tuple[ClassName, ...], Strict(False)] | None = None
    dtype: ColumnDtype | None = None
    missing: Annotated[tuple[str, ...], Strict(False)] = ()

    @property
    def has_classes(self) -> bool:
        """True where the cells of an output's column are class names."""
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
