"""The spec of a run: parameters, overrides and defaults filled in, as YAML text."""

from pathlib import Path
from typing import Any

import yaml

from modelspec.language.columns import ColumnSource
from modelspec.language.document import Document
from modelspec.language.paths import folder_of, moved
from modelspec.language.spec import Spec
from modelspec.language.yaml_tree import resolve_scalar


class _Dumper(yaml.SafeDumper):
    """PyYAML's dumper reads YAML 1.1; this one also quotes texts that YAML 1.2 reads as numbers."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(resolve_scalar(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def resolved_text(
    written: Document, document: Document, spec: Spec, name: str, folder: Path | None = None
) -> str:
    """Return the spec as YAML that repeats the run, with paths relative to ``folder``.

    ``written`` has its overrides applied, ``document`` its parameters too. Values keep their
    ``${…}``, so that another value of a parameter changes every value that depends on it.
    """
    data: dict[str, Any] = {"modelspec": spec.modelspec, "name": name}
    data.update({str(key): value for key, value in written.data.items() if value is not None})
    data["name"] = name
    data["optimizer"] = written.data.get("optimizer") or spec.optimizer
    data["training"] = _training(written, document, spec)
    if folder is not None and spec.models:
        data["models"] = _models(document, spec, folder)
    if folder is not None and "weights" in data:
        data["weights"] = _weights(data["weights"], document, spec, folder)
    if spec.data:
        data["data"] = {**data.get("data", {}), **_classes(written, spec)}
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=100,
    )


def _models(document: Document, spec: Spec, folder: Path) -> dict[str, Any]:
    """Return the section ``models`` with its paths rewritten for another folder."""
    own = folder_of(document)
    return {
        name: source.model_dump(exclude_none=True)
        | ({"path": moved(source.path, own, folder)} if source.path else {})
        for name, source in spec.models.items()
    }


def _weights(written: Any, document: Document, spec: Spec, folder: Path) -> dict[str, Any]:
    """Return the section ``weights`` with its paths rewritten for another folder."""
    own, section = folder_of(document), dict(written or {})
    if spec.weights.from_ is not None:
        section["from"] = moved(spec.weights.from_, own, folder)
    if spec.weights.layers:
        section["layers"] = {
            key: source.model_dump(exclude_none=True)
            | ({"file": moved(source.file, own, folder)} if source.file else {})
            for key, source in spec.weights.layers.items()
        }
    return section


def _classes(written: Document, spec: Spec) -> dict[str, Any]:
    """Return the classes that were read from the data."""
    texts = written.data.get("data") or {}
    return {
        name: {**texts[name], "classes": list(source.classes)}
        for name, source in spec.data.items()
        if isinstance(source, ColumnSource)
        and source.classes is not None
        and isinstance(texts.get(name), dict)
        and texts[name].get("classes") is None
    }


def _training(written: Document, document: Document, spec: Spec) -> dict[str, Any]:
    """Return all settings; a setting keeps its written form where that has the same value."""
    settings = spec.training.model_dump()
    texts, filled = (source.data.get("training") or {} for source in (written, document))
    kept = {name: text for name, text in texts.items() if filled.get(name) == settings.get(name)}
    return {**settings, **kept}
