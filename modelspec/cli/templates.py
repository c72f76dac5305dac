"""Starting specs for ``modelspec new``: the shipped ones."""

from pathlib import Path

DEFAULT = "digits"


def names() -> list[str]:
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def read(name: str) -> str:
    """Return the text of a template, which must be one of ``names()``."""
    return (_folder() / f"{name}.yaml").read_text(encoding="utf-8")


def _folder() -> Path:
    """Return the folder: in an installed package inside it, in a checkout beside it."""
    package = Path(__file__).parents[1]
    packed = package / "templates"
    return packed if packed.is_dir() else package.parent / "specs"
