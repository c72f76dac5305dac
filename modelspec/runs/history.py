"""Records of a run's epochs: outputs, the best epoch, CSV.

A record is one line of ``history.jsonl``: ``epoch`` from 1, ``seconds``, and Keras's own names for
losses and metrics, with the prefix ``val_`` for validation. A value that was not finite is None.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

Record = Mapping[str, Any]

VALIDATION = "val_"
OF_THE_EPOCH = frozenset({"epoch", "seconds"})
_FIRST = {"loss": 0, "share": 1}


@dataclass(frozen=True, slots=True)
class Best:
    """The epoch with the lowest loss, of validation if there is one."""

    epoch: int
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Group:
    """The values of one output; of the whole model, if ``output`` is empty.

    ``names`` maps the short name of a value to its name in the records: ``mae`` to ``age_mae``,
    ``val_loss`` to ``val_age_loss``. Losses come first, validation last.
    """

    output: str
    names: Mapping[str, str]


def best(records: Iterable[Record]) -> Best | None:
    """Return the best epoch; None where no loss was finite."""
    rows = list(records)
    name = "val_loss" if any(is_number(row.get("val_loss")) for row in rows) else "loss"
    finite = [row for row in rows if is_number(row.get(name))]
    if not finite:
        return None
    least = min(finite, key=lambda row: float(row[name]))
    return Best(least["epoch"], name, least[name])


def is_number(value: Any) -> TypeGuard[int | float]:
    """Return True where a value of a record is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def groups(names: Iterable[str]) -> list[Group]:
    """Group the names of a record by output, the whole model's first.

    With several outputs, Keras names the values of one output ``OUTPUT_loss`` and
    ``OUTPUT_metric``.
    """
    known = [name for name in dict.fromkeys(names) if name not in OF_THE_EPOCH]
    trained = [name for name in known if not _is_validation(name, known)]
    outputs = [name.removesuffix("_loss") for name in trained if name.endswith("_loss")]
    labels_of: dict[str, dict[str, str]] = {output: {} for output in ("", *outputs)}
    for name in known:
        validation = _is_validation(name, known)
        bare = name.removeprefix(VALIDATION) if validation else name
        output = max(
            (candidate for candidate in outputs if bare.startswith(f"{candidate}_")),
            key=len,
            default="",
        )
        label = bare.removeprefix(f"{output}_") if output else bare
        labels_of[output][VALIDATION + label if validation else label] = name
    return [Group(output, _sorted(labels)) for output, labels in labels_of.items() if labels]


def _is_validation(name: str, known: Sequence[str]) -> bool:
    """Return True for a value of validation; an output named ``val_x`` has no counterpart ``x``."""
    return name.startswith(VALIDATION) and name.removeprefix(VALIDATION) in known


def _sorted(labels: Mapping[str, str]) -> dict[str, str]:
    def order(label: str) -> tuple[bool, int]:
        bare = label.removeprefix(VALIDATION)
        return bare != label, _FIRST.get(bare, len(_FIRST))

    return {label: labels[label] for label in sorted(labels, key=order)}


def columns(records: Iterable[Record]) -> list[str]:
    """Return every name in any record, in the order of their first appearance."""
    return list(dict.fromkeys(name for record in records for name in record))


def history_csv(records: Sequence[Record]) -> str:
    """Return one row for each epoch; missing or infinite values are empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(records), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()
