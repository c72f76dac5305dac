"""A saved model → the text of its spec."""

import os
from dataclasses import dataclass
from pathlib import Path

from modelspec import catalog as keras_catalog
from modelspec.convert.archive import read_saved_model
from modelspec.convert.drafts import Gap
from modelspec.convert.importing import import_config
from modelspec.convert.trusted import find_untrusted
from modelspec.problems.diagnostic import Span
from modelspec.problems.errors import ModelError
from modelspec.problems.problem import Place, Problem
from modelspec.storage.archives import UPGRADE, newer_keras

MODEL = "model.keras"


@dataclass(frozen=True, slots=True)
class ImportedSpec:
    """The spec of a saved model.

    ``text`` is the spec. ``problems`` has one problem for each part of the model that the spec
    lacks, and ``notes`` name the layers that have new names.
    """

    text: str
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def import_model(
    path: str | Path,
    spec: str | Path | None = None,
    *,
    flat: bool = False,
    keep_nested: bool = False,
) -> ImportedSpec:
    """Write the spec of a functional or sequential model, from its config alone.

    Keras is not imported, and no code of the file is run. The weights stay in the file.

    Args:
        path: A ``.keras`` file, an HDF5 file of a whole model, or the folder of a run.
        spec: The path for the spec; ``weights.from`` is relative to its folder.
        flat: Write every layer, even where blocks and repeats are shorter.
        keep_nested: Keep nested models as ``models`` of the file, instead of blocks.

    Returns:
        The text, with a comment at each gap; ``problems`` has one entry for each of them.

    Raises:
        ModelError: The file cannot be read, or has no graph.

    Example:
        >>> import modelspec
        >>> model = modelspec.load("specs/mlp.yaml").build()
        >>> model.save("mlp.keras")
        >>> modelspec.import_model("mlp.keras").problems
        ()
    """
    place = Path(path)
    place = place / MODEL if place.is_dir() else place
    saved = read_saved_model(place)
    folder = Path(spec).parent if spec is not None else Path()
    weights = os.path.relpath(place, folder) if saved.has_weights else None
    catalog = keras_catalog.load()
    notes: tuple[str, ...] = ()
    if keep_nested and not (saved.has_weights and saved.is_archive):
        raise ModelError(f"{place}: only a .keras file with its weights can keep nested models")
    if keep_nested and (untrusted := find_untrusted(saved.config, catalog)):
        keep_nested = False
        notes = (f"nested models are blocks, because no spec can use this file: {untrusted}",)
    try:
        imported = import_config(
            saved.config,
            catalog,
            weights=weights,
            fold=not flat,
            keep_nested=keep_nested,
        )
    except ModelError as error:
        raise ModelError(f"{place}: {error}") from error
    except RecursionError as error:
        raise ModelError(f"{place}: its config is nested too deeply") from error
    name = str(spec) if spec is not None else "<stdout>"
    problems = tuple(_problem(gap, line, name, imported.text) for gap, line in imported.gaps)
    if problems and (newer := newer_keras(place)):
        notes = (*notes, f"{newer}, so that some parts may be unknown here: {UPGRADE}")
    return ImportedSpec(imported.text, problems, (*imported.notes, *notes))


def _problem(gap: Gap, line: int | None, name: str, text: str) -> Problem:
    where = f"layer {gap.layer[:200]!r}: " if gap.layer else ""
    shown = text.splitlines()[line - 1] if line else ""
    indent = len(shown) - len(shown.lstrip())
    span = Span(line, indent + 1, line, max(len(shown), 1) + 1) if line else Span(1, 1, 1, 1)
    return Problem(
        "cannot-import",
        "error",
        f"{where}{gap.message}",
        Place(name, span, text),
        "replace it by something that a spec can contain" if line else None,
        (),
    )
