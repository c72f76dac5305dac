"""The models that a spec takes from files: each is read as data, and checked before it is used."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from modelspec.catalog import Catalog
from modelspec.catalog.entries import item_family
from modelspec.catalog.file_models import FileModel
from modelspec.catalog.tensorflow_only import needs_tensorflow
from modelspec.convert.archive import ZIP_MAGIC, UnsafeArchiveError, read_saved_model
from modelspec.convert.cutting import Interface, NoSuchLayerError, interface, model_in
from modelspec.convert.saved_graph import SavedGraph
from modelspec.convert.saved_reader import read_graph
from modelspec.convert.trusted import find_untrusted, quantized_layer
from modelspec.graph.graph import Graph, ModelFacts
from modelspec.language.document import Document
from modelspec.language.paths import folder_of, near_name, path_from
from modelspec.language.spec import ModelSource, Spec
from modelspec.problems.diagnostic import Anchor, Diagnostic, Route
from modelspec.problems.errors import ModelError, RunError
from modelspec.runs.layout import MODEL, RECORD, SPEC
from modelspec.runs.models import kept_model
from modelspec.runs.run import Run
from modelspec.storage.archives import UPGRADE, newer_keras
from modelspec.weights.files import read_weight_file
from modelspec.weights.stored import UnsafeFileError, WeightFileError

_PATH = "path: the folder of a run, or a .keras file"


class _Refused(Exception):  # noqa: N818 - carries a problem, and never leaves this module
    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.hint = code, hint


class _NoSuchPartError(Exception):
    """A part of a model that does not exist; ``key`` is its key in the spec."""

    def __init__(self, message: str, key: str, hint: str | None) -> None:
        super().__init__(message)
        self.key, self.hint = key, hint


def read_models(
    spec: Spec, document: Document, catalog: Catalog, run: Path | None = None
) -> tuple[list[FileModel], list[Diagnostic]]:
    """Read the models of a spec without building them.

    In place of a deleted file, the copy in the run's folder ``run`` is read.

    Returns:
        The usable models, and a problem for each of the others.
    """
    models: list[FileModel] = []
    problems: list[Diagnostic] = []
    for name, source in spec.models.items():
        route: Route = ("models", name)
        if problem := _wrong_name(name, spec, catalog):
            problems.append(problem)
            continue
        try:
            models.append(_read(name, source, document, catalog, run))
        except _NoSuchPartError as error:
            problems.append(
                Diagnostic("unknown-name", str(error), (*route, error.key), hint=error.hint)
            )
        except _Refused as error:
            at = (*route, "path") if source.path else route
            anchor: Anchor = "value" if source.path else "key"
            problems.append(Diagnostic(error.code, str(error), at, anchor, hint=error.hint))
    return models, problems


def _wrong_name(name: str, spec: Spec, catalog: Catalog) -> Diagnostic | None:
    taken = "a block" if name in spec.blocks else ""
    taken = taken or ("a layer of Keras" if catalog.find("layer", name) else "")
    if not taken:
        return None
    message = f"{name} is the name of {taken}"
    return Diagnostic("duplicate-name", message, ("models", name), "key")


def with_models(graph: Graph, spec: Spec, models: Iterable[FileModel]) -> Graph:
    """Return the graph with facts about its models; models that cannot be read are not called."""
    facts = {
        model.name: ModelFacts(model.inputs, model.ids, _needs_tensorflow(model.config))
        for model in models
    }
    failed = spec.models.keys() - facts.keys()
    nodes = tuple(replace(node, inputs={}) if node.type in failed else node for node in graph.nodes)
    return replace(graph, nodes=nodes, models=facts)


def _needs_tensorflow(config: Mapping[str, Any]) -> bool:
    """Return True where a saved model needs TensorFlow; operations are not examined one by one."""
    return needs_tensorflow(config["config"]) or "keras.src.ops." in json.dumps(config["config"])


def unused_models(graph: Graph, spec: Spec, catalog: Catalog) -> list[Diagnostic]:
    """Return a warning for each unused model, except where a layer may be a misspelt one."""
    used = {node.type for node in graph.nodes}
    if any(catalog.find(item_family(name), name) is None for name in used - spec.models.keys()):
        return []
    return [
        Diagnostic(
            "unused-layer", f"no layer uses the model {name}", ("models", name), "key", "warning"
        )
        for name in spec.models
        if name not in used
    ]


def _read(
    name: str, source: ModelSource, document: Document, catalog: Catalog, run: Path | None
) -> FileModel:
    if source.path is None:
        raise _Refused("missing-key", f"{name} needs path", f"or --model {name}=PATH")
    folder = folder_of(document)
    path = path_from(folder, source.path)
    kept = kept_model(folder, name) if Path(document.name).name == SPEC else None
    if kept is None and run is not None and not path.exists():
        kept = kept_model(run, name)
    if kept is None:
        file = _file(path, name)
        config = _config(file)
    else:
        file, config = path / MODEL if path.is_dir() else path, kept.config
    try:
        graph = read_graph(config)
    except ModelError as error:
        raise _Refused("model-unreadable", f"{path}: {error}") from error
    _refuse_unusable(config, path, file, catalog)
    elements = kept.elements if kept is not None else _elements(file)
    tensors = _interface(graph, source)
    return FileModel(
        name=name,
        path=file,
        until=source.until,
        config=config,
        digest=_digest(config),
        inputs=tensors.inputs,
        outputs=tensors.outputs,
        elements=elements,
        kept=kept.sha256 if kept else None,
        cut=tensors.cut,
        ids=tensors.ids,
        layer=source.layer,
    )


def _refuse_unusable(config: Mapping[str, Any], path: Path, file: Path, catalog: Catalog) -> None:
    """Refuse a quantized model, and one with parts that are neither Keras's nor a plugin's."""
    if (quantized := quantized_layer(config)) is not None:
        hint = "use the model that was saved before it was quantized"
        raise _Refused("model-unreadable", f"{path}: layer {quantized!r} is quantized", hint)
    if untrusted := find_untrusted(config, catalog):
        hint = "modelspec runs no code of a model file: its parts must come from Keras or a plugin"
        if newer := newer_keras(file):
            hint = f"{newer}: if a newer Keras has this part, {UPGRADE}"
        raise _Refused("unsafe-model", f"{path}: {untrusted}", hint)


def _interface(graph: SavedGraph, source: ModelSource) -> Interface:
    key = "layer"
    try:
        part = model_in(graph, source.layer)
        key = "until"
        return interface(part, source.until)
    except NoSuchLayerError as error:
        raise _NoSuchPartError(str(error), key, error.hint) from error


def _file(path: Path, name: str) -> Path:
    """Return the ``.keras`` file at a path, which may be that of a run."""
    if not path.exists():
        hint = near_name(path) or f"a path is relative to the spec; --model {name}=PATH replaces it"
        raise _Refused("model-not-found", f"there is no {path}", hint)
    if path.name != RECORD and not path.is_dir():
        return path
    folder = path.parent if path.name == RECORD else path
    try:
        run = Run.open(folder)
        status, model = run.status, run.model_path
    except RunError as error:
        raise _Refused("model-unreadable", str(error), _PATH) from error
    if not model.exists():
        hint = f"modelspec train --run {folder} --resume finishes it"
        raise _Refused("model-unreadable", f"the run {folder} ({status}) has no model yet", hint)
    return model


def _config(file: Path) -> Mapping[str, Any]:
    """Return the config of a ``.keras`` file."""
    try:
        with file.open("rb") as opened:
            start = opened.read(16)
        if start.startswith(ZIP_MAGIC):
            return read_saved_model(file).config
    except ModelError as error:
        unsafe = isinstance(error, UnsafeArchiveError)
        code = "unsafe-model" if unsafe else "model-unreadable"
        raise _Refused(code, str(error), None if unsafe else _PATH) from error
    except OSError as error:
        raise _Refused("model-unreadable", f"cannot read {file}: {error.strerror}") from error
    if start.startswith(b"\x89HDF"):
        hint = "load it in Python, and save it as NAME.keras"
        raise _Refused("model-unreadable", f"{file} is an HDF5 file, not a .keras file", hint)
    raise _Refused("model-unreadable", f"{file} is not a .keras file", _PATH)


def _elements(file: Path) -> int:
    """Return the number of values in the weights of a ``.keras`` file."""
    try:
        return read_weight_file(file).elements
    except WeightFileError as error:
        code = "unsafe-model" if isinstance(error, UnsafeFileError) else "model-unreadable"
        raise _Refused(code, str(error), error.hint) from error


def _digest(config: Mapping[str, Any]) -> str:
    shown = {key: value for key, value in config.items() if key != "compile_config"}
    return hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest()
