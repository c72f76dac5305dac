"""Pictures as SVG, PNG and PDF, drawn by Graphviz (the extra ``graph``)."""

import re
import warnings
from importlib.util import find_spec
from xml.etree import ElementTree as ET

from modelspec.problems.errors import RunError
from modelspec.report.pictures.colours import DARK, DARK_INK, DARK_PAGE, INK, PAGE, PAINTS
from modelspec.report.pictures.dot import dot
from modelspec.report.pictures.labels import lines, shortened, title
from modelspec.report.pictures.scene import Scene
from modelspec.storage.silence import silent_stderr

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_LONG_TITLE = 300


def can_draw() -> bool:
    return find_spec("pygraphviz") is not None


def draw(scene: Scene, form: str) -> bytes:
    """Draw the picture as ``svg``, ``png`` or ``pdf``.

    Raises:
        RunError: pygraphviz is not installed, or Graphviz cannot draw the picture.
    """
    if form == "svg":
        return svg(scene).encode()
    extra = ', bgcolor="white"' if form == "png" else ""
    return _graphviz(dot(scene).replace(", bgcolor=transparent", extra), form)


def svg(scene: Scene, *, ids: str = "graph", linked: bool = False) -> str:
    """Return the picture as SVG with a title, a description, and colours for dark pages.

    ``ids`` is the prefix of the ids in it, if a page has several pictures. With ``linked``, boxes
    link to ``#L12`` of the page for line 12 of the spec.
    """
    raw = _graphviz(dot(scene, linked=linked), "svg").decode()
    ET.register_namespace("", _SVG)
    ET.register_namespace("xlink", _XLINK)
    root = ET.fromstring(raw[raw.index("<svg") :])  # noqa: S314 - Graphviz's own output
    names = {
        f"n{number}": ": ".join((title(box), ", ".join(lines(box, scene.network))))
        for number, box in enumerate(scene.boxes)
    }
    _describe(root, scene, ids)
    _name_parts(root, names)
    return ET.tostring(root, encoding="unicode")


def _describe(root: ET.Element, scene: Scene, ids: str) -> None:
    root.set("role", "img")
    root.set("aria-labelledby", f"{ids}-title {ids}-desc")
    texts = {
        "title": f"Graph of {shortened(scene.network.name, _LONG_TITLE)}",
        "desc": shortened(scene.network.description, _LONG_TITLE),
    }
    for place, (tag, text) in enumerate(texts.items()):
        element = ET.Element(f"{{{_SVG}}}{tag}", {"id": f"{ids}-{tag}"})
        element.text = text
        root.insert(place, element)
    style = ET.Element(f"{{{_SVG}}}style")
    style.text = _CSS.replace("SVG", f'svg[aria-labelledby^="{ids}-"]')
    root.insert(len(texts), style)


def _name_parts(root: ET.Element, names: dict[str, str]) -> None:
    """Give boxes readable titles instead of Graphviz's numbers, and remove ids that could clash."""
    for part in root.iter(f"{{{_SVG}}}g"):
        part.attrib.pop("id", None)
        for link in part.iter(f"{{{_SVG}}}a"):
            # Graphviz's own tooltip, with all lines of the box joined.
            link.attrib.pop(f"{{{_XLINK}}}title", None)
        heading = part.find(f"{{{_SVG}}}title")
        if heading is None:
            continue
        if heading.text in names:
            heading.text = names[heading.text]
        else:
            part.remove(heading)


def _graphviz(text: str, form: str) -> bytes:
    if not can_draw():
        raise RunError(
            f"{form.upper()} needs pygraphviz, which is not installed: install the extra graph, or "
            "write .mmd or .dot"
        )
    # The font libraries print.
    with silent_stderr():
        import pygraphviz

        try:
            # While drawing, it warns of labels that are wider than their boxes.
            with warnings.catch_warnings(action="ignore"):
                graph = pygraphviz.AGraph(string=text)
                raw: bytes = graph.draw(format=form, prog="dot")
        except (OSError, ValueError, pygraphviz.DotError) as error:
            raise RunError(f"Graphviz cannot draw the picture: {error}") from error
    return raw


def _rules(paints: str, *, dark: bool) -> str:
    ink, page = (DARK_INK, DARK_PAGE) if dark else (INK, PAGE)
    rules = [
        f"SVG {{ background: {page}; }}",
        f"SVG text {{ fill: {ink}; }}",
        f"SVG .edge path {{ stroke: {ink}; }}",
        f"SVG .edge polygon {{ stroke: {ink}; fill: {ink}; }}",
    ]
    for name, paint in (DARK if dark else PAINTS).items():
        shapes = ", ".join(f"SVG .{name} {shape}" for shape in ("path", "polygon"))
        rules.append(f"{shapes} {{ fill: {paint.fill}; stroke: {paint.border}; }}")
        rules.append(f"SVG .{name} text {{ fill: {paint.text}; }}")
    return paints + "\n".join(rules)


_CSS = (
    _rules("\n", dark=False)
    + "\n@media (prefers-color-scheme: dark) {\n"
    + _rules("", dark=True)
    + "\n}\n@media print {\n"
    + re.sub(r"background: [^;]+;", "background: none;", _rules("", dark=False))
    + "\n}\n"
)
