"""The spec as it is run: parameters, overrides and defaults filled in, as YAML text."""

from typing import Any

import yaml

from modelspec.language.document import Document
from modelspec.language.expressions import fill
from modelspec.language.spec import Spec
from modelspec.language.yaml_tree import resolve_scalar


class _Dumper(yaml.SafeDumper):
    """PyYAML's, which knows YAML 1.1, made to quote what YAML 1.2 would not read as text."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if isinstance(resolve_scalar(text), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def resolved_text(document: Document, spec: Spec, name: str) -> str:
    """Return the spec as YAML that repeats the run.

    ``document`` has its parameters filled in; blocks and repeated layers keep their ``${…}``, whose
    values differ from use to use.
    """
    data: dict[str, Any] = {"modelspec": spec.modelspec, "name": name}
    data.update({str(key): value for key, value in document.data.items() if value is not None})
    data["name"] = name
    data["layers"] = [_filled(item, spec) for item in data["layers"]]
    data["optimizer"] = spec.optimizer
    data["training"] = spec.training.model_dump()
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=100,
    )


def _filled(item: Any, spec: Spec) -> Any:
    if isinstance(item, dict) and "repeat" in item:
        return item
    return fill(item, spec.params, (), [])
