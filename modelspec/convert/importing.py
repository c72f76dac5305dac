"""A saved model → the text of its spec."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from modelspec.catalog import Catalog
from modelspec.convert.compiled import Compiled
from modelspec.convert.drafts import Body, Draft, Gap
from modelspec.convert.labels import valid_name
from modelspec.convert.layers import Converter
from modelspec.convert.renaming import layer_names, rename_rules, unwritten
from modelspec.convert.saved_graph import Ref, SavedGraph, SavedInput
from modelspec.convert.saved_reader import read_graph
from modelspec.convert.values import is_numbered
from modelspec.convert.writing import Writer
from modelspec.language.forms import Dtype, Precision

MAX_FOLDED = 5_000
"""The limit of lines in which repeats are searched, so that every file takes only seconds."""

_GENERATED = ("functional", "sequential", "model")


@dataclass(frozen=True, slots=True)
class Imported:
    """The text of a spec; ``gaps`` are the parts that it lacks, with their lines, and ``notes``."""

    text: str
    gaps: tuple[tuple[Gap, int | None], ...]
    notes: tuple[str, ...]


def import_config(
    config: Mapping[str, Any],
    catalog: Catalog,
    *,
    weights: str | None = None,
    fold: bool = True,
    keep_nested: bool = False,
) -> Imported:
    """Write the spec of a saved config.

    Args:
        config: The config of a model as Keras saves it.
        catalog: The catalogue of the installed Keras.
        weights: The path that ``weights.from`` names; None for a spec without it.
        fold: Write repeated structure once, where that is shorter.
        keep_nested: Let models inside of the model be entries of ``models``, and not blocks;
            ``weights`` names their file.

    Raises:
        ModelError: The config is not that of a functional or sequential model.
    """
    kept = weights if keep_nested else None
    whole = _import(config, catalog, weights=weights, kept=kept, fold=False)
    if not fold or whole.text.count("\n") > MAX_FOLDED:
        return whole
    folded = _import(config, catalog, weights=weights, kept=kept, fold=True)
    return min(folded, whole, key=lambda imported: imported.text.count("\n"))


def _import(
    config: Mapping[str, Any],
    catalog: Catalog,
    *,
    weights: str | None,
    kept: str | None,
    fold: bool,
) -> Imported:
    graph = read_graph(config)
    precision = _precision(graph)
    converter = Converter(catalog, precision, fold=fold, starts=weights is not None, kept=kept)
    body = converter.body(graph)
    gaps = converter.gaps
    inputs, notes = _inputs(graph, body, gaps)
    converter.finish(body)
    notes += converter.notes
    draft = Draft(_model_name(graph.name), inputs, body, converter.blocks, converter.models)
    if graph.flattened:
        gaps.append(Gap("", "outputs are nested, which a spec cannot write: they have one level"))
    writer = Writer(draft)
    known = _keras_outputs(graph, writer.outputs())
    compiled = Compiled(catalog, known, precision)
    if isinstance(config.get("compile_config"), Mapping):
        draft.settings = compiled.settings(config["compile_config"])
    gaps += compiled.gaps
    if weights is not None:
        names = layer_names(draft, writer.labels, converter.folder.moved)
        rules = rename_rules(names)
        draft.settings["weights"] = {"from": weights} | ({"rename": rules} if rules else {})
        notes += [f"weights.rename cannot name {name[:80]!r}" for name in unwritten(names, rules)]
    if precision != "float32":
        draft.settings["training"] = {"precision": precision}
    written = writer.write()
    placed = ((gap, written.gap_lines.get(gap.step.id) if gap.step else None) for gap in gaps)
    return Imported(written.text, tuple(placed), tuple(notes))


def _precision(graph: SavedGraph) -> str:
    """Return the policy of most layers, if ``training.precision`` supports it."""
    policies = Counter(_policies(graph))
    known = [policy for policy, _ in policies.most_common() if policy in get_args(Precision)]
    return known[0] if known else "float32"


def _policies(graph: SavedGraph) -> Iterator[str]:
    for call in graph.calls:
        policy = call.layer.config.get("dtype")
        if call.layer.inner is not None:
            yield from _policies(call.layer.inner)
        elif isinstance(policy, str):
            yield policy
        elif isinstance(policy, Mapping) and isinstance(policy.get("config"), Mapping):
            yield str(policy["config"].get("name"))


def _model_name(name: str) -> str | None:
    """Return the name of the model; None where Keras generated it."""
    if any(is_numbered(name, base) for base in _GENERATED):
        return None
    return valid_name(name)


def _inputs(graph: SavedGraph, body: Body, gaps: list[Gap]) -> tuple[list[SavedInput], list[str]]:
    """Return the inputs with names that a spec can have, and rename their references."""
    names: dict[str, str] = {}
    notes = []
    for entry in graph.inputs:
        base = name = valid_name(entry.name)
        while name in names.values():
            name = f"{base}_{len(names)}"
        names[entry.name] = name
        if name != entry.name:
            notes.append(f"the input {entry.name[:80]!r} is named {name}")
        if entry.dtype not in get_args(Dtype):
            gaps.append(Gap(name, f"a spec has no input of dtype {entry.dtype[:40]!r}"))
        gaps += [Gap(name, f"a spec cannot give an input {what}") for what in entry.dropped]
    rename_inputs(body, names)
    known = get_args(Dtype)
    return [
        replace(
            entry,
            name=names[entry.name],
            dtype=entry.dtype if entry.dtype in known else "float32",
        )
        for entry in graph.inputs
    ], notes


def rename_inputs(body: Body, names: Mapping[str, str]) -> None:
    def renamed(ref: Ref) -> Ref:
        return Ref(names[ref.source], ref.index) if isinstance(ref.source, str) else ref

    body.inputs = [names[name] for name in body.inputs]
    body.outputs = [(name, renamed(ref)) for name, ref in body.outputs]
    for step in body.steps:
        step.sources = {
            key: tuple(map(renamed, source)) if isinstance(source, tuple) else renamed(source)
            for key, source in step.sources.items()
        }


def _keras_outputs(graph: SavedGraph, ours: list[str]) -> dict[str, str]:
    """Return the public names of the outputs, by Keras's names for them."""
    named: dict[str, str] = {}
    for (theirs, _), name in zip(graph.outputs, ours, strict=True):
        named.setdefault(theirs, name)
        if named[theirs] != name:
            named[f"{theirs}\0{len(named)}"] = name
    return named
