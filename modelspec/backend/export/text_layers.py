"""Layers with vocabularies, in a form that tf2onnx does not change.

While a model is traced for ONNX, such a layer calls ``PyFunc``, an operation that takes and returns
tensors of any type and that ONNX lacks. ``onnx_text`` replaces it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from modelspec.backend.keras_private import all_layers, lookup_of
from modelspec.problems.errors import ModelError

OPERATION = "PyFunc"

_LOOKUPS = (keras.layers.StringLookup, keras.layers.IntegerLookup)
_NO_ID = -1


@dataclass(frozen=True, slots=True)
class Text:
    """The preparation of texts before their ids are looked up; ``split`` adds an axis of tokens.

    Shorter rows of tokens are padded with empty texts.
    """

    lower: bool
    strip: bool
    split: str | None


@dataclass(frozen=True, slots=True)
class Table:
    """Values looked up in a table, after ``text`` where that is not None."""

    entries: Mapping[str | int, str | int]
    default: str | int
    text: Text | None = None


def unknown_notes(model: Any) -> list[str]:
    """Return notes on values that are errors in Keras and get an id in the file."""
    return [
        f"{layer.name} has no id for values outside of its vocabulary: Keras raises an error "
        "for such a value, and the file gives it -1"
        for layer in all_layers(model)
        if isinstance(layer, _LOOKUPS) and layer.get_config().get("num_oov_indices") == 0
    ]


@contextmanager
def tables(model: Any) -> Iterator[dict[str, Table]]:
    """Make layers with vocabularies call ``PyFunc``; the tables are by its ``token``.

    Raises:
        ModelError: ONNX has no operation for the computation of a layer.
    """
    layers = [layer for layer in all_layers(model) if _has_vocabulary(layer)]
    made: dict[str, Table] = {}
    try:
        for index, layer in enumerate(layers):
            table, call = _Call.of(layer, f"modelspec_table_{index}")
            made[call.token] = table
            layer.call = call
        yield made
    finally:
        for layer in layers:
            vars(layer).pop("call", None)


def _has_vocabulary(layer: Any) -> bool:
    return isinstance(layer, (*_LOOKUPS, keras.layers.TextVectorization))


@dataclass(frozen=True, slots=True)
class _Call:
    """The call of a layer in operations that ONNX has, except one."""

    layer: Any
    token: str
    config: Mapping[str, Any]
    keys: Any
    result: Any
    size: int

    @classmethod
    def of(cls, layer: Any, token: str) -> "tuple[Table, _Call]":
        config = layer.get_config()
        _require_writable(layer, config)
        integers = isinstance(layer, keras.layers.IntegerLookup)
        inverted = bool(config.get("invert"))
        kind = tf.string if inverted and not integers else tf.int64
        keys = tf.int64 if integers or inverted else tf.string
        table = _table(layer, config, integers=integers)
        return table, cls(layer, token, config, keys, kind, int(layer.vocabulary_size()))

    def __call__(self, inputs: Any) -> Any:
        config, mode = self.config, self.config["output_mode"]
        entries = tf.cast(inputs, self.keys) if self.keys != tf.string else inputs
        shape = list(entries.shape)
        if config.get("split"):
            entries = tf.reshape(entries, [-1])
            shape = [None, None]
        [positions] = tf.raw_ops.PyFunc(input=[entries], token=self.token, Tout=[self.result])
        positions = tf.ensure_shape(positions, shape)
        positions = self._out_of_vocabulary(positions, entries)
        if mode != "int":
            return self._encoded(positions)
        length = config.get("output_sequence_length")
        if config.get("split") and length is not None:
            positions = tf.ensure_shape(
                tf.pad(positions, [[0, 0], [0, length]])[:, :length], [None, length]
            )
        return positions

    def _out_of_vocabulary(self, positions: Any, entries: Any) -> Any:
        """Return the ids of unknown integers, where several ids are reserved for them."""
        count = self.config.get("num_oov_indices", 1)
        if count <= 1:
            return positions
        first = 1 if self.config["mask_token"] is not None and self._is_int() else 0
        # ONNX's remainder has the sign of the value.
        bucket = tf.math.floormod(tf.math.floormod(entries, count) + count, count)
        return tf.where(positions == _NO_ID, bucket + first, positions)

    def _is_int(self) -> bool:
        return bool(self.config["output_mode"] == "int")

    def _encoded(self, ids: Any) -> Any:
        config, mode = self.config, self.config["output_mode"]
        depth = config["max_tokens"] if config["pad_to_max_tokens"] else self.size
        if mode == "one_hot" and len(ids.shape) > 1 and ids.shape[-1] == 1:
            ids = ids[..., 0]
        # Not OneHot: ONNX counts negative ids from the end, but here they belong to no column.
        rows = tf.cast(ids[..., None] == tf.range(depth, dtype=tf.int64), tf.int32)
        if mode == "one_hot":
            return tf.cast(rows, tf.int64)
        counted = (tf.reduce_max if mode == "multi_hot" else tf.reduce_sum)(rows, axis=-2)
        if mode == "tf_idf":
            weights = tf.convert_to_tensor(lookup_of(self.layer).idf_weights)
            return tf.cast(counted, weights.dtype) * weights
        return tf.cast(counted, tf.int64)


def _require_writable(layer: Any, config: Mapping[str, Any]) -> None:
    name = f"{layer.name} ({type(layer).__name__})"
    if config.get("sparse") or config.get("ragged"):
        raise ModelError(f"ONNX has no sparse and no ragged tensors, which {name} returns")
    if config.get("ngrams") is not None:
        raise ModelError(f"ONNX has no operation for the ngrams of {name}")
    hashed = not isinstance(layer, keras.layers.IntegerLookup)
    hashed = hashed or config.get("oov_method") == "farmhash"
    if config.get("num_oov_indices", 1) > 1 and hashed:
        raise ModelError(
            f"ONNX has no operation for the hashes that {name} needs to spread unknown values "
            f"over {config['num_oov_indices']} ids: set num_oov_indices to 1"
        )


def _table(layer: Any, config: Mapping[str, Any], *, integers: bool) -> Table:
    vocabulary = layer.get_vocabulary()
    known = len(layer.get_vocabulary(include_special_tokens=False))
    first = len(vocabulary) - known
    ids: dict[str | int, str | int] = {
        (int(token) if integers else str(token)): first + index
        for index, token in enumerate(vocabulary[first:])
    }
    mask = config.get("mask_token", "")
    masked = mask is not None and config["output_mode"] == "int"
    if masked:
        ids[int(mask) if integers else str(mask)] = 0
    if config.get("invert"):
        unknown = int(config["oov_token"]) if integers else str(config["oov_token"])
        return Table({index: token for token, index in ids.items()}, unknown)
    count = config.get("num_oov_indices", 1)
    default = (1 if masked else 0) if count == 1 else _NO_ID
    if not isinstance(layer, keras.layers.TextVectorization):
        return Table(ids, default)
    text = _text(config)
    if text.split is not None and not masked:
        ids[""] = _NO_ID  # padding is not a token
    return Table(ids, default, text)


def _text(config: Mapping[str, Any]) -> Text:
    done = config["standardize"] or ""
    return Text("lower" in done, "strip_punctuation" in done, config["split"])
