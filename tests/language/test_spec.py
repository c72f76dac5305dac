"""The form of a spec: every mistake, its code, place and hint."""

from typing import Any

import pytest

from modelspec.language.document import Document, read_text
from modelspec.language.parameters import put_parameters
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import Diagnostic, Route

GOOD = """\
modelspec: 1
name: mlp
description: What it is.
params: {units: 3}
inputs: {x: {shape: [4, null], dtype: int32}, z: {shape: []}}
blocks:
  b: {params: {f: null}, inputs: [i], layers: [Flatten], outputs: flatten}
layers:
  - Dense: {units: 3}
    name: h
    from: x
    call: {training: true}
    trainable: false
    dtype: float16
  - share: h
    from: {query: x, value: [x, h]}
    as: [p, q]
  - Flatten:
    repeat: "${units}"
    trainable: "${units}"
  - b: {f: 2}
outputs: {y: h, w: p}
losses: [mse, {Huber: {delta: 2}}]
loss_weights: {y: 2}
metrics: {y: [acc]}
optimizer: {Adam: {learning_rate: 1e-3}}
training:
  epochs: 2
  batch_size: 8
  validation_split: 0.5
  shuffle: false
  seed: 4294967295
  callbacks: [EarlyStopping, {EarlyStopping: {patience: 2}}]
  class_weights: {y: {0: 1, 3: 0.5}}
  precision: mixed_float16
  jit: auto
data: {x: X}
"""


def validated(text: str) -> tuple[Spec | None, list[Diagnostic], Document]:
    document, problems = read_text(text)
    assert problems == []
    assert document is not None
    spec, problems = Spec.from_document(document)
    assert (spec is None) == bool(problems)
    return spec, problems, document


def test_everything() -> None:
    spec, problems, _ = validated(GOOD)
    assert problems == []
    assert spec is not None
    assert [item.type for item in spec.layers] == ["Dense", "", "Flatten", "b"]
    assert spec.layers[0].arguments == {"units": 3}
    assert spec.layers[2].arguments is None
    assert spec.inputs["x"].shape == (4, None)
    assert spec.training.class_weights == {"y": {0: 1.0, 3: 0.5}}


def test_defaults() -> None:
    spec, _, _ = validated("{modelspec: 1, inputs: {x: {shape: [4]}}, layers: [R], outputs: r}")
    assert spec is not None
    training = spec.training
    assert spec.optimizer == "rmsprop"
    assert (spec.name, spec.losses, spec.metrics, spec.loss_weights) == (None,) * 4
    assert spec.inputs["x"].dtype == "float32"
    assert (training.epochs, training.batch_size, training.validation_split) == (10, 32, 0.0)
    assert (training.shuffle, training.seed, training.callbacks) == (True, 0, ())
    assert (training.precision, training.jit, training.class_weights) == ("float32", "auto", {})


Mistake = tuple[str, str, str, Route, str, str | None]

TRAINING = ("training",)
CLASSES = ("training", "class_weights", "y")
SPLIT = ("training", "validation_split")

MISTAKES: list[Mistake] = [
    # replace, by, code, route, anchor, part of the hint
    ("modelspec: 1\n", "", "missing-key", ("modelspec",), "value", None),
    ("modelspec: 1", "modelspec: 2", "wrong-version", ("modelspec",), "value", None),
    ("modelspec: 1", "modelspec: '1'", "wrong-version", ("modelspec",), "value", None),
    ("modelspec: 1", "modelspec: 1.0", "wrong-version", ("modelspec",), "value", None),
    ("modelspec: 1", "modelspec: true", "wrong-version", ("modelspec",), "value", None),
    ("modelspec: 1", "modelspec:", "wrong-version", ("modelspec",), "value", None),
    ("name: mlp", "name: 3", "wrong-type", ("name",), "value", None),
    ("name: mlp", "name: a b", "bad-name", ("name",), "value", "a letter"),
    ("name: mlp", "nmae: mlp", "unknown-key", ("nmae",), "key", "did you mean name?"),
    ("name: mlp", "7: mlp", "unknown-key", (7,), "key", "strings"),
    ("name: mlp", "type: mlp", "unknown-key", ("type",), "key", None),
    ("units: 3}\ninputs", "a-b: 3}\ninputs", "bad-name", ("params", "a-b"), "key", "and _"),
    ("units: 3}\ninputs", "1: 3}\ninputs", "wrong-type", ("params", 1), "key", None),
    ("params: {units: 3}", "params: 3", "wrong-type", ("params",), "value", None),
    ("{shape: [4, null]", "{shape: 4", "wrong-type", ("inputs", "x", "shape"), "value", "[4]"),
    ("[4, null]", "[4, 0]", "wrong-value", ("inputs", "x", "shape", 1), "value", None),
    ("[4, null]", "[4, '3']", "wrong-type", ("inputs", "x", "shape", 1), "value", None),
    ("[4, null]", "[4, 2.0]", "wrong-type", ("inputs", "x", "shape", 1), "value", None),
    ("[4, null]", "[4, true]", "wrong-type", ("inputs", "x", "shape", 1), "value", None),
    ("[4, null]", "[4, 4294967296]", "wrong-value", ("inputs", "x", "shape", 1), "value", None),
    ("z: {shape: []}", "z: {}", "missing-key", ("inputs", "z", "shape"), "value", None),
    ("z: {shape: []}", "z: [4]", "wrong-type", ("inputs", "z"), "value", None),
    ("z: {", "z z: {", "bad-name", ("inputs", "z z"), "key", "a letter"),
    ("z: {", "_z: {", "bad-name", ("inputs", "_z"), "key", "a letter"),
    ("int32", "int23", "wrong-value", ("inputs", "x", "dtype"), "value", "did you mean int32?"),
    ("dtype: int32", "type: int32", "unknown-key", ("inputs", "x", "type"), "key", "dtype"),
    ("inputs: [i]", "inputs: i", "wrong-type", ("blocks", "b", "inputs"), "value", "[i]"),
    ("inputs: [i]", "inputs: []", "wrong-value", ("blocks", "b", "inputs"), "value", None),
    ("outputs: flatten}", "x: 1}", "missing-key", ("blocks", "b", "outputs"), "value", None),
    ("[Flatten]", "[]", "wrong-value", ("blocks", "b", "layers"), "value", None),
    ("{params: {f: null}", "{param: {}", "unknown-key", ("blocks", "b", "param"), "key", "params"),
    ("    name: h", "    name: 5", "wrong-type", ("layers", 0, "name"), "value", None),
    ("    name: h", "    nam: h", "unknown-key", ("layers", 0, "nam"), "key", "name"),
    ("    name: h", "    units: 3", "unknown-key", ("layers", 0, "units"), "key", "Dense: {units"),
    ("    name: h", "    ReLU:", "unknown-key", ("layers", 0, "ReLU"), "key", "'- '"),
    ("    name: h", "    type: x", "unknown-key", ("layers", 0, "type"), "key", None),
    ("    name: h", "    arguments: x", "unknown-key", ("layers", 0, "arguments"), "key", None),
    ("    name: h", "    3: x", "unknown-key", ("layers", 0, 3), "key", "strings"),
    ("from: x\n", "from: 3\n", "wrong-type", ("layers", 0, "from"), "value", None),
    ("from: x\n", "from: []\n", "wrong-value", ("layers", 0, "from"), "value", None),
    ("from: x\n", "from: [3]\n", "wrong-type", ("layers", 0, "from", 0), "value", None),
    ("from: x\n", "from: {}\n", "wrong-value", ("layers", 0, "from"), "value", None),
    ("[x, h]", "3", "wrong-type", ("layers", 1, "from", "value"), "value", None),
    ("[x, h]", "[[x]]", "wrong-type", ("layers", 1, "from", "value", 0), "value", None),
    ("as: [p, q]", "as: p", "wrong-type", ("layers", 1, "as"), "value", "[p]"),
    ("{training: true}", "training", "wrong-type", ("layers", 0, "call"), "value", None),
    ("trainable: false", "trainable: no", "wrong-type", ("layers", 0, "trainable"), "value", None),
    ("trainable: false", "trainable: 0", "wrong-type", ("layers", 0, "trainable"), "value", None),
    ("dtype: float16", "dtype: 16", "wrong-type", ("layers", 0, "dtype"), "value", None),
    ('repeat: "${units}"', "repeat: 2.5", "wrong-type", ("layers", 2, "repeat"), "value", None),
    ('repeat: "${units}"', "repeat: '2'", "wrong-type", ("layers", 2, "repeat"), "value", None),
    ('repeat: "${units}"', "repeat: [2]", "wrong-type", ("layers", 2, "repeat"), "value", None),
    ("- share: h", "- share: 3", "wrong-type", ("layers", 1, "share"), "value", None),
    ("- share: h", "- name: h", "not-a-layer", ("layers", 1), "value", "share"),
    ("- share: h", "- share: h\n    Dense:", "not-a-layer", ("layers", 1), "value", "one of"),
    ("- b: {f: 2}", "- 5", "not-a-layer", ("layers", 3), "value", "Dense: {units: 32}"),
    ("- b: {f: 2}", "-", "not-a-layer", ("layers", 3), "value", "Dense: {units: 32}"),
    ("- b: {f: 2}", "- {}", "not-a-layer", ("layers", 3), "value", None),
    ("- b: {f: 2}", "- [b]", "not-a-layer", ("layers", 3), "value", None),
    ("{y: h, w: p}", "", "wrong-type", ("outputs",), "value", None),
    ("{y: h, w: p}", "[]", "wrong-value", ("outputs",), "value", None),
    ("{y: h, w: p}", "{}", "wrong-value", ("outputs",), "value", None),
    ("{y: h, w: p}", "{a b: h}", "bad-name", ("outputs", "a b"), "key", "a letter"),
    ("{y: h, w: p}", "[y, 3]", "wrong-type", ("outputs", 1), "value", None),
    ("epochs: 2", "epochs: 0", "wrong-value", ("training", "epochs"), "value", None),
    ("epochs: 2", "epochs: 2.0", "wrong-type", ("training", "epochs"), "value", None),
    ("epochs: 2", "epochs: true", "wrong-type", ("training", "epochs"), "value", None),
    ("epochs: 2", "epoch: 2", "unknown-key", ("training", "epoch"), "key", "epochs"),
    ("split: 0.5", "split: 1", "wrong-value", ("training", "validation_split"), "value", None),
    ("split: 0.5", "split: 20", "wrong-value", ("training", "validation_split"), "value", "0.2"),
    ("split: 0.5", "split: {last: 20}", "wrong-value", (*SPLIT, "last"), "value", "0.2"),
    ("split: 0.5", "split: {}", "missing-key", (*SPLIT, "last"), "value", "{last: 0.2}"),
    ("split: 0.5", "split: {groups: g}", "missing-key", (*SPLIT, "fraction"), "value", "groups"),
    (
        "split: 0.5",
        "split: {last: 0.1, groups: g}",
        "unknown-key",
        (*SPLIT, "groups"),
        "key",
        None,
    ),
    ("split: 0.5", "split: .nan", "wrong-value", ("training", "validation_split"), "value", None),
    (
        "split: 0.5",
        "split: 1" + "0" * 399,
        "wrong-type",
        ("training", "validation_split"),
        "value",
        None,
    ),
    ("shuffle: false", "shuffle: 0", "wrong-type", ("training", "shuffle"), "value", None),
    ("4294967295", "4294967296", "wrong-value", ("training", "seed"), "value", None),
    ("{0: 1, 3: 0.5}", "{a: 1}", "wrong-type", (*CLASSES, "a"), "key", None),
    ("{0: 1, 3: 0.5}", "{0: -1}", "wrong-value", (*CLASSES, 0), "value", None),
    ("3: 0.5}", "3: .inf}", "wrong-value", (*CLASSES, 3), "value", None),
    ("mixed_float16", "mixed_float61", "wrong-value", (*TRAINING, "precision"), "value", "float16"),
    ("jit: auto", "jit: 1", "wrong-value", ("training", "jit"), "value", None),
    ("jit: auto", "jit: 'true'", "wrong-value", ("training", "jit"), "value", "did you mean true?"),
    ("data: {x: X}", "data: {x: 1}", "wrong-type", ("data", "x"), "value", None),
    ("data: {x: X}", "data: [x]", "wrong-type", ("data",), "value", None),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "code", "route", "anchor", "hint"), MISTAKES)
def test_mistakes(
    *, old: str, new: str, code: str, route: Route, anchor: str, hint: str | None
) -> None:
    assert GOOD.count(old) == 1
    spec, problems, document = validated(GOOD.replace(old, new))
    assert spec is None
    assert (code, route, anchor) in [
        (candidate.code, candidate.route, candidate.anchor) for candidate in problems
    ]
    assert len(problems) == (2 if new == "x: 1}" else 1)
    problem = next(candidate for candidate in problems if candidate.route == route)
    assert "\0" not in problem.message
    if hint is not None:
        assert problem.hint is not None
        assert hint in problem.hint
    if code == "unknown-key":
        assert document.locate(route, "key") != document.locate(route[:-1], "key")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("modelspec: 1", "modelspec: 2", "this modelspec reads version 1, not 2"),
        ("z: {shape: []}", "z: {}", "inputs.z needs shape"),
        ("epochs: 2", "epochs: 0", "epochs is at least 1, not 0"),
        ("4294967295", "4294967296", "seed is less than 4,294,967,296, not 4294967296"),
        ("split: 0.5", "split: 1.5", "validation_split is less than 1, not 1.5"),
        ("[4, null]", "[4, 0]", "item 2 of shape is more than 0, not 0"),
        ("shuffle: false", "shuffle: yes", "shuffle is true or false, not 'yes'"),
        ("jit: auto", "jit: 1", "jit is one of auto, optimizer, true or false, not 1"),
        ("{0: 1, 3", "{0: -1, 3", "the weight of class 0 is at least 0, not -1"),
        ("{0: 1, 3", "{a: 1, 3", "a key of y is an integer, not 'a'"),
        ("data: {x: X}", "data:", "data is a mapping, not empty"),
        ("[x, h]", "3", "value is a name, or a list of names, not 3"),
    ],
)
def test_messages(old: str, new: str, message: str) -> None:
    _, [problem], _ = validated(GOOD.replace(old, new))
    assert problem.message == message


def test_all_at_once() -> None:
    _, problems, _ = validated("""\
nmae: x
inputs: {x: {shape: [0]}}
layers: [5, {Dense: {}, nam: x}, Flatten]
training: {epochs: 0, batch_size: x}
""")
    told = {(problem.code, problem.route) for problem in problems}
    assert told == {
        ("missing-key", ("modelspec",)),
        ("missing-key", ("outputs",)),
        ("unknown-key", ("nmae",)),
        ("wrong-value", ("inputs", "x", "shape", 0)),
        ("not-a-layer", ("layers", 0)),
        ("unknown-key", ("layers", 1, "nam")),
        ("wrong-value", ("training", "epochs")),
        ("wrong-type", ("training", "batch_size")),
    }
    assert len(problems) == len(told)


def test_what_could_not_be_computed_is_reported_there_alone() -> None:
    text = GOOD.replace("epochs: 2", 'epochs: "${a}"').replace("units: 3}\n", 'a: "${b}"}\n', 1)
    document, _ = read_text(text.replace("[4, null]", '["${a + 1}", 0]'))
    assert document is not None
    document, problems = put_parameters(document)
    spec, invalid = Spec.from_document(document)
    assert spec is None
    assert [(problem.code, problem.route) for problem in [*problems, *invalid]] == [
        ("bad-expression", ("params", "a")),
        ("wrong-value", ("inputs", "x", "shape", 1)),
    ]


def test_a_list_of_refused_items_is_not_empty_too() -> None:
    _, problems, _ = validated(GOOD.replace("layers: [Flatten]", "layers: [5]"))
    assert [problem.code for problem in problems] == ["not-a-layer"]


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"Dense": {"units": 1}, "nme": "x"}, "Dense"),
        ({"nme": "x", "Dense": None}, "Dense"),
        ({"dense": {}, "nme": "x"}, "dense"),
        ({"block": None, "name": "x"}, "block"),
        ({"units": 3, "Dense": "x"}, "Dense"),
    ],
)
def test_the_layer_of_an_item(item: dict[str, Any], kind: str) -> None:
    from modelspec.language.spec import object_key

    assert object_key(item) == kind


def test_unhashable_and_odd_values_anywhere() -> None:
    for value in ("[[]]", "{a: {b: []}}", "3", "x", "1e400", ".nan", "true", "", "0x10"):
        for key in Spec.model_fields:
            document, _ = read_text(f"{key}: {value}")
            assert document is not None
            _, problems = Spec.from_document(document)
            for problem in problems:
                document.locate(problem.route, problem.anchor)


def test_version_is_the_languages() -> None:
    from modelspec.language.spec import LANGUAGE_VERSION

    assert validated(GOOD)[0] is not None
    assert f"modelspec: {LANGUAGE_VERSION}\n" in GOOD
