"""Jinja2 templates with everything escaped (the extra ``report``)."""

import base64
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from modelspec.problems.errors import RunError
from modelspec.problems.units import size
from modelspec.report.costs import operations

_FOLDER = Path(__file__).parent
_HIDDEN = re.compile(
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)


def render(name: str, **values: Any) -> str:
    """Fill in a template of this folder.

    Raises:
        RunError: Jinja2 is not installed.
    """
    require_jinja()
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters |= {
        "size": size,
        "operations": operations,
        "number": number,
        "data": lambda raw: "data:image/png;base64," + base64.b64encode(raw).decode(),
    }
    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    return environment.get_template(name).render(**values, style=safe(style))


def require_jinja() -> None:
    """Require Jinja2.

    Raises:
        RunError: Jinja2 is not installed.
    """
    if find_spec("jinja2") is None:
        raise RunError("a page needs Jinja2, which is not installed: install the extra report")


def safe(text: str) -> Any:
    """Mark our own markup, such as a chart, which a template must not escape."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - made here, from text that is escaped


def _visible(value: Any) -> Any:
    """Remove characters that are invisible on a page, or change the direction of others."""
    return _HIDDEN.sub("\N{REPLACEMENT CHARACTER}", value) if type(value) is str else value


def number(value: Any) -> str:
    """Format four digits, as in tables; an unknown value is empty."""
    if value is None:
        return ""
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
