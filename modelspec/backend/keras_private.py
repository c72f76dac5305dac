"""The private parts of Keras that modelspec uses: one function for each part.

All exist in Keras 3.10 to 3.15. If a part is missing, its function raises ``MissingPartError``, so
that its absence is not taken for an answer. ``tests/backend/test_private_api.py`` compares each
with public behaviour.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import keras

from modelspec.problems.errors import ModelError

_WATCHING = (
    keras.callbacks.EarlyStopping,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ReduceLROnPlateau,
)


class MissingPartError(ModelError):
    """The installed Keras lacks a private part; the message says which, and what needs it."""

    def __init__(self, part: str, user: str) -> None:
        super().__init__(
            f"Keras {keras.__version__} has no {part}, which {user} needs: "
            "install a version from 3.10 to 3.15"
        )


def _part(owner: Any, name: str, user: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError:
        raise MissingPartError(f"{type(owner).__name__}.{name}", user) from None


_WALK = "the walk along a model"


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One call of an operation in a model's graph; ``Node`` in ``keras/src/ops/node.py``."""

    node: Any

    @property
    def operation(self) -> Any:
        return _part(self.node, "operation", _WALK)

    @property
    def is_input(self) -> bool:
        return bool(_part(self.node, "is_input", _WALK))

    @property
    def inputs(self) -> list[Any]:
        """The symbolic tensors that the call is given."""
        return list(_part(self.node, "input_tensors", _WALK))

    @property
    def outputs(self) -> list[Any]:
        """The symbolic tensors that the call returned."""
        return list(_part(self.node, "outputs", _WALK))

    @property
    def sources(self) -> list[Any]:
        """The operations that made the inputs."""
        return [parent.operation for parent in _part(self.node, "parent_nodes", _WALK)]

    @property
    def kwargs(self) -> dict[str, Any]:
        """The call's arguments by keyword."""
        return dict(_part(_part(self.node, "arguments", _WALK), "kwargs", _WALK))

    def fill_in(self, tensors: dict[int, Any]) -> tuple[Any, Any]:
        """The call's ``(args, kwargs)``, with other tensors by the ``id`` of those they replace."""
        args, kwargs = _part(_part(self.node, "arguments", _WALK), "fill_in", _WALK)(tensors)
        return args, kwargs


def graph_nodes(model: Any) -> list[GraphNode]:
    """The calls in a functional model, from the inputs to the outputs.

    ``Function._nodes_by_depth``: the deepest are the inputs.
    """
    by_depth = _part(model, "_nodes_by_depth", _WALK)
    return [GraphNode(node) for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def calls_of(operation: Any) -> list[GraphNode]:
    """Every call of an operation, in other models too; ``Operation._inbound_nodes``."""
    return [GraphNode(node) for node in _part(operation, "_inbound_nodes", _WALK)]


def call_that_made(tensor: Any) -> GraphNode:
    """The call that returned a symbolic tensor; ``KerasTensor._keras_history``."""
    history = _part(tensor, "_keras_history", _WALK)
    call: GraphNode = calls_of(history.operation)[history.node_index]
    return call


def input_layer(tensor: Any) -> Any:
    """The layer that made an input of a model; ``KerasTensor._keras_history``."""
    return _part(tensor, "_keras_history", _WALK).operation


def as_functional(layer: Any) -> Any:
    """The functional model that a layer is, or that a sequential one consists of; otherwise None.

    ``Sequential._functional`` is None until the model is built.
    """
    if isinstance(layer, keras.Sequential):
        return _part(layer, "_functional", _WALK)
    return layer if isinstance(layer, keras.Function) else None


def all_layers(model: Any) -> list[Any]:
    """The layers of a model, those inside of models and wrappers too; ``_flatten_layers``."""
    return list(_part(model, "_flatten_layers", "the choice of XLA")(include_self=False))


def own_losses(layer: Any) -> list[Any]:
    """The list of what a layer itself added to the loss in its last call; ``Layer._losses``."""
    losses: list[Any] = _part(layer, "_losses", "training with several workers")
    return losses


def infer_output(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function of tensors returns for symbolic ones; ``backend.compute_output_spec``.

    It traces the call, where the public ``Layer.compute_output_spec`` may return what is declared.
    """
    try:
        from keras.src.backend import compute_output_spec
    except ImportError:
        raise MissingPartError("backend.compute_output_spec", "the check of shapes") from None
    return compute_output_spec(function, *args, **kwargs)


def weight_decay(optimizer: Any, variable: Any) -> Any:
    """The decay of one weight: ``Muon`` has another for those that it updates as AdamW does.

    ``Muon._should_use_adamw``.
    """
    if isinstance(optimizer, keras.optimizers.Muon):
        as_adam = _part(optimizer, "_should_use_adamw", "training.learning_rates with Muon")
        return optimizer.adam_weight_decay if as_adam(variable) else optimizer.weight_decay
    return optimizer.weight_decay


def lookup_of(layer: Any) -> Any:
    """The lookup table that a layer is, or has: ``TextVectorization._lookup_layer``; else None."""
    if isinstance(layer, keras.layers.TextVectorization):
        return _part(layer, "_lookup_layer", "a model with a vocabulary")
    lookups = (keras.layers.StringLookup, keras.layers.IntegerLookup)
    return layer if isinstance(layer, lookups) else None


def build_metrics(model: Any, batch: Any) -> None:
    """Make the variables of a compiled model's losses and metrics, as ``fit`` does it.

    ``Trainer._symbolic_build``; ``batch`` is in the form of ``fit``.
    """
    _part(model, "_symbolic_build", "training").__func__(model, data_batch=batch)


def loss_tracker(model: Any) -> Any:
    """The metric that is the ``loss`` of the logs; ``Trainer._loss_tracker``."""
    return _part(model, "_loss_tracker", "a strategy for loss_weights")


def compiled_losses(model: Any) -> list[Any]:
    """The losses as ``compile`` was given them; ``CompileLoss._user_loss``."""
    user = "the choice of a batch size for evaluation"
    compiled = _part(model, "_compile_loss", user)
    written = [] if compiled is None else keras.tree.flatten(_part(compiled, "_user_loss", user))
    return list(written)


def compiled_metrics(model: Any) -> list[Any]:
    """The metrics as ``compile`` was given them; ``CompileMetrics._user_metrics``."""
    user = "the choice of a batch size for evaluation"
    compiled = _part(model, "_compile_metrics", user)
    written = [] if compiled is None else keras.tree.flatten(_part(compiled, "_user_metrics", user))
    return [metric for metric in written if metric is not None]


def compile_loss() -> Any:
    """The class by which ``compile`` computes losses; ``CompileLoss``."""
    return _compile_utils("CompileLoss")


def compile_metrics() -> Any:
    """The class by which ``compile`` computes metrics; ``CompileMetrics``."""
    return _compile_utils("CompileMetrics")


def _compile_utils(name: str) -> Any:
    try:
        return getattr(import_module("keras.src.trainers.compile_utils"), name)
    except (ImportError, AttributeError):
        raise MissingPartError(f"compile_utils.{name}", "the check of losses and metrics") from None


def set_mask(tensor: Any, mask: Any) -> None:
    """Give a tensor a mask; ``backend.set_keras_mask``."""
    try:
        from keras.src.backend import set_keras_mask
    except ImportError:
        raise MissingPartError("backend.set_keras_mask", "the check of losses") from None
    set_keras_mask(tensor, mask)


def is_masked(tensor: Any) -> bool:
    """Whether a symbolic tensor has a mask."""
    return mask_of(tensor) is not None


def mask_of(tensor: Any) -> Any:
    """The mask of a symbolic tensor, or None; ``backend.get_keras_mask``.

    The attribute that Keras keeps it in is on masked tensors alone, so its absence tells nothing.
    """
    try:
        from keras.src.backend import get_keras_mask
    except ImportError:
        raise MissingPartError("backend.get_keras_mask", "what depends on masks") from None
    return get_keras_mask(tensor)


def logits_of(tensor: Any) -> Any:
    """What crossentropies are computed from in place of a tensor, or None; ``_keras_logits``.

    Keras sets it on the results of ``softmax`` and ``sigmoid`` alone, so its absence tells nothing.
    """
    return getattr(tensor, "_keras_logits", None)


def set_logits(tensor: Any, logits: Any) -> None:
    """Say what crossentropies are computed from in place of a tensor; ``_keras_logits``."""
    tensor._keras_logits = logits  # noqa: SLF001 - as Keras sets it


def key_variables_by_identity(optimizer: Any) -> None:
    """Let an optimizer tell variables apart without their values; ``BaseOptimizer._var_key``.

    On TensorFlow it asks a variable for its value's key, and stand-ins for weights have none.
    """
    _part(optimizer, "_var_key", "the memory of an optimizer")
    optimizer._var_key = id  # noqa: SLF001 - the part that was looked up


def has_direction(callback: Any) -> bool:
    """Whether a callback that watches a value has chosen which way is better; ``monitor_op``.

    Others have none to choose. Up to Keras 3.15, EarlyStopping turns the sign of its ``min_delta``
    when it chooses, which is at the first epoch's end.
    """
    if not isinstance(callback, _WATCHING):
        return False
    return _part(callback, "monitor_op", "a run that can be resumed") is not None


def choose_direction(callback: Any) -> None:
    """Let a callback that watches a value choose which way is better; ``_set_monitor_op``."""
    _part(callback, "_set_monitor_op", "a run that can be resumed")()


def unseeded_draws() -> Any:
    """The generator of draws without a seed; ``global_seed_generator`` of Keras.

    It belongs to the process, and neither a model nor a layer lists it.
    """
    user = "a resumed run with own parts"
    module = import_module("keras.src.random.seed_generator")
    return _part(module, "global_seed_generator", user)()


def saved_state(layers: Sequence[Any]) -> list[dict[str, Any]]:
    """The variables that Keras saves of each layer of a model; ``saving_lib._save_state``.

    They stand by their place below the layer's group in a ``.weights.h5`` file. Nothing is read or
    written, so this works for a model without values too.
    """
    try:
        from keras.src.saving import saving_lib

        base, save = saving_lib.H5IOStore, saving_lib._save_state  # noqa: SLF001 - the part itself
    except (ImportError, AttributeError):
        raise MissingPartError("saving_lib._save_state", "a start from weights") from None

    class Recorder(base):  # type: ignore[misc, valid-type]
        def __init__(self) -> None:
            self.saved: dict[str, Any] = {}

        def __bool__(self) -> bool:
            return True

        def make(self, path: str, metadata: Any = None) -> Any:
            del metadata
            self.place = f"{path}/vars".lstrip("/")
            return self

        def __setitem__(self, key: str, value: Any) -> None:
            self.saved[f"{self.place}/{key}"] = value

    recorders, visited = [Recorder() for _ in layers], set[int]()
    for layer, recorder in zip(layers, recorders, strict=True):
        # A lookup has no variables, and before it is fitted, Keras cannot save it.
        if lookup_of(layer) is None:
            save(layer, recorder, None, "", visited)
    return [recorder.saved for recorder in recorders]


def learned_variables(layer: Any) -> list[Any]:
    """The variables of a layer alone that train unless it is frozen; ``_trainable_variables``."""
    return list(_part(layer, "_trainable_variables", "a start from weights"))


def captured_constants(function: Any) -> dict[str, Any]:
    """The tensors that a ``tf.function`` uses from outside, by their names in its graph.

    ``FuncGraph.captures``, seen in TensorFlow 2.21.
    """
    graph = function.get_concrete_function().graph
    captures = _part(graph, "captures", "the export to ONNX")
    return {
        inner.name: outer.numpy()
        for outer, inner in captures
        if hasattr(outer, "numpy") and outer.dtype.name not in {"resource", "variant"}
    }


def patch_tf2onnx() -> None:
    """Make tf2onnx work with NumPy 2; ``export.tf2onnx_lib.patch_tf2onnx``."""
    try:
        from keras.src.export.tf2onnx_lib import patch_tf2onnx
    except ImportError:
        raise MissingPartError("export.tf2onnx_lib.patch_tf2onnx", "the export to ONNX") from None
    patch_tf2onnx()


def is_without_values() -> bool:
    """Whether layers make no weights now, only their shapes; ``in_stateless_scope``."""
    try:
        from keras.src.backend.common.stateless_scope import in_stateless_scope
    except ImportError:
        raise MissingPartError("stateless_scope.in_stateless_scope", "a model as a layer") from None
    return bool(in_stateless_scope())


@contextmanager
def intercepted_downloads(asked: Callable[[str, str], None]) -> Iterator[None]:
    """Call ``asked`` with the name and origin of each file before ``file_utils.get_file`` gets it.

    Files lie in the user's own folder: Keras reads ``KERAS_HOME`` when it is imported, and
    modelspec imports it without the user's settings.
    """
    try:
        from keras.src.backend import config
        from keras.src.utils import file_utils

        get_file, home = file_utils.get_file, config._KERAS_DIR  # noqa: SLF001 - the part itself
    except (ImportError, AttributeError):
        raise MissingPartError("file_utils.get_file", "weights of imagenet") from None

    def get(fname: Any = None, origin: Any = None, **more: Any) -> Any:
        asked(str(fname), str(origin))
        return get_file(fname, origin, **more)

    file_utils.get_file, config._KERAS_DIR = get, str(keras_home())  # noqa: SLF001
    try:
        yield
    finally:
        file_utils.get_file, config._KERAS_DIR = get_file, home  # noqa: SLF001


def keras_home() -> Path:
    """Where Keras keeps files of this user: ``KERAS_HOME``, or ``.keras`` in the home folder."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def takes_training(operation: Any) -> bool:
    """Whether a call of an operation depends on ``training``; ``_call_has_training_arg``."""
    return isinstance(operation, keras.Layer) and bool(
        _part(operation, "_call_has_training_arg", "the use of precomputed values")
    )
