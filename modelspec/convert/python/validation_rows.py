"""Validation on a part of the rows: the lines of ``main`` that mark the rows held out."""

from collections.abc import Iterator

from modelspec.convert.python.layout import Code, call, lines
from modelspec.language.training import LastRows, Split

STRATIFIED = '''def validation_rows(samples, classes=None):
    """Mark the rows for validation: drawn, each class in proportion to its size."""
    count = round(samples * VALIDATION_SPLIT)
    rows = np.arange(samples, dtype="int32")
    drawn = np.random.default_rng([SEED, samples]).permutation(rows)
    first = rows < count
    if classes is not None:
        ids = classes.argmax(-1) if classes.size > samples else classes.reshape(-1)
        ids = np.unique(ids, return_inverse=True)[1].reshape(-1)[drawn]
        sizes = np.bincount(ids)
        if 2 * len(sizes) <= samples and sizes.min() >= 2:
            quotas, rest = np.divmod(sizes * count, samples)
            quotas[np.argsort(-rest, kind="stable")[: count - quotas.sum()]] += 1
            first = np.zeros(samples, "bool")
            order = np.argsort(ids, kind="stable")
            for start, quota in zip(np.cumsum(sizes) - sizes, quotas):
                first[order[start : start + quota]] = True
    held_out = np.zeros(samples, "bool")
    held_out[drawn[first]] = True
    return held_out'''


class ValidationRows:
    """The rows that a ``validation_split`` holds out; none where validation is separate data."""

    def __init__(self, split: Split, *, separate: bool) -> None:
        self._drawn = isinstance(split, float) and bool(split) and not separate
        self._last = isinstance(split, LastRows) and not separate

    def __bool__(self) -> bool:
        return self._drawn or self._last

    def helpers(self) -> Iterator[str]:
        """Yield the function that ``main`` calls."""
        if self._drawn:
            yield STRATIFIED

    def lines(self, first: str, classes: Code | None) -> Iterator[str]:
        """Yield lines that set ``held_out``, by the length of the array ``first``.

        ``classes`` is the target whose classes decide a stratified draw.
        """
        if self._last:
            yield f"    held_out = np.arange(len({first}))"
            yield "    count = round(len(held_out) * VALIDATION_SPLIT)"
            yield "    held_out = held_out >= len(held_out) - count"
        elif self._drawn:
            arguments = [Code(f"len({first})"), *([classes] if classes is not None else [])]
            yield from lines(call("held_out = validation_rows", arguments), 4)
