"""Rows that fit the inputs of a model, for a proof without data."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import keras
import numpy as np

from modelspec.backend.keras_private import all_layers, graph_nodes
from modelspec.backend.model.keras_errors import error_text
from modelspec.backend.model.recursion import with_deep_stack
from modelspec.data.concatenated import Array
from modelspec.problems.errors import ModelError

_LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
_OTHER_IDS = 2
_SENTENCE = 6


def random_rows(model: Any, samples: int, seed: int = 0) -> dict[str, Array]:
    """Return random rows for each input of a functional model, by name.

    Integers are in the range of the Embeddings and encodings that read them. Unknown axes get the
    smallest power of 2, from 16, that every layer accepts.

    Raises:
        ModelError: No length is accepted.
    """
    random = np.random.default_rng(seed)
    limits, words, length = _limits(model), _words(model), _length(model)
    texts = {tensor.name for node in _text_readers(model) for tensor in node.inputs}
    rows = {}
    for tensor in model.inputs:
        shape = (samples, *(size or length for size in tensor.shape[1:]))
        dtype = keras.backend.standardize_dtype(tensor.dtype)
        known = words.get(tensor.name)
        if known is None:
            row = _values(random, shape, dtype, limits.get(tensor.name))
        elif tensor.name in texts:
            row = _sentences(random, known, shape)
        else:
            row = random.choice(known, shape)
        rows[tensor.name] = row
    return rows


def _values(
    random: np.random.Generator, shape: tuple[int, ...], dtype: str, ids: int | None
) -> Array:
    if dtype == "string":
        return np.full(shape, "text", object)
    kept = "float32" if dtype == "bfloat16" else dtype
    if ids is None and "float" in dtype:
        return random.random(shape, np.float32).astype(kept)
    highest = 1 if dtype == "bool" else np.iinfo(kept).max if "int" in dtype else 2**24
    return random.integers(min(ids or _OTHER_IDS, int(highest) + 1), size=shape).astype(kept)


def _limits(model: Any) -> dict[str, int]:
    """Return the largest number of ids that every reader of an input accepts, by input."""
    limits: dict[str, int] = {}
    for name, operation in _readers(model):
        limits[name] = min([*_sizes(operation), *([limits[name]] if name in limits else [])])
    return limits


def _words(model: Any) -> dict[str, Array]:
    """Return the words in the vocabularies that read an input, by input."""
    words: dict[str, Array] = {}
    for node in graph_nodes(model):
        vocabulary = getattr(node.operation, "get_vocabulary", None)
        if vocabulary is None:
            continue
        for tensor in node.inputs:
            known = vocabulary(include_special_tokens=False)
            kind = object if isinstance(next(iter(known), 0), str) else np.int64
            if len(known):
                words[tensor.name] = np.asarray(known, kind)
    return words


def _text_readers(model: Any) -> Iterator[Any]:
    return (
        node
        for node in graph_nodes(model)
        if isinstance(node.operation, keras.layers.TextVectorization)
    )


def _sentences(random: np.random.Generator, words: Array, shape: tuple[int, ...]) -> Array:
    """Return texts of known words and one unknown word, with spaces between them."""
    count = math.prod(shape)
    drawn = random.choice([*words, "unknown_word"], (count, _SENTENCE))
    texts = [f"{' '.join(map(str, row))}!".capitalize() for row in drawn]
    return np.asarray(texts, object).reshape(shape)


def _readers(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield each input with each operation that reads ids computed from it."""
    reached: dict[int, set[str]] = {id(tensor): {tensor.name} for tensor in model.inputs}
    for node in graph_nodes(model):
        if node.is_input:
            continue
        names = {name for tensor in node.inputs for name in reached.get(id(tensor), ())}
        reads = any(_sizes(node.operation))
        if reads:
            yield from ((name, node.operation) for name in names)
        for tensor in node.outputs:
            reached[id(tensor)] = set() if reads else names


def _sizes(operation: Any) -> Iterator[int]:
    """Yield the numbers of ids of an operation, and of the layers inside of it."""
    inside = all_layers(operation) if isinstance(operation, keras.Layer) else []
    for layer in [operation, *inside]:
        if isinstance(layer, keras.layers.Embedding):
            yield layer.input_dim
        elif isinstance(layer, keras.layers.CategoryEncoding):
            yield layer.num_tokens


def _length(model: Any) -> int:
    if all(None not in tensor.shape[1:] for tensor in model.inputs):
        return 1
    why = ""
    for length in _LENGTHS:
        try:
            with_deep_stack(partial(_call, model, length))
        except Exception as error:  # noqa: BLE001 - layers raise any type
            why = error_text(error)
        else:
            return length
    raise ModelError(f"no length up to {_LENGTHS[-1]:,} fits the model, so give --data: {why}")


def _call(model: Any, length: int) -> None:
    inputs = [
        keras.KerasTensor((None, *(size or length for size in tensor.shape[1:])), tensor.dtype)
        for tensor in model.inputs
    ]
    model(inputs if len(inputs) > 1 else inputs[0])
