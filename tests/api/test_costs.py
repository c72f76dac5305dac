"""``summary --costs``: held against XLA's own counts, Keras's own optimizers, and arithmetic."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sweep_layers import LAYERS, offered

import modelspec
from modelspec.api.building import build_unfitted
from modelspec.api.costs import LengthError, estimate, with_lengths
from modelspec.api.target import Target
from modelspec.api.timing import _arrays, _output_shapes, measure
from modelspec.backend.costs.costs import work
from modelspec.backend.model.optimizer_state import optimizer_bytes
from modelspec.backend.model.symbols import symbols_only
from modelspec.report.costs import cost_lines
from modelspec.results.costs import Costs

pytestmark = [pytest.mark.keras, pytest.mark.process]

ROOT = Path(__file__).parents[2]
SPECS = ROOT / "specs"
LENGTHS = {"posts": (280,), "text": (40,), "question": (10,)}
XLA = (
    "import runpy; from modelspec.backend.start import start; start(light=True); "
    f"runpy.run_path({str(ROOT / 'tests' / 'support' / 'xla_flops.py')!r}, run_name='__main__')"
)
LOOSE = {"conv lstm": 0.08, "additive attention": 0.2}
"""XLA leaves out the padding of the one, and knows that nothing asks for half of the other."""


def test_arithmetic_is_what_xla_counts() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", XLA], capture_output=True, text=True, check=False, env=clean()
    )
    assert ran.returncode == 0, ran.stderr
    counted = json.loads(ran.stdout)
    assert len(counted) >= 20
    for name, counts in counted.items():
        ours, theirs = counts["forward"]
        assert ours == pytest.approx(theirs, rel=max(0.03, LOOSE.get(name, 0))), name
        if "training" in counts:
            ours, theirs = counts["training"]
            assert ours == pytest.approx(theirs, rel=max(0.07, LOOSE.get(name, 0))), name


def clean() -> dict[str, str]:
    """Without what would keep the light start from JAX."""
    hidden = {"KERAS_BACKEND", "XLA_FLAGS"}
    return {name: value for name, value in os.environ.items() if name not in hidden}


def of(name: str, *overrides: str, **options: Any) -> Costs:
    target = Target(modelspec.load(SPECS / f"{name}.yaml", overrides))
    return estimate(target, **{"lengths": LENGTHS, **options})


def test_mlp_by_hand() -> None:
    """Products, a bias and an activation for each unit; softmax is five operations."""
    costs = of("mlp")
    layers = [2 * 64 * 32 + 2 * 32, 2 * 32 * 32 + 2 * 32, 2 * 32 * 10 + (1 + 5) * 10]
    assert [layer.flops for layer in costs.layers] == [0, *layers]
    assert costs.flops == sum(layers)
    # Nothing before the first layer learns, so that its input needs no gradient.
    assert costs.training_flops == 2 * layers[0] + 3 * layers[1] + 3 * layers[2]
    assert costs.parameters == costs.gradients == costs.optimizer == 4 * 3_466
    assert costs.batch_size == 32
    assert costs.activations == 32 * 4 * (64 + 32 + 32 + 10)
    assert costs.bytes == 3 * 4 * 3_466 + costs.activations


def test_what_is_frozen_has_no_gradients() -> None:
    text = (SPECS / "mlp.yaml").read_text().replace("name: label", "name: label\n    trainable: no")
    frozen = text.replace("trainable: no", "trainable: false")
    costs = estimate(Target(modelspec.loads(frozen)))
    assert costs.parameters == 4 * 3_466
    assert costs.gradients == costs.optimizer == 4 * (3_466 - 330)
    assert costs.layers[-1].training_flops == 2 * costs.layers[-1].flops


def test_half_precision_halves_activations() -> None:
    full, half = of("residual"), of("residual", "training.precision=mixed_bfloat16")
    assert half.parameters == full.parameters
    assert half.activations == full.activations // 2
    assert half.flops == full.flops


def test_shared_layers_count_each_call_and_weigh_once() -> None:
    costs = of("siamese")
    [code] = [layer for layer in costs.layers if layer.name == "encoder.code"]
    assert code.flops == 2 * (2 * 2_304 * 32 + 32)
    assert costs.parameters == 4 * of_summary("siamese")


def of_summary(name: str) -> int:
    return modelspec.load(SPECS / f"{name}.yaml").summary().params.total


@pytest.mark.parametrize("name", sorted(path.stem for path in SPECS.glob("*.yaml")))
def test_a_built_model_costs_what_its_spec_does(name: str) -> None:
    source = modelspec.load(SPECS / f"{name}.yaml")
    costs = of(name)
    counted = work(build_unfitted(source), LENGTHS)
    assert counted.flops == costs.flops > 0
    assert counted.calls >= len(costs.layers)
    types = " ".join(layer.type for layer in source.summary().layers)
    assert counted.recurrent == bool(re.search("LSTM|GRU|Bidirectional", types))
    assert counted.convolutional == ("Conv" in types)


def test_a_model_file_costs_what_its_spec_does(tmp_path: Path) -> None:
    source = modelspec.load(SPECS / "question_answering.yaml")
    path = tmp_path / "model.keras"
    source.build().save(path)
    loaded = estimate(Target(path=path), lengths=LENGTHS, batch_size=128)
    costs = of("question_answering")
    assert loaded.as_json() == costs.as_json()


def test_weights_are_not_made() -> None:
    """Two times 32 GB, were they."""
    text = """\
modelspec: 1
inputs: {ids: {shape: [null], dtype: int32}}
layers:
  - Embedding: {input_dim: 2000000, output_dim: 4000}
  - GlobalAveragePooling1D
  - Dense: {units: 1}
    name: y
outputs: y
optimizer: adam
"""
    costs = estimate(Target(modelspec.loads(text)), lengths={"ids": (7,)})
    assert costs.parameters == 4 * (8_000_000_000 + 4001)
    assert costs.optimizer == 2 * costs.parameters


def optimizers() -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in modelspec.loads("").catalog.names("optimizer"):
        yield entry, {}
        yield entry, {"use_ema": True}
        yield entry, {"gradient_accumulation_steps": 2}
    yield "Adam", {"amsgrad": True}
    yield "SGD", {"momentum": 0.9}
    yield "RMSprop", {"momentum": 0.9, "centered": True}


def small() -> Any:
    layers = keras.layers
    stack = [layers.Embedding(11, 6), layers.Conv1D(3, 2), layers.Flatten(), layers.Dense(1)]
    return keras.Sequential([keras.Input((5,), dtype="int32"), *stack])


@pytest.mark.parametrize(("name", "arguments"), list(optimizers()))
def test_optimizer_memory_is_what_keras_allocates(name: str, arguments: dict[str, Any]) -> None:
    def make() -> Any:
        if name == "LossScaleOptimizer":
            return keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(**arguments))
        return getattr(keras.optimizers, name)(**arguments)

    optimizer, model = make(), small()
    optimizer.build(model.trainable_variables)
    held = [variable for variable in optimizer.variables if len(variable.shape)]
    with symbols_only():
        symbols = small()
    estimated = optimizer_bytes(make(), symbols.trainable_variables)
    assert estimated == sum(np.asarray(variable).nbytes for variable in held)


def test_every_layer_is_counted() -> None:
    """Those that do products as such, and the rest without a fault."""
    products = "Dense|Conv|RNN|LSTM|GRU|Attention|Bidirectional|TimeDistributed|Dot"
    for name in offered("layer", LAYERS):
        if name == "TextVectorization":  # how many words a text has is not known
            continue
        costs = estimate(Target(modelspec.loads(LAYERS[name].spec(name))))
        assert costs.flops >= 0
        if re.search(products, name):
            [layer] = [layer_costs for layer_costs in costs.layers if layer_costs.flops]
            assert layer.flops >= costs.parameters // 4, name


def test_unknown_lengths_are_asked_for() -> None:
    with pytest.raises(LengthError, match="posts"):
        of("author_profile", lengths={})
    with pytest.raises(LengthError, match="set 1"):
        of("author_profile", lengths={"posts": (500, 2)})
    short, long = (of("author_profile", lengths={"posts": (steps,)}) for steps in (280, 500))
    assert short.flops < long.flops
    assert short.parameters == long.parameters


def test_a_length_too_short_is_a_problem_of_the_spec() -> None:
    with pytest.raises(modelspec.SpecError) as caught:
        of("author_profile", lengths={"posts": (100,)})
    [problem] = caught.value.problems
    assert problem.code == "shape-mismatch"


Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def summary() -> Command:
    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "modelspec", "summary", *arguments]
        return subprocess.run(
            command, cwd=SPECS, capture_output=True, text=True, check=False, env=clean()
        )

    return run


def test_json_has_costs_beside_the_summary(summary: Command) -> None:
    """The light start's answer is TensorFlow's."""
    arguments = ("author_profile.yaml", "--format", "json")
    plain = json.loads(summary(*arguments).stdout)
    asked = json.loads(summary(*arguments, "--costs", "--shape", "posts=280").stdout)
    costs = asked.pop("costs")
    assert asked == plain
    assert costs == of("author_profile").as_json()
    assert costs["flops"]["training_batch"] == 64 * costs["flops"]["training_sample"]
    assert costs["bytes"]["total"] == sum(costs["bytes"].values()) - costs["bytes"]["total"]


def test_few_operations_keep_their_space(tmp_path: Path) -> None:
    """A number of operations without a prefix stood beside its unit."""
    text = "modelspec: 1\ninputs: {x: {shape: [3]}}\nlayers: [{Dense: {units: 2}, name: y}]\n"
    (tmp_path / "small.yaml").write_text(text + "outputs: y\n", encoding="utf-8")
    costs = estimate(modelspec.open_target(tmp_path / "small.yaml"), batch_size=1)
    [arithmetic, *_] = cost_lines(costs)
    assert re.findall(r"\d+ ?FLOP", arithmetic) == re.findall(r"\d+ FLOP", arithmetic) != []


def test_csv_table_and_markdown_have_them_too(summary: Command) -> None:
    costs = of("residual", batch_size=8)
    options = ("residual.yaml", "--costs", "--batch-size", "8", "--format")
    rows = list(csv.DictReader(io.StringIO(summary(*options, "csv").stdout)))
    assert [int(row["flops"]) for row in rows] == [layer.flops for layer in costs.layers]
    assert sum(int(row["training flops"]) for row in rows) == costs.training_flops
    assert 8 * sum(int(row["activation bytes"]) for row in rows) == costs.activations
    for form in ("table", "markdown"):
        shown = summary(*options, form).stdout
        assert "1.8 MFLOP a sample" in shown
        assert "step of 8 samples" in shown
        assert "optimizer 133.2 KB" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("author_profile.yaml", "--costs"), "--shape posts="),
        (("mlp.yaml", "--costs", "--shape", "posts=5"), "--shape posts"),
        (("mlp.yaml", "--costs", "--shape", "posts"), "posts=500"),
        (("mlp.yaml", "--measure"), "--costs"),
    ],
)
def test_wrong_usage(summary: Command, arguments: tuple[str, ...], said: str) -> None:
    ran = summary(*arguments)
    assert ran.returncode == 2, ran.stderr
    assert said in ran.stderr
    assert not ran.stdout


@pytest.mark.parametrize("name", sorted(path.stem for path in SPECS.glob("*.yaml")))
def test_random_data_fits_its_spec(name: str, tmp_path: Path) -> None:
    source = modelspec.load(SPECS / f"{name}.yaml")
    assert source.graph is not None
    graph = with_lengths(source.graph, of(name).lengths)
    arrays: dict[str, Any] = _arrays(source, graph, _output_shapes(source, graph), 64)
    np.savez(tmp_path / "data.npz", **arrays)
    problems = source.check(tmp_path / "data.npz")
    # A few random rows may lie where a head does not reach, which is a warning.
    assert [problem for problem in problems if problem.severity == "error"] == []


def test_time_is_measured_by_training() -> None:
    source = modelspec.load(SPECS / "mlp.yaml")
    started = time.perf_counter()
    measured = measure(source, {})
    assert measured.samples >= 8 * 32
    assert 0 < measured.seconds_per_sample * measured.samples < time.perf_counter() - started


def test_one_epoch_is_not_measured_by_its_tracing() -> None:
    source = modelspec.load(SPECS / "mlp.yaml", ["training.epochs=1", "training.jit=false"])
    started = time.perf_counter()
    measured = measure(source, {})
    # Three epochs were trained, of which the first took most of the time.
    epoch = measured.seconds_per_sample * measured.samples
    assert epoch < 0.2 * (time.perf_counter() - started)


def test_random_ids_fit_a_small_integer(tmp_path: Path) -> None:
    source = modelspec.loads(
        "{modelspec: 1, inputs: {word: {shape: [2], dtype: int8}}, "
        "layers: [Embedding: {input_dim: 1000, output_dim: 4}, {Flatten: , name: y}], "
        "outputs: y, losses: mse}"
    )
    assert source.graph is not None
    arrays: dict[str, Any] = _arrays(source, source.graph, {"y": (8,)}, 4096)
    np.savez(tmp_path / "data.npz", **arrays)
    assert source.check(tmp_path / "data.npz") == []


def test_what_an_optimizer_refuses_is_a_problem_of_the_spec() -> None:
    source = modelspec.load(SPECS / "mlp.yaml", ["optimizer={SGD: {momentum: 2}}"])
    with pytest.raises(modelspec.SpecError, match="momentum"):
        estimate(Target(source))


@pytest.mark.parametrize(
    ("loss", "units"),
    [
        *(("CTC", 5), ("Circle", 5), ("hinge", 1)),
        *(
            pytest.param(loss, units, marks=pytest.mark.sweep)
            for loss, units in (("poisson", 2), ("dice", 3), ("mse", 2), ("msle", 2))
        ),
    ],
)
def test_random_targets_fit_their_loss(loss: str, units: int, tmp_path: Path) -> None:
    steps = loss == "CTC"
    source = modelspec.loads(
        f"{{modelspec: 1, inputs: {{x: {{shape: {[6, 4] if steps else [4]}}}}}, "
        f"layers: [{{Dense: {{units: {units}, activation: softplus}}, name: y}}], "
        f"outputs: y, losses: {loss}}}"
    )
    assert source.graph is not None
    shapes = {"y": (6, units) if steps else (units,)}
    arrays: dict[str, Any] = _arrays(source, source.graph, shapes, 64)
    np.savez(tmp_path / "data.npz", **arrays)
    problems = source.check(tmp_path / "data.npz")
    assert [problem for problem in problems if problem.severity == "error"] == []
    assert measure(source, {}).seconds_per_sample > 0
