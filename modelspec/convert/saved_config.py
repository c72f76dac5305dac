"""Parts of a saved config, which is not trusted: a wrong part raises ``ModelError``."""

from collections.abc import Mapping, Sequence
from typing import Any

from modelspec.problems.errors import ModelError

MAX_NESTED = 30


def is_shape(shape: Sequence[Any]) -> bool:
    return all(size is None or (type(size) is int and size >= 0) for size in shape)


def kind_of(saved: Mapping[str, Any]) -> str:
    kind = saved.get("class_name")
    if not isinstance(kind, str) or not kind:
        raise ModelError("a layer in the config has no class_name")
    return kind


def mapping_of(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ModelError(f"{what} in the config is not a mapping")
    return value


def list_of(value: Any, what: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ModelError(f"{what} in the config is not a list")
    return value


def shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:77]}...")  # noqa: PLR2004 - a line's width


def article(kind: str) -> str:
    return f"{'an' if kind[:1] in 'AEIOU' else 'a'} {kind[:80]}"
