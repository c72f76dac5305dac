"""A page for each code: what is wrong, why it matters, a wrong sample and the right one."""

from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable


@dataclass(frozen=True, slots=True)
class Page:
    """``text`` is Markdown, headed ``# CODE: TITLE``."""

    code: str
    title: str
    text: str


def codes() -> list[str]:
    """Every code that has a page, sorted."""
    names = (page.name for page in _folder().iterdir())
    return sorted(name.removesuffix(".md") for name in names if name.endswith(".md"))


def page(code: str) -> Page:
    """The page of one of ``codes()``."""
    text = (_folder() / f"{code}.md").read_text(encoding="utf-8")
    heading = text.partition("\n")[0]
    return Page(code, heading.removeprefix(f"# {code}: "), text)


def _folder() -> Traversable:
    return files(__name__) / "pages"
