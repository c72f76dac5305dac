"""Vocabularies and the preparation of text, as operations of ONNX.

Opset 20 introduced operations of strings. ONNX cannot replace characters, so a text is split at
each of them, and a loop joins its parts again.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelspec.backend.export.text_layers import OPERATION, Table, Text

OPSET = 20
"""The first version of ONNX's operators that splits strings."""

CONVERTED = 18
"""The last version that tf2onnx writes; its operations mean the same in version 20."""

_LABELS, _LABELS_OPSET = "ai.onnx.ml", 2
_RUNTIME, _RUNTIME_OPSET = "com.microsoft", 1
_IR_VERSION = 9
_PUNCTUATION = "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'"
_SPACES = "\t\n\v\f\r"


def needs_strings(tables: Mapping[str, Table]) -> bool:
    """Return True where a text is prepared, which requires opset 20."""
    return any(table.text is not None for table in tables.values())


def write_tables(proto: Any, tables: Mapping[str, Table]) -> None:
    """Replace every ``PyFunc`` of a model by operations."""
    kept: list[Any] = []
    for node in proto.graph.node:
        kept += _Writer(node, tables).nodes() if node.op_type == OPERATION else [node]
    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    used = {node.domain for node in kept}
    _require(proto, _LABELS, _LABELS_OPSET if _LABELS in used else 0)
    _require(proto, _RUNTIME, _RUNTIME_OPSET if _RUNTIME in used else 0)
    if needs_strings(tables):
        _require(proto, "", OPSET)
        proto.ir_version = max(proto.ir_version, _IR_VERSION)


def _require(proto: Any, domain: str, version: int) -> None:
    from onnx import helper

    for imported in proto.opset_import:
        if (imported.domain or "") == domain:
            imported.version = max(imported.version, version)
            return
    if version:
        proto.opset_import.append(helper.make_opsetid(domain, version))


class _Writer:
    """Writes the nodes of one table; the names of values start with the name of its node."""

    def __init__(self, node: Any, tables: Mapping[str, Table]) -> None:
        [self._input], [self._output] = node.input, node.output
        token = next(
            attribute.s.decode() for attribute in node.attribute if attribute.name == "token"
        )
        self._table, self._name, self._count = tables[token], node.name or token, 0
        self._nodes: list[Any] = []

    def nodes(self) -> list[Any]:
        text = self._table.text
        value = self._input if text is None else self._prepared(self._input, text)
        self._add("LabelEncoder", [value], self._output, _LABELS, **_entries(self._table))
        return self._nodes

    def _prepared(self, value: str, text: Text) -> str:
        shape = self._add("Shape", [value]) if text.split is None else None
        value = self._add("Reshape", [value, self._constant(np.asarray([-1], np.int64))])
        if text.lower:
            # Like TensorFlow, change only ASCII letters.
            value = self._add("StringNormalizer", [value], case_change_action="LOWER", locale="C")
        for char in _PUNCTUATION if text.strip else "":
            value = self._replaced(value, char, "")
        if text.split == "whitespace":
            for char in _SPACES:
                value = self._replaced(value, char, " ")
            return self._add("StringSplit", [value], outputs=2)
        if text.split == "character":
            tokens: dict[str, Any] = {"mark": 0, "mincharnum": 1, "pad_value": ""}
            return self._add("Tokenizer", [value], None, _RUNTIME, separators=[""], **tokens)
        return value if shape is None else self._add("Reshape", [value, shape])

    def _replaced(self, value: str, char: str, by: str) -> str:
        """Remove a character from a text and join its parts one after the other."""
        from onnx import TensorProto, helper

        parts = self._add("StringSplit", [value], outputs=2, delimiter=char)
        sizes = self._add("Shape", [parts])
        count = self._add("Gather", [sizes, self._constant(np.asarray(1, np.int64))])
        rows = self._add("Shape", [value])
        empty = self._constant(np.asarray([""], object))
        start = self._add("Expand", [empty, rows])
        turn, go_on, before, after = (self._new() for _ in range(4))
        part, joined = self._new(), self._new()
        between = self._constant(np.asarray([by], object))
        body = [
            helper.make_node("Identity", [go_on], [after]),
            helper.make_node("Gather", [parts, turn], [part], axis=1),
            *(
                [helper.make_node("StringConcat", [before, between], [f"{before}_more"])]
                if by
                else []
            ),
            helper.make_node("StringConcat", [f"{before}_more" if by else before, part], [joined]),
        ]
        graph = helper.make_graph(
            body,
            f"{self._name}_body_{self._count}",
            [
                helper.make_tensor_value_info(turn, TensorProto.INT64, []),
                helper.make_tensor_value_info(go_on, TensorProto.BOOL, []),
                helper.make_tensor_value_info(before, TensorProto.STRING, [None]),
            ],
            [
                helper.make_tensor_value_info(after, TensorProto.BOOL, []),
                helper.make_tensor_value_info(joined, TensorProto.STRING, [None]),
            ],
        )
        return self._add("Loop", [count, "", start], body=graph)

    def _constant(self, array: Any) -> str:
        from onnx import helper, numpy_helper

        output = self._new()
        tensor = numpy_helper.from_array(array, f"{output}_value")
        self._nodes.append(helper.make_node("Constant", [], [output], value=tensor))
        return output

    def _new(self) -> str:
        self._count += 1
        return f"{self._name}_{self._count}"

    def _add(
        self,
        operation: str,
        inputs: list[str],
        output: str | None = None,
        domain: str = "",
        outputs: int = 1,
        **attributes: Any,
    ) -> str:
        """Add a node, and return its first output."""
        from onnx import helper

        names = [output or self._new(), *(self._new() for _ in range(outputs - 1))]
        self._nodes.append(
            helper.make_node(operation, inputs, names, names[0], domain=domain, **attributes)
        )
        return names[0]


def _entries(table: Table) -> dict[str, Any]:
    """Return the attributes of a ``LabelEncoder``."""
    keys, values = list(table.entries), list(table.entries.values())
    return {
        f"keys_{_kind(keys, table.default if not keys else keys[0])}": keys,
        f"values_{_kind(values, table.default)}": values,
        f"default_{_kind([], table.default)[:-1]}": table.default,
    }


def _kind(values: list[Any], example: Any) -> str:
    return "strings" if isinstance(values[0] if values else example, str) else "int64s"


def keep(context: Any, node: Any, name: str, arguments: Any) -> None:
    """Leave ``PyFunc`` unchanged, as a handler of tf2onnx."""
    del context, node, name, arguments
