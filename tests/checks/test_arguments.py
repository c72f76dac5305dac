"""The problems that check_object and check_arguments find, and valid values that they accept."""

from typing import Any

import pytest

from modelspec.catalog import Catalog, Entry, Family, load
from modelspec.checks.arguments import check_arguments, check_object
from modelspec.problems.diagnostic import Route

HERE = ("spec", 0)

Wrong = tuple[Family, Any, str, Route, str, str | None]

WRONG: list[Wrong] = [
    # family, value, code, route below HERE, anchor, part of the hint
    ("layer", "Denze", "unknown-layer", (), "value", "did you mean Dense?"),
    ("layer", {"dense": {"units": 1}}, "unknown-layer", ("dense",), "key", "did you mean Dense?"),
    ("layer", "relu", "unknown-layer", (), "value", "relu is an activation; did you mean ReLU?"),
    ("layer", "keras.layers.Flatten", "unknown-layer", (), "value", "did you mean Flatten?"),
    ("loss", "Dense", "unknown-loss", (), "value", "Dense is a layer"),
    ("loss", "mean_square_error", "unknown-loss", (), "value", "mean_squared_error"),
    ("metric", "huberr", "unknown-metric", (), "value", "huber"),
    ("optimizer", "adamm", "unknown-optimizer", (), "value", "did you mean adam?"),
    ("callback", "EarlyStoping", "unknown-callback", (), "value", "EarlyStopping"),
    ("layer", "", "unknown-layer", (), "value", None),
    ("layer", "os.system", "unknown-layer", (), "value", None),
    (
        "layer",
        {"Dense": {"units": 1, "activation": "rellu"}},
        "unknown-activation",
        ("Dense", "activation"),
        "value",
        "did you mean relu?",
    ),
    (
        "layer",
        {"Dense": {"units": 1, "kernel_initializer": "he_norml"}},
        "unknown-initializer",
        ("Dense", "kernel_initializer"),
        "value",
        "he_normal",
    ),
    (
        "optimizer",
        {"Adam": {"learning_rate": "CosineDecey"}},
        "unknown-schedule",
        ("Adam", "learning_rate"),
        "value",
        "CosineDecay",
    ),
    ("layer", {"Lambda": {"function": "x"}}, "refused-object", ("Lambda",), "key", None),
    ("layer", "Input", "refused-object", (), "value", None),
    (
        "layer",
        {"TimeDistributed": {"layer": {"Lambda": {"function": "x"}}}},
        "refused-object",
        ("TimeDistributed", "layer", "Lambda"),
        "key",
        None,
    ),
    (
        "layer",
        {"Dense": {"units": 1, "activation": "threshold"}},
        "refused-object",
        ("Dense", "activation"),
        "value",
        None,
    ),
    ("layer", "Dense", "missing-argument", (), "value", "Positive integer"),
    ("layer", {"Dense": None}, "missing-argument", ("Dense",), "key", "Positive integer"),
    (
        "optimizer",
        {"SGD": {"learning_rate": {"CosineDecay": {"decay_steps": 9}}}},
        "missing-argument",
        ("SGD", "learning_rate", "CosineDecay"),
        "key",
        None,
    ),
    ("layer", {"Dense": {"unit": 1}}, "unknown-argument", ("Dense", "unit"), "key", "units"),
    ("layer", {"Flatten": {1: 2}}, "unknown-argument", ("Flatten", 1), "key", None),
    ("layer", {"Flatten": {None: 2}}, "unknown-argument", ("Flatten", "None"), "key", None),
    (
        "layer",
        {"Dropout": {"rate": 0.5, "training": True}},
        "unknown-argument",
        ("Dropout", "training"),
        "key",
        "argument of the call",
    ),
    (
        "layer",
        {"Flatten": {"input_shape": [28, 28]}},
        "unknown-argument",
        ("Flatten", "input_shape"),
        "key",
        "`inputs`",
    ),
    ("optimizer", {"Adam": {"lr": 1}}, "unknown-argument", ("Adam", "lr"), "key", "learning_rate"),
    (
        "loss",
        {"mse": {"reduction": "sum"}},
        "unknown-argument",
        ("mse", "reduction"),
        "key",
        "MeanSquaredError does",
    ),
    ("layer", {"Dense": {"units": "3"}}, "wrong-type", ("Dense", "units"), "value", None),
    ("layer", {"Dense": {"units": 3.5}}, "wrong-type", ("Dense", "units"), "value", None),
    ("layer", {"Dense": {"units": True}}, "wrong-type", ("Dense", "units"), "value", None),
    ("layer", {"Dense": {"units": None}}, "wrong-type", ("Dense", "units"), "value", None),
    ("layer", {"Dense": {"units": [3]}}, "wrong-type", ("Dense", "units"), "value", None),
    (
        "layer",
        {"Dense": {"units": 1, "use_bias": "no"}},
        "wrong-type",
        ("Dense", "use_bias"),
        "value",
        None,
    ),
    (
        "layer",
        {"Conv2D": {"filters": 1, "kernel_size": [3, "3"]}},
        "wrong-type",
        ("Conv2D", "kernel_size", 1),
        "value",
        None,
    ),
    ("layer", {"Pipeline": {"layers": 1}}, "wrong-type", ("Pipeline", "layers"), "value", None),
    (
        "optimizer",
        {"Adam": {"learning_rate": "1e-3"}},
        "wrong-type",
        ("Adam", "learning_rate"),
        "value",
        None,
    ),
    (
        "layer",
        {"Conv2D": {"filters": 1, "kernel_size": 3, "padding": "sane"}},
        "wrong-value",
        ("Conv2D", "padding"),
        "value",
        "did you mean same?",
    ),
    ("layer", {}, "not-an-object", (), "value", None),
    ("layer", {"Dense": {}, "Flatten": None}, "not-an-object", (), "value", None),
    ("layer", {1: None}, "not-an-object", (1,), "key", None),
    ("layer", 3, "not-an-object", (), "value", None),
    ("layer", ["Flatten"], "not-an-object", (), "value", None),
    ("layer", {"Dense": 32}, "not-an-object", ("Dense",), "value", "Dense: {units: 32}"),
    (
        "layer",
        {"Dense": {"units": 1, "kernel_regularizer": 0.1}},
        "not-an-object",
        ("Dense", "kernel_regularizer"),
        "value",
        None,
    ),
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong[2]}-{wrong[1]}")
def test_finds_one_problem_and_says_where(wrong: Wrong) -> None:
    family, value, code, below, anchor, hint = wrong
    [problem] = check_object(load(), family, value, HERE)
    assert (problem.code, problem.route, problem.anchor) == (code, HERE + below, anchor)
    if hint:
        assert hint in (problem.hint or "")


@pytest.mark.parametrize("name", ["name", "trainable", "dtype"])
def test_keys_of_a_layer_belong_beside_it_unless_it_is_inside_another(name: str) -> None:
    [problem] = check_object(load(), "layer", {"Flatten": {name: "x"}}, HERE)
    assert (problem.code, problem.route) == ("unknown-argument", (*HERE, "Flatten", name))
    assert problem.anchor == "key"
    assert f"write {name} beside Flatten" in (problem.hint or "")
    inner = {"LSTM": {"units": 1, "name": "x", "trainable": False, "dtype": "float32"}}
    assert check_object(load(), "layer", {"Bidirectional": {"layer": inner}}, HERE) == []


SERIALIZED = {"class_name": "Lambda", "module": "os", "config": {"function": "system"}}


@pytest.mark.parametrize(
    ("family", "value", "codes"),
    [
        ("layer", SERIALIZED, {"not-an-object"}),
        ("layer", {"class_name": "Lambda"}, {"unknown-layer", "not-an-object"}),
        ("layer", {"Dense": {"units": SERIALIZED}}, {"wrong-type"}),
        ("layer", {"Reshape": {"target_shape": [1, [SERIALIZED]]}}, {"wrong-type"}),
        (
            "layer",
            {"Dense": {"units": 1, "quantization_config": SERIALIZED}},
            # Some releases of Keras do not have it.
            {"wrong-type", "unknown-argument"},
        ),
        ("layer", {"TimeDistributed": {"layer": {"Flatten": {"dtype": SERIALIZED}}}}, None),
        ("layer", {"Dense": {"units": 1, "activation": SERIALIZED}}, {"not-an-object"}),
        ("layer", {"RNN": {"cell": [SERIALIZED]}}, {"not-an-object"}),
        ("layer", {"Dropout": {"rate": 0.5, "seed": SERIALIZED}}, {"wrong-type"}),
        ("optimizer", {"Adam": {"learning_rate": SERIALIZED}}, {"not-an-object"}),
        ("optimizer", {"Adam": {"learning_rate": [SERIALIZED]}}, {"not-an-object"}),
        ("layer", {"Reshape": {"target_shape": {1, 2}}}, {"wrong-type"}),
    ],
)
def test_no_serialized_object_gets_through(
    family: Family, value: Any, codes: set[str] | None
) -> None:
    problems = check_object(load(), family, value, HERE)
    assert problems
    assert {problem.code for problem in problems} <= (codes or {"wrong-type"})


def test_not_even_where_arguments_could_not_be_read() -> None:
    entry = Entry("Odd", "layer", {}, True, (), "", "", None, False)
    [problem] = check_arguments(load(), entry, {"a": 1, "b": [SERIALIZED]}, HERE)
    assert (problem.code, problem.route) == ("wrong-type", (*HERE, "b", 0))


PATHS = [
    ("ModelCheckpoint", "filepath"),
    ("CSVLogger", "filename"),
    ("TensorBoard", "log_dir"),
]


@pytest.mark.parametrize(("name", "argument"), PATHS)
@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../up",
        "a/../../up",
        "~/home",
        "gs://bucket/x",
        "file:x",
        "C:\\x",
        "..\\x",
        "\\\\host\\x",
        "{epoch:/>3}x",
        "{epoch.__class__}",
        "a\0b",
    ],
)
def test_callbacks_write_inside_the_run_only(name: str, argument: str, path: str) -> None:
    [problem] = check_object(load(), "callback", {name: {argument: path}}, HERE)
    assert (problem.code, problem.anchor) == ("refused-path", "value")
    assert problem.route == (*HERE, name, argument)


@pytest.mark.parametrize(("name", "argument"), PATHS)
@pytest.mark.parametrize("path", ["x", "a/b.keras", "w-{epoch:02d}-{val_loss:.2f}.keras", "a..b"])
def test_callbacks_write_inside_the_run(name: str, argument: str, path: str) -> None:
    assert check_object(load(), "callback", {name: {argument: path}}, HERE) == []


@pytest.mark.parametrize("name", ["TextVectorization", "StringLookup", "IntegerLookup"])
def test_vocabularies_are_written_out(name: str) -> None:
    [problem] = check_object(load(), "layer", {name: {"vocabulary": "words.txt"}}, HERE)
    assert (problem.code, problem.anchor) == ("refused-path", "value")
    assert problem.route == (*HERE, name, "vocabulary")
    assert check_object(load(), "layer", {name: {"vocabulary": ["a", "/b"]}}, HERE) == []


@pytest.mark.parametrize(
    ("family", "value"),
    [
        ("layer", "Flatten"),
        ("layer", {"Add": None}),
        ("layer", {"Dense": {"units": 1, "activation": None, "bias_initializer": None}}),
        ("layer", {"Dense": {"units": 1, "kernel_initializer": {"HeNormal": {"seed": 1}}}}),
        ("layer", {"Dense": {"units": 1, "kernel_regularizer": {"l2": {"l2": 1}}}}),
        ("layer", {"Conv1D": {"filters": 1, "kernel_size": [3], "padding": "CAUSAL"}}),
        ("layer", {"MaxPooling1D": {"pool_size": [2]}}),
        ("layer", {"Dropout": {"rate": 0, "noise_shape": [None, 1, 5]}}),
        ("layer", {"Rescaling": {"scale": [0.1, 0.2], "offset": -1}}),
        ("layer", {"Reshape": {"target_shape": [-1, 4]}}),
        ("layer", {"BatchNormalization": {"axis": [1, 2]}}),
        ("layer", {"Bidirectional": {"layer": {"GRU": {"units": 1}}, "merge_mode": None}}),
        ("layer", {"RNN": {"cell": [{"LSTMCell": {"units": 1}}, {"GRUCell": {"units": 1}}]}}),
        ("layer", {"RNN": {"cell": {"LSTMCell": {"units": 1}}}}),
        ("layer", {"LSTM": {"units": 1, "use_cudnn": False}}),
        ("layer", {"Pipeline": {"layers": ["Flatten", {"Rescaling": {"scale": 0.1}}]}}),
        ("layer", {"Embedding": {"input_dim": 9, "output_dim": 2, "weights": [[0.1, 0.2]]}}),
        ("layer", {"Dense": {"units": 1, "kernel_initializer": {"Constant": {"value": [1]}}}}),
        ("optimizer", "rmsprop"),
        ("optimizer", {"Adam": {"learning_rate": 1, "clipnorm": 1}}),
        ("optimizer", {"LossScaleOptimizer": {"inner_optimizer": "adam"}}),
        (
            "optimizer",
            {
                "SGD": {
                    "learning_rate": {
                        "CosineDecay": {"initial_learning_rate": 0.1, "decay_steps": 1e4}
                    }
                }
            },
        ),
        ("loss", {"CategoricalCrossentropy": {"label_smoothing": 0.1, "reduction": "none"}}),
        ("loss", {"mse": None}),
        ("metric", "acc"),
        ("metric", {"TopKCategoricalAccuracy": {"k": 3, "name": "top3"}}),
        ("callback", "TerminateOnNaN"),
        ("callback", {"EarlyStopping": {"patience": 3, "verbose": True, "baseline": 1}}),
    ],
)
def test_what_keras_takes_is_left_alone(family: Family, value: Any) -> None:
    assert check_object(load(), family, value, HERE) == []


def test_every_problem_at_once() -> None:
    value = {"Conv2D": {"filters": "8", "kernal_size": 3, "activation": "rellu", "padding": "x"}}
    codes = [problem.code for problem in check_object(load(), "layer", value, HERE)]
    assert codes == ["wrong-type", "unknown-argument", "unknown-activation", "wrong-value"]


def test_an_unreadable_keras_raises_no_alarm() -> None:
    empty: dict[str, Any] = {"entries": {}, "aliases": {}}
    catalog = Catalog(
        {"version": "9", "arguments": [], "families": dict.fromkeys(["layer"], empty)}
    )
    assert check_object(catalog, "layer", "Anything", HERE) == []


@pytest.mark.parametrize(
    ("family", "hint"),
    [
        ("loss", "a custom loss is Python code: --plugin FILE.py makes it available"),
        ("optimizer", "a custom optimizer is Python code: --plugin FILE.py makes it available"),
        ("schedule", None),
    ],
)
def test_an_unknown_name_may_be_of_a_plugin(family: Any, hint: str | None) -> None:
    [problem] = check_object(load(), family, {"Pinball": {"q": 0.9}}, ("x",))
    assert (problem.code, problem.hint) == (f"unknown-{family}", hint)
