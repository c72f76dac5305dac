"""Graphs as Mermaid text, which GitHub, GitLab and VS Code draw."""

import re
from collections.abc import Iterator

from modelspec.report.pictures.colours import PAINTS, paint_of
from modelspec.report.pictures.labels import heading, legend, lines, title
from modelspec.report.pictures.scene import Scene, make_scene
from modelspec.report.pictures.tree import Box, Branch, Leaf
from modelspec.results.network import Network

MOST_EDGES, MOST_CHARACTERS = 500, 50_000
"""Mermaid's limits, which a document cannot raise."""

_PLAIN = re.compile(r"[^A-Za-z0-9 _.,:()…/+*=-]")


def mermaid(network: Network, depth: int | None = None) -> str:
    """Return a flowchart. Without ``depth``, groups are closed until Mermaid can draw it."""
    return _text(make_scene(network, depth, fits=lambda scene: is_drawable(_text(scene))))


def is_drawable(text: str) -> bool:
    """Return True where a text is within Mermaid's limits."""
    return text.count(" --> ") + text.count("-->|") <= MOST_EDGES and len(text) <= MOST_CHARACTERS


def _text(scene: Scene) -> str:
    network = scene.network
    parts = [
        "flowchart TD",
        f"  accTitle: {_plain(f'Graph of {network.name}')}",
        f"  accDescr: {_plain(network.description)}",
    ]
    for box in scene.top:
        parts += _box(box, scene, "  ")
    for line in scene.lines:
        arrow = f'-->|"{_escaped(line.label)}"|' if line.label else "-->"
        parts.append(f"  n{line.source} {arrow} n{line.target}")
    parts += _legend(network)
    parts += _classes(scene)
    return "\n".join(parts) + "\n"


def _box(box: Box, scene: Scene, indent: str) -> Iterator[str]:
    number = scene.number(box)
    if number is not None:
        texts = [title(box), *lines(box, scene.network)]
        label = "<br/>".join(map(_escaped, texts))
        start, end = _shape(box)
        yield f'{indent}n{number}{start}"{label}"{end}:::{paint_of(box, scene.network)}'
        return
    assert isinstance(box, Branch)
    first = scene.first_number(box)
    yield f'{indent}subgraph g{first}_{len(indent)}["{_escaped(heading(box))}"]'
    for child in box.children:
        yield from _box(child, scene, indent + "  ")
    yield f"{indent}end"


def _shape(box: Box) -> tuple[str, str]:
    if isinstance(box, Leaf):
        return {"input": ("([", "])"), "layer": ("[", "]"), "head": ("{{", "}}")}[box.vertex.kind]
    return "[[", "]]"


def _legend(network: Network) -> Iterator[str]:
    meanings = legend(network)
    if not meanings:
        return
    yield f'  subgraph legend["{_escaped(f"share of {network.unit}")}"]'
    for step, meaning in enumerate(meanings):
        yield f'    legend{step}["{_escaped(meaning)}"]:::cost{step}'
    yield "  end"


def _classes(scene: Scene) -> Iterator[str]:
    used = {paint_of(box, scene.network) for box in scene.boxes}
    used |= {f"cost{step}" for step in range(len(legend(scene.network)))}
    for name in sorted(used):
        paint = PAINTS[name]
        yield f"  classDef {name} fill:{paint.fill},stroke:{paint.border},color:{paint.text}"


def _escaped(text: str) -> str:
    """Escape text for a quoted label: every other character becomes a code."""
    return _PLAIN.sub(lambda match: f"#{ord(match[0])};", text)


def _plain(text: str) -> str:
    """Return text for a title, which has no quotes and no codes."""
    return " ".join(re.sub(r"[^\w .,()-]", " ", text).split())
