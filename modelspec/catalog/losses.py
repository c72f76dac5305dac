"""Facts about Keras's losses, for checks, data and training."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from modelspec.catalog.entries import Catalog, Family
from modelspec.language.written import Written
from modelspec.problems.diagnostic import Route

Shape = tuple[int | None, ...]
"""A shape without the batch; None is an unknown length."""

Targets = Literal[
    "ids", "one-hot", "binary", "signs", "counts", "elementwise", "sequences", "groups"
]
"""The form of the targets of a loss.

``ids`` are class ids, one axis less than the output; ``one-hot`` rows hold the share of each class;
``binary`` is 0..1 for each value; ``signs`` are -1 and 1, or 0 and 1; ``counts`` are 0 or more;
``elementwise`` is any number for each value; ``sequences`` are rows of ids from 1, filled with 0;
``groups`` are ids of any number of groups, one a sample.
"""

Outputs = Literal[
    "shares", "probabilities", "logits", "scores", "rates", "embeddings", "quantities"
]
"""The interpretation of an output by a loss.

``shares`` sum to 1 over the classes; ``probabilities`` are independent; ``logits`` are normalized
by the loss; ``scores`` are larger for likelier classes; ``rates`` are above 0.
"""


@dataclass(frozen=True, slots=True)
class LossFacts:
    """The targets and outputs of a loss. ``whole_sample``: one value for each sample.

    ``of_batch``: its value belongs to the batch as a whole, and depends on which samples are in it.
    ``from_logits``: it has an argument of that name.
    """

    targets: Targets
    outputs: Outputs
    from_logits: bool = False
    whole_sample: bool = False
    of_batch: bool = False


_QUANTITY = LossFacts("elementwise", "quantities")
_SPARSE = LossFacts("ids", "shares", from_logits=True)
_CATEGORICAL = LossFacts("one-hot", "shares", from_logits=True)
_BINARY = LossFacts("binary", "probabilities", from_logits=True)
_OVERLAP = LossFacts("binary", "probabilities", whole_sample=True, of_batch=True)
_MARGIN = LossFacts("signs", "scores")

LOSSES: dict[str, LossFacts | None] = {
    "binarycrossentropy": _BINARY,
    "binaryfocalcrossentropy": _BINARY,
    "categoricalcrossentropy": _CATEGORICAL,
    "categoricalfocalcrossentropy": _CATEGORICAL,
    "sparsecategoricalcrossentropy": _SPARSE,
    "categoricalgeneralizedcrossentropy": LossFacts("ids", "shares"),
    "categoricalhinge": LossFacts("one-hot", "scores"),
    "hinge": _MARGIN,
    "squaredhinge": _MARGIN,
    "kldivergence": LossFacts("elementwise", "shares"),
    "poisson": LossFacts("counts", "rates"),
    "cosinesimilarity": LossFacts("elementwise", "embeddings"),
    "dice": _OVERLAP,
    "tversky": _OVERLAP,
    "circle": LossFacts("groups", "embeddings", whole_sample=True, of_batch=True),
    "ctc": LossFacts("sequences", "logits", whole_sample=True),
    "meansquarederror": _QUANTITY,
    "meanabsoluteerror": _QUANTITY,
    "meanabsolutepercentageerror": _QUANTITY,
    "meansquaredlogarithmicerror": LossFacts("counts", "quantities"),
    "huber": _QUANTITY,
    "logcosh": _QUANTITY,
    # The meaning of these depends on the shapes: see ``named_loss``.
    "crossentropy": None,
    "ce": None,
}
"""The facts by folded name; None where nothing is known."""

_SHORT = {
    "bce": "binarycrossentropy",
    "kld": "kldivergence",
    "mse": "meansquarederror",
    "mae": "meanabsoluteerror",
    "mape": "meanabsolutepercentageerror",
    "msle": "meansquaredlogarithmicerror",
}


class Placed(Protocol):
    """A metric as the spec writes it; ``weighted`` says whether sample weights count in it."""

    @property
    def value(self) -> Any: ...
    @property
    def route(self) -> Route: ...
    @property
    def weighted(self) -> bool: ...


class Head(Protocol):
    """An output with its loss as the spec writes it, and the place of the loss."""

    @property
    def output(self) -> str: ...
    @property
    def loss(self) -> Any: ...
    @property
    def route(self) -> Route: ...


class JudgedHead(Head, Protocol):
    """A head with its metrics and the weights of its classes."""

    @property
    def metrics(self) -> Sequence[Placed]: ...
    @property
    def class_weights(self) -> Mapping[int, float]: ...


def loss_facts(loss: Any, target: Shape, output: Shape | None = None) -> LossFacts | None:
    """Return the facts about a loss; None if unknown, as for ``crossentropy`` without shapes."""
    name, _ = named_loss(loss, target, output or target or (1,))
    return LOSSES.get(name)


def named_loss(loss: Any, target: Shape, output: Shape | None) -> tuple[str, Mapping[str, Any]]:
    """Return a loss's name, the same for ``MeanSquaredError`` and ``mse``, and its arguments."""
    written = Written.read(loss)
    if written is None:
        return "", {}
    name = folded(written.name)
    name = _SHORT.get(name, name)
    if name in ("crossentropy", "ce") and output:
        name = _chosen_crossentropy(target, output)
    return name, written.arguments


def _chosen_crossentropy(target: Shape, output: Shape) -> str:
    """Return the loss that Keras's ``get_loss`` (``trainers/compile_utils.py``) chooses."""
    if output[-1] == 1:
        return "binarycrossentropy"
    sparse = len(target) < len(output) or target[-1] == 1
    return "sparsecategoricalcrossentropy" if sparse else "categoricalcrossentropy"


def folded(name: str) -> str:
    return name.replace("_", "").lower()


def read_object(catalog: Catalog, family: Family, value: Any) -> tuple[str, Mapping[Any, Any]]:
    """Return the folded name and arguments of a Keras object; an empty name for other values."""
    written = Written.read(value)
    entry = catalog.find(family, written.name) if written else None
    return folded(entry.name) if entry else "", written.arguments if written else {}


def is_regression(loss: Any) -> bool:
    """Return True for a loss of quantities, False for one of classes."""
    facts = LOSSES.get(named_loss(loss, (), None)[0])
    return facts is not None and facts.outputs == "quantities"


def outputs_of_ids(heads: Iterable[Head]) -> frozenset[str]:
    """Return the outputs whose losses take class ids, whatever the shapes."""
    return _outputs_of("ids", heads)


def outputs_of_one_hot(heads: Iterable[Head]) -> frozenset[str]:
    """Return the outputs whose losses take the share of each class, whatever the shapes."""
    return _outputs_of("one-hot", heads)


def _outputs_of(targets: Targets, heads: Iterable[Head]) -> frozenset[str]:
    named = ((head.output, LOSSES.get(named_loss(head.loss, (), None)[0])) for head in heads)
    return frozenset(output for output, facts in named if facts and facts.targets == targets)
