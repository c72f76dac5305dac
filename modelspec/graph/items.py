"""An item of a list of layers, and the place of the list in the model."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelspec.graph.graph import Source
from modelspec.language.spec import LayerItem
from modelspec.problems.diagnostic import Route

MAX_CALLS = 20_000
Value = Source | tuple[Source, ...] | None
"""The value of a name; None if its item failed, which is reported only once."""


@dataclass(frozen=True, slots=True)
class Item:
    """A layer item whose names are resolved.

    ``calls`` names each chained call, ``name`` their result, ``parts`` the results of ``as``.
    ``share`` is also None where it could not be computed.
    """

    index: int
    spec: LayerItem
    route: Route
    name: str
    calls: tuple[str, ...]
    parts: tuple[str, ...]
    share: str | None


@dataclass(frozen=True, slots=True)
class Use:
    """The place of a scope in the model: at the top, or in one use of a block.

    ``prefix`` precedes the names in it, and ``owner`` the names that own its weights (the same,
    unless the block is shared). ``options`` are the ``trainable`` and ``dtype`` that it inherits.
    """

    prefix: str = ""
    owner: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    within: tuple[Route, ...] = ()
