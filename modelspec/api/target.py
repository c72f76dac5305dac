"""A run, a ``.keras`` file or a spec, opened: something to evaluate, predict with or summarise."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelspec.api.model_spec import ModelSpec, load, loads
from modelspec.problems.errors import ModelError, RunError
from modelspec.results.summary import Summary
from modelspec.runs.layout import RECORD
from modelspec.runs.run import Run
from modelspec.storage.atomic import replacing

ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class Target:
    """Something to evaluate, predict with or summarise.

    ``source`` is its spec, where it has one; ``path`` its ``.keras`` file, or ``raw`` the bytes of
    one. With neither, the model is built from the spec.
    """

    source: ModelSpec | None = None
    path: Path | None = None
    raw: bytes | None = None

    def model(self) -> Any:
        """The Keras model: loaded, or built with fresh weights.

        Raises:
            SpecError, ModelError: where it cannot be had.
        """
        if self.source is not None:
            self.source.require()
        if self.raw is not None:
            return _load_bytes(self.raw)
        if self.path is not None:
            return load_model(self.path)
        assert self.source is not None
        return self.source.build()

    def summary(self, *, light: bool = False) -> Summary:
        """Layers, shapes and parameters."""
        if self.source is not None and self.path is None:
            return self.source.summary(light=light)
        model = self.model()
        from modelspec.backend.model.description import describe

        return describe(model)


def load_model(path: Path) -> Any:
    """Read a ``.keras`` file, in Keras's safe mode.

    Raises:
        ModelError: where the file is not a Keras model, or holds code.
    """
    _check_magic(path)
    from modelspec.backend.start import start

    start()
    from modelspec.backend.model.saving import read_model

    try:
        return read_model(path)
    except Exception as error:  # what a broken or hostile file raises is Keras's choice
        text = " ".join(str(error).split())
        raise ModelError(f"{path} cannot be loaded: {text[:300]}") from error


def _check_magic(path: Path) -> None:
    """Tell what is no ``.keras`` file at all before Keras is started for it."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(ZIP_MAGIC))
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror}") from error
    if magic != ZIP_MAGIC:
        raise ModelError(f"{path} is not a .keras file, which is a zip")


def save_model(model: Any, path: Path) -> None:
    """Write a model as Keras loads it, whole or not at all; ``path`` ends in ``.keras``."""
    from modelspec.backend.model.saving import write_model

    with replacing(path) as aside:
        write_model(model, aside)


def _load_bytes(raw: bytes) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdin.keras"
        path.write_bytes(raw)
        return load_model(path)


def open_target(path: str | Path, overrides: Iterable[str] = ()) -> Target:
    """A run's folder, a ``.keras`` file, or a spec.

    Raises:
        RunError: where a folder is no run, or its model is not there yet.
    """
    place = Path(path)
    if place.is_dir() or place.name == RECORD:
        run = Run.open(place if place.is_dir() else place.parent)
        if not run.model_path.exists():
            raise RunError(f"{run.path} has no model: the run is {run.status}")
        return Target(load(run.spec_path), path=run.model_path)
    if place.suffix == ".keras":
        return Target(path=place)
    return Target(load(place, list(overrides)))


def target_from_bytes(raw: bytes, overrides: Iterable[str] = ()) -> Target:
    """What came through a pipe: a spec, or the bytes of a ``.keras`` file."""
    if not raw.startswith(ZIP_MAGIC):
        return Target(loads(raw, list(overrides), "<stdin>"))
    return Target(raw=raw)
