"""The contents of a picture: boxes, open groups, and the lines between them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from modelspec.report.pictures.folding import fold
from modelspec.report.pictures.tree import Box, Branch, Leaf, height, make_tree
from modelspec.results.network import Network

MOST_BOXES = 100
"""The limit of boxes in a readable picture; in a larger one, groups are closed."""

MOST_LINES = 300
_OPEN = 60
"""The number of layers up to which a model needs no groups besides its own."""


@dataclass(frozen=True, slots=True)
class Line:
    """An arrow between two boxes by their numbers, with its label."""

    source: int
    target: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture. ``top`` has the outermost boxes; ``numbers`` name the drawn ones by identity.

    A branch with a number is closed; one without is open.
    """

    network: Network
    top: tuple[Box, ...]
    numbers: dict[int, int]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]

    def number(self, box: Box) -> int | None:
        return self.numbers.get(id(box))

    def first_number(self, box: Box) -> int:
        """Return the number of a box, or of the first box in it that has one."""
        return next(self._numbers_in(box))

    def _numbers_in(self, box: Box) -> Iterator[int]:
        number = self.number(box)
        if number is not None:
            yield number
        elif isinstance(box, Branch):
            for child in box.children:
                yield from self._numbers_in(child)


def scenes(network: Network, depth: int | None = None) -> Iterator[Scene]:
    """Yield pictures of a model from the most open one; only that of ``depth``, if it is given."""
    root = make_tree(network)
    if len(network.vertices) > _OPEN:
        fold(root, network.links)
    if depth is not None:
        yield _scene(network, root, depth)
        return
    for level in range(height(root), -1, -1):
        yield _scene(network, root, level)


def make_scene(
    network: Network, depth: int | None = None, fits: Callable[[Scene], bool] | None = None
) -> Scene:
    """Return the most open picture that is readable, and that ``fits``."""
    last = None
    for last in scenes(network, depth):
        readable = len(last.boxes) <= MOST_BOXES and len(last.lines) <= MOST_LINES
        if readable and (fits is None or fits(last)):
            break
    assert last is not None
    return last


def _scene(network: Network, root: Branch, depth: int) -> Scene:
    boxes = list(_visible(root, depth))
    numbers = {id(box): number for number, box in enumerate(boxes)}
    drawn = {
        key: number
        for number, box in enumerate(boxes)
        for key in ([box.vertex.key] if isinstance(box, Leaf) else [v.key for v in box.vertices()])
    }
    labels: dict[tuple[int, int], list[str]] = {}
    for link in network.links:
        source, target = drawn[link.source], drawn[link.target]
        if source == target and isinstance(boxes[source], Branch):
            continue
        labels.setdefault((source, target), []).append(link.label)
    lines = tuple(Line(*ends, _label(texts)) for ends, texts in labels.items())
    return Scene(network, tuple(root.children), numbers, tuple(boxes), lines)


def _visible(branch: Branch, depth: int) -> Iterator[Box]:
    for box in branch.children:
        if isinstance(box, Branch) and depth > 0:
            yield from _visible(box, depth - 1)
        else:
            yield box


_LABELS = 3


def _label(texts: list[str]) -> str:
    """Return the calls of a line; a tensor that one layer uses twice is named once."""
    known = [text for text in dict.fromkeys(texts) if text]
    more = f", … ({len(known)})" if len(known) > _LABELS else ""
    return ", ".join(known[:_LABELS]) + more
