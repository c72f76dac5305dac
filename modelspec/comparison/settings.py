"""The differences between the training settings of two models."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelspec.catalog import Catalog
from modelspec.comparison.graphs import changes
from modelspec.comparison.normal import Normal, plain
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.loss_weights import find_strategy
from modelspec.results.difference import Change


def compare_settings(
    one: ValidSpec, other: ValidSpec, names: Mapping[str, str]
) -> Iterator[Change]:
    """Compare losses, weights and metrics of each output, optimizer, training, data and weights.

    ``names`` maps the outputs of ``one`` to those of the other side.
    """
    yield from changes(_settings(one, names), _settings(other, {}))


def _settings(valid: ValidSpec, names: Mapping[str, str]) -> dict[str, Any]:
    normal = Normal(valid.catalog)
    settings: dict[str, Any] = {}
    for head in valid.heads:
        output = names.get(head.output, head.output)
        if head.loss is not None:
            settings[f"losses.{output}"] = _object(valid.catalog, "loss", head.loss)
            settings[f"loss_weights.{output}"] = head.weight
        for key, weighted in (("metrics", False), ("weighted_metrics", True)):
            metrics = [item.value for item in head.metrics if item.weighted == weighted]
            if metrics:
                settings[f"{key}.{output}"] = [
                    _object(valid.catalog, "metric", value) for value in metrics
                ]
    if any(head.loss is not None for head in valid.heads):
        settings["optimizer"] = normal.item("optimizer", valid.spec.optimizer)
    for name, model in valid.catalog.models.items():
        settings[f"models.{name}"] = {
            "config": model.digest[:12],
            "layer": model.layer,
            "until": model.until,
        }
    spec = valid.spec.model_dump(by_alias=True)
    if find_strategy(valid.spec.loss_weights, [head.output for head in valid.heads]):
        settings["loss_weights"] = plain(valid.spec.loss_weights)
    for section in ("training", "data", "weights"):
        settings |= {
            f"{section}.{key}": _renamed(item, names) if key == "class_weights" else plain(item)
            for key, item in (spec.get(section) or {}).items()
        }
    return settings


def _renamed(by_output: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(output, output): plain(item) for output, item in by_output.items()}


def _object(catalog: Catalog, family: Any, value: Any) -> Any:
    normal = Normal(catalog).item(family, value)
    return normal if not isinstance(normal, Mapping) else dict(normal)
