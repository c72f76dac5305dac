"""Targets of evaluation, prediction and summary: a run, a ``.keras`` file or a spec."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from modelspec.api.building import build_unfitted
from modelspec.api.keras_files import ZIP_MAGIC, load_bytes, load_model
from modelspec.api.model_spec import ModelSpec
from modelspec.api.reading import load, loads, offered
from modelspec.catalog.plugins import Plugin, active_plugins
from modelspec.data.shards import Say
from modelspec.problems.errors import ModelError, RunError
from modelspec.results.summary import Summary
from modelspec.runs.layout import CHECKPOINTS, FITTED, RECORD
from modelspec.runs.plugins import changed_plugins
from modelspec.runs.run import Run


@dataclass(frozen=True)
class Target:
    """A model to evaluate, predict with or summarize.

    ``source`` is its spec, None for a ``.keras`` file. ``path`` is its ``.keras`` file, or ``raw``
    the bytes of one. ``checkpoints`` is the folder of a run's checkpoints if the run has no model
    yet. Without any of them, the model is built from the spec.
    """

    source: ModelSpec | None = None
    path: Path | None = None
    raw: bytes | None = None
    checkpoints: Path | None = None
    plugins: tuple[Plugin, ...] = field(default_factory=active_plugins)

    def model(self, *, compiled: bool = True, say: Say | None = None) -> Any:
        """Load the Keras model, or build it with initial weights.

        Args:
            compiled: Also read the losses, metrics and optimizer of a file. A file with custom
                losses can be read only without them, or with their plugin.
            say: Receives notes: the checkpoint in use, and plugins that have changed.

        Returns:
            A ``keras.Model``.

        Raises:
            SpecError: The spec has errors.
            ModelError: The file cannot be loaded.
            PluginError: The code of a plugin raises an exception.
            RunError: The checkpoint of a run cannot be read.

        Example:
            >>> import modelspec
            >>> modelspec.open_target("specs/digits.yaml").model().output_shape
            (None, 10)
        """
        if self.source is not None:
            self.source.require()
        if self.raw is not None:
            return load_bytes(self.raw, self.plugins, compiled=compiled)
        if self.path is not None:
            self._tell_of_changed_plugins(self.path, say)
            model = load_model(self.path, self.plugins, compiled=compiled)
            return _require_interface(model, self.path, self.source)
        assert self.source is not None
        if self.checkpoints is None:
            return self.source.build()
        model = build_unfitted(self.source.with_restored_models())
        _take_checkpoint(model, self.source, self.checkpoints, say)
        return model

    def _tell_of_changed_plugins(self, path: Path, say: Say | None) -> None:
        if self.source is not None and say is not None:
            for text in changed_plugins(Run(path.parent), self.plugins):
                say(text)

    def summary(self, *, light: bool = False, nested: bool = False) -> Summary:
        """Summarize layers, shapes and parameters.

        Args:
            light: Allow Keras to start on JAX, which is faster. The process cannot train then.
            nested: Add the layers inside of models that are layers.

        Returns:
            The summary, as plain data.

        Raises:
            SpecError: The spec has errors.
            ModelError: The file cannot be loaded.
            PluginError: The code of a plugin raises an exception.

        Example:
            >>> import modelspec
            >>> target = modelspec.open_target("specs/digits.yaml")
            >>> [layer.name for layer in target.summary().layers][-1]
            'digit'
        """
        if self.source is not None and self.path is None:
            return self.source.summary(light=light, nested=nested)
        model = self.model(compiled=False)
        from modelspec.backend.model.description import describe

        return describe(model, nested=nested)


def _take_checkpoint(model: Any, source: ModelSpec, folder: Path, say: Say | None) -> None:
    from modelspec.backend.training.adapting import adapted_layers
    from modelspec.backend.training.checkpoints import restore_weights
    from modelspec.backend.training.fitted_values import load_fitted

    position = restore_weights(folder, model)
    if layers := adapted_layers(model, source.require().graph):
        load_fitted(folder.parent / FITTED, layers)
    if say is not None:
        inside = f" and {position.samples:,} samples" if position.samples else ""
        say(
            f"{folder.parent} has no model.keras: this is its last checkpoint, "
            f"after {position.epoch:,} epochs{inside}"
        )


def _require_interface(model: Any, path: Path, source: ModelSpec | None) -> Any:
    """Return the model of a run, if it is the model of the run's spec.

    Raises:
        ModelError: Their inputs or outputs differ.
    """
    if source is None:
        return model
    from modelspec.backend.model.model_io import output_names

    graph = source.require().graph
    inputs = {tensor.name: tuple(tensor.shape[1:]) for tensor in model.inputs}
    wanted = {name: tuple(entry.shape) for name, entry in graph.inputs.items()}
    if inputs != wanted or set(output_names(model)) != {head.output for head in source.heads}:
        raise ModelError(f"{path} is not the model of the spec beside it")
    return model


Model: TypeAlias = Target | ModelSpec | Run | str | Path
"""A model to evaluate, predict with, draw or export: also by its path, or by its spec or run."""


def target_of(model: Model) -> Target:
    """Return the target that a caller means.

    Raises:
        TypeError: ``model`` has another type.
        RunError: The folder contains no run.
        ModelError: The file cannot be read.
    """
    match model:
        case Target():
            return model
        case ModelSpec():
            return Target(model)
        case Run():
            return open_target(model.path)
        case str() | Path():
            return open_target(model)
    raise TypeError(f"a model is a path, a spec, a run or a target, but not {type(model).__name__}")


def open_target(
    path: str | Path,
    overrides: Iterable[str] = (),
    plugins: Sequence[str | Path] | None = None,
) -> Target:
    """Open a run, a ``.keras`` file or a spec, for ``evaluate`` and ``predict``.

    Args:
        path: The folder of a run, a ``.keras`` file, or a spec.
        overrides: ``PATH=VALUE`` for values of the spec. For a run, they can change losses, metrics
            and the reading of data, but not layers.
        plugins: Python files or modules with custom objects, as for the option ``--plugin``.

    Returns:
        The target. The model of a spec has initial weights.

    Raises:
        RunError: The folder contains no run, or an override would change the trained model.
        ModelError: Overrides are given for a ``.keras`` file, which has no spec.
        PluginError: A plugin cannot be read, or a run needs one that is not named.

    Example:
        >>> import modelspec
        >>> target = modelspec.open_target("specs/digits.yaml")
        >>> target.summary().params.total
        9610
    """
    with offered(plugins):
        return _open(Path(path), overrides)


def _open(place: Path, overrides: Iterable[str]) -> Target:
    if place.is_dir() or place.name == RECORD:
        run = Run.open(place if place.is_dir() else place.parent)
        if not run.model_path.exists():
            assert run.status  # read first, because it raises where the folder is not a run
            source = _judged_by(run.spec_path, list(overrides))
            return Target(source, checkpoints=run.path / CHECKPOINTS)
        return Target(_judged_by(run.spec_path, list(overrides)), path=run.model_path)
    if place.suffix in (".keras", ".h5", ".hdf5"):
        if options := list(overrides):
            raise ModelError(f"--set {options[0]}: {place} has no spec that could be changed")
        return Target(path=place)
    return Target(load(place, list(overrides)))


def _judged_by(path: Path, overrides: list[str]) -> ModelSpec:
    """Return the spec of a run, with values that do not change its trained model."""
    source = load(path, overrides)
    if overrides and source.graph is not None and source.graph != load(path).graph:
        raise RunError(f"--set {' '.join(overrides)} would change the layers of a trained model")
    return source


def target_from_bytes(raw: bytes, overrides: Iterable[str] = ()) -> Target:
    """Open a target from standard input: the text of a spec, or the bytes of a ``.keras`` file."""
    if not raw.startswith(ZIP_MAGIC):
        return Target(loads(raw, list(overrides), "<stdin>"))
    return Target(raw=raw)
