"""The config of a saved model → its graph, as plain data.

Configs are those of Keras 3, and those of older versions for functional and sequential models.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelspec.convert.saved_config import (
    MAX_NESTED,
    article,
    is_shape,
    kind_of,
    list_of,
    mapping_of,
    shown,
)
from modelspec.convert.saved_graph import Ref, SavedCall, SavedGraph, SavedInput, SavedLayer
from modelspec.convert.saved_wiring import Wiring
from modelspec.graph.items import MAX_CALLS
from modelspec.problems.errors import ModelError

_INPUT = "InputLayer"
_MODELS = ("Functional", "Sequential", "Model")


def read_graph(config: Mapping[str, Any]) -> SavedGraph:
    """Read the graph of a functional or sequential model.

    Raises:
        ModelError: The config is not that of such a model, or exceeds a limit.
    """
    return _Reader().model(config, 0)


@dataclass
class _Reader:
    count: int = 0
    depth: int = field(default=0)

    def model(self, saved: Mapping[str, Any], depth: int) -> SavedGraph:
        kind, config = kind_of(saved), saved.get("config")
        if depth > MAX_NESTED:
            raise ModelError(f"models are nested more than {MAX_NESTED} deep")
        if isinstance(config, list):  # the form of Sequential models in Keras 2
            config = {"layers": config}
        if kind not in _MODELS or not isinstance(config, Mapping) or "layers" not in config:
            raise ModelError(
                f"it is {article(kind)}, not a functional or sequential model: its graph is "
                "Python code, which the file does not contain"
            )
        layers = list_of(config["layers"], "layers")
        self.count += len(layers)
        if self.count > MAX_CALLS:
            raise ModelError(f"the model has more than {MAX_CALLS:,} layers")
        if kind == "Sequential":
            return self.sequential(saved, config, layers, depth)
        return self.functional(config, layers, depth)

    def layer(self, saved: Any, depth: int) -> SavedLayer:
        entry = mapping_of(saved, "a layer")
        kind, config = (
            kind_of(entry),
            mapping_of(entry.get("config") or {}, "the config of a layer"),
        )
        name = entry.get("name") or config.get("name") or kind
        build = entry.get("build_config")
        inner = None
        if kind in _MODELS and "layers" in config:
            inner = self.model(entry, depth + 1)
        return SavedLayer(
            name=str(name),
            kind=kind,
            module=str(entry.get("module") or "keras.layers"),
            registered=str(entry.get("registered_name") or ""),
            config=config,
            build=build if isinstance(build, Mapping) else {},
            inner=inner,
        )

    def sequential(
        self,
        saved: Mapping[str, Any],
        config: Mapping[str, Any],
        layers: Sequence[Any],
        depth: int,
    ) -> SavedGraph:
        made = [self.layer(layer, depth) for layer in layers]
        if made and made[0].kind == _INPUT:
            entry = _input(made.pop(0))
        else:
            entry = _input_of_sequential(saved, config, made)
        calls: list[SavedCall] = []
        last: Ref = Ref(entry.name)
        for position, layer in enumerate(made):
            calls.append(SavedCall(position, layer, 0, [last], {}))
            last = Ref(position)
        if not calls:
            raise ModelError("the Sequential model has no layers")
        return SavedGraph(
            name=str(config.get("name") or "sequential"),
            kind="Sequential",
            inputs=[entry],
            calls=calls,
            outputs=[(calls[-1].layer.name, last)],
            form="name",
            trainable=config.get("trainable", True) is not False,
        )

    def functional(
        self, config: Mapping[str, Any], layers: Sequence[Any], depth: int
    ) -> SavedGraph:
        made: dict[str, SavedLayer] = {}
        inputs: dict[str, SavedInput] = {}
        drafts: dict[tuple[str, int], Any] = {}
        for saved in layers:
            layer = self.layer(saved, depth)
            if layer.name in made:
                raise ModelError(f"the name {shown(layer.name)} is used by two layers")
            made[layer.name] = layer
            if layer.kind == _INPUT:
                inputs[layer.name] = _input(layer)
                continue
            for index, node in enumerate(
                list_of(saved.get("inbound_nodes") or [], "inbound_nodes")
            ):
                drafts[layer.name, index] = node
                if len(drafts) > MAX_CALLS:
                    raise ModelError(f"the model has more than {MAX_CALLS:,} calls")
        graph = Wiring(made, inputs, drafts, is_nested=depth > 0)
        outputs, form, flattened = graph.outputs(config.get("output_layers"))
        return SavedGraph(
            name=str(config.get("name") or "functional"),
            kind="Functional",
            inputs=graph.ordered_inputs(config.get("input_layers")),
            calls=graph.calls(),
            outputs=outputs,
            form=form,
            flattened=flattened,
            trainable=config.get("trainable", True) is not False,
        )


def _input(layer: SavedLayer) -> SavedInput:
    config = layer.config
    shape = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(shape, list) or not shape or not is_shape(shape):
        raise ModelError(f"the input {shown(layer.name)} has no shape")
    dropped = [f"a batch size of {shape[0]}"] if shape[0] is not None else []
    dropped += [key for key in ("sparse", "ragged", "optional") if config.get(key)]
    dtype = config.get("dtype")
    return SavedInput(
        layer.name,
        tuple(shape[1:]),
        dtype if isinstance(dtype, str) else "float32",
        tuple(dropped),
    )


def _input_of_sequential(
    saved: Mapping[str, Any], config: Mapping[str, Any], layers: Sequence[SavedLayer]
) -> SavedInput:
    """Return the input of a Sequential model without an input layer, from its build shape.

    Raises:
        ModelError: It was not built.
    """
    build = saved.get("build_config") or {}
    shape = build.get("input_shape") if isinstance(build, Mapping) else None
    first = layers[0].config if layers else {}
    shape = shape or config.get("build_input_shape") or first.get("batch_input_shape")
    if not isinstance(shape, list) or not shape or not is_shape(shape):
        raise ModelError(
            "the Sequential model does not know the shape of its input: build it, or give "
            "it keras.Input, and save it again"
        )
    return SavedInput("input_layer", tuple(shape[1:]), "float32")
