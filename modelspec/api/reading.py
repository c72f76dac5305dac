"""Text → a spec: read, with overrides and parameters, as far as possible without Keras."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from modelspec import catalog as keras_catalog
from modelspec.api.model_spec import ModelSpec
from modelspec.catalog.plugins import active_plugins, read_plugins, using
from modelspec.checks.semantics import check_semantics
from modelspec.graph.expansion import expand
from modelspec.graph.graph import Graph
from modelspec.graph.heads import make_heads, without_echoes
from modelspec.language.document import Document, read, read_bytes, read_text
from modelspec.language.overrides import apply_overrides
from modelspec.language.parameters import put_parameters
from modelspec.language.recovery import new_problems
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import Diagnostic
from modelspec.problems.errors import RunError
from modelspec.runs.layout import SPEC


def load(
    path: str | Path,
    overrides: Sequence[str] = (),
    plugins: Sequence[str | Path] | None = None,
    run: str | Path | None = None,
) -> ModelSpec:
    """Read a spec from a file.

    Args:
        path: The path of the spec, or ``-`` for standard input.
        overrides: ``PATH=VALUE``, as for the option ``--set``.
        plugins: Python files or modules with custom objects, as for the option ``--plugin``.
        run: The folder of a run to resume. If the file of a model is missing, the run's copy of
            its config is used, because the checkpoint has the weights.

    Returns:
        The spec and its problems. A mistake in the spec, or a missing file, is a problem and raises
        no exception.

    Raises:
        PluginError: A plugin cannot be read, or the spec of a run needs one that is not named.
        KerasError: Keras is not installed, or its catalogue cannot be read.
        TypeError: ``overrides`` is a text or a mapping, not a sequence of texts.

    Example:
        >>> import modelspec
        >>> spec = modelspec.load("specs/digits.yaml", ["training.epochs=2"])
        >>> spec.name, spec.problems
        ('digits', [])
    """
    stem = "model" if str(path) == "-" else Path(path).stem
    with offered(plugins):
        _require_plugins_of_run(Path(path))
        return _compile(*read(path), overrides, stem, Path(run) if run else None)


def loads(
    text: str | bytes,
    overrides: Sequence[str] = (),
    name: str = "<text>",
    plugins: Sequence[str | Path] | None = None,
) -> ModelSpec:
    """Read a spec from text.

    Args:
        text: The YAML text.
        overrides: ``PATH=VALUE``, as for the option ``--set``.
        name: The name of the text in messages.
        plugins: Python files or modules with custom objects, as for the option ``--plugin``.

    Returns:
        The spec and its problems. A mistake in the spec is a problem and raises no exception.

    Raises:
        PluginError: A plugin cannot be read.
        KerasError: Keras is not installed, or its catalogue cannot be read.
        TypeError: ``overrides`` is a text or a mapping, not a sequence of texts.

    Example:
        >>> import modelspec
        >>> [problem] = modelspec.loads("[1, 2]").problems
        >>> problem.code, problem.place.span.line
        ('not-a-mapping', 1)
    """
    with offered(plugins):
        if isinstance(text, bytes):
            return _compile(*read_bytes(text, name), overrides, "model")
        return _compile(*read_text(text, name), overrides, "model")


def spec_of(source: ModelSpec | str | Path) -> ModelSpec:
    """Return the spec that a caller means; a path is read.

    Raises:
        TypeError: ``source`` is neither a spec nor a path.
    """
    if isinstance(source, str | Path):
        return load(source)
    if not isinstance(source, ModelSpec):
        raise TypeError(f"a spec is a path or what load returns, not {type(source).__name__}")
    return source


def _require_plugins_of_run(path: Path) -> None:
    """Name the plugin that the spec of a run needs, before its missing parts become errors.

    Raises:
        PluginError: A plugin is not active.
    """
    if path.name != SPEC:
        return
    from modelspec.runs.plugins import require_plugins
    from modelspec.runs.run import Run

    run = Run(path.parent)
    if run.exists():
        with suppress(RunError):  # an unreadable record is reported where it is used
            require_plugins(run, active_plugins())


def offered(plugins: Sequence[str | Path] | None) -> AbstractContextManager[None]:
    """Activate the plugins of a call; without any, those of the command line stay active."""
    if plugins is None:
        return nullcontext()
    return using(read_plugins([str(plugin) for plugin in plugins]))


def _compile(
    document: Document | None,
    problems: list[Diagnostic],
    overrides: Sequence[str],
    stem: str,
    run: Path | None = None,
) -> ModelSpec:
    """Process a document as far as possible without Keras."""
    if isinstance(overrides, str | Mapping):
        kind = type(overrides).__name__
        raise TypeError(f"overrides are a list of texts PATH=VALUE, not one {kind}")
    if document is None:
        return ModelSpec(None, diagnostics=tuple(problems))
    document, refused = apply_overrides(document, overrides)
    written = document
    document, unset = put_parameters(document)
    spec, invalid = Spec.from_document(document)
    problems = [*problems, *refused, *unset, *invalid]
    if spec is None:
        spec = Spec.without_mistakes(document, invalid)
    if spec is None:
        return ModelSpec(document, diagnostics=tuple(problems))
    graph, unresolved = expand(spec, model_name(stem))
    if graph is None:
        problems += new_problems(invalid, unresolved)
        return ModelSpec(document, spec, diagnostics=tuple(problems))
    catalog = keras_catalog.load()
    unread: list[Diagnostic] = []
    if spec.models:
        graph, catalog, unread = _with_models(spec, document, graph, catalog, run)
    heads, mismatched = make_heads(spec, _outputs(spec), catalog)
    meant = [*mismatched, *check_semantics(spec, graph, heads, catalog)]
    meant = without_echoes(meant, _wrong_outputs(spec, unresolved), {n.name for n in graph.nodes})
    problems += new_problems(invalid, [*unresolved, *unread, *meant])
    return ModelSpec(
        document, spec, graph, heads, tuple(problems), catalog, written, tuple(overrides)
    )


def _with_models(
    spec: Spec,
    document: Document,
    graph: Graph,
    catalog: keras_catalog.Catalog,
    run: Path | None,
) -> tuple[Graph, keras_catalog.Catalog, list[Diagnostic]]:
    """Read the models of a spec from their files; models that cannot be read are not called."""
    from modelspec.api.file_models import read_models, unused_models, with_models

    models, problems = read_models(spec, document, catalog, run)
    catalog = catalog.with_models(models)
    problems += unused_models(graph, spec, catalog)
    return with_models(graph, spec, models), catalog, problems


def _outputs(spec: Spec) -> list[str]:
    return [spec.outputs] if isinstance(spec.outputs, str) else list(spec.outputs)


def _wrong_outputs(spec: Spec, unresolved: Sequence[Diagnostic]) -> list[str]:
    """Return the outputs that name neither a layer nor an input, where they have no other names."""
    if isinstance(spec.outputs, dict):
        return []
    unknown = {problem.route for problem in unresolved if problem.code == "unknown-name"}
    if isinstance(spec.outputs, str):
        return [spec.outputs] if ("outputs",) in unknown else []
    return [name for k, name in enumerate(spec.outputs) if ("outputs", k) in unknown]


def model_name(stem: str) -> str:
    """Convert the stem of a file to a name that Keras and file systems accept."""
    kept = "".join(char if char.isascii() and char.isalnum() else "_" for char in stem).strip("_")
    return kept if kept[:1].isalpha() else f"model_{kept}".strip("_")
