"""Groups for graphs that are too large to draw and have too few blocks of their own.

Neighbouring boxes are put into one: those whose names have a common prefix (``conv2_block1_…``),
those between two narrow places of the graph, such as the layers of a residual block, and otherwise
a fixed number in a row. No list of boxes is longer than ``MOST`` afterwards, so a picture with all
groups closed is small, whatever the model.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from modelspec.report.pictures.tree import Box, Branch, Leaf, is_same
from modelspec.results.network import Group, Link

MOST = 24
_LEVELS = 6
_FEWEST = 3
"""The least number of groups from a list, so that grouping has an effect."""
_SIMILAR = 3
"""The number of equal boxes in a row that are drawn as one."""


def fold(root: Branch, links: Sequence[Link]) -> None:
    """Put boxes into groups until no list is longer than ``MOST``."""
    waiting = [root]
    while waiting:
        branch = waiting.pop()
        _fold(branch, links)
        waiting.extend(box for box in branch.children if isinstance(box, Branch))


def _fold(branch: Branch, links: Sequence[Link]) -> None:
    steps = (_by_name, _by_repeats, _by_width, _by_repeats, _by_count)
    for step in steps:
        if len(branch.children) <= MOST:
            return
        children = step(branch, links)
        # A single group of everything would be folded again and again.
        branch.children = children if len(children) > 1 else branch.children


def _by_name(branch: Branch, _links: Sequence[Link]) -> list[Box]:
    """Group neighbours whose names have a common prefix, of as few words as possible."""
    boxes = branch.children
    for words in range(1, _LEVELS + 1):
        starts = [_words(box, words) for box in boxes]
        runs = _runs(boxes, starts)
        if len(runs) >= _FEWEST and 2 * len(runs) <= len(boxes):
            return [_together(run) for run in runs]
    return boxes


def _runs(boxes: Sequence[Box], marks: Sequence[object]) -> list[list[Box]]:
    """Return runs of neighbours with equal marks."""
    places = groupby(range(len(boxes)), marks.__getitem__)
    return [[boxes[place] for place in run] for _, run in places]


def _words(box: Box, count: int) -> tuple[str, ...]:
    return tuple(re.split(r"[_./ -]+", box.name)[:count])


def _by_repeats(branch: Branch, _links: Sequence[Link]) -> list[Box]:
    """Group equal groups in a row."""
    runs: list[list[Box]] = []
    for box in branch.children:
        if runs and isinstance(box, Branch) and is_same(runs[-1][-1], box):
            runs[-1].append(box)
        else:
            runs.append([box])
    return [child for run in runs for child in ([_repeat(run)] if len(run) >= _SIMILAR else run)]


def _repeat(run: Sequence[Box]) -> Box:
    return _group(run, f"{_span(run)}, {len(run)} times")


def _by_width(branch: Branch, links: Sequence[Link]) -> list[Box]:
    """Group boxes between places that few tensors cross."""
    boxes = branch.children
    widths = _widths(boxes, links)
    for narrow in sorted(set(widths)):
        pieces = list(_cut(boxes, [width <= narrow for width in widths]))
        if len(pieces) >= _FEWEST and 2 * len(pieces) <= len(boxes):
            return [_together(piece) for piece in pieces]
    return boxes


def _widths(boxes: Sequence[Box], links: Sequence[Link]) -> list[int]:
    """Count for each gap between neighbours the boxes before it with tensors for boxes after it."""
    places = {key: place for place, box in enumerate(boxes) for key in _keys(box)}
    furthest: dict[int, int] = {}
    for link in links:
        source, target = places.get(link.source), places.get(link.target)
        if source is not None and target is not None and target > source:
            furthest[source] = max(target, furthest.get(source, 0))
    changes = [0] * (len(boxes) + 1)
    for source, target in furthest.items():
        changes[source] += 1
        changes[target] -= 1
    widths, width = [], 0
    for change in changes[: len(boxes) - 1]:
        width += change
        widths.append(width)
    return widths


def _keys(box: Box) -> Iterator[str]:
    if isinstance(box, Leaf):
        yield box.vertex.key
    else:
        yield from (vertex.key for vertex in box.vertices())


def _cut(boxes: Sequence[Box], narrow: Sequence[bool]) -> Iterator[list[Box]]:
    """Yield pieces that end at a narrow gap; a chain of narrow gaps joins the piece before."""
    piece: list[Box] = []
    for index, box in enumerate(boxes):
        piece.append(box)
        is_last = index == len(boxes) - 1
        in_chain = list(narrow[index : index + 2]) == [True, True]
        if is_last or (narrow[index] and not in_chain and len(piece) > 1):
            yield piece
            piece = []


def _by_count(branch: Branch, _links: Sequence[Link]) -> list[Box]:
    boxes = branch.children
    size = -(-len(boxes) // MOST)
    return [_together(boxes[start : start + size]) for start in range(0, len(boxes), size)]


def _together(run: Sequence[Box]) -> Box:
    return run[0] if len(run) == 1 else _group(run, _stem(run) or _span(run))


def _group(run: Sequence[Box], name: str) -> Branch:
    first = next(_keys(run[0]))
    return Branch(Group(f"{first}\0{len(run)}\0{name}", name), list(run))


def _span(run: Sequence[Box]) -> str:
    return f"{run[0].name} … {run[-1].name}"


def _stem(run: Sequence[Box]) -> str:
    """Return the words that all names begin with."""
    names = [_words(box, _LEVELS) for box in run]
    common = []
    for words in zip(*names, strict=False):
        if len(set(words)) > 1:
            break
        common.append(words[0])
    return "_".join(common)
