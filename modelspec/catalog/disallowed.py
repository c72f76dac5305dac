"""Keras objects that a spec may not use, each with its reason.

A spec is data: it runs no code of its own, contains no Python object and uses nothing outside the
run's folder. Functions with required arguments besides their tensors (``threshold``) are refused by
their signature and are not listed here.
"""

from modelspec.catalog.entries import Family

_ABSTRACT = "it is a base class that computes nothing"
_OBJECT = "it wraps a Python object, which a spec cannot contain"
_CODE = "it runs Python code, which a spec cannot contain"
_INPUTS = "inputs are written under `inputs`"
_LENGTH = "the length of its result is the value of a tensor, which a model cannot know"
_WINDOW = "Keras cannot compute it on the tensors of a model, only on numbers"
_VALUES = "it reduces values and does not compare targets with predictions"

DISALLOWED: dict[Family, dict[str, str]] = {
    "layer": {
        "FlaxLayer": _OBJECT,
        "Input": _INPUTS,
        "InputLayer": _INPUTS,
        "InputSpec": "it is not a layer, but describes the input of a layer",
        "JaxLayer": _OBJECT,
        "Lambda": _CODE,
        "Layer": _ABSTRACT,
        "RandomShear": "Keras cannot load a saved model that contains it",
        "TFSMLayer": "it loads and runs a program from a file",
        "TorchModuleWrapper": _OBJECT,
        "Wrapper": _ABSTRACT,
    },
    "optimizer": {
        "MultiOptimizer": "it needs an OptimizerMap, which a spec cannot contain",
        "Optimizer": _ABSTRACT,
        "OptimizerMap": "it is not an optimizer, but a table of optimizers",
    },
    "loss": {"Loss": _ABSTRACT},
    "metric": {
        "Mean": _VALUES,
        "MeanMetricWrapper": "it wraps a Python function, which a spec cannot contain",
        "Metric": _ABSTRACT,
        "Sum": _VALUES,
    },
    "initializer": {"Initializer": _ABSTRACT},
    "regularizer": {"Regularizer": _ABSTRACT},
    "constraint": {"Constraint": _ABSTRACT},
    "schedule": {"LearningRateSchedule": _ABSTRACT},
    "callback": {
        "BackupAndRestore": "a run saves its own checkpoints: train --resume continues it",
        "Callback": _ABSTRACT,
        "CallbackList": "write several callbacks as a list",
        "LambdaCallback": _CODE,
        "LearningRateScheduler": f"{_CODE}; use a schedule as the optimizer's learning_rate",
        "RemoteMonitor": "it sends data to another machine",
    },
    "activation": {},
    "operation": {
        "ops.arange": _LENGTH,
        **dict.fromkeys(
            ("ops.bartlett", "ops.blackman", "ops.hamming", "ops.hanning", "ops.kaiser"), _WINDOW
        ),
        "ops.correlate": "it needs the length of its input, whose only axis is the batch",
        "ops.ndim": "its result is an integer, not a tensor",
        "ops.convert_to_numpy": "its result is an array, which a model cannot contain",
        "ops.dtype": "its result is a name, not a tensor",
        "ops.is_tensor": "its result is true or false, not a tensor",
        "ops.shape": "its result is a list of lengths, not a tensor",
    },
}

NOT_IN_EVERY_KERAS: dict[Family, frozenset[str]] = {
    "layer": frozenset({"FlaxLayer", "JaxLayer", "TorchModuleWrapper"}),
    "optimizer": frozenset({"MultiOptimizer", "OptimizerMap"}),
}
"""Names above that some Keras 3 releases do not export."""
