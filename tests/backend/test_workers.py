"""Several workers: the numbers of one process, and a run that survives the loss of a worker."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from warm_command import WarmCommand
from worker_runs import (
    QUIET,
    command,
    distance,
    free_addresses,
    history,
    run,
    train,
    train_arguments,
    weights,
)

import modelspec
from modelspec.backend.logical_cpus import LOGICAL_CPUS
from modelspec.cluster.cluster import config_text

pytestmark = [pytest.mark.process, pytest.mark.slow]

REPOSITORY = Path(__file__).parents[2]

# Random layers, moments of a batch, sums over rows, slices of gradients, and a last batch of fewer
# rows than there are workers. float64, in which the order of sums is of no account.
EVERYTHING = """\
modelspec: 1
inputs: {x: {shape: [6]}, ids: {shape: [4], dtype: int32}}
layers:
  - Dense: {units: 8, use_bias: false}
    from: x
  - BatchNormalization: {synchronized: true}
  - Dropout: {rate: 0.3}
  - GaussianNoise: {stddev: 0.1}
    name: left
  - Embedding: {input_dim: 9, output_dim: 3, mask_zero: true}
    from: ids
  - LSTM: {units: 4}
    name: right
  - Concatenate:
    from: [left, right]
    name: both
  - Dense: {units: 3, activation: softmax}
    name: y
  - Dense: {units: 1}
    name: z
    from: both
outputs: [y, z]
losses: [sparse_categorical_crossentropy, mse]
loss_weights: LOSS_WEIGHTS
metrics: {y: accuracy, z: [mae, {R2Score: {}}]}
optimizer: {Adam: {learning_rate: 0.01, clipnorm: 1.0, epsilon: 1.0e-3}}
training:
  epochs: 2
  batch_size: 10
  validation_split: 0.2
  precision: float64
  class_weights: {y: {0: 1.0, 1: 2.0}}
"""
# Keras adds them in float32 alone, whose steps of Adam carry rounding further.
PENALTIES = "kernel_regularizer: {L2: {l2: 0.5}}, activity_regularizer: {L1: {l1: 0.1}}"
ROWS = 64  # 51 rows are trained on: the last batch has one
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS, 6)).astype("f")
    path = tmp_path_factory.mktemp("data") / "data.npz"
    np.savez(
        path,
        x=x,
        ids=random.integers(0, 9, (ROWS, 4)).astype("i4"),
        y=random.integers(0, 3, ROWS),
        z=2 * x[:, :1] + 1,
        z_weight=random.uniform(size=ROWS).astype("f"),
    )
    return path


@pytest.fixture(
    scope="module",
    params=["[1.0, 0.5]", pytest.param("gradnorm", marks=pytest.mark.sweep)],
)
def one(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    data: Path,
    warm: WarmCommand,
) -> Path:
    """The run of one process, beside its spec."""
    folder = tmp_path_factory.mktemp("one")
    text = EVERYTHING.replace("LOSS_WEIGHTS", request.param)
    (folder / "spec.yaml").write_text(text, encoding="utf-8")
    assert (
        warm.run(*train_arguments(folder / "spec.yaml", data, folder / "run"), folder=folder).code
        == 0
    )
    return folder / "run"


@pytest.mark.parametrize("count", [2, pytest.param(3, marks=pytest.mark.sweep)])
@pytest.mark.parametrize("sharing", ["workers", pytest.param("devices", marks=pytest.mark.sweep)])
def test_shares_have_the_numbers_of_one_process(
    tmp_path: Path, data: Path, one: Path, sharing: str, count: int
) -> None:
    several, spec = tmp_path / "several", one.with_name("spec.yaml")
    devices = {LOGICAL_CPUS: str(count)} if sharing == "devices" else {}
    ran = train(spec, data, several, f"--{sharing}", str(count), environment=devices)
    assert (ran.returncode, ran.stdout) == (0, f"{several}\n"), ran.stderr
    for ours, theirs in zip(history(several), history(one), strict=True):
        assert ours == pytest.approx(theirs, rel=TOLERANCE, abs=TOLERANCE)
    assert distance(one, several) < TOLERANCE
    record = json.loads((several / "run.json").read_text())
    assert record[sharing] == count
    if sharing == "workers":
        assert 0 < record["communication"]["communication_share"] <= 1
        chief = (several / "workers" / "0.log").read_text()
        assert chief.count("communication takes") == chief.count("epoch 2/2") == 1
        assert (several / "workers" / f"{count - 1}.log").exists()


@pytest.mark.sweep
def test_one_worker_is_the_process_itself(tmp_path: Path, data: Path, one: Path) -> None:
    """``--workers 1`` starts no other process and exchanges nothing, so it takes no more time."""
    same = tmp_path / "same"
    assert train(one.with_name("spec.yaml"), data, same, "--workers", "1").returncode == 0
    assert distance(one, same) == 0
    assert (same / "spec.yaml").read_text() == (one / "spec.yaml").read_text()
    assert sorted(path.name for path in same.iterdir()) == sorted(
        path.name for path in one.iterdir()
    )
    assert "communication" not in json.loads((same / "run.json").read_text())


@pytest.mark.sweep
def test_workers_evaluate_each_row_once(data: Path, one: Path) -> None:
    alone = modelspec.evaluate(modelspec.open_target(one), data)
    words = ["evaluate", str(one), "--data", str(data), "--format", "json", "--workers", "2"]
    ran = run(words)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == pytest.approx(alone, rel=TOLERANCE)


@pytest.mark.sweep
@pytest.mark.parametrize("workers", [2, 3])
def test_workers_predict_all_rows_in_order(
    tmp_path: Path, data: Path, one: Path, workers: int
) -> None:
    alone = modelspec.predict(modelspec.open_target(one), data).arrays
    words = ["predict", str(one), "--data", str(data), "-o", str(tmp_path / "p.npz")]
    ran = run([*words, "--workers", str(workers)])
    assert ran.returncode == 0, ran.stderr
    with np.load(tmp_path / "p.npz") as arrays:
        assert set(arrays) == set(alone)
        for name, array in alone.items():
            assert arrays[name] == pytest.approx(array, rel=TOLERANCE)


@pytest.mark.sweep
def test_what_layers_add_to_the_loss_counts_once(tmp_path: Path, data: Path) -> None:
    text = EVERYTHING.replace("LOSS_WEIGHTS", "[1.0, 0.5]").replace("float64", "float32")
    spec = tmp_path / "spec.yaml"
    spec.write_text(text.replace("use_bias: false", f"use_bias: false, {PENALTIES}"))
    one, several = tmp_path / "one", tmp_path / "several"
    assert train(spec, data, one).returncode == 0
    assert train(spec, data, several, "--workers", "2").returncode == 0
    for ours, theirs in zip(history(several), history(one), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-4)
    assert distance(one, several) < 1e-3


@pytest.mark.sweep
def test_statistics_that_are_not_synchronized_are_told(tmp_path: Path, data: Path) -> None:
    text = EVERYTHING.replace("LOSS_WEIGHTS", "[1.0, 0.5]").replace("{synchronized: true}", "{}")
    spec = tmp_path / "spec.yaml"
    spec.write_text(text, encoding="utf-8")
    ran = train(spec, data, tmp_path / "run", "--workers", "2", "--epochs", "1")
    assert ran.returncode == 0, ran.stderr
    assert "batch_normalization: each worker normalizes its rows" in ran.stderr


def after_an_epoch(spec: Path, data: Path, run: Path, *more: str) -> subprocess.Popen[str]:
    """Start a training, and wait until its first epoch is in the history."""
    process = subprocess.Popen(
        command(spec, data, run, *more),
        env=os.environ | QUIET,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (run / "history.jsonl").exists():
        assert process.poll() is None
        time.sleep(0.01)
    return process


@pytest.mark.sweep
def test_a_lost_worker_is_started_again_to_the_last_bit(tmp_path: Path, data: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(EVERYTHING.replace("LOSS_WEIGHTS", "[1.0, 0.5]"), encoding="utf-8")
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    more = ("--workers", "2", "--epochs", "30")
    assert train(spec, data, alone, *more).returncode == 0
    process = after_an_epoch(spec, data, killed, *more, "--restarts", "1")
    os.kill(children(process.pid)[1], signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert "worker 1 was ended by SIGKILL; continuing from the last checkpoint" in said
    assert history(killed) == history(alone)
    ours, theirs = weights(killed), weights(alone)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.sweep
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_process_that_started_the_workers_ends_them(
    tmp_path: Path, data: Path, number: signal.Signals
) -> None:
    """By Ctrl-C or preemption, and where it is killed; the run continues as if nothing had been."""
    spec = tmp_path / "spec.yaml"
    spec.write_text(EVERYTHING.replace("LOSS_WEIGHTS", "[1.0, 0.5]"), encoding="utf-8")
    alone, ended = tmp_path / "alone", tmp_path / "ended"
    more = ("--workers", "2", "--epochs", "30")
    assert train(spec, data, alone, *more).returncode == 0
    process = after_an_epoch(spec, data, ended, *more)
    workers = children(process.pid)
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate()
    # Killed, it can say nothing; the workers tell how to continue, as they were started.
    assert f"--workers 2 --run {ended} --resume" in said
    assert process.returncode == (-number if number == signal.SIGKILL else 130)
    while any(map(lives, workers)):
        assert time.monotonic() - began < 60
        time.sleep(0.01)
    assert json.loads((ended / "run.json").read_text())["status"] == "interrupted"
    assert train(spec, data, ended, *more, "--resume").returncode == 0
    assert history(ended) == history(alone)
    ours, theirs = weights(ended), weights(alone)
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.sweep
def test_a_worker_without_an_answer_is_named_without_a_leader(tmp_path: Path, data: Path) -> None:
    """As on several machines, where a connection is lost: nothing watches the processes."""
    spec, folder = tmp_path / "spec.yaml", tmp_path / "run"
    spec.write_text(EVERYTHING.replace("LOSS_WEIGHTS", "[1.0, 0.5]"), encoding="utf-8")
    addresses = free_addresses("127.0.0.1", "127.0.0.1")
    workers = [
        subprocess.Popen(
            command(spec, data, folder, "--epochs", "100000"),
            env=os.environ | QUIET | {"TF_CONFIG": config_text(addresses, index)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    try:
        while not (folder / "history.jsonl").exists():
            assert workers[0].poll() is None
            time.sleep(0.01)
        workers[1].send_signal(signal.SIGSTOP)
        began = time.monotonic()
        _, said = workers[0].communicate()
        assert time.monotonic() - began < 60
    finally:
        workers[1].kill()
        workers[1].communicate()
    assert workers[0].returncode == 1
    assert f"worker 1 ({addresses[1]}) ended, or lost its connection" in said
    assert said.strip() in (folder / "workers" / "0.log").read_text()


def lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def children(parent: int) -> list[int]:
    """The processes that a process started, oldest first; Linux tells them."""
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return sorted(int(word) for task in tasks for word in task.read_text().split())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--restarts", "1"), "--restarts needs --workers"),
        (("--workers", "0"), "0 is not in the range"),
        (("--workers", "2", "--devices", "2"), "--devices is for a single process"),
    ],
)
def test_wrong_usage(
    tmp_path: Path, data: Path, warm: WarmCommand, more: tuple[str, ...], said: str
) -> None:
    spec = REPOSITORY / "specs" / "digits.yaml"
    ran = warm.run(*train_arguments(spec, data, tmp_path / "run", *more), folder=tmp_path)
    assert ran.code == 2
    assert said in ran.err


@pytest.mark.sweep
def test_an_error_of_the_spec_is_told_once(tmp_path: Path, data: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text("modelspec: 1\ninputs: {x: {shape: [6]}}\nlayers: [Dens]\noutputs: dens\n")
    ran = train(spec, data, tmp_path / "run", "--workers", "2")
    assert ran.returncode == 1
    assert ran.stderr.count("unknown-layer") == 1


FITTED = """\
modelspec: 1
inputs: {x: {shape: [6]}, word: {shape: [], dtype: string}}
layers:
  - {Normalization: , name: scaled, from: x, adapt: true}
  - {StringLookup: {max_tokens: 5}, name: ids, from: word, adapt: true}
  - {Embedding: {input_dim: 5, output_dim: 3}, name: e}
  - {Concatenate: , from: [scaled, e]}
  - {Dense: {units: 1}, name: y}
outputs: y
losses: mse
optimizer: {SGD: {learning_rate: 0.01}}
training: {epochs: 2, batch_size: 10, validation_split: 0.2}
"""


@pytest.mark.sweep
def test_fitted_layers_and_their_resume(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    spec, data = tmp_path / "s.yaml", tmp_path / "d.npz"
    spec.write_text(FITTED, encoding="utf-8")
    words = np.array(["a", "b", "c", "d", "e"])[random.integers(0, 5, ROWS)]
    x = random.normal(3, 2, (ROWS, 6)).astype("f")
    np.savez(data, x=x, word=words, y=x[:, :1])
    alone, several, parts = (tmp_path / name for name in ("alone", "several", "parts"))
    assert train(spec, data, alone).returncode == 0
    assert train(spec, data, several, "--workers", "2").returncode == 0
    first = train(spec, data, parts, "--workers", "2", "--epochs", "1")
    assert first.returncode == 0, first.stderr
    assert train(spec, data, parts, "--workers", "2", "--resume").returncode == 0
    with np.load(alone / "fitted.npz") as one, np.load(several / "fitted.npz") as two:
        assert one.files == two.files
        for name in one.files:
            np.testing.assert_array_equal(one[name], two[name])
    for ours, theirs in zip(history(several), history(alone), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    assert distance(several, alone) < 1e-5
    assert history(parts) == history(several)


PARTS = '''
import keras
from keras import ops


@keras.saving.register_keras_serializable(package="own")
class Noisy(keras.layers.Layer):
    """Scale, add noise, and add to the loss; with a number of its own in the logs."""

    def __init__(self, spread: float = 0.1, **kwargs):
        super().__init__(**kwargs)
        self.spread = spread
        self.seed_generator = keras.random.SeedGenerator(7)
        self.size = keras.metrics.Mean("size")

    def build(self, shape):
        self.factor = self.add_weight(shape=(shape[-1],), initializer="ones", name="factor")

    def call(self, inputs, training=False):
        scaled = inputs * self.factor
        size = ops.mean(ops.square(scaled))
        self.add_loss(0.1 * size)
        self.size.update_state(size)
        if not training:
            return scaled
        noise = keras.random.normal(ops.shape(inputs), seed=self.seed_generator)
        return scaled + self.spread * noise

    def get_config(self):
        return {**super().get_config(), "spread": self.spread}


@keras.saving.register_keras_serializable(package="own")
def cubed(y_true, y_pred):
    return ops.mean(ops.abs(y_true - y_pred) ** 3, axis=-1)
'''
OWN = FITTED.replace(
    "  - {Dense: {units: 1}, name: y}",
    "  - {Noisy: {spread: 0.2}, name: noisy}\n  - {Dense: {units: 1}, name: y}",
).replace("losses: mse", "losses: cubed")


@pytest.mark.sweep
def test_own_parts_after_fitted_layers(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    spec, data, plugin = tmp_path / "s.yaml", tmp_path / "d.npz", tmp_path / "parts.py"
    spec.write_text(OWN, encoding="utf-8")
    plugin.write_text(PARTS, encoding="utf-8")
    words = np.array(["a", "b", "c", "d", "e"])[random.integers(0, 5, ROWS)]
    x = random.normal(3, 2, (ROWS, 6)).astype("f")
    np.savez(data, x=x, word=words, y=x[:, :1] / 3)
    own = ("--plugin", str(plugin))
    alone, several, parts = (tmp_path / name for name in ("alone", "several", "parts"))
    for folder, workers in ((alone, "1"), (several, "2")):
        ran = train(spec, data, folder, *own, "--workers", workers)
        assert ran.returncode == 0, ran.stderr
    for ours, theirs in zip(history(several), history(alone), strict=True):
        assert ours.keys() == theirs.keys()
        assert "size" in ours
        assert ours == pytest.approx(theirs, rel=1e-4)
    assert distance(several, alone) < 1e-4
    for how in ("--epochs=1", "--resume"):
        assert train(spec, data, parts, *own, "--workers", "2", how).returncode == 0
    assert history(parts) == history(several)
    scores = run(["evaluate", str(several), "--data", str(data), *own, "--workers", "2"])
    assert scores.returncode == 0, scores.stderr
    refused = run(["evaluate", str(several), "--data", str(data), "--workers", "2"])
    assert refused.returncode != 0
    assert "--plugin" in refused.stderr
    assert "Traceback" not in refused.stderr
