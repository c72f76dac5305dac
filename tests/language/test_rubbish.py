"""Damaged specs, as text and as trees: problems, never exceptions."""

import random
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelspec.catalog import load
from modelspec.checks.semantics import check_semantics
from modelspec.graph.expansion import expand
from modelspec.graph.heads import make_heads
from modelspec.language.document import read_text
from modelspec.language.overrides import apply_overrides
from modelspec.language.parameters import put_parameters
from modelspec.language.places import place_all
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import has_errors
from modelspec.problems.problem import Problem

EVERYTHING = """\
modelspec: 1
name: everything
params: {units: 3, wide: "${units * 2}", sizes: [1, 2], which: [a, b], on: true}
inputs: {x: {shape: [4, null], dtype: int32}, z: {shape: [4]}}
blocks:
  inner: {params: {f: null, g: "${f + 1}"}, inputs: [i], outputs: y, layers: [
    {Dense: {units: "${g}"}, name: y}]}
  two:
    params: {f: 2}
    inputs: [p, q]
    layers:
      - {Add: null, from: [p, q], name: s}
      - {inner: {f: "${f}"}, from: s, repeat: 2}
    outputs: [s, inner_1]
layers:
  - {Dense: {units: "${wide}", kernel_initializer: {HeNormal: {seed: 1}}}, name: a, from: z}
  - {Dense: {units: 4}, name: b, trainable: "${on}", dtype: float16, repeat: "${sizes[1]}"}
  - {two: {f: 3}, from: "${which}", as: [u, v]}
  - {share: a, name: c, from: v, call: {training: true}}
  - {LSTM: {units: 2}, from: {sequences: x, initial_state: [u, v]}}
  - {Bidirectional: {layer: {GRU: {units: "${units}"}}}, name: "bi_${units}"}
  - Flatten
outputs: {out: flatten, other: c}
losses: {out: mse, other: {Huber: {delta: 2}}}
loss_weights: {out: 0.5}
metrics: {out: [acc, {MeanSquaredError: {name: m}}]}
optimizer: {Adam: {learning_rate: {CosineDecay: {initial_learning_rate: 1e-3, decay_steps: 9}}}}
training: {epochs: "${units}", callbacks: [EarlyStopping], class_weights: {out: {0: 1.0}}}
data: {x: X}
"""
SPECS = [EVERYTHING] + [
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "specs").glob("*.yaml"))
]
OPTIONS = [
    "params.units=64", "optimizer.Adam.learning_rate=0.1", "layers.0=Dense", "training.epochs=x",
    "layers.a.Dense.units={a: [", "outputs=", "params.units=${nope}", "inputs.x.shape.0=0",
    "blocks=[1]", "layers.0.from=[x, 3]", "losses.out.Huber=1", "modelspec.1.2=3", "x", "params=1",
]  # fmt: skip
VALUES: list[Any] = [
    None, True, 0, -1, 3, 10**400, 1.5, float("inf"), float("nan"), "", "x", "a", "Dense", "${",
    "${units}", "${nope}", "${sizes}", "${which}", "a${sizes}", "${on}", "é", "two", "out", [], {},
    [None], ["x", "x"], [["x"]], {"x": 1}, {"Dense": {"units": 1}}, {"two": None}, {"Dense": "x"},
    {"Dense": None, "Flatten": None}, {1: 2}, {"share": "a"}, "a" * 300, list(range(30)),
]  # fmt: skip
KEYS: list[Any] = [
    "name", "from", "as", "repeat", "share", "Dense", "layers", "units", "x", "params", "", 3, "é",
    "type", "arguments", "call", "trainable", "dtype", "${units}", "outputs", "inputs", "a.b",
]  # fmt: skip


def problems_of(text: str, *options: str) -> list[Problem]:
    """All that the front end finds, going on as far as it can."""
    document, problems = read_text(text)
    if document is None:
        return place_all(problems, None)
    document, more = apply_overrides(document, options)
    problems += more
    document, more = put_parameters(document)
    problems += more
    spec, more = Spec.from_document(document)
    problems += more
    graph = None
    if spec is not None:
        graph, more = expand(spec, "model")
        problems += more
    if spec is not None and graph is not None:
        names = [spec.outputs] if isinstance(spec.outputs, str) else list(spec.outputs)
        heads, more = make_heads(spec, names, load())
        problems += [*more, *check_semantics(spec, graph, heads, load())]
    assert spec is not None or has_errors(problems)
    return place_all(problems, document)


def assert_well_formed(problems: list[Problem], text: str) -> None:
    lines = sum(map(text.count, "\n\r\x85\u2028")) + 2
    for problem in problems:
        assert problem.message
        assert "an unknown value" not in problem.message
        assert len(problem.message) < 2000
        for place in (problem.place, *(related.place for related in problem.related)):
            assert place.span.column >= 1
            assert place.file.startswith("--set") or 1 <= place.span.line <= lines
            assert (place.span.line, place.span.column) <= (
                place.span.end_line,
                place.span.end_column,
            )


@pytest.mark.parametrize("text", SPECS, ids=range(len(SPECS)))
def test_the_seeds_are_good(text: str) -> None:
    assert [(problem.code, problem.message) for problem in problems_of(text)] == []


def mangled(rng: random.Random, text: str) -> str:
    """Characters and lines dropped, doubled, moved and replaced."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice([0, 1, 1, 2, 5, 40]))
        piece = rng.choice(
            ["", "", *"\t\n:-{}[]#&*!|>'\"%@`,?$0 \r\u2028é\x00\x1b", "${", "}", ": ", "- ", "<<: ",
             "&a ", "*a", "---\n", "null", "1e999", "  ", text[end : end + 20], "\ud800", "!!x "]
        )  # fmt: skip
        text = text[:start] + piece + text[end:]
    return text


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a tree with each of its keys or positions."""
    keys = list(data) if isinstance(data, dict) else range(len(data))
    for key in keys:
        yield data, key
        if isinstance(data[key], dict | list):
            yield from places(data[key])


@cache
def tree(text: str) -> Any:
    return yaml.safe_load(text)


def pruned(rng: random.Random, text: str) -> str:
    """Values and keys of the tree dropped, swapped and replaced."""
    data = deepcopy(tree(text))
    for _ in range(rng.randint(1, 3)):
        entries = list(places(data))
        if not entries:
            break
        holder, key = rng.choice(entries)
        other, another = rng.choice(entries)
        kind = rng.randrange(5)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[rng.choice(KEYS)] = holder.pop(key)
        elif kind == 2 and isinstance(holder, dict):
            holder[rng.choice(KEYS)] = deepcopy(rng.choice(VALUES))
        elif kind == 3:
            holder[key] = deepcopy(other[another])
        else:
            holder[key] = deepcopy(rng.choice(VALUES))
    return yaml.dump(data, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True)


@pytest.mark.parametrize("seed", range(20))
def test_mangled_text(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    for _ in range(20):
        text = mangled(rng, rng.choice(SPECS))
        assert_well_formed(problems_of(text, *rng.sample(OPTIONS, rng.randrange(3))), text)


@pytest.mark.parametrize("seed", range(20))
def test_pruned_trees(seed: int) -> None:
    rng = random.Random(seed)  # noqa: S311 - not for secrets
    for _ in range(20):
        text = pruned(rng, rng.choice([EVERYTHING, *SPECS]))
        assert_well_formed(problems_of(text, *rng.sample(OPTIONS, rng.randrange(3))), text)
