"""Targets that a loss leaves out as a whole: of an ignored class, or of classes without weight."""

from collections.abc import Iterator

import numpy as np

from modelspec.catalog.losses import JudgedHead
from modelspec.checks.rows import find_row
from modelspec.data.concatenated import Array, Column
from modelspec.problems.diagnostic import Diagnostic


def check_untrained(
    head: JudgedHead, name: str, target: Column, ignored: object
) -> Iterator[Diagnostic]:
    """Warn of class ids that all are of the class ``ignored``, or of classes of weight 0."""
    if target.dtype.kind not in "iu":
        return
    left_out = [ignored] if type(ignored) is int else []
    if left_out and _all_in(target, left_out):
        message = (
            f"every target in array {name} is {ignored}, which the loss ignores, so {head.output} "
            "is not trained"
        )
        yield Diagnostic("loss-weight", message, head.route, severity="warning")
    left_out = [number for number, weight in head.class_weights.items() if weight == 0]
    if left_out and _all_in(target, left_out):
        message = f"all classes in array {name} have the weight 0, so {head.output} is not trained"
        route = ("training", "class_weights", head.output)
        yield Diagnostic("loss-weight", message, route, severity="warning")


def _all_in(target: Column, classes: list[int]) -> bool:
    def other(rows: Array) -> Array:
        return ~np.isin(rows, classes)

    return find_row(target, other) is None
