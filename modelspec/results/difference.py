"""The differences between two models, as plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["added", "removed", "changed", "rewired", "renamed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One argument or setting; None if one side does not write it and has the default."""

    name: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class LayerChange:
    """One layer: its name, class and line on both sides, None if one side lacks it."""

    kind: Kind
    a: str | None
    b: str | None
    type_a: str | None
    type_b: str | None
    line_a: int | None
    line_b: int | None
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class CarriedWeights:
    """Layers of ``b`` that fit weights of ``a``, with their names there, and those that do not."""

    carried: Mapping[str, str] = field(default_factory=dict)
    fresh: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """All differences. Sizes are None if nothing differs or they cannot be computed.

    ``inputs``, ``outputs``, ``settings`` and ``run`` are changes by name.
    """

    a: str
    b: str
    inputs: tuple[Change, ...] = ()
    layers: tuple[LayerChange, ...] = ()
    outputs: tuple[Change, ...] = ()
    settings: tuple[Change, ...] = ()
    run: tuple[Change, ...] = ()
    parameters: tuple[int, int] | None = None
    flops: tuple[int, int] | None = None
    weights: CarriedWeights | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.inputs or self.layers or self.outputs or self.settings or self.run)

    def as_json(self) -> dict[str, Any]:
        return {"equal": self.is_empty, **asdict(self)}
