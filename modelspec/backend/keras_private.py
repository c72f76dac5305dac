"""The private parts of Keras that modelspec uses: one function for each part.

All exist in Keras 3.10 to 3.15. If a part is missing, its function raises ``MissingPartError``, so
that its absence is not read as an answer. ``tests/backend/test_private_api.py`` compares each with
public behaviour.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """The installed Keras lacks a private part; the message names it and its use."""

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
        """The symbolic tensors that the call takes."""
        return list(_part(self.node, "input_tensors", _WALK))

    @property
    def outputs(self) -> list[Any]:
        """The symbolic tensors that the call returned."""
        return list(_part(self.node, "outputs", _WALK))

    @property
    def sources(self) -> list[Any]:
        """The operations that computed the inputs."""
        return [parent.operation for parent in _part(self.node, "parent_nodes", _WALK)]

    @property
    def kwargs(self) -> dict[str, Any]:
        """The call's keyword arguments."""
        return dict(_part(_part(self.node, "arguments", _WALK), "kwargs", _WALK))

    def fill_in(self, tensors: dict[int, Any]) -> tuple[Any, Any]:
        """Return the call's ``(args, kwargs)``, with tensors replaced by ``id``."""
        args, kwargs = _part(_part(self.node, "arguments", _WALK), "fill_in", _WALK)(tensors)
        return args, kwargs


def graph_nodes(model: Any) -> list[GraphNode]:
    """Return the calls in a functional model, from the inputs to the outputs.

    ``Function._nodes_by_depth``: the deepest are the inputs.
    """
    by_depth = _part(model, "_nodes_by_depth", _WALK)
    return [GraphNode(node) for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def calls_of(operation: Any) -> list[GraphNode]:
    """Return every call of an operation, also in other models; ``Operation._inbound_nodes``."""
    return [GraphNode(node) for node in _part(operation, "_inbound_nodes", _WALK)]


def call_that_made(tensor: Any) -> GraphNode:
    """Return the call that returned a symbolic tensor; ``KerasTensor._keras_history``."""
    history = _part(tensor, "_keras_history", _WALK)
    call: GraphNode = calls_of(history.operation)[history.node_index]
    return call


def input_layer(tensor: Any) -> Any:
    """Return the layer of an input tensor of a model; ``KerasTensor._keras_history``."""
    return _part(tensor, "_keras_history", _WALK).operation


def as_functional(layer: Any) -> Any:
    """Return a functional model itself, or the one inside a sequential model; otherwise None.

    ``Sequential._functional`` is None until the model is built.
    """
    if isinstance(layer, keras.Sequential):
        return _part(layer, "_functional", _WALK)
    return layer if isinstance(layer, keras.Function) else None


def all_layers(model: Any) -> list[Any]:
    """Return all layers, also those inside of models and wrappers; ``_flatten_layers``."""
    return list(_part(model, "_flatten_layers", "the choice of XLA")(include_self=False))


def own_losses(layer: Any) -> list[Any]:
    """Return the losses that a layer itself added in its last call; ``Layer._losses``."""
    losses: list[Any] = _part(layer, "_losses", "training with several workers")
    return losses


def initializer_of(variable: Any) -> Any:
    """Return the initializer of a weight on symbols, which has no values; None for other weights.

    ``Variable._initializer``.
    """
    return _part(variable, "_initializer", "the check of initial weights")


def infer_output(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return the symbolic results of a function of tensors; ``backend.compute_output_spec``.

    It traces the call, where the public ``Layer.compute_output_spec`` may return declared shapes.
    """
    try:
        from keras.src.backend import compute_output_spec
    except ImportError:
        raise MissingPartError("backend.compute_output_spec", "the check of shapes") from None
    return compute_output_spec(function, *args, **kwargs)


def weight_decay(optimizer: Any, variable: Any) -> Any:
    """Return the decay of one weight; ``Muon`` has another for weights that it updates as AdamW.

    ``Muon._should_use_adamw``.
    """
    if isinstance(optimizer, keras.optimizers.Muon):
        as_adam = _part(optimizer, "_should_use_adamw", "training.learning_rates with Muon")
        return optimizer.adam_weight_decay if as_adam(variable) else optimizer.weight_decay
    return optimizer.weight_decay


def lookup_of(layer: Any) -> Any:
    """Return a layer's own lookup layer, or None; ``TextVectorization._lookup_layer``."""
    if isinstance(layer, keras.layers.TextVectorization):
        return _part(layer, "_lookup_layer", "a model with a vocabulary")
    lookups = (keras.layers.StringLookup, keras.layers.IntegerLookup)
    return layer if isinstance(layer, lookups) else None


def build_metrics(model: Any, batch: Any) -> None:
    """Create the variables of a compiled model's losses and metrics, as ``fit`` does.

    ``Trainer._symbolic_build``; ``batch`` is in the form of ``fit``.
    """
    _part(model, "_symbolic_build", "training").__func__(model, data_batch=batch)


def loss_tracker(model: Any) -> Any:
    """Return the metric of ``loss`` in the logs; ``Trainer._loss_tracker``."""
    return _part(model, "_loss_tracker", "a strategy for loss_weights")


def compiled_losses(model: Any) -> list[Any]:
    """Return the losses as they were passed to ``compile``; ``CompileLoss._user_loss``."""
    user = "the choice of a batch size for evaluation"
    compiled = _part(model, "_compile_loss", user)
    written = [] if compiled is None else keras.tree.flatten(_part(compiled, "_user_loss", user))
    return list(written)


def compiled_metrics(model: Any) -> list[Any]:
    """Return the metrics as they were passed to ``compile``; ``CompileMetrics._user_metrics``."""
    user = "the choice of a batch size for evaluation"
    compiled = _part(model, "_compile_metrics", user)
    written = [] if compiled is None else keras.tree.flatten(_part(compiled, "_user_metrics", user))
    return [metric for metric in written if metric is not None]


def compile_loss() -> Any:
    """Return the class by which ``compile`` computes losses; ``CompileLoss``."""
    return _compile_utils("CompileLoss")


def compile_metrics() -> Any:
    """Return the class by which ``compile`` computes metrics; ``CompileMetrics``."""
    return _compile_utils("CompileMetrics")


def _compile_utils(name: str) -> Any:
    try:
        return getattr(import_module("keras.src.trainers.compile_utils"), name)
    except (ImportError, AttributeError):
        raise MissingPartError(f"compile_utils.{name}", "the check of losses and metrics") from None


def set_mask(tensor: Any, mask: Any) -> None:
    """Set the mask of a tensor; ``backend.set_keras_mask``."""
    try:
        from keras.src.backend import set_keras_mask
    except ImportError:
        raise MissingPartError("backend.set_keras_mask", "the check of losses") from None
    set_keras_mask(tensor, mask)


def is_masked(tensor: Any) -> bool:
    """Return True where a symbolic tensor has a mask."""
    return mask_of(tensor) is not None


def mask_of(tensor: Any) -> Any:
    """Return the mask of a symbolic tensor, or None; ``backend.get_keras_mask``.

    Only masked tensors have the attribute, so its absence does not show that Keras lacks it.
    """
    try:
        from keras.src.backend import get_keras_mask
    except ImportError:
        raise MissingPartError("backend.get_keras_mask", "what depends on masks") from None
    return get_keras_mask(tensor)


def logits_of(tensor: Any) -> Any:
    """Return the logits from which crossentropies are computed, or None; ``_keras_logits``.

    Only results of ``softmax`` and ``sigmoid`` have it, so its absence does not show that Keras
    lacks it.
    """
    return getattr(tensor, "_keras_logits", None)


def set_logits(tensor: Any, logits: Any) -> None:
    """Set the logits from which crossentropies of a tensor are computed; ``_keras_logits``."""
    tensor._keras_logits = logits  # noqa: SLF001 - as Keras sets it


def key_variables_by_identity(optimizer: Any) -> None:
    """Let an optimizer identify variables without their values; ``BaseOptimizer._var_key``.

    On TensorFlow it asks a variable for its value's key, which replacements for weights lack.
    """
    _part(optimizer, "_var_key", "the memory of an optimizer")
    optimizer._var_key = id  # noqa: SLF001 - the part that was looked up


def has_direction(callback: Any) -> bool:
    """Return True where a callback has chosen if larger or smaller is better; ``monitor_op``.

    False for callbacks that monitor nothing. Up to Keras 3.15, EarlyStopping changes the sign of
    its ``min_delta`` when it chooses, which is at the end of the first epoch.
    """
    if not isinstance(callback, _WATCHING):
        return False
    return _part(callback, "monitor_op", "a run that can be resumed") is not None


def choose_direction(callback: Any) -> None:
    """Make a callback choose if larger or smaller values are better; ``_set_monitor_op``."""
    _part(callback, "_set_monitor_op", "a run that can be resumed")()


def unseeded_draws() -> Any:
    """Return the generator of draws without a seed; ``global_seed_generator`` of Keras.

    It belongs to the process, and no model or layer lists it.
    """
    user = "a resumed run with own parts"
    module = import_module("keras.src.random.seed_generator")
    return _part(module, "global_seed_generator", user)()


_RANDOM, _NN = "keras.src.backend.tensorflow.random", "keras.src.backend.tensorflow.nn"
_SHARED_BATCH = "training with several workers"


@contextmanager
def replaced_draws(by_shape: Callable[[Any], Any], dropout: Callable[[Any], Any]) -> Iterator[None]:
    """Replace Keras's functions that draw, those of ``backend.tensorflow.random``.

    Seen in Keras 3.13 to 3.15.

    Args:
        by_shape: Gets ``normal``, ``uniform``, ``truncated_normal`` or ``randint``, whose first
            argument is a shape, and returns another.
        dropout: Gets ``dropout`` and returns another.
    """
    names = ("normal", "uniform", "truncated_normal", "randint")
    changes = {**dict.fromkeys(names, by_shape), "dropout": dropout}
    with _replaced(_RANDOM, changes):
        yield


@contextmanager
def replaced_moments(moments: Any) -> Iterator[None]:
    """Replace the moments of a synchronized BatchNormalization, ``nn._compute_moments_sync``.

    Seen in Keras 3.13 to 3.15.
    """
    with _replaced(_NN, {"_compute_moments_sync": lambda _: moments}):
        yield


@contextmanager
def _replaced(name: str, changes: Mapping[str, Callable[[Any], Any]]) -> Iterator[None]:
    module = import_module(name)
    for part in changes:
        if not hasattr(module, part):
            raise MissingPartError(f"{name}.{part}", _SHARED_BATCH)
    originals = {part: getattr(module, part) for part in changes}
    for part, original in originals.items():
        setattr(module, part, changes[part](original))
    try:
        yield
    finally:
        for part, original in originals.items():
            setattr(module, part, original)


def saved_state(layers: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the variables that Keras saves of each layer of a model; ``saving_lib._save_state``.

    Their keys are their paths below the layer's group in a ``.weights.h5`` file. Nothing is read or
    written, so this also works for a model without values.
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
    """Return a layer's own variables that train unless it is frozen; ``_trainable_variables``."""
    return list(_part(layer, "_trainable_variables", "a start from weights"))


def captured_constants(function: Any) -> dict[str, Any]:
    """Return the tensors that a ``tf.function`` uses from outside, by their names in its graph.

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
    """Return True where layers now create no weights, only shapes; ``in_stateless_scope``."""
    try:
        from keras.src.backend.common.stateless_scope import in_stateless_scope
    except ImportError:
        raise MissingPartError("stateless_scope.in_stateless_scope", "a model as a layer") from None
    return bool(in_stateless_scope())


@contextmanager
def intercepted_downloads(asked: Callable[[str, str], None]) -> Iterator[None]:
    """Call ``asked`` with the name and origin of each file before ``file_utils.get_file`` gets it.

    The files are in the user's own folder: Keras reads ``KERAS_HOME`` when it is imported, and
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
    """Return Keras's folder of this user: ``KERAS_HOME``, or ``.keras`` in the home folder."""
    return Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")


def takes_training(operation: Any) -> bool:
    """Return True where an operation's call takes ``training``; ``_call_has_training_arg``."""
    return isinstance(operation, keras.Layer) and bool(
        _part(operation, "_call_has_training_arg", "the use of precomputed values")
    )
