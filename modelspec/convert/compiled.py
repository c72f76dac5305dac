"""The arguments of a saved model's ``compile`` → losses, metrics and optimizer of a spec."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelspec.catalog import Catalog, Family
from modelspec.convert.drafts import Gap
from modelspec.convert.values import GapError, Values, short_float


@dataclass
class Compiled:
    """Reads one compile config. ``outputs`` maps the names that Keras knows outputs by to ours."""

    catalog: Catalog
    outputs: Mapping[str, str]
    precision: str
    gaps: list[Gap] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._values = Values(self.catalog)

    def settings(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """``losses``, ``loss_weights``, ``metrics``, ``weighted_metrics`` and ``optimizer``."""
        loss, metric, weight = self._object("loss"), self._object("metric"), self._weight
        found = {
            "losses": self._by_output("loss", config.get("loss"), loss),
            "loss_weights": self._by_output("loss_weights", config.get("loss_weights"), weight),
            "metrics": self._metrics("metrics", config, metric),
            "weighted_metrics": self._metrics("weighted_metrics", config, metric),
            "optimizer": self._optimizer(config.get("optimizer")),
        }
        return {key: value for key, value in found.items() if value is not None}

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

    def _by_output(self, what: str, given: Any, read: Callable[[str, Any], Any]) -> Any:
        """One value, or a value for each output by its name."""
        values = self._matched(what, given)
        found = {
            name: item
            for name, value in values.items()
            if value is not None and (item := read(what, value)) is not None
        }
        if not found:
            return None
        return next(iter(found.values())) if len(self.outputs) == 1 else found

    def _matched(self, what: str, given: Any) -> dict[str, Any]:
        names = list(self.outputs.values())
        if given is None:
            return {}
        if isinstance(given, Mapping) and "class_name" not in given:
            for name in given:
                if name not in self.outputs:
                    self._gap(what, f"the model has no output {str(name)[:80]!r}")
            return {ours: given[name] for name, ours in self.outputs.items() if name in given}
        if isinstance(given, Mapping) and given.get("class_name") == "__tuple__":
            given = given.get("items") or []
        if isinstance(given, list):
            if len(given) != len(names):
                self._gap(what, f"{len(given)} values for {len(names)} outputs")
                return {}
            return dict(zip(names, given, strict=True))
        return dict.fromkeys(names, given)

    def _metrics(
        self, what: str, config: Mapping[str, Any], read: Callable[[str, Any], Any]
    ) -> Any:
        given = config.get(what)
        if given is None or given == []:
            return None
        single = len(self.outputs) == 1
        if single and isinstance(given, list) and not any(isinstance(item, list) for item in given):
            given = [given]
        found: dict[str, Any] = {}
        for name, value in self._matched(what, given).items():
            several = value if isinstance(value, list) else [value]
            read_all = [item for each in several if (item := read(what, each)) is not None]
            if read_all:
                found[name] = read_all if len(read_all) > 1 else read_all[0]
        if not found:
            return None
        return next(iter(found.values())) if single else found

    def _optimizer(self, given: Any) -> Any:
        if given is None:
            return None
        if isinstance(given, Mapping) and given.get("class_name") == "LossScaleOptimizer":
            config = given.get("config")
            inner = config.get("inner_optimizer") if isinstance(config, Mapping) else None
            if self.precision == "mixed_float16" and isinstance(inner, Mapping):
                given = inner
        if isinstance(given, Mapping) and isinstance(given.get("config"), Mapping):
            given = {**given, "config": _rounded(given["config"])}
        return self._try("optimizer", lambda: self._values.item("optimizer", given))


def _rounded(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of an optimizer, its learning rate as it was written.

    Keras keeps it in single precision, and saves 0.001 as 0.0010000000474974513.
    """
    return {
        key: short_float(value) if key == "learning_rate" else value
        for key, value in config.items()
    }
