"""The configs and hashes, kept by a run, of the models that its spec takes from files.

With them, a run can be evaluated, drawn and compared after such a file was deleted: ``model.keras``
has the weights.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from modelspec.problems.errors import RunError
from modelspec.runs.layout import MODELS
from modelspec.runs.run import Run, require_plain
from modelspec.storage.hashes import file_sha256
from modelspec.storage.regular import read_regular

_LIMIT = 32 << 20


class NamedModel(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path: ...
    @property
    def layer(self) -> str | None: ...
    @property
    def until(self) -> str | None: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def elements(self) -> int: ...
    @property
    def kept(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class KeptModel:
    """The config of a model as a run was trained with it, and the SHA-256 of its file."""

    config: Mapping[str, Any]
    elements: int
    sha256: str


def describe_models(models: Iterable[NamedModel]) -> dict[str, Any] | None:
    """Return what the record of a run contains about models from files; None if there are none."""
    described = {
        model.name: {
            "path": str(model.path),
            "layer": model.layer,
            "until": model.until,
            # A deleted file is reported when the model is built.
            "sha256": file_sha256(model.path) if model.path.exists() else model.kept or "",
        }
        for model in models
    }
    return described or None


def keep_models(run: Run, models: Iterable[NamedModel], record: Mapping[str, Any] | None) -> None:
    """Write the config of each model to the folder of a run.

    Raises:
        RunError: The folder of models is a link.
    """
    folder = run.path / MODELS
    for model in models:
        require_plain(folder)
        folder.mkdir(exist_ok=True)
        config = {key: part for key, part in model.config.items() if key != "compile_config"}
        sha256 = (record or {})[model.name]["sha256"]
        kept = {"sha256": sha256, "elements": model.elements, "config": config}
        run.write(f"{MODELS}/{model.name}.json", json.dumps(kept))


def kept_model(folder: Path, name: str) -> KeptModel | None:
    """Return what a run's folder keeps of a model; None where it is missing or unreadable."""
    path = folder / MODELS / f"{name}.json"
    try:
        require_plain(folder / MODELS)
        kept = json.loads(read_regular(path, _LIMIT))
        match kept:
            case {"config": dict(config), "elements": int(elements), "sha256": str(sha256)}:
                return KeptModel(config, elements, sha256)
    except (OSError, RunError, ValueError, RecursionError):
        return None
    return None


def changed_models(run: Run, now: Mapping[str, Any] | None) -> list[str]:
    """Return the models whose files differ from those that a run was trained with."""
    then = run.record.get("models") or {}
    return [
        name
        for name, model in (now or {}).items()
        if name in then and then[name].get("sha256") != model["sha256"]
    ]
