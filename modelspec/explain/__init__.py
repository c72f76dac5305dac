"""One page for each problem code: the problem, its cause, a wrong and a right sample."""

from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable


@dataclass(frozen=True, slots=True)
class Page:
    """A page; ``text`` is Markdown with the heading ``# CODE: TITLE``."""

    code: str
    title: str
    text: str


def codes() -> list[str]:
    """Return all codes with a page, sorted."""
    names = (page.name for page in _folder().iterdir())
    return sorted(name.removesuffix(".md") for name in names if name.endswith(".md"))


def page(code: str) -> Page:
    """Return the page of a code from ``codes()``."""
    text = (_folder() / f"{code}.md").read_text(encoding="utf-8")
    heading = text.partition("\n")[0]
    return Page(code, heading.removeprefix(f"# {code}: "), text)


def _folder() -> Traversable:
    return files(__name__) / "pages"
