"""The text in a box: short lines of plain text, whatever the names contain."""

import unicodedata
from collections import Counter
from collections.abc import Iterator

from modelspec.problems.units import size
from modelspec.report.costs import operations
from modelspec.report.pictures.tree import Box, Branch, Leaf
from modelspec.results.network import Network, Vertex

LONGEST = 40
_ARGUMENTS = 4

STEPS = (0.3, 0.1, 0.03, 0.01)
"""The shares of the whole at which colours change, from the darkest."""


def title(box: Box) -> str:
    """Return the name of a box, on one line."""
    return shortened(box.name)


def heading(box: Branch) -> str:
    """Return the title of an open group: its name, and its block or class."""
    return shortened(f"{box.name}: {box.group.type}" if box.group and box.group.type else box.name)


def lines(box: Box, network: Network) -> Iterator[str]:
    """Yield the lines below the name."""
    texts = _of_vertex(box.vertex) if isinstance(box, Leaf) else _of_group(box)
    yield from (shortened(text, LONGEST + 1) for text in texts)
    if network.measure and box.cost:
        yield f"{cost_text(box.cost, network)} ({_share(box.cost, network):.1%})"


def _of_vertex(vertex: Vertex) -> Iterator[str]:
    if vertex.type:
        yield vertex.type
    shown = vertex.arguments[:_ARGUMENTS]
    if shown:
        yield from _wrapped(
            [*map(shortened, shown), *(["…"] if vertex.arguments[len(shown) :] else [])]
        )
    yield from vertex.notes
    facts = [vertex.shape] if vertex.shape else []
    if vertex.params:
        facts.append(f"{vertex.params:,} parameters")
    yield from _wrapped(facts)
    if vertex.line is not None:
        yield f"line {vertex.line}"


def _of_group(box: Branch) -> Iterator[str]:
    vertices = list(box.vertices())
    if box.group is not None and box.group.type:
        yield box.group.type
    layers = [vertex.type for vertex in vertices if vertex.kind == "layer"]
    others = Counter(vertex.kind for vertex in vertices if vertex.kind != "layer")
    counts = [f"{len(layers):,} layers" if len(layers) != 1 else "1 layer"] if layers else []
    counts += [f"{count:,} {kind}s" for kind, count in others.items()]
    yield ", ".join(counts)
    common = [name for name, _ in Counter(layers).most_common(3)]
    if common:
        yield ", ".join(common)
    facts = [vertices[-1].shape] if vertices[-1].shape else []
    if params := sum(vertex.params for vertex in vertices):
        facts.append(f"{params:,} parameters")
    yield from _wrapped(facts)
    if box.group is not None and box.group.line is not None:
        yield f"line {box.group.line}"


def _wrapped(parts: list[str]) -> Iterator[str]:
    """Put parts side by side, up to the length of a line."""
    line = ""
    for part in parts:
        if line and len(line) + len(", ") + len(part) > LONGEST:
            yield line + ","
            line = part
        else:
            line = f"{line}, {part}" if line else part
    if line:
        yield line


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return text on one line, without invisible characters, and cut if it is too long."""
    plain = "".join(char if _shows(char) else " " for char in text)
    plain = " ".join(plain.split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def _shows(char: str) -> bool:
    return unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def cost_text(cost: int, network: Network) -> str:
    match network.measure:
        case "memory":
            return size(cost)
        case "flops":
            count = operations(cost)
            return f"{count}FLOP" if count[-1].isalpha() else f"{count} FLOP"
        case _:
            return f"{cost:,} parameters"


def _share(cost: int, network: Network) -> float:
    return cost / max(total_cost(network), 1)


def total_cost(network: Network) -> int:
    """Return the sum over the picture; a nested model counts as a whole."""
    whole, counted = 0, set()
    for vertex in network.vertices:
        owner = next((group for group in vertex.groups if group.cost is not None), None)
        if owner is None:
            whole += vertex.cost or 0
        elif owner.key not in counted:
            counted.add(owner.key)
            whole += owner.cost or 0
    return whole


def cost_step(box: Box, network: Network) -> int | None:
    """Return the colour of a box, 0 for the darkest; None without costs."""
    if network.measure is None or box.cost is None:
        return None
    share = _share(box.cost, network)
    return next((step for step, bound in enumerate(STEPS) if share >= bound), len(STEPS))


def legend(network: Network) -> list[str]:
    """Return the meaning of each colour, from the darkest."""
    if network.measure is None:
        return []
    above = [f"{bound:.0%} or more" for bound in STEPS]
    return [*above, f"less than {STEPS[-1]:.0%}"]
