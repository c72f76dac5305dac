"""Colours of boxes, for light and for dark pages; text on each has a contrast of 4.5 or more."""

from dataclasses import dataclass

from modelspec.report.pictures.labels import cost_step
from modelspec.report.pictures.tree import Box, Branch
from modelspec.results.network import Network


@dataclass(frozen=True, slots=True)
class Paint:
    """The fill, border and text of a box."""

    fill: str
    border: str
    text: str


PAINTS = {
    "input": Paint("#e3f2e6", "#2e7d32", "#10240f"),
    "layer": Paint("#f4f6f8", "#5b6875", "#15191d"),
    "group": Paint("#e8eefc", "#3f5fb0", "#101a33"),
    "head": Paint("#fff0dc", "#a85b00", "#2b1800"),
    "cost0": Paint("#7a1f0a", "#4d1204", "#ffffff"),
    "cost1": Paint("#b5441b", "#7a2a0c", "#ffffff"),
    "cost2": Paint("#f2a36b", "#a85b00", "#221000"),
    "cost3": Paint("#fbd5b0", "#a85b00", "#221000"),
    "cost4": Paint("#fdf0e2", "#8a6a4a", "#221000"),
}
"""Colours on a light page; ``cost0`` is the darkest."""

DARK = {
    "input": Paint("#173420", "#7fc88a", "#e8f6ea"),
    "layer": Paint("#23292f", "#93a1b0", "#eef2f6"),
    "group": Paint("#1b2747", "#8fa8ec", "#e8eefc"),
    "head": Paint("#3d2606", "#f0b060", "#fff0dc"),
    "cost0": Paint("#ffb38a", "#ffe0cc", "#2b0f00"),
    "cost1": Paint("#e07a45", "#ffc9a6", "#1c0900"),
    "cost2": Paint("#9c4218", "#f0a070", "#ffffff"),
    "cost3": Paint("#5c2a12", "#d08a60", "#fff0e6"),
    "cost4": Paint("#2e1c13", "#a88468", "#fff0e6"),
}

PAGE, INK = "#ffffff", "#15191d"
DARK_PAGE, DARK_INK = "#12161a", "#eef2f6"


def paint_of(box: Box, network: Network) -> str:
    """Return the name of a box's paint: its cost's where costs are shown, else its kind's."""
    step = cost_step(box, network)
    if step is not None:
        return f"cost{step}"
    return "group" if isinstance(box, Branch) else box.vertex.kind
