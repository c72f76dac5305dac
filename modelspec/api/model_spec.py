"""The steps from text to model: text → Document → Spec → Graph → model.

Problems are collected in four stages: YAML, then keys and types, then everything that needs no
shapes, then shapes. Modules that only data or a model needs are imported inside the methods, so
that checking a spec alone is fast.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelspec import catalog as keras_catalog
from modelspec.graph.graph import Graph
from modelspec.graph.heads import Head
from modelspec.graph.needed_targets import adds_loss
from modelspec.graph.sound_part import sound_part
from modelspec.graph.tensorflow_only import requires_tensorflow
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.document import Document
from modelspec.language.places import place_all
from modelspec.language.spec import Spec, StartingWeights
from modelspec.problems.diagnostic import Diagnostic, has_errors
from modelspec.problems.errors import SpecError
from modelspec.problems.problem import Problem

if TYPE_CHECKING:
    from modelspec.data.shards import Data, Say
    from modelspec.results.summary import Summary
    from modelspec.results.weights import Account


@dataclass(frozen=True)
class ModelSpec:
    """A spec, as far as it could be read, and its problems.

    ``document`` is the text as plain data, with overrides and parameters applied. ``spec`` and
    ``graph`` are None if errors in the text, the keys or the blocks prevent them. ``overrides`` are
    the texts ``PATH=VALUE`` that changed the text.

    Example:
        >>> import modelspec
        >>> spec = modelspec.loads("modelspec: 2")
        >>> [problem.code for problem in spec.problems]
        ['missing-key', 'missing-key', 'missing-key', 'wrong-version']
    """

    document: Document | None
    spec: Spec | None = None
    graph: Graph | None = None
    heads: tuple[Head, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    catalog: keras_catalog.Catalog = field(default_factory=keras_catalog.load)
    written: Document | None = None
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the model."""
        return self.graph.name if self.graph else "model"

    @property
    def problems(self) -> list[Problem]:
        """All problems that need neither shapes nor data."""
        return self.place(self.diagnostics)

    @property
    def requires_tensorflow(self) -> bool:
        """True where Keras must start on TensorFlow to check this spec."""
        if self.graph is None or self.spec is None:
            return False
        # A part with an error is not checked by Keras.
        sound = sound_part(self.graph, self.diagnostics)
        return requires_tensorflow(sound, self.spec.training.precision)

    @property
    def starts_from_weights(self) -> bool:
        """True where the spec names weights to start from."""
        return self.spec is not None and self.spec.weights != StartingWeights()

    def place(self, diagnostics: Iterable[Diagnostic]) -> list[Problem]:
        """Return diagnostics with their places in the text."""
        return place_all(diagnostics, self.document)

    def require(self, diagnostics: Iterable[Diagnostic] = ()) -> ValidSpec:
        """Return the spec, if it has no errors.

        Args:
            diagnostics: Further problems, whose errors count too.

        Returns:
            The document, spec, graph, heads and catalogue.

        Raises:
            SpecError: There are errors. The exception contains all problems; if the spec itself has
                no errors, it contains ``diagnostics`` alone.

        Example:
            >>> import modelspec
            >>> valid = modelspec.load("specs/digits.yaml").require()
            >>> valid.spec.training.batch_size
            32
        """
        diagnostics = list(diagnostics)
        problems = [*self.diagnostics, *diagnostics]
        document, spec, graph = self.document, self.spec, self.graph
        if has_errors(problems) or document is None or spec is None or graph is None:
            # The warnings of a spec without errors were reported when it was loaded.
            reported = problems if has_errors(self.diagnostics) else diagnostics
            raise SpecError(self.place(reported))
        return ValidSpec(document, spec, graph, self.heads, self.catalog)

    def check(
        self,
        data: "Data | None" = None,
        *,
        fast: bool = False,
        light: bool = False,
        say: "Say | None" = None,
    ) -> list[Problem]:
        """Find all problems of the spec, and of data.

        Args:
            data: An npz file or a table, a folder of them, a list of both, or a mapping from names
                to arrays. Without it, only the spec is checked.
            fast: Stop before the checks that need Keras: shapes, values, losses and metrics.
            light: Allow Keras to start on JAX, which is faster. The process cannot train then.
            say: Receives notes about arrays that are unpacked to the disk.

        Returns:
            Errors and warnings, each with its place. An empty list means no problems.

        Raises:
            PluginError: The code of a plugin raises an exception.

        Example:
            >>> import modelspec
            >>> modelspec.load("specs/digits.yaml").check("data/digits.npz")
            []
        """
        from modelspec.api.checking import check_spec

        return self.place(check_spec(self, data, fast=fast, light=light, say=say))

    def account(self, data: "Data | None" = None, *, light: bool = False) -> "Account":
        """Return the weights from which every layer starts.

        Args:
            data: The training data, if the spec takes arrays from it.
            light: Allow Keras to start on JAX, which is faster. The process cannot train then.

        Returns:
            The layers in the order of the model, and the layers of the file that are not used.

        Raises:
            SpecError: The spec has errors.
            PluginError: The code of a plugin raises an exception.

        Example:
            >>> import modelspec
            >>> account = modelspec.load("specs/digits.yaml").account()
            >>> {layer.state for layer in account.layers}
            {'fresh'}
        """
        from modelspec.api.starting_weights import plan_start
        from modelspec.api.weight_sources import layout

        return plan_start(self, layout(self, light=light), data).account

    @property
    def adds_loss(self) -> bool:
        """True where a layer of a plugin adds a loss of its own with ``add_loss``."""
        return self.graph is not None and adds_loss(self.graph, self.catalog)

    def build(self, data: "Data | None" = None) -> Any:
        """Build the Keras model with initial weights: new ones, or those of ``weights``.

        Args:
            data: The training data, if ``weights`` takes arrays from it.

        Returns:
            A ``keras.Model``, compiled if the spec has losses.

        Raises:
            SpecError: The spec has errors, or a layer is fitted to data.
            PluginError: The code of a plugin raises an exception.

        Example:
            >>> import modelspec
            >>> model = modelspec.load("specs/digits.yaml").build()
            >>> model.output_shape
            (None, 10)
        """
        from modelspec.api.building import beginning, build_unfitted, unfitted

        self.require(unfitted(self.graph))
        return build_unfitted(self, beginning(self, data))

    def summary(self, *, light: bool = False, nested: bool = False) -> "Summary":
        """Summarize layers, shapes and parameters, without allocating a weight.

        Args:
            light: Allow Keras to start on JAX, which is faster. The process cannot train then.
            nested: Add the layers inside of models that are layers.

        Returns:
            The summary, as plain data.

        Raises:
            SpecError: The spec has errors.
            PluginError: The code of a plugin raises an exception.

        Example:
            >>> import modelspec
            >>> modelspec.load("specs/digits.yaml").summary().params.trainable
            9610
        """
        from modelspec.api.building import summarize

        return summarize(self, light=light, nested=nested)

    def with_training(self, **changes: Any) -> "ModelSpec":
        """Return the same spec with other settings of ``training``.

        Raises:
            TypeError: The language has no such setting.
        """
        assert self.spec is not None
        if unknown := changes.keys() - type(self.spec.training).model_fields.keys():
            raise TypeError(f"training has no setting {', '.join(sorted(unknown))}")
        training = self.spec.training.model_copy(update=changes)
        return replace(self, spec=self.spec.model_copy(update={"training": training}))

    def with_restored_models(self) -> "ModelSpec":
        """Return the same spec for a model whose weights are those of a checkpoint.

        The model can be built where the files of its models are missing.
        """
        return replace(self, catalog=self.catalog.with_restored_models())

    def resolved_text(self, folder: Path | None = None) -> str:
        """Return the spec as YAML, with parameters, overrides and defaults filled in.

        Args:
            folder: The folder in which the text will be saved; relative paths in it start there.

        Returns:
            The text of a complete spec.

        Raises:
            SpecError: The spec has errors.

        Example:
            >>> import modelspec
            >>> text = modelspec.load("specs/digits.yaml", ["training.epochs=2"]).resolved_text()
            >>> modelspec.loads(text).require().spec.training.epochs
            2
        """
        from modelspec.language.resolved import resolved_text

        valid = self.require()
        spec, graph, document = valid.spec, valid.graph, valid.document
        return resolved_text(self.written or document, document, spec, graph.name, folder)
