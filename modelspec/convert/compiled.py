"""The arguments of a saved model's ``compile`` → losses, metrics and optimizer of a spec."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelspec.catalog import Catalog, Family
from modelspec.convert.drafts import Gap
from modelspec.convert.plain_values import GapError, short_float
from modelspec.convert.values import Values


@dataclass
class Compiled:
    """Reads one compile config. ``outputs`` maps Keras's names of outputs to those of the spec."""

    catalog: Catalog
    outputs: Mapping[str, str]
    precision: str
    gaps: list[Gap] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._values = Values(self.catalog)

    def settings(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return losses, loss weights, metrics, weighted metrics and optimizer, by their keys."""
        loss, metric, weight = self._object("loss"), self._object("metric"), self._weight
        settings = {
            "losses": self._by_output("loss", config.get("loss"), loss),
            "loss_weights": self._by_output("loss_weights", config.get("loss_weights"), weight),
            "metrics": self._metrics("metrics", config, metric),
            "weighted_metrics": self._metrics("weighted_metrics", config, metric),
            "optimizer": self._optimizer(config.get("optimizer")),
        }
        return {key: value for key, value in settings.items() if value is not None}

    def _gap(self, what: str, message: str) -> None:
        self.gaps.append(Gap("", f"{what}: {message}"))

    def _try(self, what: str, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except GapError as error:
            self._gap(what, str(error))
            return None

    def _object(self, family: Family) -> Callable[[str, Any], Any]:
        return lambda what, value: self._try(what, lambda: self._values.item(family, value))

    def _weight(self, what: str, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        self._gap(what, "it is not a number")
        return None

    def _by_output(self, what: str, saved: Any, read: Callable[[str, Any], Any]) -> Any:
        """Return one value, or a value for each output by its name."""
        values = self._matched(what, saved)
        by_output = {
            name: item
            for name, value in values.items()
            if value is not None and (item := read(what, value)) is not None
        }
        if not by_output:
            return None
        return next(iter(by_output.values())) if len(self.outputs) == 1 else by_output

    def _matched(self, what: str, saved: Any) -> dict[str, Any]:
        names = list(self.outputs.values())
        if saved is None:
            return {}
        if isinstance(saved, Mapping) and "class_name" not in saved:
            for name in saved:
                if name not in self.outputs:
                    self._gap(what, f"the model has no output {str(name)[:80]!r}")
            return {ours: saved[name] for name, ours in self.outputs.items() if name in saved}
        if isinstance(saved, Mapping) and saved.get("class_name") == "__tuple__":
            saved = saved.get("items") or []
        if isinstance(saved, list):
            if len(saved) != len(names):
                self._gap(what, f"{len(saved)} values for {len(names)} outputs")
                return {}
            return dict(zip(names, saved, strict=True))
        return dict.fromkeys(names, saved)

    def _metrics(
        self, what: str, config: Mapping[str, Any], read: Callable[[str, Any], Any]
    ) -> Any:
        saved = config.get(what)
        if saved is None or saved == []:
            return None
        single = len(self.outputs) == 1
        if single and isinstance(saved, list) and not any(isinstance(item, list) for item in saved):
            saved = [saved]
        by_output: dict[str, Any] = {}
        for name, value in self._matched(what, saved).items():
            several = value if isinstance(value, list) else [value]
            read_all = [item for metric in several if (item := read(what, metric)) is not None]
            if read_all:
                by_output[name] = read_all if len(read_all) > 1 else read_all[0]
        if not by_output:
            return None
        return next(iter(by_output.values())) if single else by_output

    def _optimizer(self, saved: Any) -> Any:
        if saved is None:
            return None
        if isinstance(saved, Mapping) and saved.get("class_name") == "LossScaleOptimizer":
            config = saved.get("config")
            inner = config.get("inner_optimizer") if isinstance(config, Mapping) else None
            if self.precision == "mixed_float16" and isinstance(inner, Mapping):
                saved = inner
        if isinstance(saved, Mapping) and isinstance(saved.get("config"), Mapping):
            saved = {**saved, "config": _rounded(saved["config"])}
        return self._try("optimizer", lambda: self._values.item("optimizer", saved))


def _rounded(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of an optimizer with its learning rate as it was written.

    Keras stores it in single precision, and saves 0.001 as 0.0010000000474974513.
    """
    return {
        key: short_float(value) if key == "learning_rate" else value
        for key, value in config.items()
    }
