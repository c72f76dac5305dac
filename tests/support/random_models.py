"""Random models that Keras can train: a spec as plain data, and arrays that fit it.

Branches have any layer of the sweep's table, alone or in chains, with masks and without; heads have
any loss and metric of the other table, in every form of outputs.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from sweep_heads import LOSSES, MAKERS, METRICS, targets
from sweep_layers import LAYERS, Case

Arrays = dict[str, NDArray[Any]]
Item = dict[str, Any]

RANDOM = ("Random", "Dropout", "Noise", "MixUp", "CutMix", "AugMix", "RandAugment")
"""Parts of the names of layers that draw numbers in training."""

CHAIN = (
    {"Dense": {"units": 5, "activation": "tanh"}},
    {"Dense": {"units": 4, "kernel_regularizer": {"L2": {"l2": 0.01}}}},
    {"Dense": {"units": 3, "activity_regularizer": "l2", "kernel_constraint": "UnitNorm"}},
    {"BatchNormalization": {"momentum": 0.8}},
    {"LayerNormalization": None},
    {"Dropout": {"rate": 0.2}},
    {"Activation": {"activation": "swish"}},
    {"UnitNormalization": None},
)
MASKED = (
    {"LSTM": {"units": 3}},
    {"GRU": {"units": 3, "reset_after": False}},
    {"Bidirectional": {"layer": {"SimpleRNN": {"units": 2}}}},
    {"GlobalAveragePooling1D": None},
)
_DECAY = {"initial_learning_rate": 0.1, "decay_steps": 3, "decay_rate": 0.5}
OPTIMIZERS = (
    {"SGD": {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}},
    {"Adam": {"learning_rate": 0.01}},
    {"Adam": {"learning_rate": 0.01, "gradient_accumulation_steps": 2}},
    {"AdamW": {"learning_rate": 0.01, "clipnorm": 1.0}},
    {"Nadam": {"learning_rate": 0.01}},
    {"RMSprop": {"learning_rate": 0.01, "centered": True}},
    {"Adagrad": {"learning_rate": 0.05}},
    {"Adadelta": {"learning_rate": 0.5}},
    {"Adamax": {"learning_rate": 0.01}},
    {"Ftrl": {"learning_rate": 0.05}},
    {"Lion": {"learning_rate": 0.003}},
    {"Adafactor": {"learning_rate": 0.01}},
    {"SGD": {"learning_rate": {"ExponentialDecay": _DECAY}, "use_ema": True}},
    "rmsprop",
)
# Their outputs or targets have a form of their own, or a metric returns several values.
_NOT_HERE = {"CTC", "ctc", "F1Score", "FBetaScore", "R2Score"}
_UNFIT = {
    *("Hashing", "HashedCrossing"),  # needs ids with a meaning; the sweep has it
    "AugMix",  # chooses its operations by Python's random numbers, when Keras first calls it
}


@dataclass(frozen=True)
class RandomModel:
    """A spec as plain data, the arrays by its names, and whether training draws numbers."""

    spec: dict[str, Any]
    arrays: Arrays
    draws: bool


def random_model(seed: int) -> RandomModel:
    """Return the model of a seed, always the same."""
    return _Maker(np.random.default_rng(seed), seed).make()


class _Maker:
    def __init__(self, random: np.random.Generator, seed: int) -> None:
        self.random, self.seed = random, seed
        self.samples = int(random.integers(18, 45))
        self.inputs: dict[str, Any] = {}
        self.layers: list[Item] = []
        self.arrays: Arrays = {}

    def make(self) -> RandomModel:
        branches = [self._branch(index) for index in range(self._one_of((1, 1, 2, 3)))]
        trunk = branches[0]
        if len(branches) > 1:
            trunk = self._add({"Concatenate": None}, branches, "joined")
        for step in range(self._one_of((0, 1, 2, 3))):
            trunk = self._add(dict(self._one_of(CHAIN)), trunk, f"chain{step}")
        trunk = self._add({"Dense": {"units": 5, "activation": "tanh"}}, trunk, "trunk")
        heads = [self._head(index, trunk) for index in range(self._one_of((1, 1, 2, 3)))]
        draws = any(part in str(item) for item in self.layers for part in RANDOM)
        return RandomModel(self._spec(heads, draws=draws), self.arrays, draws)

    def _one_of(self, values: Any) -> Any:
        return values[int(self.random.integers(len(values)))]

    def _chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def _add(self, item: Item, source: Any, name: str) -> str:
        self.layers.append({**item, "name": name, "from": source})
        return name

    def _branch(self, index: int) -> str:
        name = self._masked(index) if self._chance(0.25) else self._single(index)
        return self._add({"Dense": {"units": 5, "activation": "tanh"}}, name, f"b{index}_dense")

    def _masked(self, index: int) -> str:
        """Return two masked sequences joined, or one, for a recurrent layer."""
        sources = []
        for part in "ab"[: self._one_of((1, 2))]:
            name = f"b{index}_{part}"
            self.inputs[name] = {"shape": [6], "dtype": "int32"}
            self.arrays[name] = self.random.integers(0, 9, (self.samples, 6)).astype(np.int32)
            self.arrays[name][:, 0] = 1  # no sequence is masked completely
            table = {"input_dim": 9, "output_dim": 3, "mask_zero": True}
            sources.append(self._add({"Embedding": table}, name, f"{name}_embedded"))
        joined = sources[0]
        if len(sources) > 1:
            joined = self._add({self._one_of(("Concatenate", "Add")): None}, sources, f"b{index}_j")
        return self._add(dict(self._one_of(MASKED)), joined, f"b{index}_masked")

    def _single(self, index: int) -> str:
        names = [name for name in LAYERS if "string" not in str(LAYERS[name].inputs)]
        kind = self._one_of([name for name in names if name not in _UNFIT])
        case: Case = LAYERS[kind]
        prefix = f"b{index}_in"
        for position, shape in enumerate(case.inputs):
            self._input(f"{prefix}{position}", shape)
        source = re.sub(r"\bin(\d)", rf"{prefix}\1", case.source) or (
            f"{prefix}0"
            if len(case.inputs) == 1
            else f"[{', '.join(f'{prefix}{position}' for position in range(len(case.inputs)))}]"
        )
        arguments = yaml.safe_load(case.arguments) if case.arguments else None
        item: Item = {case.layer or kind: arguments, "from": yaml.safe_load(source)}
        first = f"b{index}_layer"
        if case.parts:
            parts = [f"b{index}_{part}" for part in yaml.safe_load(case.parts)]
            item, first = {**item, "as": parts}, parts[0]
        else:
            item["name"] = first
        self.layers.append(item)
        scaled = self._add({"Rescaling": {"scale": 0.5}}, first, f"b{index}_scaled")
        return self._add({"Flatten": None}, scaled, f"b{index}_flat")

    def _input(self, name: str, written: str) -> None:
        shape, _, dtype = written.partition(" of ")
        sizes = yaml.safe_load(shape)
        self.inputs[name] = {"shape": sizes, "dtype": dtype or "float32"}
        size = (self.samples, *sizes)
        if dtype:
            self.arrays[name] = self.random.integers(0, 5, size).astype(dtype)
        else:
            self.arrays[name] = self.random.random(size, np.float32)

    def _head(self, index: int, trunk: str) -> dict[str, Any]:
        loss = self._one_of([name for name in LOSSES if name not in _NOT_HERE])
        maker, kind = LOSSES[loss]
        name = f"o{index}"
        item = yaml.safe_load(MAKERS[maker])
        self._add(item, trunk, name)
        self.arrays[name] = targets(kind, self.random, self.samples)
        if self._chance(0.3):
            weights = self.random.random(self.samples, np.float32) + 0.5
            self.arrays[f"{name}_weight"] = weights[:, None] if self._chance(0.3) else weights
        fitting = [metric for metric, (_, other) in METRICS.items() if other == (maker, kind)]
        fitting = [metric for metric in fitting if metric not in _NOT_HERE]
        count = min(self._one_of((0, 1, 2)), len(fitting))
        chosen = self.random.permutation(fitting)[:count].tolist() if count else []
        metrics = [self._metric(metric, f"{name}_m{at}") for at, metric in enumerate(chosen)]
        return {"name": name, "loss": loss, "metrics": metrics}

    def _metric(self, metric: str, name: str) -> Any:
        arguments = yaml.safe_load(METRICS[metric][0]) if METRICS[metric][0] else {}
        # A name of its own, so that logs have the same names on both sides.
        return {metric: {**arguments, "name": name}} if metric[0].isupper() else metric

    def _spec(self, heads: list[dict[str, Any]], *, draws: bool) -> dict[str, Any]:
        names = [head["name"] for head in heads]
        form = (
            self._one_of(("name", "list", "mapping"))
            if len(names) == 1
            else self._one_of(("list", "mapping"))
        )
        outputs: Any = names[0] if form == "name" else names
        if form == "mapping":
            outputs = {name: name for name in names}
        spec: dict[str, Any] = {
            "modelspec": 1,
            "name": "random",
            "inputs": self.inputs,
            "layers": self.layers,
            "outputs": outputs,
            "losses": {head["name"]: head["loss"] for head in heads},
            "metrics": {head["name"]: head["metrics"] for head in heads if head["metrics"]},
            "optimizer": self._one_of(OPTIMIZERS),
            "training": {
                "epochs": 2,
                "batch_size": self._one_of((7, 8, 16, 25, 64)),
                "shuffle": False,
                "seed": self.seed % 1000,
                "precision": self._one_of(
                    ("float32",) * 6 + ("float64", "float64", "mixed_bfloat16", "mixed_float16")
                ),
                "jit": bool(self._chance(0.2) and not draws),
            },
        }
        if self._chance(0.5):
            spec["loss_weights"] = {name: self._one_of((0.5, 1.0, 2.0)) for name in names}
        return spec
