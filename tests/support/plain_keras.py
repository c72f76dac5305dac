"""A spec's plain data as a Keras user would write it by hand, without modelspec."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

MODULES = (
    keras.layers,
    keras.optimizers,
    keras.optimizers.schedules,
    keras.losses,
    keras.metrics,
    keras.regularizers,
    keras.initializers,
    keras.constraints,
)


def plain_object(value: Any, *modules: Any) -> Any:
    """Create a Keras object from its name and arguments; nested ones are created first."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return value
    [(name, arguments)] = value.items()
    factory = next(
        (getattr(module, name) for module in modules or MODULES if hasattr(module, name)), None
    )
    if factory is None or not name[:1].isupper():
        return value
    keywords = {key: _argument(key, item) for key, item in (arguments or {}).items()}
    return factory(**keywords)


def _argument(key: str, value: Any) -> Any:
    if isinstance(value, list) and key in ("cells", "layers"):
        return [_layer(item) for item in value]
    if key in ("layer", "cell"):
        return _layer(value)
    return plain_object(value)


def _layer(value: Any) -> Any:
    return plain_object({value: None} if isinstance(value, str) else value, keras.layers)


class PlainKeras:
    """The model of a spec, compiled, trained and evaluated by Keras's own methods."""

    def __init__(self, spec: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        self.spec, self.arrays = spec, arrays
        self.training = spec["training"]
        self.names = list(spec["outputs"]) if not isinstance(spec["outputs"], str) else []
        self.model = self._build()
        self._compile()

    def _build(self) -> Any:
        keras.utils.set_random_seed(self.training["seed"])
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.training["precision"])
        try:
            tensors = {
                name: keras.Input(entry["shape"], dtype=entry["dtype"], name=name)
                for name, entry in self.spec["inputs"].items()
            }
            inputs = list(tensors.values())
            for item in self.spec["layers"]:
                self._call(item, tensors)
            return keras.Model(inputs, self._outputs(tensors), name=self.spec["name"])
        finally:
            keras.config.set_dtype_policy(before)

    def _call(self, item: Mapping[str, Any], tensors: dict[str, Any]) -> None:
        [kind] = [key for key in item if key not in ("name", "from", "as")]
        arguments = {key: _argument(key, value) for key, value in (item[kind] or {}).items()}
        if "name" in item:
            arguments["name"] = item["name"]
        layer = getattr(keras.layers, kind)(**arguments)
        source = item["from"]
        if isinstance(source, Mapping):
            result = layer(**{key: _taken(tensors, value) for key, value in source.items()})
        else:
            result = layer(_taken(tensors, source))
        if "as" in item:
            tensors.update(zip(item["as"], result, strict=True))
        else:
            tensors[item["name"]] = result

    def _outputs(self, tensors: Mapping[str, Any]) -> Any:
        outputs = self.spec["outputs"]
        if isinstance(outputs, str):
            return tensors[outputs]
        if isinstance(outputs, Mapping):
            return {name: tensors[name] for name in outputs}
        return [tensors[name] for name in outputs]

    def _form(self, values: Mapping[str, Any]) -> Any:
        """Return values by output in the form of the outputs."""
        outputs = self.spec["outputs"]
        if isinstance(outputs, str):
            return values[outputs]
        if isinstance(outputs, Mapping):
            return {name: values[name] for name in outputs}
        several = [values[name] for name in outputs]
        return several if len(several) > 1 else several[0]

    def _compile(self) -> None:
        spec, names = self.spec, self._all_names()
        optimizer = plain_object(spec["optimizer"], keras.optimizers)
        if isinstance(optimizer, str):
            optimizer = keras.optimizers.get(optimizer)
        if self.training["precision"] == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        losses = {name: _judge(spec["losses"][name], keras.losses) for name in names}
        metrics = {
            name: [_judge(metric, keras.metrics) for metric in spec["metrics"].get(name, [])]
            for name in names
        }
        weights = spec.get("loss_weights")
        self.model.compile(
            optimizer=optimizer,
            loss=self._form(losses),
            metrics=self._form(metrics),
            loss_weights=self._form(weights) if weights and len(names) > 1 else _single(weights),
            jit_compile=self.training["jit"],
        )
        # In fit's own traced function, ScheduleFreeAdamW would start its averages at 0.
        optimizer.build(self.model.trainable_variables)

    def _all_names(self) -> list[str]:
        return self.names or [self.spec["outputs"]]

    def _data(self) -> dict[str, Any]:
        inputs = [self.arrays[name] for name in self.spec["inputs"]]
        names = self._all_names()
        data: dict[str, Any] = {
            "x": inputs if len(inputs) > 1 else inputs[0],
            "y": self._form({name: self.arrays[name] for name in names}),
        }
        if any(f"{name}_weight" in self.arrays for name in names):
            data["sample_weight"] = self._form({name: self._weights(name) for name in names})
        return data

    def _weights(self, name: str) -> Any:
        samples = len(self.arrays[name])
        return np.reshape(self.arrays.get(f"{name}_weight", np.ones(samples, "f")), samples)

    def fit(self) -> list[dict[str, float]]:
        """Return the logs of each epoch."""
        history = self.model.fit(
            **self._data(),
            epochs=self.training["epochs"],
            batch_size=self.training["batch_size"],
            shuffle=False,
            verbose=0,
        ).history
        return [
            {name: values[epoch] for name, values in history.items()}
            for epoch in range(self.training["epochs"])
        ]

    def evaluate(self) -> dict[str, float]:
        size = self.training["batch_size"]
        scores: dict[str, float] = self.model.evaluate(
            **self._data(), batch_size=size, verbose=0, return_dict=True
        )
        return scores

    def predict(self) -> list[Any]:
        """Return an array for each output, in the order of the spec."""
        size = self.training["batch_size"]
        results = self.model.predict(self._data()["x"], batch_size=size, verbose=0)
        if isinstance(results, Mapping):
            return [results[name] for name in self._all_names()]
        return results if isinstance(results, list) else [results]


def _taken(tensors: Mapping[str, Any], source: Any) -> Any:
    if isinstance(source, list):
        return [tensors[name] for name in source]
    return tensors[source]


def _judge(value: Any, module: Any) -> Any:
    """Create a loss or metric; Keras resolves a bare class name itself."""
    if isinstance(value, Mapping):
        return plain_object(value, module)
    if value[:1].isupper():
        return getattr(module, value)()
    if module is keras.metrics and value not in ("accuracy", "acc"):
        # Keras accepts some losses as metrics only as functions.
        try:
            keras.metrics.get(value)
        except ValueError:
            return getattr(keras.losses, value)
    return value


def _single(weights: Any) -> Any:
    return [*weights.values()] if weights else None
