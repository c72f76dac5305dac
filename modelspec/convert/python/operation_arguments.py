"""The arguments of operations, and slices, as Python."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelspec.convert.python.layout import Code
from modelspec.language.slices import read_slices


def arguments_code(
    arguments: Mapping[str, Any], tensors: Sequence[str], code: Mapping[str, Code]
) -> Iterator[Code]:
    """Yield the first tensors by position, the rest by name."""
    leading = True
    for name in [*arguments, *(key for key in code if key not in arguments)]:
        if name not in code:
            leading = False
            continue
        leading = leading and name in tensors
        yield code[name] if leading else code[name].before(f"{name}=")


def slices_code(written: Any) -> str:
    """Return slices as they stand between brackets."""
    parts = []
    for key in read_slices(written):
        if isinstance(key, slice):
            start, stop, step = (
                "" if n is None else str(n) for n in (key.start, key.stop, key.step)
            )
            parts.append(f"{start}:{stop}" + (f":{step}" if step else ""))
        else:
            parts.append("..." if key is ... else str(key))
    return ", ".join(parts)
