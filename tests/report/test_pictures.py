"""Pictures of graphs: what they show, what they close, and that no name breaks them."""

import itertools
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from browser import NoBrowserError, chromium, look
from hostile_names import HOSTILE
from mermaid_parser import parse
from node_packages import NotHereError

from modelspec.problems.errors import RunError
from modelspec.report.pictures.colours import (
    DARK,
    DARK_INK,
    DARK_PAGE,
    INK,
    PAGE,
    PAINTS,
)
from modelspec.report.pictures.drawing import svg
from modelspec.report.pictures.files import picture
from modelspec.report.pictures.folding import MOST
from modelspec.report.pictures.mermaid import MOST_CHARACTERS, MOST_EDGES, mermaid
from modelspec.report.pictures.scene import MOST_BOXES, make_scene
from modelspec.results.network import Group, Link, Network, Vertex

SVG = "{http://www.w3.org/2000/svg}"
drawn = pytest.mark.skipif(find_spec("pygraphviz") is None, reason="pygraphviz is not installed")


def chain(*names: str, title: str = "chain", **more: object) -> Network:
    """Layers one after the other, from an input to a head."""
    vertices = [Vertex(str(place), name, "layer", "Dense") for place, name in enumerate(names)]
    ends = Vertex("in", "x", "input", "float32"), Vertex("out", "y", "head", notes=("loss: mse",))
    keys = ["in", *(vertex.key for vertex in vertices), "out"]
    links = tuple(Link(*pair) for pair in itertools.pairwise(keys))
    return Network(title, (ends[0], *vertices, ends[1]), links, 12, **more)  # type: ignore[arg-type]


def hostile(name: str) -> Network:
    """A network whose every text is hostile."""
    group = Group("g", name, name)
    vertices = (
        Vertex("a", name, "input", name, shape=name),
        Vertex("b", name, "layer", name, (name, name), name, 3, 4, (group,)),
        Vertex("c", name, "head", notes=(name,)),
    )
    links = (Link("a", "b", None, 1), Link("b", "c", 2, None))
    return Network(name, vertices, links, 3)


def blocks(count: int) -> Network:
    """Blocks of three layers each, which a spec names."""
    vertices, keys = [Vertex("in", "x", "input")], ["in"]
    for block in range(count):
        group = Group(f"block_{block}", f"block_{block}", "residual", 7)
        for layer in ("conv", "bn", "add"):
            key = f"block_{block}.{layer}"
            vertices.append(Vertex(key, key, "layer", layer.title(), groups=(group,), params=5))
            keys.append(key)
    links = tuple(Link(*pair) for pair in itertools.pairwise(keys))
    return Network("blocks", tuple(vertices), links, 15 * count)


def wide(count: int) -> Network:
    """Everything is called on everything before it."""
    vertices = tuple(Vertex(str(place), f"v{place}", "layer", "Add") for place in range(count))
    pairs = ((one, other) for other in range(count) for one in range(other))
    links = tuple(Link(str(one), str(other)) for one, other in pairs)
    return Network("wide", vertices, links, 0)


def fan(count: int) -> Network:
    """Very many heads on one layer."""
    heads = (Vertex(f"h{place}", f"h{place}", "head") for place in range(count))
    links = tuple(Link("a", f"h{place}") for place in range(count))
    return Network("fan", (Vertex("a", "a", "layer"), *heads), links, 0)


LARGE = {
    "chain": chain(*(f"dense_{place}" for place in range(3000))),
    "unnamed": chain(*("x" * 500 for _ in range(2000))),
    "blocks": blocks(400),
    "wide": wide(120),
    "heads": fan(5000),
    "hostile": chain(*(HOSTILE * 20)),
}


def contrast(one: str, other: str) -> float:
    """By WCAG 2: (L1 + 0.05) / (L2 + 0.05), of relative luminances."""

    def luminance(colour: str) -> float:
        parts = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("paints", "page", "ink"), [(PAINTS, PAGE, INK), (DARK, DARK_PAGE, DARK_INK)]
)
def test_text_and_borders_can_be_seen(paints: dict[str, object], page: str, ink: str) -> None:
    assert contrast(page, ink) >= 7
    for name, paint in (PAINTS if paints is PAINTS else DARK).items():
        assert contrast(paint.fill, paint.text) >= 4.5, name
        assert max(contrast(paint.border, page), contrast(paint.fill, page)) >= 3, name


@pytest.mark.parametrize("name", LARGE)
def test_large_graphs_stay_within_mermaids_limits(name: str) -> None:
    text = mermaid(LARGE[name])
    assert len(text) <= MOST_CHARACTERS
    assert len(re.findall("-->", text)) <= MOST_EDGES
    scene = make_scene(LARGE[name])
    assert len(scene.boxes) <= MOST_BOXES
    assert {key for box in scene.boxes for key in keys(box)} == {
        vertex.key for vertex in LARGE[name].vertices
    }


def keys(box: object) -> Iterator[str]:
    vertex = getattr(box, "vertex", None)
    yield from [vertex.key] if vertex else (member.key for member in box.vertices())  # type: ignore[attr-defined]


def test_depth_opens_blocks() -> None:
    network = blocks(3)
    assert [box.name for box in make_scene(network, 0).boxes] == [
        "x",
        "block_0",
        "block_1",
        "block_2",
    ]
    opened = make_scene(network, 1)
    assert len(opened.boxes) == 10
    assert len(make_scene(network).boxes) == 10
    closed = mermaid(network, 0)
    assert "residual" in closed
    assert "3 layers" in closed
    assert "15 parameters" in closed
    assert "line 7" in closed
    assert mermaid(network, 1).count("subgraph") == 3


def test_equal_blocks_in_a_row_become_one_box_when_there_are_many() -> None:
    names = [box.name for box in make_scene(blocks(400), 0).boxes]
    assert names == ["x", "block_0 … block_399, 400 times"]


def test_a_graph_without_names_is_cut_where_it_is_narrow() -> None:
    vertices, links, before = [Vertex("0", "a", "layer")], [], "0"
    for block in range(30):
        inner = [f"{block}-{place}" for place in range(4)]
        types = ("Conv", "BatchNorm", "Conv", f"Add{block % 2}")
        vertices += [
            Vertex(key, f"{kind}_{len(vertices)}", "layer", kind)
            for key, kind in zip(inner, types, strict=True)
        ]
        steps = [before, *inner]
        links += [Link(*pair) for pair in itertools.pairwise(steps)]
        links.append(Link(before, inner[-1]))
        before = inner[-1]
    scene = make_scene(Network("residual", tuple(vertices), tuple(links), 0), 0)
    assert len(scene.boxes) <= MOST
    # Every cut lies behind an addition, where one tensor alone goes on.
    for box in scene.boxes[:-1]:
        assert list(keys(box))[-1].endswith("-3")


def test_calls_of_a_shared_layer_are_numbered_at_its_ends_alone() -> None:
    vertices = tuple(Vertex(key, key, "layer") for key in "abcde")
    links = (
        Link("a", "c", None, 1),
        Link("b", "c", None, 2),
        Link("c", "d", 1, 1),
        Link("c", "d", 2, 2),
        Link("d", "e", 1, None),
        Link("d", "e", 2, None),
    )
    lines = make_scene(Network("siamese", vertices, links, 0)).lines
    assert [(line.source, line.target, line.label) for line in lines] == [
        (0, 2, "call 1"),
        (1, 2, "call 2"),
        (2, 3, ""),
        (3, 4, "call 1, call 2"),
    ]


def test_costs_colour_by_their_share_and_come_with_a_legend() -> None:
    network = chain("a", "b", "c").with_costs({"a": 50, "b": 48, "c": 2}, "flops", "the work")
    text = mermaid(network)
    assert re.findall(r'^ +n(\d)\W+"\w+<br/>.*:::(\w+)$', text, re.MULTILINE) == [
        ("0", "input"),
        ("1", "cost0"),
        ("2", "cost0"),
        ("3", "cost3"),
        ("4", "head"),
    ]
    assert "share of the work" in text
    assert "legend" not in mermaid(chain("a"))


def test_the_cost_of_a_nested_model_is_its_own() -> None:
    inner = Group("m", "nested", "Sequential")
    vertices = (
        Vertex("a", "a", "layer", groups=(inner,)),
        Vertex("b", "b", "layer", groups=(inner,)),
        Vertex("c", "c", "layer"),
    )
    network = Network("n", vertices, (Link("a", "b"), Link("b", "c")), 0)
    text = mermaid(network.with_costs({"nested": 90, "c": 10, "a": 7}, "flops", "the work"), 0)
    assert "90 FLOP (90.0#37;)" in text
    assert "10 FLOP (10.0#37;)" in text


@pytest.mark.process
@pytest.mark.sweep
def test_the_mermaid_package_reads_every_name() -> None:
    texts = [mermaid(hostile(name)) for name in HOSTILE]
    texts += [mermaid(network) for network in LARGE.values()]
    texts.append(mermaid(chain("a", "b").with_costs({"a": 2, "b": 1}, "memory", "bytes")))
    try:
        parsed_texts = parse(texts)
    except NotHereError as error:
        pytest.skip(str(error))
    assert [parsed_text["error"] for parsed_text in parsed_texts] == [None] * len(texts)
    for parsed_text in parsed_texts[: len(HOSTILE)]:
        assert parsed_text["edges"] == 2
        assert len(parsed_text["labels"]) == 3
        for label in parsed_text["labels"]:
            assert not re.search(r"<(?!br>)|[\"`]", label), label


def parsed(network: Network) -> ET.Element:
    return ET.fromstring(svg(make_scene(network)))  # noqa: S314 - our own picture


@drawn
@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_becomes_markup_in_an_svg(name: str) -> None:
    root = parsed(hostile(name))
    allowed = {
        "svg",
        "g",
        "title",
        "desc",
        "style",
        "path",
        "polygon",
        "text",
        "polyline",
        "ellipse",
    }
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    assert not [
        value
        for element in root.iter()
        for key, value in element.attrib.items()
        if key.startswith("on") or "javascript" in value
    ]
    texts = [element.text or "" for element in root.iter(f"{SVG}text")]
    plain = " ".join(re.sub(r"[\x00-\x1f\x7f\u202e]", " ", name).split())
    shown = plain if len(plain) <= 40 else plain[:39] + "…"
    assert texts.count(shown) >= 3


@drawn
def test_an_svg_says_what_it_shows() -> None:
    root = parsed(chain("a", "b", title="small"))
    assert root.get("role") == "img"
    ids = (root.get("aria-labelledby") or "").split()
    texts = {element.get("id"): element.text or "" for element in root}
    assert [texts[element_id] for element_id in ids] == [
        "Graph of small",
        "A model with 1 input (x), 2 layers, 12 parameters and 1 output (y).",
    ]
    titles = [element.text for element in root.iter(f"{SVG}title")]
    assert "a: Dense" in titles
    assert "prefers-color-scheme: dark" in "".join(element.text or "" for element in root)


@drawn
@pytest.mark.parametrize(
    ("suffix", "start"),
    [
        (".svg", b"<svg"),
        (".png", b"\x89PNG"),
        (".pdf", b"%PDF"),
        (".dot", b"digraph"),
        (".mmd", b"flow"),
    ],
)
def test_every_form_is_what_its_suffix_says(
    suffix: str, start: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    assert picture(chain("a", HOSTILE[0]), suffix).startswith(start)
    assert capfd.readouterr() == ("", "")


@drawn
@pytest.mark.process
@pytest.mark.slow
def test_a_browser_shows_svgs_without_complaint(tmp_path: Path) -> None:
    pictures = {
        "hostile": hostile(HOSTILE[6]),
        "costs": blocks(3).with_costs({"block_0": 4, "block_1": 1, "x": 3}, "params", "parameters"),
    }
    try:
        with chromium() as browser:
            for name, network in pictures.items():
                path = tmp_path / f"{name}.svg"
                path.write_bytes(picture(network, ".svg"))
                for scheme in ("light", "dark"):
                    seen = look(browser, path, 1440, scheme)
                    assert (seen.errors, seen.requests, seen.weak) == ([], [], [])
    except NoBrowserError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("suffix", [".svg", ".png", ".pdf"])
def test_without_graphviz_the_extra_is_named(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    with pytest.raises(RunError, match="install the extra graph"):
        picture(chain("a"), suffix)
    assert picture(chain("a"), ".dot").startswith(b"digraph")
