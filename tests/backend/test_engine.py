"""The engine's ways of doing the same: resident or streamed, long calls or short, XLA or not."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from listeners import Recorder
from rounding import ADAM, assert_close, assert_logs_close, rounding
from small_digits import DATA, digits_spec, end

import modelspec
from modelspec.backend.training import batch_source, xla
from modelspec.backend.training.eval_batch_size import eval_batch_size, is_batch_size_invariant
from modelspec.backend.training.evaluation import Evaluation
from modelspec.backend.training.xla import choose, extent
from modelspec.backend.training.xla_random import as_without_xla
from modelspec.backend.training.xla_updates import fuse_updates
from modelspec.runs.progress import NullListener

pytestmark = [pytest.mark.keras, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
SPEC = digits_spec(
    "small",
    """
  - Flatten
  - Dense: {units: 16, activation: relu}
  - BatchNormalization
  - Dropout: {rate: 0.2}
""",
    "training: {epochs: 3, batch_size: 100, validation_split: 0.1, jit: false}",
)

CONVOLVED = """  - Reshape: {target_shape: [8, 8, 1]}
  - Conv2D: {filters: 4, kernel_size: 3}
  - Flatten"""


XLA_ROUNDING = rounding(54 * (100 + 64 + 16 + 10))
"""Of three epochs of 17 or 18 steps: each sums over 100 samples, 64 pixels, 16 and 10 units."""


def train(folder: Path, *overrides: str, **options: Any) -> modelspec.Run:
    return modelspec.train(modelspec.loads(SPEC, overrides), DATA, run=folder, **options)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> modelspec.Run:
    return train(tmp_path_factory.mktemp("runs") / "plain")


@pytest.mark.parametrize("steps", [1, 5, 1000])
def test_the_length_of_calls_changes_nothing(
    plain: modelspec.Run, tmp_path: Path, steps: int
) -> None:
    run = train(tmp_path / "run", f"training.steps_per_call={steps}")
    assert end(run) == end(plain)


@pytest.mark.parametrize("jit", [False, pytest.param(True, marks=pytest.mark.sweep)])
def test_rows_from_files_are_those_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, jit: bool
) -> None:
    settings = [f"training.jit={jit}".lower(), "optimizer=sgd"]
    resident = train(tmp_path / "resident", *settings)
    monkeypatch.setattr(batch_source, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(batch_source, "CHUNK_BYTES", 300 * (64 * 4 + 4))
    streamed = train(tmp_path / "streamed", *settings)
    if not jit:
        assert end(streamed) == end(resident)
        return
    for one, other in zip(end(streamed)[0], end(resident)[0], strict=True):
        assert_logs_close(one, other, XLA_ROUNDING, samples=179)


def test_xla_gives_the_numbers_of_plain_keras(tmp_path: Path) -> None:
    """With its Dropout, though XLA left to itself would drop other units."""
    text = SPEC.replace("epochs: 3", "epochs: 1")
    settings = ["training.jit=true", "training.shuffle=false", "training.validation_split=0"]
    source = modelspec.loads(text, [*settings, "optimizer=sgd"])
    twin = source.build()
    run = modelspec.train(source, DATA, run=tmp_path)
    with np.load(DATA) as data:
        image, digit = data["image_train"], data["digit_train"]
    options = {"batch_size": 100, "shuffle": False, "verbose": 0}
    history = twin.fit(image, digit, **options).history
    expected = {name: values[0] for name, values in history.items()}
    measured = {name: run.history[0][name] for name in expected}
    assert_logs_close(measured, expected, XLA_ROUNDING, samples=len(digit))
    trained = keras.saving.load_model(run.model_path)
    assert_close(trained.get_weights(), twin.get_weights(), XLA_ROUNDING)


def test_xla_repeats_itself_and_is_in_the_spec_of_the_run(tmp_path: Path) -> None:
    run = train(tmp_path / "one", "training.jit=true")
    written = modelspec.load(run.spec_path)
    assert written.require().spec.training.jit is True
    again = modelspec.train(written, DATA, run=tmp_path / "again")
    assert end(again) == end(run)


@pytest.mark.sweep
def test_xla_compiles_convolutions_step_by_step(tmp_path: Path) -> None:
    convolved = SPEC.replace("  - Flatten", CONVOLVED)
    model = modelspec.loads(convolved).build()
    assert extent(model, jit=True) == "steps"
    assert extent(modelspec.loads(SPEC).build(), jit=True) == "loops"
    assert extent(model, jit=False) == "off"
    source = modelspec.loads(convolved, ["training.jit=true", "training.epochs=1"])
    assert modelspec.train(source, DATA, run=tmp_path / "run").status == "completed"
    pooled = convolved.replace("  - Flatten", "  - MaxPooling2D\n  - Flatten")
    refused = modelspec.loads(pooled, ["training.jit=true"])
    with pytest.raises(modelspec.ModelError, match="jit: false"):
        modelspec.train(refused, DATA, run=tmp_path / "refused")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_xla_draws_the_numbers_of_tensorflow(dtype: str) -> None:
    def drawn(seed: Any) -> Any:
        x = tf.ones((7, 9), dtype)
        kept = tf.nn.experimental.stateless_dropout(x, 0.4, seed)
        return kept, tf.random.stateless_uniform((7, 9), seed, 0, 1, dtype)

    seed = tf.constant([3, 5])
    expected = tf.function(drawn)(seed)
    with as_without_xla():
        compiled = tf.function(drawn, jit_compile=True)
        try:
            results = compiled(seed)
        except tf.errors.InternalError as error:
            # XLA cannot convert float16 on a CPU from before 2012 (without F16C).
            if dtype != "float16" or "materialize symbols" not in str(error):
                raise
            pytest.skip("XLA has no float16 on this CPU")
    # Those of float64 are left to XLA: no precision of a spec's has it.
    assert np.array_equal(results[0], expected[0]) == (dtype != "float64")
    assert np.array_equal(results[1], expected[1]) == (dtype != "float64")


OPTIMIZERS = [
    *("Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion"),
    *("Nadam", "RMSprop", "{SGD: {momentum: 0.9}}", "{Adam: {use_ema: true, clipnorm: 1.0}}"),
]
FEW = {"Adafactor", "AdamW", "{Adam: {use_ema: true, clipnorm: 1.0}}"}


@pytest.mark.parametrize(
    "optimizer",
    [pytest.param(name, marks=() if name in FEW else pytest.mark.sweep) for name in OPTIMIZERS],
)
def test_updates_in_one_pass_give_the_numbers_of_keras(
    optimizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xla, "LARGE", 100)
    x, y = tf.random.normal((8, 8, 8), dtype="float64", seed=1), tf.range(8)
    settings = [f"optimizer={optimizer}", "training.precision=float64"]
    plain, fused = (modelspec.loads(SPEC, settings).build() for _ in range(2))
    fuse_updates(fused.optimizer)
    compiled: list[Any] = []
    for model in (plain, fused):
        for layer in model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0.0
        model._symbolic_build(data_batch=(x, y))
        step = tf.function(model.train_step, autograph=False)
        for _ in range(3):
            step((x, y))
        compiled.append(
            "_XlaMustCompile" in str(step.get_concrete_function((x, y)).graph.as_graph_def())
        )
    assert compiled == [False, True]
    terms = 3 * (8 + 64 + 16 + 10)
    assert_close(fused.variables, plain.variables, ADAM * rounding(terms, "float64"))


@pytest.mark.parametrize(
    "optimizer",
    [
        *("rmsprop", "{Adam: {amsgrad: true}}"),
        *(pytest.param(name, marks=pytest.mark.sweep) for name in ("adam", "adagrad")),
    ],
)
def test_updates_in_one_pass_square_the_rows_of_an_embedding_as_keras_does(
    optimizer: str, tmp_path: Path
) -> None:
    spec = modelspec.loads(
        f"""
modelspec: 1
inputs: {{word: {{shape: [2], dtype: int32}}}}
layers:
  - Embedding: {{input_dim: 70000, output_dim: 4}}
  - Flatten
  - Dense: {{units: 1}}
    name: y
outputs: y
losses: mse
optimizer: {optimizer}
training: {{epochs: 3, batch_size: 4, shuffle: false, jit: optimizer, precision: float64}}
"""
    )
    words = np.array([[1, 1], [1, 2], [1, 1], [2, 1]], np.int32).repeat(4, 0)
    y = np.linspace(-1, 1, 16)[:, None]
    np.savez(tmp_path / "words.npz", word=words, y=y)
    run = modelspec.train(spec, tmp_path / "words.npz", run=tmp_path / "run")
    model = spec.build()
    plain = model.fit(words, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    terms = 12 * (4 + 8)
    assert [line["loss"] for line in run.history] == pytest.approx(
        plain.history["loss"],
        rel=rounding(terms),  # Keras means losses in float32
    )
    weights = keras.saving.load_model(run.model_path).get_weights()
    assert_close(weights, model.get_weights(), ADAM * rounding(terms, "float64"))


@pytest.mark.sweep
def test_updates_in_one_pass_repeat_themselves_and_are_in_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xla, "LARGE", 100)
    setting = "training.jit=optimizer"
    run = train(tmp_path / "one", setting)
    assert "jit: optimizer" in run.spec_path.read_text(encoding="utf-8")
    train(tmp_path / "two", setting, "training.epochs=1")
    assert end(train(tmp_path / "two", setting, resume=True)) == end(run)
    half = train(tmp_path / "half", setting, "training.precision=mixed_float16")
    assert half.status == "completed"


def test_the_choice_of_xla_is_written_down_and_kept(tmp_path: Path) -> None:
    listener = Recorder()
    run = train(tmp_path / "run", "training.jit=auto", listener=listener)
    assert "jit: false" in run.spec_path.read_text(encoding="utf-8")
    assert not any("XLA" in note for note in listener.notes)
    longer = "training.epochs=4"
    train(tmp_path / "run", "training.jit=auto", longer, resume=True)
    assert "jit: false" in run.spec_path.read_text(encoding="utf-8")


def test_xla_is_chosen_where_it_pays() -> None:
    dense = modelspec.loads(SPEC).build()
    assert choose(dense, 100) is False
    assert choose(dense, 100_000) is True
    conv = modelspec.load(ROOT / "specs" / "digits_conv.yaml").build()
    assert choose(conv, 100_000) is False
    nested = modelspec.load(ROOT / "specs" / "question_answering.yaml").build()
    assert choose(nested, 10) is False
    assert choose(nested, 100_000) == "optimizer"
    nested.compile(optimizer="sgd")
    assert choose(nested, 100_000) is False


def test_evaluation_takes_larger_batches_only_where_that_changes_nothing() -> None:
    model = modelspec.loads(SPEC).build()
    assert is_batch_size_invariant(model)
    assert eval_batch_size(model, 100) == 1024
    summed = "losses: {SparseCategoricalCrossentropy: {reduction: sum}}"
    assert not is_batch_size_invariant(
        modelspec.loads(SPEC.replace("losses: sparse_categorical_crossentropy", summed)).build()
    )
    assert not is_batch_size_invariant(modelspec.load(ROOT / "specs" / "digits_heads.yaml").build())
    dice = SPEC.replace("losses: sparse_categorical_crossentropy", "losses: Dice")
    assert not is_batch_size_invariant(
        modelspec.loads(dice.replace("metrics: accuracy", "")).build()
    )
    for axis in (0, -2):
        mixed = keras.layers.Softmax(axis=axis)(model.output)
        assert eval_batch_size(keras.Model(model.input, mixed), 100) == 100
    unknown = modelspec.load(ROOT / "specs" / "question_answering.yaml").build()
    assert eval_batch_size(unknown, 128) == 128


class At(NullListener):
    """Does something once, in the middle of the second epoch."""

    def __init__(self, doing: Any) -> None:
        self.doing, self.epoch, self.done = doing, 0, False

    def epoch_started(self, epoch: int, epochs: int, samples: int) -> None:
        del epochs, samples
        self.epoch = epoch

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None:
        del logs
        if self.epoch == 2 and done >= 500 and not self.done:
            self.done = True
            self.doing()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_keeps_the_step_and_goes_on_from_there(
    plain: modelspec.Run, tmp_path: Path, number: signal.Signals
) -> None:
    short = "training.steps_per_call=1"
    stop = At(lambda: os.kill(os.getpid(), number))
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt, match="--resume"):
        train(tmp_path, short, listener=stop)
    assert signal.getsignal(signal.SIGTERM) is before
    cut = modelspec.Run.open(tmp_path)
    assert cut.status == "interrupted"
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert "epoch-000001-000000000500.npz" in kept
    assert end(train(tmp_path, short, resume=True)) == end(plain)
    assert cut.status == "completed"
    assert len(cut.record["resumed"]) == 1


HEADS = ROOT / "specs" / "digits_heads.yaml"


class First(NullListener):
    """Remembers how far into the epoch the first call came."""

    def __init__(self) -> None:
        self.done: int | None = None

    def samples_done(self, done: int, logs: Mapping[str, float]) -> None:
        del logs
        self.done = self.done or done


@pytest.mark.parametrize(
    "case",
    [
        "plain",
        pytest.param("gradnorm", marks=pytest.mark.sweep),
        pytest.param("XLA", marks=pytest.mark.sweep),
        pytest.param("uncertainty", marks=pytest.mark.sweep),
        pytest.param("equal_contribution", marks=pytest.mark.sweep),
    ],
)
def test_what_dies_inside_an_epoch_goes_on_inside_it(case: str, tmp_path: Path) -> None:
    settings = ["training.epochs=2", "training.steps_per_call=2"]
    if case in ("plain", "XLA"):
        jit = str(case == "XLA").lower()
        source = modelspec.loads(SPEC, [*settings, f"training.jit={jit}"])
        data = DATA
    else:
        settings += ["training.batch_size=100", f"loss_weights={case}"]
        source, data = modelspec.load(HEADS, settings), DATA.with_name("digits_heads.npz")

    def die() -> None:
        raise ZeroDivisionError

    whole = modelspec.train(source, data, run=tmp_path / "whole")
    with pytest.raises(ZeroDivisionError):
        modelspec.train(source, data, run=tmp_path / "cut", minutes=0.0, listener=At(die))
    assert modelspec.Run.open(tmp_path / "cut").status == "failed"
    first = First()
    run = modelspec.train(source, data, run=tmp_path / "cut", resume=True, listener=first)
    assert first.done is not None
    assert first.done > 400
    assert end(run) == end(whole)


@pytest.mark.parametrize(
    ("case", "epoch"),
    [
        ("short last batch", 1),
        pytest.param("XLA", 2, marks=pytest.mark.sweep),
        pytest.param("whole batches", 2, marks=pytest.mark.sweep),
        pytest.param("larger than memory", 1, marks=pytest.mark.sweep),
    ],
)
def test_what_dies_in_validation_goes_on_there(
    case: str, epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint is that of the last batch of an epoch, before its validation."""
    settings = ["training.epochs=2", "training.steps_per_call=4", "training.validation_split=0.2"]
    settings.append(f"training.jit={str(case == 'XLA').lower()}")
    size = 115 if case == "whole batches" else 100
    if case == "larger than memory":
        monkeypatch.setattr(batch_source, "RESIDENT_BYTES", 0)
        monkeypatch.setattr(batch_source, "CHUNK_BYTES", 3 * 100 * 8 * 8 * 4)
    source = modelspec.loads(SPEC, [*settings, f"training.batch_size={size}"])
    whole = modelspec.train(source, DATA, run=tmp_path / "whole")
    validate, left = Evaluation.__call__, [epoch]

    def die(evaluation: Evaluation) -> Any:
        left[0] -= 1
        if not left[0]:
            raise ZeroDivisionError
        return validate(evaluation)

    with monkeypatch.context() as patched:
        patched.setattr(Evaluation, "__call__", die)
        with pytest.raises(ZeroDivisionError):
            modelspec.train(source, DATA, run=tmp_path / "cut", minutes=0.0)
    kept = sorted(path.stem for path in (tmp_path / "cut" / "checkpoints").iterdir())
    samples = int(kept[-1].split("-")[2])
    assert kept[-1].startswith(f"epoch-{epoch - 1:06}-")
    assert (samples % size == 0) == (case == "whole batches")
    first = First()
    run = modelspec.train(source, DATA, run=tmp_path / "cut", resume=True, listener=first)
    # Nothing was left of the last epoch, and all of the other one's next.
    assert first.done is None if epoch == 2 else (first.done or samples) < samples
    assert end(run) == end(whole)


@pytest.mark.parametrize("what", ["changed", "removed"])
def test_data_that_goes_away_ends_the_run_where_it_was(tmp_path: Path, what: str) -> None:
    data = tmp_path / "data.npz"
    data.write_bytes(DATA.read_bytes())

    def spoil() -> None:
        if what == "removed":
            data.unlink()
        else:
            os.utime(data, ns=(time.time_ns(), time.time_ns() + 10**9))

    source = modelspec.loads(SPEC, ["training.steps_per_call=1"])
    with pytest.raises(modelspec.RunError, match=rf"was {what} while.*: step 5, epoch 2"):
        modelspec.train(source, data, run=tmp_path / "run", listener=At(spoil))
    run = modelspec.Run.open(tmp_path / "run")
    assert run.status == "failed"
    assert what in run.record["error"]
    assert len(list((run.path / "checkpoints").iterdir())) == 1


def test_the_spec_of_a_run_warns_on_other_data(plain: modelspec.Run, tmp_path: Path) -> None:
    with np.load(DATA) as stored:
        arrays: dict[str, Any] = dict(stored)
    shuffled = dict(reversed(arrays.items()))
    np.savez(tmp_path / "same.npz", **shuffled)
    arrays["image_train"] = arrays["image_train"][:, ::-1]
    np.savez(tmp_path / "other.npz", **arrays)
    for name, heard in (("same", False), ("other", True)):
        listener = Recorder()
        source = modelspec.load(plain.spec_path)
        run = modelspec.train(
            source, tmp_path / f"{name}.npz", run=tmp_path / name, listener=listener
        )
        assert any("the data differs" in text for text in listener.warnings) is heard
        assert (end(run) == end(plain)) is not heard
