"""Google-style docstrings, as Keras writes them."""

import re
from collections.abc import Callable
from functools import cache
from inspect import cleandoc

_SECTION = re.compile(r"^(?:Args|Arguments):\n((?:(?:[ ]+.*)?\n)+)", re.MULTILINE)
_ITEM = re.compile(r"\*{0,2}`?(\w+(?:`?, `?\w+)*)`?(?: \([^)]*\))?: *(.*)", re.DOTALL)
_PLACEHOLDER = re.compile(r"^( *)\{\{(\w+)\}\}", re.MULTILINE)


def fill_placeholders(text: str, shared: Callable[[str], str]) -> str:
    """Replace each ``{{name}}`` in a docstring with its shared text."""

    def fill(match: re.Match[str]) -> str:
        indent, name = match.groups()
        return "\n".join(indent + line if line else line for line in shared(name).split("\n"))

    return _PLACEHOLDER.sub(fill, text)


def first_sentence(text: str) -> str:
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[^.][^.]\.) (?=[A-Z])", paragraph)[0]


@cache
def argument_helps(text: str) -> dict[str, str]:
    """Return the paragraph for each argument in the "Args" section, on one line."""
    section = _SECTION.search(text + "\n")
    if not section:
        return {}
    body = cleandoc("\n" + section.group(1))
    helps: dict[str, str] = {}
    for item in re.split(r"\n(?=\S)", body):
        match = _ITEM.match(item)
        if match:
            line = " ".join(match.group(2).split())
            helps |= dict.fromkeys(re.findall(r"\w+", match.group(1)), line)
    return helps
