"""Layers that only Keras itself has, replaced by layers that compute the same."""

from collections.abc import Callable
from typing import Any

from modelspec.convert.drafts import Step
from modelspec.convert.plain_values import plain
from modelspec.convert.saved_graph import Ref, SavedCall


def replacement(call: SavedCall, moved: Any, new_id: Callable[[], int]) -> list[Step]:
    """Return the items that replace a layer which Keras does not offer; empty for all others."""
    saved, module = call.layer, call.layer.module
    match saved.kind, call.args, saved.config:
        case "LayerScale", [Ref() as tensor], {
            "init_values": value,
            "projection_dim": int(size),
        } if module == "keras.src.applications.convnext":
            arguments = {
                "equation": "...d,d->...d",
                "output_shape": size,
                "kernel_initializer": {"Constant": {"value": plain(value)}},
            }
            step = Step(new_id(), "EinsumDense", arguments, {None: moved(tensor)}, saved.name)
            step.weighted = True
            return [step]
        case "CustomScaleLayer", [[Ref() as base, Ref() as tensor]], {"scale": scale} if (
            module == "keras.src.applications.inception_resnet_v2"
        ):
            scaled = Step(
                new_id(),
                "Rescaling",
                {"scale": plain(scale)},
                {None: moved(tensor)},
                f"{saved.name}_scaled",
                free=True,
            )
            added = (moved(base), Ref(scaled.id))
            return [scaled, Step(new_id(), "Add", {}, {None: added}, saved.name)]
    return []
