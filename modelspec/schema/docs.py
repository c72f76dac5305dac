"""Keras's docstrings → Markdown, for the editor's hover text."""

import re
from inspect import cleandoc

_HEADING = re.compile(r"^([A-Z][\w -]*):[ ]*\n((?:(?:[ ]+.*)?(?:\n|\Z))+)", re.MULTILINE)
_SESSION = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
_CODE = re.compile(r"```.*?```", re.DOTALL)


def markdown(doc: str) -> str:
    """Return a docstring with headings for its sections, and without its arguments."""
    return _HEADING.sub(_section, _fenced(doc)).strip()


def _section(match: re.Match[str]) -> str:
    title, body = match.groups()
    if title in {"Args", "Arguments"}:
        return ""
    return f"**{title}**\n\n{cleandoc(chr(10) + body)}\n\n"


def _fenced(doc: str) -> str:
    """Write sessions of the Python prompt as code blocks, where they are not yet."""
    parts = _CODE.split(doc)
    blocks = [*_CODE.findall(doc), ""]
    fenced = (_SESSION.sub(lambda match: f"```python\n{match[0]}\n```", part) for part in parts)
    return "".join(part + block for part, block in zip(fenced, blocks, strict=True))


def first_sentence(text: str) -> str:
    return re.split(r"(?<=[^.][^.]\.) (?=[A-Z])", " ".join(text.split()))[0]
