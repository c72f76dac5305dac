"""The facts about models in files that a spec uses; their config is read as data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class FileModel:
    """A model that ``models`` names, up to the layer ``until``.

    ``layer`` names the model inside of it that is used, as in ``outer.inner``. ``path`` is its
    ``.keras`` file; ``config`` is that of the whole file, which was checked to name only Keras's
    own parts and those of plugins, and ``digest`` its SHA-256. ``inputs`` and ``outputs`` are
    names, in the order of a call. ``elements`` is the number of values in all weights of the file.
    ``kept`` is the SHA-256 of the file with which a run was trained; the config is then the one in
    the run's folder, and the file may be missing. ``restored`` says that a checkpoint contains the
    weights, so that the file is not needed. ``cut`` names the models that contain ``until``, and
    then the layer itself. ``ids`` is the size of the Embedding that looks up an input, by the
    input's name.
    """

    name: str
    path: Path
    until: str | None
    config: Mapping[str, Any] = field(repr=False, compare=False)
    digest: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    elements: int
    kept: str | None = None
    cut: tuple[str, ...] = ()
    restored: bool = False
    ids: Mapping[str, int] = field(default_factory=dict, compare=False)
    layer: str | None = None

    @property
    def identity(self) -> str:
        """The parts on which shapes and summaries depend, as a key for caches."""
        return f"{self.name} {self.digest} {self.layer} {self.until} {self.elements}"
