"""Facts about losses: the targets that each one takes."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from modelspec.catalog.entries import Catalog, Family
from modelspec.problems.diagnostic import Route

Shape = tuple[int | None, ...]
"""Without the batch; None is an unknown length."""

Targets = Literal["ids", "one-hot", "binary", "elementwise"]

_ELEMENTWISE = (
    *("mse", "meansquarederror", "mae", "meanabsoluteerror", "huber", "logcosh", "poisson"),
    *("mape", "meanabsolutepercentageerror", "msle", "meansquaredlogarithmicerror"),
    *("cosinesimilarity", "hinge", "squaredhinge", "categoricalhinge", "kld", "kldivergence"),
    *("dice", "tversky"),
)
FAMILIES: dict[str, Targets] = {
    "sparsecategoricalcrossentropy": "ids",
    "categoricalgeneralizedcrossentropy": "ids",
    "categoricalcrossentropy": "one-hot",
    "categoricalfocalcrossentropy": "one-hot",
    "binarycrossentropy": "binary",
    "bce": "binary",
    "binaryfocalcrossentropy": "binary",
    **dict.fromkeys(_ELEMENTWISE, "elementwise"),
}

REGRESSION = {
    *("meansquarederror", "meanabsoluteerror", "meanabsolutepercentageerror"),
    *("meansquaredlogarithmicerror", "huber", "logcosh"),
}


class Head(Protocol):
    """An output with its loss as the spec writes it, and the place where it does."""

    @property
    def output(self) -> str: ...
    @property
    def loss(self) -> Any: ...
    @property
    def route(self) -> Route: ...


def loss_family(loss: Any, target: Shape) -> Targets | None:
    """What kind of targets a loss takes; of plain ``crossentropy``, as far as the target tells."""
    name, _ = named_loss(loss, target, target or (1,))
    return FAMILIES.get(name)


def named_loss(loss: Any, target: Shape, output: Shape | None) -> tuple[str, Mapping[str, Any]]:
    """A loss's name, alike for ``MeanSquaredError`` and ``mean_squared_error``, and arguments."""
    arguments: Any = {}
    if isinstance(loss, Mapping) and len(loss) == 1:
        loss, arguments = next(iter(loss.items()))
    if not isinstance(loss, str):
        return "", {}
    name = loss.replace("_", "").lower()
    if name in ("crossentropy", "ce") and output:
        name = _chosen_crossentropy(target, output)
    return name, arguments if isinstance(arguments, Mapping) else {}


def _chosen_crossentropy(target: Shape, output: Shape) -> str:
    """What Keras makes of plain ``crossentropy`` (``trainers/compile_utils.py``, ``get_loss``)."""
    if output[-1] == 1:
        return "binarycrossentropy"
    sparse = len(target) < len(output) or target[-1] == 1
    return "sparsecategoricalcrossentropy" if sparse else "categoricalcrossentropy"


def is_object(value: Any) -> bool:
    return isinstance(value, Mapping) and len(value) == 1


def folded(name: str) -> str:
    return name.replace("_", "").lower()


def read_object(catalog: Catalog, family: Family, value: Any) -> tuple[str, Mapping[Any, Any]]:
    """The folded name and the arguments of a Keras object; an empty name where it is none."""
    name, arguments = next(iter(value.items())) if is_object(value) else (value, None)
    entry = catalog.find(family, name) if isinstance(name, str) else None
    return folded(entry.name) if entry else "", arguments if isinstance(arguments, Mapping) else {}


def is_regression(loss: Any, catalog: Catalog) -> bool:
    """Whether a loss is that of a quantity, and not of classes."""
    return read_object(catalog, "loss", loss)[0] in REGRESSION
