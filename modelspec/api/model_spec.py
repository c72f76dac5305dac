"""The chain itself: text → Document → Spec → Graph → model, one short step a method.

What only data or a model needs is imported where it is needed: most specs are checked alone.

Problems are collected gate by gate: YAML, then the envelope, then all that can be told without
shapes, then shapes. Keras is imported only where a method needs it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelspec import catalog as keras_catalog
from modelspec.api.model_cache import ShapeCheck, remember_shapes, remember_summary
from modelspec.checks.semantics import check_semantics
from modelspec.graph.expansion import expand
from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head, make_heads
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.document import Document, read, read_bytes, read_text
from modelspec.language.overrides import apply_overrides
from modelspec.language.parameters import put_parameters
from modelspec.language.places import place_all
from modelspec.language.resolved import resolved_text
from modelspec.language.spec import GroupedRows, Spec
from modelspec.problems.diagnostic import Diagnostic, has_errors
from modelspec.problems.errors import SpecError
from modelspec.problems.problem import Problem
from modelspec.results.summary import Shape, Summary

if TYPE_CHECKING:
    from modelspec.data.dataset import Dataset
    from modelspec.data.matching import Part
    from modelspec.data.shards import Data, Say


@dataclass(frozen=True)
class ModelSpec:
    """A spec as far as it could be read, and everything that is wrong with it so far.

    ``document`` has overrides and parameters put in. ``spec`` and ``graph`` are None where the
    text, the keys or the blocks are too wrong to go on.
    """

    document: Document | None
    spec: Spec | None = None
    graph: Graph | None = None
    heads: tuple[Head, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    catalog: keras_catalog.Catalog = field(default_factory=keras_catalog.load)

    @property
    def name(self) -> str:
        return self.graph.name if self.graph else "model"

    @property
    def problems(self) -> list[Problem]:
        """All that can be told without shapes or data."""
        return self.place(self.diagnostics)

    def place(self, diagnostics: Iterable[Diagnostic]) -> list[Problem]:
        return place_all(diagnostics, self.document)

    def require(self, diagnostics: Iterable[Diagnostic] = ()) -> ValidSpec:
        """The spec, where it has no errors.

        Raises:
            SpecError: where there are any, among ``diagnostics`` too.
        """
        problems = [*self.diagnostics, *diagnostics]
        document, spec, graph = self.document, self.spec, self.graph
        if has_errors(problems) or document is None or spec is None or graph is None:
            raise SpecError(self.place(problems))
        return ValidSpec(document, spec, graph, self.heads, self.catalog)

    def check(
        self, data: "Data | None" = None, *, light: bool = False, say: "Say | None" = None
    ) -> list[Problem]:
        """Every problem, of shapes and, with ``data``, of the arrays in npz files too.

        ``light`` may start Keras on JAX, which is quicker, and leaves this process unable to train.
        ``say`` is told what is unpacked to the disk.
        """
        found = list(self.diagnostics)
        shapes: dict[str, Shape] = {}
        if self.graph is None:
            return self.place(found)
        if not has_errors(found):
            shapes, problems = self._shapes(self.graph, light=light)
            found += problems
        if data is not None:
            well = not has_errors(found)
            dataset, problems = self.load_data(data, say=say, announce=False)
            found += problems
            if dataset is not None:
                found += self.check_dataset(dataset, shapes, lengths=well, light=light)
        return self.place(found)

    def _shapes(self, graph: Graph, *, light: bool) -> ShapeCheck:
        def judge() -> ShapeCheck:
            from modelspec.backend.model.shapes import check_shapes, start_for

            start_for(graph, light=light)
            from modelspec.backend.model.dry_run import dry_run_objects

            assert self.spec is not None
            shapes, problems = check_shapes(graph, self.catalog)
            return shapes, problems + dry_run_objects(self.spec, self.heads, self.catalog)

        objects = repr((self.heads, self.spec and (self.spec.optimizer, self.spec.training)))
        return remember_shapes(graph, self.catalog, objects, judge)

    def check_dataset(
        self,
        dataset: "Dataset",
        shapes: Mapping[str, Shape],
        *,
        targets: bool = True,
        lengths: bool = True,
        light: bool = False,
    ) -> list[Diagnostic]:
        """Hold arrays against the graph, and walk it with the lengths that they really have.

        ``shapes`` are those of the outputs, with the leading batch. ``targets`` says whether the
        heads count, ``lengths`` whether the graph is sound enough to be walked again.
        """
        from modelspec.checks.data import check_data

        assert self.graph is not None
        problems = check_data(self.graph, self.heads if targets else (), dataset, shapes)
        unknown = any(None in given.shape for given in self.graph.inputs.values())
        if unknown and lengths and not has_errors(problems):
            from modelspec.backend.model.shapes import check_lengths, start_for

            start_for(self.graph, light=light)
            problems += check_lengths(self.graph, self.catalog, dataset)
        return problems

    def load_data(
        self,
        paths: "Data",
        part: "Part" = "train",
        *,
        targets: bool = True,
        say: "Say | None" = None,
        announce: bool = True,
    ) -> "tuple[Dataset | None, list[Diagnostic]]":
        """The arrays of npz files that this spec calls for, those of one name stacked."""
        assert self.spec is not None
        from modelspec.data.dataset import load_dataset

        return load_dataset(
            paths,
            inputs=list(self.spec.inputs),
            outputs=self.trained_outputs(),
            names=self.spec.data,
            groups=self._groups() if part == "train" else None,
            part=part,
            targets="required" if targets else "optional",
            say=say,
            announce=announce,
        )

    def _groups(self) -> str | None:
        """The array that tells the groups which a split keeps whole."""
        split = self.spec.training.validation_split if self.spec else 0.0
        return split.groups if isinstance(split, GroupedRows) else None

    def has_validation_part(self, paths: "Data") -> bool:
        """Whether files mark rows for validation, as ``x_val`` and ``y_val`` do."""
        assert self.spec is not None
        from modelspec.data.dataset import has_validation_part

        return has_validation_part(
            paths,
            inputs=list(self.spec.inputs),
            outputs=self.trained_outputs(),
            names=self.spec.data,
        )

    def trained_outputs(self) -> list[str]:
        """The outputs that have a loss or a metric, and so need targets."""
        judged = [head.output for head in self.heads if head.loss is not None or head.metrics]
        return judged or [head.output for head in self.heads]

    def build(self) -> Any:
        """A ``keras.Model`` with fresh weights, compiled where the spec has losses.

        Raises:
            SpecError: where the spec has errors.
        """
        valid = self.require()
        spec, graph = valid.spec, valid.graph
        from modelspec.backend.start import start

        start()
        from modelspec.backend.model.compiling import build_model, compile_model
        from modelspec.backend.model.dry_run import dry_run_objects

        model, problems = build_model(graph, spec.training, self.catalog)
        self.require([*problems, *dry_run_objects(spec, self.heads, self.catalog)])
        if any(head.loss is not None for head in self.heads):
            compile_model(model, self.require())
        return model

    def summary(self, *, light: bool = False) -> Summary:
        """Layers, shapes and parameters, without allocating a weight.

        Raises:
            SpecError: where the spec has errors.
        """
        valid = self.require()
        spec, graph, document = valid.spec, valid.graph, valid.document
        lines = {
            node.layer: document.locate(node.route).span.line
            for node in graph.nodes
            if node.layer == node.name
        }
        lines |= {name: document.locate(("inputs", name), "key").span.line for name in graph.inputs}

        def describe() -> Summary:
            from modelspec.backend.model.shapes import start_for

            start_for(graph, light=light)
            from modelspec.backend.model.compiling import build_model
            from modelspec.backend.model.description import describe

            model, problems = build_model(graph, spec.training, self.catalog, allocate=False)
            self.require(problems)
            return describe(model)

        precision = spec.training.precision
        return remember_summary(graph, self.catalog, precision, describe).with_lines(lines)

    def with_training(self, **changes: Any) -> "ModelSpec":
        """The same spec, with other settings of ``training``."""
        assert self.spec is not None
        training = self.spec.training.model_copy(update=changes)
        return replace(self, spec=self.spec.model_copy(update={"training": training}))

    def resolved_text(self) -> str:
        """The spec with parameters, overrides and defaults filled in, as YAML."""
        valid = self.require()
        spec, graph, document = valid.spec, valid.graph, valid.document
        return resolved_text(document, spec, graph.name)


def load(path: str | Path, overrides: Sequence[str] = ()) -> ModelSpec:
    """Read a spec from a file (``-``: standard input); ``overrides`` are ``PATH=VALUE``."""
    stem = "model" if str(path) == "-" else Path(path).stem
    return _compile(*read(path), overrides, stem)


def loads(text: str | bytes, overrides: Sequence[str] = (), name: str = "<text>") -> ModelSpec:
    """Read a spec from text; ``name`` is what messages call it."""
    if isinstance(text, bytes):
        return _compile(*read_bytes(text, name), overrides, "model")
    return _compile(*read_text(text, name), overrides, "model")


def _compile(
    document: Document | None,
    problems: list[Diagnostic],
    overrides: Sequence[str],
    stem: str,
) -> ModelSpec:
    """Take a document as far as it goes without Keras."""
    if document is None:
        return ModelSpec(None, diagnostics=tuple(problems))
    document, refused = apply_overrides(document, overrides)
    document, found = put_parameters(document)
    spec, invalid = Spec.from_document(document)
    problems = [*problems, *refused, *found, *invalid]
    if spec is None:
        return ModelSpec(document, diagnostics=tuple(problems))
    graph, unresolved = expand(spec, model_name(stem))
    problems += unresolved
    if graph is None:
        return ModelSpec(document, spec, diagnostics=tuple(problems))
    catalog = keras_catalog.load()
    heads, mismatched = make_heads(spec, _outputs(spec), catalog)
    problems += mismatched
    problems += check_semantics(spec, graph, heads, catalog)
    return ModelSpec(document, spec, graph, heads, tuple(problems), catalog)


def _outputs(spec: Spec) -> list[str]:
    return [spec.outputs] if isinstance(spec.outputs, str) else list(spec.outputs)


def model_name(stem: str) -> str:
    """A file's stem as a model's name: what Keras and file systems both take."""
    kept = "".join(char if char.isascii() and char.isalnum() else "_" for char in stem).strip("_")
    return kept if kept[:1].isalpha() else f"model_{kept}".strip("_")
