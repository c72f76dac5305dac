"""Pages and pictures in a headless Chromium: its errors, and whether all texts are readable."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

WIDTHS = (390, 1440)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")

_CONTRAST = """() => {
  const canvas = document.createElementNS(
    "http://www.w3.org/1999/xhtml", "canvas"); canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  const rgb = (text) => {
    pen.clearRect(0, 0, 1, 1); pen.fillStyle = text; pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const ratio = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const over = (top, below) => top.map((c, k) => k < 3
    ? c * top[3] / 255 + below[k] * (1 - top[3] / 255) : 255);
  const page = matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 255]
                                                                : [255, 255, 255, 255];
  const ground = (element) => {
    let layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      layers.push(rgb(style.backgroundColor));
      const shape = at.matches?.("g") && at.querySelector(":scope > path, :scope > polygon, "
        + ":scope > a > path, :scope > a > polygon, :scope > rect");
      if (shape && getComputedStyle(shape).fill !== "none"
          && !at.matches(".edge")) layers.push(rgb(getComputedStyle(shape).fill));
    }
    return layers.reverse().reduce((below, top) => over(top, below), page);
  };
  const weak = [];
  for (const element of document.querySelectorAll("body *, svg text")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    const style = getComputedStyle(element);
    if (!own || style.visibility === "hidden" || !element.getClientRects().length) continue;
    if (element.closest("title, desc, style, defs")) continue;
    const inSvg = element instanceof SVGElement;
    const back = ground(element);
    const ink = over(rgb(inSvg ? style.fill : style.color), back);
    const found = ratio(ink, back);
    if (found < 4.5) weak.push([element.textContent.trim().slice(0, 40), found, ink, back]);
  }
  return weak;
}"""
_OVERFLOW = """() => {
  const wide = document.documentElement.clientWidth;
  const cut = [...document.querySelectorAll("body *")].filter((element) => {
    if (element.closest("svg svg, .scroll") && !element.matches(".scroll")) return false;
    if (!element.getClientRects().length) return false;
    return element.getBoundingClientRect().right > wide + 1;
  }).map((element) => element.outerHTML.slice(0, 80));
  return {page: document.documentElement.scrollWidth, wide, cut};
}"""


@dataclass
class Seen:
    """The findings of a browser on one page."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    weak: list[Any] = field(default_factory=list)
    overflow: dict[str, Any] = field(default_factory=dict)


class NoBrowserError(Exception):
    """There is no Chromium or no playwright here."""


@contextmanager
def chromium() -> Iterator[Any]:
    """Start a headless Chromium of the distribution.

    Raises:
        NoBrowserError: Chromium cannot be used.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        raise NoBrowserError("Chromium is not installed")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise NoBrowserError("playwright is not installed") from error
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def look(browser: Any, path: Path, width: int, scheme: str) -> Seen:
    """Open a file, and return its problems."""
    seen = Seen()
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    page = context.new_page()
    page.on("console", lambda message: seen.errors.append(message.text))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    own = path.resolve().as_uri()
    page.on(
        "request",
        lambda request: (
            seen.requests.append(request.url)
            if request.url.partition("#")[0] != own and not request.url.startswith("data:")
            else None
        ),
    )
    page.goto(own)
    seen.weak = page.evaluate(_CONTRAST)
    seen.overflow = page.evaluate(_OVERFLOW)
    context.close()
    return seen
