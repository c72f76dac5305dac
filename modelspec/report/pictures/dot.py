"""Graphs as DOT text, which Graphviz draws."""

from collections.abc import Iterator

from modelspec.report.pictures.colours import INK, PAINTS, paint_of
from modelspec.report.pictures.labels import heading, legend, lines, shortened, title
from modelspec.report.pictures.scene import Scene
from modelspec.report.pictures.tree import Box, Branch, Leaf

_FONT = "Helvetica,Arial,sans-serif"
_HEAD = f"""digraph model {{
  graph [fontname="{_FONT}", fontsize=12, nodesep=0.3, ranksep=0.35, bgcolor=transparent]
  node [shape=box, style="filled,rounded", fontname="{_FONT}", fontsize=11, margin="0.16,0.08"]
  edge [color="{INK}", fontcolor="{INK}", fontname="{_FONT}", fontsize=10, arrowsize=0.7]
"""


def dot(scene: Scene, *, linked: bool = False) -> str:
    """Return the picture in Graphviz's language; ``linked`` as for ``svg``."""
    parts = [_HEAD.rstrip("\n"), f"  label={quoted('Graph of ' + shortened(scene.network.name))}"]
    parts += ["  labelloc=t"]
    for box in scene.top:
        parts += _box(box, scene, "  ", linked=linked)
    for line in scene.lines:
        label = f" [label={quoted(line.label)}]" if line.label else ""
        parts.append(f"  n{line.source} -> n{line.target}{label}")
    parts += _legend(scene)
    return "\n".join([*parts, "}"]) + "\n"


def _box(box: Box, scene: Scene, indent: str, *, linked: bool) -> Iterator[str]:
    number = scene.number(box)
    if number is not None:
        name = paint_of(box, scene.network)
        text = "\n".join([title(box), *lines(box, scene.network)])
        line = _line_of(box)
        link = f', URL="#L{line}"' if linked and line is not None else ""
        yield f"{indent}n{number} [label={quoted(text)}, {_style(name, box)}{link}]"
        return
    assert isinstance(box, Branch)
    first = scene.first_number(box)
    yield f"{indent}subgraph cluster_{first}_{len(indent)} {{"
    yield f'{indent}  graph [style=rounded, color="#5b6875", fontcolor="{INK}", labeljust=l]'
    yield f"{indent}  label={quoted(heading(box))}"
    for child in box.children:
        yield from _box(child, scene, indent + "  ", linked=linked)
    yield f"{indent}}}"


def _line_of(box: Box) -> int | None:
    if isinstance(box, Leaf):
        return box.vertex.line
    return box.group.line if box.group else None


def _style(name: str, box: Box) -> str:
    paint = PAINTS[name]
    thick = ", peripheries=2" if isinstance(box, Branch) else ""
    is_layer = isinstance(box, Leaf) and box.vertex.kind == "layer"
    square = ", style=filled" if is_layer else ""
    return (
        f'class="{name}", fillcolor="{paint.fill}", color="{paint.border}", '
        f'fontcolor="{paint.text}"{thick}{square}'
    )


def _legend(scene: Scene) -> Iterator[str]:
    meanings = legend(scene.network)
    if not meanings:
        return
    yield "  subgraph cluster_legend {"
    yield f'    graph [style=rounded, color="#5b6875", fontcolor="{INK}", labeljust=l]'
    yield f"    label={quoted(f'share of {scene.network.unit}')}"
    for step, meaning in enumerate(meanings):
        paint = PAINTS[f"cost{step}"]
        yield (
            f'    legend{step} [label={quoted(meaning)}, class="cost{step}", '
            f'fillcolor="{paint.fill}", color="{paint.border}", fontcolor="{paint.text}"]'
        )
    yield "  }"


def quoted(text: str) -> str:
    r"""Quote text; a backslash would begin one of Graphviz's own codes, such as ``\N``."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    # Graphviz reads HTML's codes in labels, so a plain ampersand must not begin one.
    return '"' + plain.replace("&", "&amp;").replace("\n", "\\n") + '"'
