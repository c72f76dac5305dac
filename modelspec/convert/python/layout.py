"""Python text in lines of at most 88 characters, as ruff and Black format it.

An expression that does not fit in a line is split: one element a line, each with a comma, which
formatters keep at every line length.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

WIDTH = 88


@dataclass(frozen=True, slots=True)
class Code:
    """An expression: text alone, or ``head``, elements and ``tail``, as in ``f(``, … and ``)``."""

    head: str
    elements: tuple["Code", ...] = ()
    tail: str = ""

    @property
    def flat(self) -> str:
        return f"{self.head}{', '.join(element.flat for element in self.elements)}{self.tail}"

    def before(self, text: str) -> "Code":
        """Return the expression with text before it, such as ``name=``."""
        return Code(text + self.head, self.elements, self.tail)


def call(function: str, arguments: Iterable[Code]) -> Code:
    return Code(f"{function}(", tuple(arguments), ")")


def applied(constructor: Code, arguments: Iterable[Code]) -> Code:
    """Return the call of a constructor's result: ``Dense(3)(x)``."""
    passed = tuple(arguments)
    if not constructor.elements:
        return Code(f"{constructor.flat}(", passed, ")")
    inside = ", ".join(argument.flat for argument in passed)
    return Code(constructor.head, constructor.elements, f"{constructor.tail}({inside})")


def sequence(elements: Iterable[Code]) -> Code:
    return Code("[", tuple(elements), "]")


def mapping(entries: Iterable[tuple[Code, Code]]) -> Code:
    return Code("{", tuple(value.before(f"{key.flat}: ") for key, value in entries), "}")


def string(text: str) -> Code:
    """Return a string literal; in double quotes unless the text has more of these than single."""
    body = repr(text)
    inner = body[1:-1].replace("\\'", "'") if body[0] == "'" else body[1:-1].replace('\\"', '"')
    if text.count('"') > text.count("'"):
        return Code("'" + inner.replace("'", "\\'") + "'")
    return Code('"' + inner.replace('"', '\\"') + '"')


def lines(code: Code, indent: int = 0, end: str = "") -> Iterator[str]:
    """Yield the lines of an expression that starts a line at ``indent``."""
    space = " " * indent
    if not code.elements or len(space + code.flat + end) <= WIDTH:
        yield space + code.flat + end
        return
    yield space + code.head
    for element in code.elements:
        yield from lines(element, indent + 4, ",")
    yield space + code.tail + end
