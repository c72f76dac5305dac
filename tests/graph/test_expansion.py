"""Layers, blocks, repeats and names → a graph; and their mistakes."""

from collections.abc import Sequence
from typing import Any

import pytest
from ending import bounded

from modelspec.catalog import load
from modelspec.checks.semantics import check_semantics
from modelspec.graph.budget import Budget
from modelspec.graph.expansion import expand
from modelspec.graph.graph import Graph, Node, Source
from modelspec.graph.naming import AutoNames, snake_case
from modelspec.language.spec import Spec
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic, Route

Layers = Sequence[Any]


def spec_of(layers: Layers, outputs: Any, **top: Any) -> Spec:
    frame = {"modelspec": 1, "inputs": {"x": {"shape": [4]}}, "layers": layers, "outputs": outputs}
    return Spec.model_validate({**frame, **top})


def expanded(layers: Layers, outputs: Any, **top: Any) -> tuple[Graph, list[Diagnostic]]:
    graph, problems = expand(spec_of(layers, outputs, **top), "m")
    assert graph is not None
    return graph, problems


def good(layers: Layers, outputs: Any, **top: Any) -> Graph:
    graph, problems = expanded(layers, outputs, **top)
    assert problems == []
    return graph


def wrong(layers: Layers, outputs: Any, **top: Any) -> list[tuple[str, Route]]:
    """Return codes and routes of all problems, including those of arguments."""
    spec = spec_of(layers, outputs, **top)
    graph, problems = expand(spec, "m")
    if graph is not None:
        problems = [*problems, *check_semantics(spec, graph, (), load())]
    return [(problem.code, problem.route) for problem in problems]


def names(graph: Graph) -> list[str]:
    return [node.name for node in graph.nodes]


def node(graph: Graph, name: str) -> Node:
    return next(candidate for candidate in graph.nodes if candidate.name == name)


def wires(graph: Graph) -> dict[str, Any]:
    """Return the inputs of each node: names, and results as ``name[index]``."""

    def shown(source: Source) -> str:
        return source.name if source.index is None else f"{source.name}[{source.index}]"

    def wire(node: Node) -> Any:
        connected = {
            key: [shown(one) for one in sources] if isinstance(sources, tuple) else shown(sources)
            for key, sources in node.inputs.items()
        }
        return connected[None] if list(connected) == [None] else connected

    return {node.name: wire(node) for node in graph.nodes}


def dense(name: str | None = None, **keys: Any) -> dict[str, Any]:
    return {"Dense": {"units": 1}, **({} if name is None else {"name": name}), **keys}


KERAS_NAMES = {
    "Dense": "dense",
    "Conv1D": "conv1d",
    "Conv2DTranspose": "conv2d_transpose",
    "DepthwiseConv2D": "depthwise_conv2d",
    "MaxPooling1D": "max_pooling1d",
    "GlobalMaxPooling1D": "global_max_pooling1d",
    "ZeroPadding2D": "zero_padding2d",
    "BatchNormalization": "batch_normalization",
    "LSTM": "lstm",
    "GRU": "gru",
    "SimpleRNN": "simple_rnn",
    "ConvLSTM2D": "conv_lstm2d",
    "LSTMCell": "lstm_cell",
    "RNN": "rnn",
    "MultiHeadAttention": "multi_head_attention",
    "ReLU": "re_lu",
    "PReLU": "p_re_lu",
    "LeakyReLU": "leaky_re_lu",
    "ELU": "elu",
    "UpSampling2D": "up_sampling2d",
    "EinsumDense": "einsum_dense",
    "TimeDistributed": "time_distributed",
    "TextVectorization": "text_vectorization",
    "STFTSpectrogram": "stft_spectrogram",
    "residual": "residual",
    "my-block": "myblock",
}


@pytest.mark.parametrize(("kind", "name"), KERAS_NAMES.items())
def test_snake_case(kind: str, name: str) -> None:
    assert snake_case(kind) == name


def test_auto_names_pass_over_those_taken() -> None:
    auto = AutoNames(["dense_1", "x"])
    assert [auto.give("dense") for _ in range(3)] == ["dense", "dense_2", "dense_3"]
    assert auto.give("x") == "x_1"


def test_auto_names_in_spec_order() -> None:
    graph = good(["Flatten", dense(), dense("dense_1"), dense(), "Flatten"], "flatten_1")
    assert names(graph) == ["flatten", "dense", "dense_1", "dense_2", "flatten_1"]


def test_auto_names_avoid_results_and_repeated_names() -> None:
    lstm = {"LSTM": {"units": 1, "return_state": True}, "as": ["lstm", "h", "c"]}
    graph = good([lstm, dense("y", **{"from": ["lstm", "h", "c"]})], "y")
    assert names(graph) == ["lstm_1", "y"]
    graph = good([dense("dense", repeat=2), dense("y"), dense()], "dense_2")
    assert names(graph) == ["dense_0", "dense_1", "y", "dense_2"]


def test_from_forms() -> None:
    attention = {"MultiHeadAttention": {"num_heads": 1, "key_dim": 1}}
    rnn = {"LSTM": {"units": 1}}
    layers = [
        dense("a"),
        dense("b", **{"from": "x"}),
        {"Add": None, "from": ["a", "b"], "name": "c"},
        {**attention, "name": "d", "from": {"query": "a", "value": "c"}},
        {**rnn, "name": "e", "from": {"sequences": "d", "initial_state": ["a", "b"]}},
        {"Add": None, "from": ["e"], "name": "f"},
    ]
    assert wires(good(layers, "f")) == {
        "a": "x",
        "b": "x",
        "c": ["a", "b"],
        "d": {"query": "a", "value": "c"},
        "e": {"sequences": "d", "initial_state": ["a", "b"]},
        "f": ["e"],
    }


def test_from_can_be_computed() -> None:
    graph = good(
        [dense("a_1"), dense("a_2"), {"Add": None, "name": "y", "from": "${which}"}],
        "y",
        params={"which": ["a_1", "a_2"]},
    )
    assert wires(graph)["y"] == ["a_1", "a_2"]


def test_routes_are_those_of_the_names() -> None:
    graph = good([dense("a"), {"Add": None, "name": "y", "from": ["a", "x"]}], {"out": "y"})
    assert [source.route for source in node(graph, "y").sources()] == [
        ("layers", 1, "from", 0),
        ("layers", 1, "from", 1),
    ]
    assert graph.outputs["out"].route == ("outputs", "out")


def test_any_order() -> None:
    layers = [
        dense("y", **{"from": "b"}),
        dense("b", **{"from": "a"}),
        dense("unrelated", **{"from": "x"}),
        dense("a", **{"from": "x"}),
        {"Add": None, "name": "z", "from": ["y", "unrelated"]},
    ]
    assert names(good(layers, "z")) == ["unrelated", "a", "b", "y", "z"]


@pytest.mark.parametrize(
    ("outputs", "form", "expected"),
    [
        ("a", "name", {"a": "a"}),
        (["b", "a"], "list", {"b": "b", "a": "a"}),
        ({"p": "a", "q": "b", "r": "a", "s": "x"}, "mapping",
         {"p": "a", "q": "b", "r": "a", "s": "x"}),
    ],
)  # fmt: skip
def test_outputs(outputs: Any, form: str, expected: dict[str, str]) -> None:
    graph, _ = expanded([dense("a"), dense("b")], outputs)
    assert graph.form == form
    assert {key: source.name for key, source in graph.outputs.items()} == expected
    assert list(graph.outputs) == list(expected)


def test_names_of_the_model() -> None:
    assert good(["Flatten"], "flatten").name == "m"
    assert good(["Flatten"], "flatten", name="other").name == "other"


def test_several_results() -> None:
    lstm = {"LSTM": {"units": 1, "return_state": True}, "as": ["s", "h", "c"], "name": "l"}
    graph = good([lstm, {"Add": None, "name": "y", "from": ["h", "c", "s"]}], "y")
    assert node(graph, "l").parts == ("s", "h", "c")
    assert wires(graph)["y"] == ["l[1]", "l[2]", "l[0]"]
    assert wrong([lstm, dense("y")], "y") == [("missing-from", ("layers", 1))]


RING: list[tuple[Layers, list[str]]] = [
    ([dense("a", **{"from": "a"})], ["a → a"]),
    ([dense("a", **{"from": "b"}), dense("b")], ["a → b → a"]),
    ([dense("a", **{"from": "c"}), dense("b"), dense("c")], ["a → b → c → a"]),
    (
        [dense("a", **{"from": "b"}), dense("b"), dense("p", **{"from": "q"}), dense("q")],
        ["a → b → a", "p → q → p"],
    ),
    ([{"share": "a", "name": "a"}], ["a → a"]),
    ([{"share": "b", "name": "a", "from": "x"}, {"share": "a", "name": "b", "from": "x"}],
     ["a → b → a"]),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "rings"), RING)
def test_cycles(layers: Layers, rings: list[str]) -> None:
    _, problems = expanded([*layers, dense("y", **{"from": "a"})], "y")
    assert {problem.code for problem in problems} == {"cycle"}
    assert len(problems) == len(rings)
    for problem, ring in zip(problems, rings, strict=True):
        shown = problem.message.removeprefix("these layers depend on each other: ").split(" → ")
        expected = ring.split(" → ")
        turns = [[*expected[k:-1], *expected[:k], expected[k]] for k in range(len(expected) - 1)]
        assert shown in turns
        assert len(problem.related) == len(expected) - 2


def residual(**keys: Any) -> dict[str, Any]:
    block = {
        "params": {"filters": None, "kernel": 3},
        "inputs": ["x"],
        "layers": [
            {"Conv2D": {"filters": "${filters}", "kernel_size": "${kernel}"}, "from": "x"},
            {"Conv2D": {"filters": "${filters * 2}", "kernel_size": 1}, "name": "y"},
            {"Add": None, "from": ["x", "y"], "name": "sum"},
        ],
        "outputs": "sum",
    }
    return {**block, **keys}


def test_block() -> None:
    layers = [dense("a"), {"residual": {"filters": 4}}, {"residual": {"filters": 5, "kernel": 7}}]
    graph = good(layers, "residual_1", blocks={"residual": residual()})
    assert wires(graph) == {
        "a": "x",
        "residual.conv2d": "a",
        "residual.y": "residual.conv2d",
        "residual.sum": ["a", "residual.y"],
        "residual_1.conv2d": "residual.sum",
        "residual_1.y": "residual_1.conv2d",
        "residual_1.sum": ["residual.sum", "residual_1.y"],
    }
    arguments = {inner.name: inner.arguments for inner in graph.nodes}
    assert arguments["residual.conv2d"] == {"filters": 4, "kernel_size": 3}
    assert arguments["residual_1.conv2d"] == {"filters": 5, "kernel_size": 7}
    assert arguments["residual_1.y"] == {"filters": 10, "kernel_size": 1}
    assert node(graph, "residual_1.y").route == ("blocks", "residual", "layers", 1)
    assert node(graph, "residual_1.y").within == (("layers", 2),)
    assert graph.outputs["residual_1"].name == "residual_1.sum"


def test_block_defaults_use_parameters_and_those_above() -> None:
    block = {
        "params": {"f": None, "g": "${f * base}", "h": "${g + 1}"},
        "inputs": ["i"],
        "layers": [{"Dense": {"units": "${h}"}, "name": "y"}],
        "outputs": "y",
    }
    graph = good(
        [{"b": {"f": 2}}, {"b": {"f": 2, "g": 1}}], "b_1", blocks={"b": block}, params={"base": 10}
    )
    assert [inner.arguments for inner in graph.nodes] == [{"units": 21}, {"units": 2}]


def test_names_in_a_block_are_its_own() -> None:
    block = {"inputs": ["x"], "layers": [dense("a")], "outputs": "a"}
    graph = good([dense("a"), {"b": None, "name": "y"}], "y", blocks={"b": block})
    assert names(graph) == ["a", "y.a"]
    assert wrong([{"b": None}, dense("y", **{"from": "a"})], "y", blocks={"b": block}) == [
        ("unknown-name", ("layers", 1, "from"))
    ]
    leaking = {"inputs": ["i"], "layers": [dense("a", **{"from": "x"})], "outputs": "a"}
    assert wrong(["b"], "b", blocks={"b": leaking}) == [
        ("unknown-name", ("blocks", "b", "layers", 0, "from"))
    ]


def test_nested_blocks() -> None:
    inner = {"params": {"u": 1}, "inputs": ["i"], "layers": [{"Dense": {"units": "${u}"}}]}
    outer = {"params": {"v": 2}, "inputs": ["i"], "layers": [{"inner": {"u": "${v + 1}"}}]}
    blocks = {"inner": {**inner, "outputs": "dense"}, "outer": {**outer, "outputs": "inner"}}
    graph = good([{"outer": {"v": 5}, "name": "o"}], "o", blocks=blocks)
    assert names(graph) == ["o.inner.dense"]
    assert graph.nodes[0].arguments == {"units": 6}
    assert graph.nodes[0].within == (("layers", 0), ("blocks", "outer", "layers", 0))


TWO: dict[str, Any] = {
    "inputs": ["p", "q"],
    "layers": [
        {"Add": None, "from": ["p", "q"], "name": "a"},
        {"Subtract": None, "from": ["p", "q"], "name": "s"},
    ],
    "outputs": ["a", "s"],
}


@pytest.mark.parametrize("sources", [["l", "r"], {"p": "l", "q": "r"}, {"q": "r", "p": "l"}])
def test_several_inputs_and_outputs(sources: Any) -> None:
    inputs = {"l": {"shape": [4]}, "r": {"shape": [4]}}
    layers = [
        {"two": None, "from": sources, "as": ["u", "v"]},
        dense("h", **{"from": "u"}),
        dense("k", **{"from": "v"}),
        {"two": None, "name": "t", "from": ["h", "k"]},
        {"Add": None, "from": "t", "name": "y"},
    ]
    graph = good(layers, ["y", "v"], blocks={"two": TWO}, inputs=inputs)
    assert wires(graph) == {
        "two.a": ["l", "r"],
        "two.s": ["l", "r"],
        "h": "two.a",
        "k": "two.s",
        "t.a": ["h", "k"],
        "t.s": ["h", "k"],
        "y": ["t.a", "t.s"],
    }
    assert graph.outputs["v"].name == "two.s"


@pytest.mark.parametrize(
    ("item", "outputs", "problem"),
    [
        ({"two": None, "from": "x"}, "two", ("block-inputs", ("layers", 0, "from"))),
        ({"two": None, "from": ["x"] * 3, "as": ["a", "b"]}, "a",
         ("block-inputs", ("layers", 0, "from"))),
        ({"two": None, "from": {"p": "x"}}, "two", ("block-inputs", ("layers", 0, "from"))),
        ({"two": None, "from": {"p": "x", "z": "x"}}, "two",
         ("block-inputs", ("layers", 0, "from"))),
        ({"two": None, "from": ["x", "x"], "as": ["a", "b", "c"]}, "a",
         ("wrong-results", ("layers", 0, "as"))),
        ({"two": None, "from": ["x", "x"], "as": ["a"]}, "a",
         ("wrong-results", ("layers", 0, "as"))),
        ({"two": None, "from": ["x", "x"]}, "two", ("several-results", ("outputs",))),
        ({"two": None, "from": ["x", "x"]}, ["two"], ("several-results", ("outputs", 0))),
        ({"two": {"p": 1}, "from": ["x", "x"], "as": ["a", "b"]}, "a",
         ("unknown-argument", ("layers", 0, "two", "p"))),
        ({"two": [1], "from": ["x", "x"], "as": ["a", "b"]}, "a",
         ("wrong-type", ("layers", 0, "two"))),
        ({"residual": None}, "residual", ("missing-argument", ("layers", 0, "residual"))),
    ],
)  # fmt: skip
def test_block_mistakes(item: Any, outputs: Any, problem: tuple[str, Route]) -> None:
    assert wrong([item], outputs, blocks={"two": TWO, "residual": residual()}) == [problem]


def test_share() -> None:
    layers = [
        dense("a"),
        {"share": "a", "from": "x"},
        {"share": "a", "name": "b"},
        {"share": "b", "name": "c"},
        {"Add": None, "from": ["a", "a_1", "c"], "name": "y"},
    ]
    graph = good(layers, "y")
    assert {call.name: call.layer for call in graph.nodes} == {
        "a": "a", "a_1": "a", "b": "a", "c": "a", "y": "y",
    }  # fmt: skip
    assert wires(graph) == {"a": "x", "a_1": "x", "b": "a_1", "c": "b", "y": ["a", "a_1", "c"]}
    assert node(graph, "c").arguments == {"units": 1}
    assert node(graph, "c").route == ("layers", 3)


def test_share_of_what_stands_below() -> None:
    layers = [
        {"share": "dense", "from": "x"},
        dense(**{"from": "x"}),
        dense(),
        {"Add": None, "from": ["dense", "dense_1", "dense_2"], "name": "y"},
    ]
    graph = good(layers, "y")
    assert [(call.name, call.layer) for call in graph.nodes] == [
        ("dense", "dense"),
        ("dense_1", "dense"),
        ("dense_2", "dense_2"),
        ("y", "y"),
    ]


def test_an_unknown_share_is_no_share_of_itself() -> None:
    assert wrong([dense("y"), {"share": "z"}, {"share": "z"}], "y") == [
        ("unknown-name", ("layers", 1, "share")),
        ("unknown-name", ("layers", 2, "share")),
    ]


def test_share_of_a_block() -> None:
    layers = [
        {"residual": {"filters": 2}, "name": "e"},
        {"share": "e", "name": "f", "from": "x"},
        {"Add": None, "from": ["e", "f"], "name": "y"},
    ]
    graph = good(layers, "y", blocks={"residual": residual()})
    owners = {call.name: call.layer for call in graph.nodes}
    assert owners["f.conv2d"] == "e.conv2d"
    assert owners["f.sum"] == "e.sum"
    assert wires(graph)["f.sum"] == ["x", "f.y"]
    assert node(graph, "f.y").arguments == {"filters": 4, "kernel_size": 1}
    assert node(graph, "f.y").within == (("layers", 1),)


def test_share_inside_a_shared_block() -> None:
    block = {
        "inputs": ["i"],
        "layers": [dense("d"), {"share": "d", "name": "again"}],
        "outputs": "again",
    }
    layers = [{"b": None, "name": "p"}, {"share": "p", "name": "q"}]
    graph = good(layers, "q", blocks={"b": block})
    assert {call.name: call.layer for call in graph.nodes} == {
        "p.d": "p.d", "p.again": "p.d", "q.d": "p.d", "q.again": "p.d",
    }  # fmt: skip


def test_share_of_a_chain() -> None:
    layers = [
        {"Dense": {"units": "${i + 1}"}, "name": "c", "repeat": 3},
        {"share": "c", "name": "d", "from": "x"},
        {"share": "c", "name": "e", "from": "x", "repeat": 2},
        {"Add": None, "from": ["c", "d", "e"], "name": "y"},
    ]
    graph = good(layers, "y")
    assert wires(graph) == {
        "c_0": "x", "c_1": "c_0", "c_2": "c_1",
        "d.0": "x", "d.1": "d.0", "d": "d.1",
        "e_0.0": "x", "e_0.1": "e_0.0", "e_0": "e_0.1",
        "e_1.0": "e_0", "e_1.1": "e_1.0", "e_1": "e_1.1",
        "y": ["c_2", "d", "e_1"],
    }  # fmt: skip
    assert [node(graph, f"d{k}").layer for k in (".0", ".1", "")] == ["c_0", "c_1", "c_2"]
    assert node(graph, "e_1").arguments == {"units": 3}


def test_repeat() -> None:
    layers = [{"Dense": {"units": "${2 ** i}"}, "repeat": 3}, dense("y")]
    graph = good(layers, "y")
    assert wires(graph) == {"dense": "x", "dense_1": "dense", "dense_2": "dense_1", "y": "dense_2"}
    assert [layer.arguments for layer in graph.nodes[:3]] == [{"units": 2**k} for k in range(3)]


def test_repeat_with_names() -> None:
    graph = good([dense("s${i + 1}", repeat=2), dense("y", **{"from": "s1"})], ["y", "s2"])
    assert wires(graph) == {"s1": "x", "s2": "s1", "y": "s1"}
    graph = good([dense("s", repeat=2), {"Add": None, "from": ["s_0", "s"], "name": "y"}], "y")
    assert wires(graph)["y"] == ["s_0", "s_1"]
    graph = good([dense("s", repeat=1)], "s")
    assert names(graph) == ["s"]


def test_repeat_of_a_block_by_a_parameter() -> None:
    layers = [{"residual": {"filters": "${8 * (i + 1)}"}, "repeat": "${depth}", "name": "r"}]
    graph = good(layers, "r", blocks={"residual": residual()}, params={"depth": 2})
    assert names(graph)[0::3] == ["r_0.conv2d", "r_1.conv2d"]
    assert [call.arguments["filters"] for call in graph.nodes[0::3]] == [8, 16]
    assert graph.outputs["r"].name == "r_1.sum"


def test_i_belongs_to_repeat_alone() -> None:
    assert wrong([{"Dense": {"units": "${i + 1}"}, "name": "y"}], "y") == [
        ("bad-expression", ("layers", 0, "Dense", "units"))
    ]
    graph = good([{"Dense": {"units": "${i}"}, "name": "y"}], "y", params={"i": 7})
    assert graph.nodes[0].arguments == {"units": 7}
    graph = good([{"Dense": {"units": "${i + 1}"}, "name": "y", "repeat": 1}], "y")
    assert graph.nodes[0].arguments == {"units": 1}


@pytest.mark.parametrize(
    ("repeat", "code"),
    [(0, "wrong-value"), (-1, "wrong-value"), (20_001, "wrong-value"), ("${n}", "bad-expression"),
     ("${flag}", "wrong-type"), ("${half}", "wrong-type"), ("${'3' + ''}", "wrong-type")],
)  # fmt: skip
def test_repeat_mistakes(repeat: Any, code: str) -> None:
    params = {"flag": True, "half": 0.5}
    assert wrong([dense("y", repeat=repeat)], "y", params=params) == [
        (code, ("layers", 0, "repeat"))
    ]


def test_trainable_and_dtype_are_inherited() -> None:
    inner = {"inputs": ["i"], "layers": [dense("a"), dense("b", trainable=True)], "outputs": "b"}
    outer = {"inputs": ["i"], "layers": [{"inner": None, "dtype": "float16"}], "outputs": "inner"}
    layers = [dense("p"), {"outer": None, "name": "o", "trainable": False, "dtype": "float64"}]
    graph = good(layers, "o", blocks={"inner": inner, "outer": outer})
    assert {layer.name: layer.options for layer in graph.nodes} == {
        "p": {},
        "o.inner.a": {"trainable": False, "dtype": "float16"},
        "o.inner.b": {"trainable": True, "dtype": "float16"},
    }


def test_trainable_and_dtype_can_be_computed() -> None:
    params = {"t": False, "d": "mixed_float16"}
    layers = [dense("a", trainable="${t}", dtype="${d}"), dense("y", dtype="int8_from_float32")]
    graph = good(layers, "y", params=params)
    assert graph.nodes[0].options == {"trainable": False, "dtype": "mixed_float16"}
    assert wrong([dense("y", trainable="${d}", dtype="${d}s")], "y", params=params) == [
        ("wrong-type", ("layers", 0, "trainable")),
        ("wrong-value", ("layers", 0, "dtype")),
    ]
    assert wrong([dense("y", dtype="float23")], "y") == [("wrong-value", ("layers", 0, "dtype"))]


def test_call_arguments() -> None:
    graph = good([dense("y", call={"training": "${t}"})], "y", params={"t": True})
    assert graph.nodes[0].call == {"training": True}
    assert wrong([dense("y", call={"trainig": True})], "y") == [
        ("unknown-argument", ("layers", 0, "call", "trainig"))
    ]


@pytest.mark.parametrize(
    ("layers", "route", "first"),
    [
        ([dense("y"), dense("y")], ("layers", 1, "name"), ("layers", 0)),
        ([dense("x")], ("layers", 0, "name"), ("inputs", "x")),
        ([dense("y"), {**dense("z"), "as": ["y"]}], ("layers", 1, "as", 0), ("layers", 0)),
        ([dense("a", **{"as": ["p", "p"]})], ("layers", 0, "as", 1), ("layers", 0)),
        ([dense("y_0"), dense("y", repeat=2)], ("layers", 1, "name"), ("layers", 0)),
    ],
)
def test_duplicates(layers: Layers, route: Route, first: Route) -> None:
    _, problems = expanded([*layers, dense("out", **{"from": "x"})], "out")
    [problem] = [problem for problem in problems if problem.severity == "error"]
    assert (problem.code, problem.route) == ("duplicate-name", route)
    assert [related.route for related in problem.related] == [first]


def test_an_output_listed_twice() -> None:
    assert wrong([dense("y")], ["y", "y"]) == [("duplicate-name", ("outputs", 1))]


def test_unknown_names() -> None:
    layers = [
        dense("first", **{"from": "xx"}),
        {"Add": None, "name": "sum", "from": ["first", "frist"]},
        {"LSTM": {"units": 1}, "name": "l", "from": {"sequences": "sum", "initial_state": ["q"]}},
        {"share": "frist", "name": "s"},
    ]
    _, problems = expanded(layers, {"out": "summ"})
    assert [(problem.code, problem.route, problem.hint) for problem in problems] == [
        ("unknown-name", ("layers", 0, "from"), "did you mean x?"),
        ("unknown-name", ("layers", 1, "from", 1), "did you mean first?"),
        ("unknown-name", ("layers", 2, "from", "initial_state", 0),
         "known here: x, first, sum, l, s"),
        ("unknown-name", ("layers", 3, "share"), "did you mean first?"),
        ("unknown-name", ("outputs", "out"), "did you mean sum?"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["1a", "_a", "a.b", "a b", "é", "${'1'}"])
def test_bad_names(name: str) -> None:
    assert ("bad-name", ("layers", 0, "name")) in wrong([dense(name)], "x")


def test_first_layer_of_several_inputs() -> None:
    inputs = {"p": {"shape": [4]}, "q": {"shape": [4]}}
    _, [problem] = expanded([dense("y")], "y", inputs=inputs)
    assert (problem.code, problem.route, problem.hint) == (
        "missing-from", ("layers", 0), "from: p",
    )  # fmt: skip


@pytest.mark.parametrize("value", [[], {}, None, 5, [["x"]], ["x", 3], {"a": {"b": "x"}}, True])
def test_computed_from_of_another_form(value: Any) -> None:
    assert wrong([dense("y", **{"from": "${p}"})], "y", params={"p": value}) == [
        ("wrong-type", ("layers", 0, "from"))
    ]


@pytest.mark.parametrize("value", [[1], 5, {"a": 1}, True])
def test_computed_share_of_another_form(value: Any) -> None:
    layers = [dense("y"), {"share": "${p}", "name": "z"}]
    assert wrong(layers, ["y", "z"], params={"p": value}) == [
        ("wrong-type", ("layers", 1, "share"))
    ]


ONE_MISTAKE: list[tuple[Layers, Route]] = [
    ([dense("a", **{"from": "nope"}), dense("b"), dense("y")], ("layers", 0, "from")),
    ([{"Dense": {"units": "${no}"}, "name": "a"}, dense("y")], ("layers", 0, "Dense", "units")),
    ([{"Dense": "${no}"}, dense("y")], ("layers", 0, "Dense")),
    ([dense("a_${no}"), dense("b", **{"from": "a_1"}), dense("y")], ("layers", 0, "name")),
    ([dense("a", **{"as": ["p${no}", "q"]}), dense("y", **{"from": "p1"})], ("layers", 0, "as", 0)),
    ([dense("a"), dense("y", **{"from": ["a", "${no}"]})], ("layers", 1, "from", 1)),
    ([dense("a"), dense("y", **{"from": {"inputs": "${no}"}})], ("layers", 1, "from", "inputs")),
    ([dense("a"), {"share": "${no}", "name": "b"}, dense("y")], ("layers", 1, "share")),
    ([dense("a"), {"share": "nope", "name": "b"}, dense("y")], ("layers", 1, "share")),
    ([dense("a", repeat="${no}"), dense("y")], ("layers", 0, "repeat")),
    ([dense("a", dtype="${no}"), dense("y")], ("layers", 0, "dtype")),
    ([dense("a", call={"training": "${no}"}), dense("y")], ("layers", 0, "call", "training")),
    ([{"residual": {"filters": "${no}"}}, dense("y")], ("layers", 0, "residual", "filters")),
    ([{"residual": "${no}"}, dense("y")], ("layers", 0, "residual")),
    ([{"residual": {}}, {"share": "residual"}, dense("y")], ("layers", 0, "residual")),
    ([{"outer": {"f": "${no}"}}, dense("y")], ("layers", 0, "outer", "f")),
    ([{"residual": {"filters": "${no}"}, "repeat": 3, "name": "r"}, dense("y")],
     ("layers", 0, "residual", "filters")),
    ([{"Dense": {"units": "${1 // (i - 1)}"}, "repeat": 3}, dense("y")],
     ("layers", 0, "Dense", "units")),
    ([{"Dense": {"unit": 3, "units": "${i + 1}"}, "repeat": 3}, dense("y")],
     ("layers", 0, "Dense", "unit")),
    ([{"Denes": {"units": 3}}, dense("y")], ("layers", 0, "Denes")),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "route"), ONE_MISTAKE)
def test_one_mistake_is_one_message(layers: Layers, route: Route) -> None:
    outer = {
        "params": {"f": None, "g": "${f * 2}"},
        "inputs": ["i"],
        "layers": [{"residual": {"filters": "${f}", "kernel": ["${g + 1}", "${f}"]}, "name": "r"}],
        "outputs": "r",
    }
    blocks = {"residual": residual(), "outer": outer}
    assert [place for _, place in wrong(layers, "y", blocks=blocks)] == [route]


def test_siblings_are_still_reported() -> None:
    layers = [
        dense("a", **{"from": "nope"}),
        {"Dense": {"unit": 1}},
        {"Dense": {"units": "x"}, "from": "x"},
        dense("b", **{"from": "nada"}),
        {"Dense": {"units": "${no}", "activaton": "relu"}, "name": "y"},
    ]
    assert set(wrong(layers, "y")) == {
        ("unknown-name", ("layers", 0, "from")),
        ("unknown-argument", ("layers", 1, "Dense", "unit")),
        ("wrong-type", ("layers", 2, "Dense", "units")),
        ("unknown-name", ("layers", 3, "from")),
        ("bad-expression", ("layers", 4, "Dense", "units")),
        ("unknown-argument", ("layers", 4, "Dense", "activaton")),
    }


def test_errors_in_a_block_are_reported_once() -> None:
    block = {
        "params": {"d": "${nope}"},
        "inputs": ["i"],
        "layers": [
            {"Dense": {"unts": 1}, "name": "a"},
            dense("b", **{"from": "nope"}),
            {"Dense": {"units": "${f}"}, "name": "c", "from": "i"},
            {"Dense": {"units": "${d}"}, "name": "d", "from": "i"},
            {"share": "zzz", "from": "i"},
            dense("c", **{"from": "i"}),
        ],
        "outputs": ["a", "nada"],
    }
    layers = [
        *({"b": None, "from": "x", "as": [f"p{k}", f"q{k}"]} for k in range(3)),
        {"b": None, "from": "x", "repeat": 4},
        {"share": "b", "from": "x"},
    ]
    problems = wrong(layers, "p0", blocks={"b": block})
    place = ("blocks", "b", "layers")
    assert sorted(problems, key=str) == sorted(
        [
            ("unknown-argument", (*place, 0, "Dense", "unts")),
            ("unknown-name", (*place, 1, "from")),
            ("bad-expression", (*place, 2, "Dense", "units")),
            ("bad-expression", ("blocks", "b", "params", "d")),
            ("unknown-name", (*place, 4, "share")),
            ("duplicate-name", (*place, 5, "name")),
            ("unknown-name", ("blocks", "b", "outputs", 1)),
        ],
        key=str,
    )


@pytest.mark.parametrize("value", [5, "x", [], False, "${p}", "${no}"])
def test_arguments_are_a_mapping_whatever_is_written(value: Any) -> None:
    graph, _ = expanded([{"Dense": value, "name": "y"}], "y", params={"p": [1]})
    assert graph.nodes[0].arguments == {}
    code = "bad-expression" if value == "${no}" else "not-an-object"
    assert wrong([{"Dense": value, "name": "y"}], "y", params={"p": [1]}) == [
        (code, ("layers", 0, "Dense"))
    ]


def test_a_misspelt_block() -> None:
    spec = spec_of([{"residul": {"filters": 1}, "name": "y"}], "y", blocks={"residual": residual()})
    graph, _ = expand(spec, "m")
    assert graph is not None
    [problem] = check_semantics(spec, graph, (), load())
    assert (problem.code, problem.hint) == ("unknown-layer", "did you mean residual?")


def block_of(*layers: Any, outputs: str = "y") -> dict[str, Any]:
    return {"inputs": ["i"], "layers": list(layers), "outputs": outputs}


@pytest.mark.parametrize(
    ("uses", "ring"),
    [
        ({"a": ["a"]}, "a → a"),
        ({"a": ["b"], "b": ["a"]}, "a → b → a"),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, "b → c → b"),
    ],
)
def test_recursion_of_blocks(uses: dict[str, list[str]], ring: str) -> None:
    blocks = {name: block_of({used[0]: None, "name": "y"}) for name, used in uses.items()}
    graph, [problem] = expand(spec_of([{"a": None, "name": "y"}], "y", blocks=blocks), "m")
    assert graph is None
    assert problem.code == "cycle"
    shown = problem.message.removeprefix("a block cannot contain itself: ").split(" → ")
    assert shown[0] == shown[-1]
    assert set(shown) == set(ring.split(" → "))


def tower(height: int, bottom: Any, repeat: int = 2) -> dict[str, Any]:
    blocks = {"b0": block_of(bottom)}
    for k in range(1, height):
        blocks[f"b{k}"] = block_of({f"b{k - 1}": None, "name": "y", "repeat": repeat})
    return blocks


HUGE: list[tuple[dict[str, Any], int, str, str]] = [
    # blocks, how often the top repeats the last, its name, code
    (tower(2, dense("y", repeat=10_000)), 3, "b1", "too-many-layers"),
    (tower(31, dense("y")), 1, "b30", "too-many-layers"),
    (tower(40, dense("y")), 1, "b39", "too-deep"),
    (tower(31, {"share": "nope", "name": "y"}), 1, "b30", "too-many-layers"),
    (tower(2, {"share": "nope", "name": "y", "repeat": 20_000}), 20_000, "b1", "too-large"),
    (tower(1, dense("y")), 20_000, "b0", ""),
]


@pytest.mark.parametrize(("blocks", "repeat", "top", "code"), HUGE, ids=range(len(HUGE)))
def test_bounds(blocks: dict[str, Any], repeat: int, top: str, code: str) -> None:
    spec = spec_of([{top: None, "name": "y", "repeat": repeat}], "y", blocks=blocks)
    with bounded():
        graph, problems = expand(spec, "m")
    assert (graph is None) == bool(code)
    assert [problem.code for problem in problems if problem.code != "unknown-name"] == [
        code
    ] * bool(code)


def test_largest_model() -> None:
    with bounded():
        graph = good([{"Dense": {"units": "${i + 1}"}, "name": "y", "repeat": 20_000}], "y")
    assert len(graph.nodes) == 20_000
    assert wrong([dense(repeat=20_000), dense("y")], "y") == [("too-many-layers", ("layers", 1))]
    assert wrong([dense(repeat=20_000)] * 200, "dense") == [("too-large", ("layers", 99))]


@pytest.mark.parametrize("value", [list(range(50_000)), ["${i}", *range(50_000)]])
def test_large_arguments_repeated(value: list[Any]) -> None:
    with bounded():
        problems = wrong([{"Dense": {"units": value}, "name": "y", "repeat": 20_000}], "y")
    constant = ("wrong-type", ("layers", 0, "Dense", "units"))
    too_large = ("too-large", ("layers", 0, "Dense"))
    assert problems == [too_large if "${i}" in value else constant]


def test_what_failed_is_not_tried_again() -> None:
    budget = Budget()
    data = ["${x}", "${n}"]
    assert budget.fill(data, {"n": 1}, ("a",), ()) == [UNKNOWN, 1]
    assert budget.fill(data, {"n": 1}, ("a",), ()) is UNKNOWN
    assert budget.fill(data, {"n": 1, "x": 2}, ("b",), ()) == [2, 1]
    assert [problem.route for problem in budget.problems] == [("a", 0)]


def test_many_mistakes_end() -> None:
    rings = [dense(f"a{k}_{j}", **{"from": f"a{k}_{1 - j}"}) for k in range(1000) for j in range(2)]
    typos = [dense(f"layer_{k}", **{"from": f"layr_{k}"}) for k in range(500)]
    with bounded():
        codes = [code for code, _ in wrong([*rings, *typos], "layer_1")]
    assert codes.count("unknown-name") == 500
    assert codes.count("cycle") >= 20


def test_warnings() -> None:
    layers = [dense("y"), dense("unused"), dense("after"), {"Flatten": None, "from": "x"}]
    _, problems = expanded(layers, "y", inputs={"x": {"shape": [4]}})
    assert [
        (warning.code, warning.route, warning.severity, warning.anchor) for warning in problems
    ] == [("unused-layer", ("layers", k), "warning", "key") for k in (1, 2, 3)]
    inputs = {"x": {"shape": [4]}, "z": {"shape": [4]}}
    _, [problem] = expanded([dense("y", **{"from": "x"})], "y", inputs=inputs)
    assert (problem.code, problem.route) == ("unused-input", ("inputs", "z"))


def test_an_unused_use_of_a_block_is_one_warning() -> None:
    layers = [{"residual": {"filters": 1}, "name": k, "from": "x"} for k in ("y", "z")]
    _, [problem] = expanded(layers, "y", blocks={"residual": residual()})
    assert (problem.route, problem.message) == (("layers", 1), "no output depends on z")


def test_an_unused_layer_of_a_block_is_one_warning() -> None:
    block = block_of(dense("a"), dense("y", **{"from": "i"}))
    _, [problem] = expanded([{"b": None, "repeat": 3, "name": "y"}], "y", blocks={"b": block})
    assert problem.route == ("blocks", "b", "layers", 0)
    layers = [{"two": None, "from": ["x", "x"], "as": ["u", "v"]}]
    _, [problem] = expanded(layers, "u", blocks={"two": TWO})
    assert problem.route == ("blocks", "two", "layers", 1)


def test_no_warnings_beside_errors() -> None:
    problems = wrong([dense("a"), dense("y", **{"from": "nope"})], "y")
    assert problems == [("unknown-name", ("layers", 1, "from"))]
