"""Starting specs for ``modelspec new``: the shipped ones."""

from pathlib import Path

DEFAULT = "digits"


def names() -> list[str]:
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def read(name: str) -> str:
    """The text of a template, which must be one of ``names()``."""
    return (_folder() / f"{name}.yaml").read_text(encoding="utf-8")


def _folder() -> Path:
    """Inside the package where it was installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1]
    packed = package / "templates"
    return packed if packed.is_dir() else package.parent / "specs"
