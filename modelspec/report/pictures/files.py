"""Pictures by the suffix of their file."""

from modelspec.report.pictures.dot import dot
from modelspec.report.pictures.drawing import draw
from modelspec.report.pictures.mermaid import mermaid
from modelspec.report.pictures.scene import make_scene
from modelspec.results.network import Network

SUFFIXES = (".mmd", ".dot", ".svg", ".png", ".pdf")


def picture(network: Network, suffix: str, depth: int | None = None) -> bytes:
    """Return a picture in the form of a suffix.

    Args:
        network: The graph.
        suffix: One of ``SUFFIXES``.
        depth: The levels of groups that are open; by default as many as are readable.

    Raises:
        RunError: The form needs the extra ``graph``, which is not installed.
    """
    if suffix == ".mmd":
        return mermaid(network, depth).encode()
    scene = make_scene(network, depth)
    return dot(scene).encode() if suffix == ".dot" else draw(scene, suffix[1:])
