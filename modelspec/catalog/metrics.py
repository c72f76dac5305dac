"""Facts about Keras's metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from modelspec.catalog.losses import folded

Targets = Literal["ids", "one-hot", "binary", "signs", "elementwise"]

Reads = Literal["largest", "threshold", "curve", "shares", "quantities", "scores", "ids"]
"""The interpretation of a prediction by a metric.

``largest`` is the class with the largest value; ``threshold`` the values above 0.5 or another
bound; ``curve`` all bounds from 0 to 1; ``shares`` probabilities; ``quantities`` any number;
``scores`` the sign of a value; ``ids`` class ids.
"""


@dataclass(frozen=True, slots=True)
class MetricFacts:
    """The targets and outputs of a metric.

    ``for_logits`` is the argument that makes it accept logits; empty where it has none. ``rows``:
    Keras refuses targets without an axis for the units. ``exact``: it counts equal values.
    """

    targets: Targets
    reads: Reads
    for_logits: str = ""
    rows: bool = False
    exact: bool = False


_QUANTITY = MetricFacts("elementwise", "quantities")
_COUNT = MetricFacts("binary", "threshold", "thresholds: 0")
_CURVE = MetricFacts("binary", "curve")
_F_SCORE = MetricFacts("one-hot", "largest", rows=True)
_IDS = MetricFacts("ids", "ids")
_ONE_HOT = MetricFacts("one-hot", "largest")
_MARGIN = MetricFacts("signs", "scores")
_CROSS = "from_logits: true"

METRICS: dict[str, MetricFacts | None] = {
    # ``metric_facts`` resolves the bare name ``accuracy``; this is the class ``Accuracy``.
    "acc": None,
    "accuracy": MetricFacts("elementwise", "ids", exact=True),
    "auc": MetricFacts("binary", "curve", _CROSS),
    "binaryaccuracy": MetricFacts("binary", "threshold", "threshold: 0", exact=True),
    "binarycrossentropy": MetricFacts("binary", "shares", _CROSS),
    "binaryfocalcrossentropy": MetricFacts("binary", "shares"),
    "binaryiou": MetricFacts("binary", "threshold", "threshold: 0"),
    "categoricalaccuracy": replace(_ONE_HOT, exact=True),
    "categoricalcrossentropy": MetricFacts("one-hot", "shares", _CROSS),
    "categoricalfocalcrossentropy": MetricFacts("one-hot", "shares"),
    "categoricalhinge": MetricFacts("one-hot", "scores"),
    "concordancecorrelation": _QUANTITY,
    "cosinesimilarity": _QUANTITY,
    "f1score": _F_SCORE,
    "fbetascore": _F_SCORE,
    "falsenegatives": _COUNT,
    "falsepositives": _COUNT,
    "hinge": _MARGIN,
    "huber": _QUANTITY,
    "iou": _IDS,
    "kldivergence": MetricFacts("elementwise", "shares"),
    "logcosh": _QUANTITY,
    "logcosherror": _QUANTITY,
    "meanabsoluteerror": _QUANTITY,
    "meanabsolutepercentageerror": _QUANTITY,
    "meaniou": _IDS,
    "meansquarederror": _QUANTITY,
    "meansquaredlogarithmicerror": _QUANTITY,
    "onehotiou": _ONE_HOT,
    "onehotmeaniou": _ONE_HOT,
    "pearsoncorrelation": _QUANTITY,
    "poisson": _QUANTITY,
    "precision": _COUNT,
    "precisionatrecall": _CURVE,
    "r2score": _QUANTITY,
    "recall": _COUNT,
    "recallatprecision": _CURVE,
    "rootmeansquarederror": _QUANTITY,
    "sensitivityatspecificity": _CURVE,
    "sparsecategoricalaccuracy": MetricFacts("ids", "largest", exact=True),
    "sparsecategoricalcrossentropy": MetricFacts("ids", "shares", _CROSS),
    "sparsetopkcategoricalaccuracy": MetricFacts("ids", "largest", exact=True),
    "specificityatsensitivity": _CURVE,
    "squaredhinge": _MARGIN,
    "topkcategoricalaccuracy": replace(_ONE_HOT, exact=True),
    "truenegatives": _COUNT,
    "truepositives": _COUNT,
}
"""The facts by folded name, with Keras's default arguments; None where nothing is known."""

CONFUSION = {"iou", "meaniou", "onehotiou", "onehotmeaniou"}
"""Metrics that count pairs of classes."""


def metric_facts(
    name: str, arguments: Mapping[Any, Any], *, text: bool, chosen: str = ""
) -> MetricFacts | None:
    """Return the facts about a metric with the arguments of a spec; None if unknown.

    ``text``: the spec writes the name alone, so that Keras chooses a class for ``accuracy`` by the
    shapes; ``chosen`` is the folded name of that class, empty if unknown.
    """
    name = folded(name)
    if text and name in ("accuracy", "acc"):
        return METRICS.get(chosen)
    facts = METRICS.get(name)
    if facts is None:
        return None
    if name in ("f1score", "fbetascore") and arguments.get("threshold") is not None:
        return replace(facts, targets="binary", reads="threshold")
    if name in CONFUSION:
        return _confusion(facts, arguments)
    return facts


def _confusion(facts: MetricFacts, arguments: Mapping[Any, Any]) -> MetricFacts:
    """IoU metrics take ids or rows, for targets and predictions each, as two arguments say."""
    rows = {"sparse_y_true": facts.targets == "one-hot", "sparse_y_pred": facts.reads == "largest"}
    by_row = {
        key: not arguments[key] if isinstance(arguments.get(key), bool) else default
        for key, default in rows.items()
    }
    return replace(
        facts,
        targets="one-hot" if by_row["sparse_y_true"] else "ids",
        reads="largest" if by_row["sparse_y_pred"] else "ids",
    )


def chosen_accuracy(target: tuple[int | None, ...] | None, output: tuple[int | None, ...]) -> str:
    """Return the class that Keras chooses for ``accuracy``; empty if it depends on the target."""
    if not output or output[-1] == 1:
        return "binaryaccuracy"
    if target is None:
        return ""
    sparse = len(target) < len(output) or target[-1] == 1
    return "sparsecategoricalaccuracy" if sparse else "categoricalaccuracy"
