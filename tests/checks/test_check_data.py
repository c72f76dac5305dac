from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from modelspec.checks.data import check_data
from modelspec.data.dataset import Dataset
from modelspec.graph.graph import Graph, Input, Node, Source
from modelspec.graph.heads import Placed
from modelspec.problems.diagnostic import Diagnostic, Route, has_errors
from modelspec.results.output import Output

N = 6
OK: np.ndarray[Any, Any] = np.zeros((N, 4), np.float32)


@dataclass(frozen=True)
class Head:
    output: str
    loss: Any
    route: Route
    metrics: tuple[Placed, ...] = ()
    class_weights: Mapping[int, float] = field(default_factory=dict)


def node(name: str, kind: str, source: Any, layer: str | None = None, **arguments: Any) -> Node:
    route: Route = ("layers", int(name[-1]))
    return Node(name, layer or name, kind, arguments, {}, {None: source}, {}, route)


def source(name: str) -> Source:
    return Source(name, None, ("layers", 0, "from"))


def graph(inputs: Mapping[str, tuple[Any, ...]], *nodes: Node) -> Graph:
    declared = {
        name: Input(name, shape, dtype, ("inputs", name)) for name, (shape, dtype) in inputs.items()
    }
    return Graph("test", declared, nodes, {}, "mapping")


def check_input(array: Any, shape: Any, dtype: str = "float32", *nodes: Node) -> list[Diagnostic]:
    arrays = {"x": "x_train"}
    dataset = Dataset({"x": np.asarray(array)}, {}, {}, arrays, N)
    return check_data(graph({"x": (shape, dtype)}, *nodes), [], dataset, {})


def check_output(
    loss: Any, target: Any, shape: tuple[int | None, ...] | None, weight: Any = None
) -> list[Diagnostic]:
    weights = {} if weight is None else {"y": np.asarray(weight)}
    dataset = Dataset({}, {"y": np.asarray(target)}, weights, {"y": "y_train"}, N)
    shapes = {} if shape is None else {"y": Output((None, *shape))}
    return check_data(graph({}), [Head("y", loss, ("losses", "y"))], dataset, shapes)


def codes(problems: list[Diagnostic]) -> list[str]:
    return [problem.code for problem in problems]


# Samples.


def test_sample_counts() -> None:
    arrays = {"a": OK, "b": OK[:5], "c": OK}
    declared = graph(dict.fromkeys(arrays, ((4,), "float32")))
    [problem] = check_data(declared, [], Dataset(arrays, {}, {}, {"b": "b_train"}, N), {})
    assert (problem.code, problem.route) == ("sample-count", ("inputs", "b"))
    assert problem.message.endswith("a 6, b_train 5, c 6")


def test_sample_counts_of_targets_and_weights() -> None:
    problems = check_output("mse", np.zeros(N), (1,), np.ones(N - 1))
    assert codes(problems) == ["sample-count"]
    assert problems[0].route == ("losses", "y")


def test_no_samples() -> None:
    [problem] = check_input(np.zeros((0, 9), "U3"), (4,))
    assert (problem.code, problem.route) == ("no-samples", ("inputs", "x"))


# Inputs. Every accepted shape was seen to work in Keras 3.15, every refused one to fail.


@pytest.mark.parametrize(
    ("sample", "shape"),
    [
        ((4,), (4,)),
        ((7,), (None,)),
        ((28, 28), (28, 28, 1)),
        ((28, 28, 1), (28, 28)),
        ((), (1,)),
        ((1,), ()),
        ((7, 1), (None,)),
        ((1, 1), (1,)),
    ],
)
def test_shapes_that_keras_takes(sample: tuple[int, ...], shape: Any) -> None:
    problems = check_input(np.zeros((N, *sample)), shape)
    # A last axis of 1 too many is dropped by Keras, and told.
    assert [problem.severity for problem in problems] == (
        ["warning"] if shape and len(sample) > len(shape) else []
    )


@pytest.mark.parametrize(
    ("sample", "shape", "hint"),
    [
        ((63,), (64,), "declare shape: [63]"),
        ((28, 28), (28, 28, 3), "last axis, of 3, is missing"),
        ((3, 9, 8), (9, 8, 3), "numpy.moveaxis(x_train, 1, -1)"),
        ((784,), (28, 28), "x_train.reshape(-1, 28, 28)"),
        ((28,), (N, 28), "x_train[None]"),
        ((5, 1, 1), (5,), "x_train.reshape(-1, 5)"),
        ((), (1, 1), "reshape(-1, 1, 1)"),
        ((5,), (1, 5), "reshape(-1, 1, 5)"),
        ((1,), (5,), "declare shape: [1]"),
        ((28, 27), (28, 28, 1), "declare shape: [28, 27]"),
    ],
)
def test_shapes_that_keras_refuses(sample: tuple[int, ...], shape: Any, hint: str) -> None:
    [problem] = check_input(np.full((N, *sample), np.nan), shape)
    assert (problem.code, problem.route) == ("wrong-shape", ("inputs", "x"))
    assert "x_train" in problem.message
    assert hint in (problem.hint or "")


def test_shapes_are_written_as_specs_write_them() -> None:
    [problem] = check_input(np.zeros((N, 2, 3)), (None,))
    assert problem.message == (
        "array x_train has samples of shape [2, 3], but input x has shape [null]"
    )


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.full((N, 4), "word"), "float32"),
        (np.full((N, 4), b"word"), "int32"),
        (np.zeros((N, 4), complex), "float32"),
        (np.zeros((N, 4), "M8[s]"), "float32"),
        (np.zeros((N, 4), np.longdouble), "float32"),
        (np.zeros((N, 4), [("a", "i4")]), "float32"),
        (np.full((N, 4), 0.5), "int32"),
        (np.zeros((N, 4)), "string"),
    ],
)
def test_wrong_dtype(array: Any, dtype: str) -> None:
    [problem] = check_input(array, (4,), dtype)
    assert (problem.code, problem.route) == ("wrong-dtype", ("inputs", "x"))


@pytest.mark.parametrize(
    ("array", "dtype"),
    [
        (np.full((N, 4), 3.0), "int32"),
        (np.full((N, 4), 3, np.int64), "float32"),
        (np.full((N, 4), True), "float32"),
        (np.full((N, 4), 255, np.uint8), "uint8"),
        (np.full((N, 4), "word"), "string"),
        (np.full((N, 4), 0.5), "no_such_dtype"),
    ],
)
def test_right_dtype(array: Any, dtype: str) -> None:
    assert check_input(array, (4,), dtype) == []


def test_values_that_the_dtype_cannot_hold() -> None:
    [problem] = check_input(np.full((N, 4), 300), (4,), "uint8")
    assert (problem.code, problem.route) == ("value-out-of-range", ("inputs", "x"))


def test_a_single_number_has_no_samples() -> None:
    assert codes(check_input(np.float32(1), (4,))) == ["wrong-shape"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite(bad: float) -> None:
    array = OK.copy()
    array[3:5, 1] = bad
    [problem] = check_input(array, (4,))
    assert (problem.code, problem.route) == ("not-finite", ("inputs", "x"))
    assert (
        problem.message == "array x_train holds 2 values that are NaN or infinite, first in row 3"
    )


# Embeddings.


def embedding(size: Any, width: int = 8, feed: Any = None, name: str = "e2") -> Node:
    return node(name, "Embedding", feed or source("x"), input_dim=size, output_dim=width)


def ids(low: int, high: int) -> Any:
    return np.linspace(low, high, N * 4).round().reshape(N, 4)


def test_ids_outside() -> None:
    [problem] = check_input(ids(0, 999).astype("i4"), (None,), "int32", embedding(256))
    assert problem.code == "id-out-of-range"
    assert problem.route == ("layers", 2, "Embedding", "input_dim")
    assert problem.message == (
        "array x_train holds ids up to 999, first in row 1, "
        "but Embedding (input_dim 256) has ids 0..255"
    )
    assert problem.hint == "input_dim must be at least 1000"


def test_swapped_arguments() -> None:
    [problem] = check_input(ids(0, 49_999), (None,), "int32", embedding(256, 50_000))
    assert problem.hint == "input_dim and output_dim look swapped: output_dim is 50000"


def test_negative_ids() -> None:
    [problem] = check_input(ids(-1, 5), (None,), "int32", embedding(256))
    assert (problem.code, problem.hint) == (
        "id-out-of-range",
        "ids start at 0; keep 0 for padding",
    )


def test_ids_inside() -> None:
    assert check_input(ids(0, 255), (None,), "int32", embedding(256)) == []


def test_ids_are_checked_whatever_the_declared_dtype() -> None:
    assert codes(check_input(ids(0, 256), (None,), "float32", embedding(256))) == [
        "id-out-of-range"
    ]
    assert codes(check_input(ids(0, 9) / 4, (None,), "float32", embedding(256))) == ["wrong-dtype"]


@pytest.mark.parametrize("size", ["many", None, True, 0.5, [1]])
def test_an_input_dim_that_is_no_number_is_not_the_data_s_problem(size: Any) -> None:
    assert check_input(ids(0, 255), (None,), "int32", embedding(size)) == []


def test_shared_embeddings_point_at_the_owner_once() -> None:
    owner = embedding(4, feed=source("other"))
    calls = [node(f"s{i}", "Embedding", source("x"), layer="e2") for i in (3, 4)]
    [problem] = check_input(ids(0, 9), (None,), "int32", owner, *calls)
    assert problem.route == ("layers", 2, "Embedding", "input_dim")


def test_embeddings_further_down_are_not_judged() -> None:
    assert check_input(ids(0, 9), (None,), "int32", embedding(4, feed=source("other"))) == []


# Targets. Here too every shape was tried in Keras.

SPARSE, ONE_HOT = "sparse_categorical_crossentropy", "CategoricalCrossentropy"


@pytest.mark.parametrize(
    ("loss", "target", "output"),
    [
        ("mse", (), (1,)),
        ("mse", (1,), (1,)),
        ("mse", (1, 1), (1,)),
        ("mse", (1,), ()),
        ("mse", (5,), (5,)),
        ("mse", (5, 1), (5,)),
        ("mse", (5, 5), (5, 5, 1)),
        ("mse", (9, 2), (None, 2)),
        ("binary_crossentropy", (), (1,)),
        ("binary_crossentropy", (5, 5), (5, 5, 1)),
        (ONE_HOT, (5,), (5,)),
        (SPARSE, (), (5,)),
        (SPARSE, (1,), (5,)),
        (SPARSE, (1, 1), (5,)),
        (SPARSE, (7,), (7, 5)),
        (SPARSE, (7, 1), (7, 5)),
        ("CategoricalGeneralizedCrossEntropy", (), (5,)),
        ("crossentropy", (), (5,)),
        ("crossentropy", (5,), (5,)),
        ("no_such_loss", (5,), (3,)),
        ("mse", (5,), None),
        (None, (5,), (3,)),
        ({"a": 1, "b": 2}, (5,), (3,)),
        (7, (5,), (3,)),
    ],
)
def test_target_shapes_that_keras_takes(loss: Any, target: Any, output: Any) -> None:
    problems = check_output(loss, np.zeros((N, *target)), output)
    assert not has_errors(problems)


@pytest.mark.parametrize(
    ("loss", "target", "output", "hint"),
    [
        ("mse", (), (5,), ""),
        ("mse", (1,), (5,), ""),  # Keras broadcasts this, and trains on it
        ("mse", (5,), (1,), ""),  # and this
        ("MeanAbsoluteError", (1,), (5,), ""),
        ("dice", (1,), (5,), ""),
        ("binary_crossentropy", (1,), (5,), ""),
        (ONE_HOT, (3,), (5,), ""),
        (ONE_HOT, (), (5,), "numpy.eye(5)[y_train]"),
        ({"CategoricalCrossentropy": {"label_smoothing": 0.1}}, (1,), (5,), "sparse_categorical"),
        (SPARSE, (5,), (5,), "use categorical_crossentropy"),
        ({"SparseCategoricalCrossentropy": None}, (3,), (5,), ""),
        (SPARSE, (), (7, 5), ""),
        ("CategoricalGeneralizedCrossEntropy", (1,), (5,), ""),
    ],
)
def test_target_shapes_that_fail_or_broadcast(
    loss: Any, target: Any, output: Any, hint: str
) -> None:
    [problem] = check_output(loss, np.full((N, *target), np.nan), output)
    assert (problem.code, problem.route) == ("wrong-target-shape", ("losses", "y"))
    assert "y_train" in problem.message
    assert hint in (problem.hint or "")


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ([1, 2, 3, 4, 5, 5], "subtract 1"),
        ([-1, 0, 1, 2, 3, 4], "ignore_class: -1"),
        ([0, 1, 2, 3, 4, 9], "needs 10 units"),
    ],
)
def test_class_ids(values: Any, hint: str) -> None:
    [problem] = check_output(SPARSE, values, (5,))
    assert (problem.code, problem.route) == ("class-id-out-of-range", ("losses", "y"))
    assert "classes 0..4" in problem.message
    assert hint in (problem.hint or "")


def test_class_ids_without_the_output_s_shape() -> None:
    assert codes(check_output(SPARSE, [-1] * N, None)) == ["class-id-out-of-range"]
    assert check_output(SPARSE, [99] * N, None) == []


def test_class_ids_for_one_unit() -> None:
    [problem] = check_output(SPARSE, [0, 1] * 3, (1,))
    assert "binary_crossentropy" in (problem.hint or "")


def test_ignored_class() -> None:
    loss = {"SparseCategoricalCrossentropy": {"ignore_class": -1}}
    assert check_output(loss, [-1, 0, 1, 2, 3, 4], (5,)) == []


@pytest.mark.parametrize("ignored", ["x", True, 10**400, None])
def test_ignored_class_that_is_none(ignored: Any) -> None:
    loss = {"SparseCategoricalCrossentropy": {"ignore_class": ignored}}
    assert check_output(loss, [0.0] * N, (5,)) == []
    assert codes(check_output(loss, [-1] * N, (5,))) == ["class-id-out-of-range"]


def test_fractional_class_ids() -> None:
    [problem] = check_output(SPARSE, [0, 1, 2, 0.5, 1, 1], (5,))
    assert problem.code == "wrong-dtype"
    assert "row 3" in problem.message
    assert check_output(SPARSE, [0.0, 1.0] * 3, (5,)) == []


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ([-1, 1] * 3, "hinge"),
        ([1, 2] * 3, "subtract 1"),
        ([0, 255] * 3, "/ 255"),
        ([0, 1, 2] * 2, "sparse_categorical_crossentropy"),
    ],
)
def test_binary_targets(values: Any, hint: str) -> None:
    for loss in ("binary_crossentropy", "bce", {"BinaryCrossentropy": {"from_logits": True}}):
        [problem] = check_output(loss, values, (1,))
        assert (problem.code, problem.route) == ("target-out-of-range", ("losses", "y"))
        assert hint in (problem.hint or "")


def test_binary_targets_that_fit() -> None:
    assert check_output("binary_crossentropy", [False, True] * 3, (1,)) == []
    assert check_output("binary_crossentropy", [0.0, 0.5, 1.0] * 2, (1,)) == []
    assert check_output("hinge", [-1, 1] * 3, (1,)) == []


def test_one_hot_targets_outside_0_and_1() -> None:
    assert codes(check_output(ONE_HOT, np.eye(N) * 2, (N,))) == ["target-out-of-range"]
    assert check_output(ONE_HOT, np.eye(N) * 0.9, (N,)) == []


@pytest.mark.parametrize("dtype", ["U3", "c8", "M8[D]"])
def test_targets_that_are_no_numbers(dtype: str) -> None:
    [problem] = check_output("mse", np.zeros(N, dtype), (5,))
    assert (problem.code, problem.route) == ("wrong-dtype", ("losses", "y"))


def test_targets_that_are_not_finite() -> None:
    for loss in ("mse", SPARSE, ONE_HOT, None):
        shape = (1,) if loss == "mse" else (N,)
        target = np.full((N, N) if loss == ONE_HOT else (N,), np.nan)
        assert codes(check_output(loss, target, shape)) == ["not-finite"]


# Weights.


@pytest.mark.parametrize(
    ("loss", "target", "output", "weight"),
    [
        ("mse", (), (1,), ()),
        ("mse", (), (1,), (1,)),
        ("mse", (5,), (5,), ()),
        (SPARSE, (7,), (7, 5), (7,)),
        (SPARSE, (7,), (7, 5), (1,)),
        (SPARSE, (7,), (7, 5), (7, 1)),
        ("mse", (6, 6, 1), (6, 6, 1), (1, 1)),
        ("dice", (5,), (5,), ()),
        ("mse", (5,), None, (9,)),
    ],
)
def test_weights_that_keras_takes(loss: Any, target: Any, output: Any, weight: Any) -> None:
    problems = check_output(loss, np.zeros((N, *target)), output, np.ones((N, *weight)))
    assert problems == []


@pytest.mark.parametrize(
    ("target", "output", "weight", "hint"),
    [
        ((5,), (5,), (5,), ""),
        ((7, 5), (7, 5), (), "(n, 1)"),  # broadcasts where the batch happens to be 7
        ((6, 6, 1), (6, 6, 1), (), "(n, 1, 1)"),
        ((6, 6, 1), (6, 6, 1), (1,), ""),
    ],
)
def test_weights_that_keras_refuses(target: Any, output: Any, weight: Any, hint: str) -> None:
    [problem] = check_output("mse", np.zeros((N, *target)), output, np.ones((N, *weight)))
    assert (problem.code, problem.route) == ("wrong-weight-shape", ("losses", "y"))
    assert hint in (problem.hint or "")


def test_weights_that_are_all_zero() -> None:
    [problem] = check_output("mse", np.zeros(N), (1,), np.zeros(N))
    assert (problem.code, problem.severity) == ("loss-weight", "warning")
    assert check_output("mse", np.zeros(N), (1,), np.eye(N)[0]) == []


@pytest.mark.parametrize(("target", "output"), [((1, 1), (5,)), ((7, 1, 1), (7, 5))])
def test_ids_with_two_more_axes(target: Any, output: Any) -> None:
    """Keras's loss is right, and its accuracy is not."""
    [problem] = check_output(SPARSE, np.zeros((N, *target)), output)
    assert (problem.code, problem.severity) == ("wrong-shape", "warning")
    assert "metrics may be wrong" in problem.message
    assert check_output(SPARSE, np.zeros((N, *target))[..., 0], output) == []


@pytest.mark.parametrize(
    ("weight", "code"),
    [
        ([1, 1, 1, 1, 1, -0.5], "negative-weight"),
        ([1, 1, 1, 1, 1, np.nan], "not-finite"),
        (["a"] * N, "wrong-dtype"),
    ],
)
def test_wrong_weights(weight: Any, code: str) -> None:
    [problem] = check_output("mse", np.zeros(N), (1,), weight)
    assert (problem.code, problem.route) == (code, ("losses", "y"))
    assert "y_weight" in problem.message


# The pass as a whole.


def test_several_problems_are_told_together() -> None:
    inputs = {"a": np.full((N, 4), np.nan), "b": OK[:, :3]}
    declared = graph(dict.fromkeys(inputs, ((4,), "float32")))
    heads = [Head("y", "mse", ("losses", 0)), Head("z", SPARSE, ("losses", 1))]
    targets = {"y": np.full(N, np.nan), "z": np.full(N, 9)}
    dataset = Dataset(inputs, targets, {}, {}, N)
    problems = check_data(
        declared, heads, dataset, {"y": Output((None, 1)), "z": Output((None, 3))}
    )
    assert [(problem.code, problem.route) for problem in problems] == [
        ("not-finite", ("inputs", "a")),
        ("wrong-shape", ("inputs", "b")),
        ("not-finite", ("losses", 0)),
        ("class-id-out-of-range", ("losses", 1)),
    ]


def test_nothing_raises() -> None:
    samples = [(), (0,), (1,), (3,), (1, 1), (3, 1), (2, 3)]
    arrays = [np.zeros((N, *sample), dtype) for sample in samples for dtype in ("f4", "U2", "?")]
    odd: list[Any] = [1, "a", np.nan, [], [[]]]
    losses: list[Any] = [SPARSE, ONE_HOT, "bce", "ctc", "crossentropy", "mse", None, [], {1: 2}]
    arrays += [np.array(value) for value in odd]
    for array in arrays:
        for shape in ((), (1,), (None,), (3, None), (0,)):
            check_input(array, shape, "int32", embedding(0), embedding(10**400, name="f3"))
            for loss in losses:
                check_output(loss, array, shape, array)


@pytest.mark.parametrize("declared", [(None, 4), (None, 2, 2), (None, 3)])
def test_a_batch_axis_in_the_shape(declared: tuple[int | None, ...]) -> None:
    array = np.zeros((N, *(size or 0 for size in declared[1:])))
    [problem] = check_input(array, declared)
    assert problem.code == "wrong-shape"
    assert problem.hint == f"leave the batch out: shape: {list(declared[1:])}"
