"""Files of callbacks over a break, on a full disk, and state that Keras does not list."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelspec

pytestmark = [pytest.mark.keras, pytest.mark.process, pytest.mark.slow]

SPEC = """
modelspec: 1
inputs: {x: {shape: [4]}}
layers:
  - Dense: {units: 6, activation: relu}
  - Dense: {units: 1}
    name: y
outputs: y
losses: mse
training: {epochs: 4, batch_size: 8}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 4)).astype("f"), random.normal(size=(40, 1)).astype("f")
    np.savez(tmp_path / "d.npz", x=x, y=y)
    return tmp_path / "d.npz"


def train(data: Path, name: str, *options: str, epochs: int = 4, **how: Any) -> modelspec.Run:
    spec = modelspec.loads(SPEC, [*options, f"training.epochs={epochs}"])
    return modelspec.train(spec, data, run=data.parent / name, **how)


def state(run: modelspec.Run) -> Any:
    """The history without its times, and every variable of the last checkpoint."""
    history = [{k: v for k, v in line.items() if k != "seconds"} for line in run.history]
    with np.load(max((run.path / "checkpoints").glob("*.npz"))) as stored:
        names = [name for name in stored.files if name.startswith("variable")]
        return json.dumps(history), {name: stored[name].tobytes() for name in names}


@pytest.mark.parametrize(
    "options",
    [
        ("optimizer=nadam", "training.precision=mixed_float16"),
        (
            "training.precision=mixed_float16",
            "optimizer={Nadam: {gradient_accumulation_steps: 3}}",
        ),
        pytest.param(
            ("optimizer={LossScaleOptimizer: {inner_optimizer: {Nadam: {use_ema: true}}}}",),
            marks=pytest.mark.sweep,
        ),
        pytest.param(
            (
                "optimizer={Adam: {gradient_accumulation_steps: 3}}",
                "training.precision=mixed_float16",
            ),
            marks=pytest.mark.sweep,
        ),
    ],
)
def test_what_an_optimizer_does_not_list_is_kept(data: Path, options: tuple[str, ...]) -> None:
    whole = train(data, "whole", *options)
    train(data, "cut", *options, epochs=2)
    assert state(train(data, "cut", *options, resume=True)) == state(whole)


@pytest.mark.parametrize(
    ("append", "separator"),
    [
        ("false", ","),
        pytest.param("true", ";", marks=pytest.mark.sweep),
        pytest.param("false", ";", marks=pytest.mark.sweep),
        pytest.param("true", ",", marks=pytest.mark.sweep),
    ],
)
def test_a_log_goes_on(data: Path, append: str, separator: str) -> None:
    option = f"training.callbacks=[{{CSVLogger: {{filename: logs/l.csv, append: {append},"
    option += f" separator: '{separator}'}}}}]"
    whole = train(data, "whole", option).path / "logs" / "l.csv"
    train(data, "cut", option, epochs=1)
    cut = train(data, "cut", option, epochs=3, resume=True).path / "logs" / "l.csv"
    assert cut.read_bytes() == b"".join(whole.read_bytes().splitlines(keepends=True)[:4])
    train(data, "cut", option, resume=True)
    assert cut.read_bytes() == whole.read_bytes()
    train(data, "cut", option, resume=True)
    assert cut.read_bytes() == whole.read_bytes()


def test_averages_in_the_place_of_weights_cannot_go_on(data: Path) -> None:
    ema = "optimizer={Adam: {use_ema: true}}"
    swap = (ema, "training.callbacks=[{SwapEMAWeights: {swap_on_epoch: true}}]")
    train(data, "cut", *swap, epochs=2)
    with pytest.raises(modelspec.RunError, match="SwapEMAWeights replaced the weights"):
        train(data, "cut", *swap, epochs=4, resume=True)
    # Without the switch nothing happens in the last epoch that would not happen in another.
    swap = (ema, "training.callbacks=[SwapEMAWeights]")
    whole = train(data, "whole", *swap)
    train(data, "other", *swap, epochs=2)
    assert state(train(data, "other", *swap, resume=True)) == state(whole)


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Let this process write no file of more bytes, as on a disk that is full."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))


@pytest.mark.parametrize(
    ("file", "weights"), [("b.weights.h5", "true"), ("sub/b.weights.h5", "true"), ("b.h5", "false")]
)
def test_a_full_disk_leaves_no_part_of_a_file(data: Path, file: str, weights: str) -> None:
    option = f"training.callbacks=[{{ModelCheckpoint: {{filepath: {file}, monitor: loss,"
    option += f" save_weights_only: {weights}}}}}]"
    with files_at_most(60_000), pytest.raises(modelspec.RunError) as refused:
        train(data, "run", option, "layers.0.Dense.units=4000")
    name = file.rpartition("/")[2]
    assert f"{name.partition('.')[0]}." in str(refused.value)
    assert "File too large" in str(refused.value)
    run = data.parent / "run"
    assert not (run / file).exists()
    assert not list(run.rglob(".b*"))


IMAGES = SPEC.replace(
    "  - Dense: {units: 6, activation: relu}",
    """  - Reshape: {target_shape: [2, 2, 1]}
  - Conv2D: {filters: 2, kernel_size: 2, padding: same}
  - BatchNormalization
  - Flatten""",
)


@pytest.mark.parametrize(
    "settings",
    [
        '{"floatx": "float16", "image_data_format": "channels_first", "epsilon": 0.1}',
        *(
            pytest.param(alone, marks=pytest.mark.sweep)
            for alone in (
                '{"floatx": "float16"}',
                '{"image_data_format": "channels_first"}',
                '{"epsilon": 0.1}',
                "[]",
            )
        ),
    ],
)
def test_settings_of_keras_change_no_run(data: Path, settings: str) -> None:
    folder = data.parent
    (folder / "s.yaml").write_text(IMAGES, encoding="utf-8")
    (folder / "home").mkdir()
    (folder / "home" / "keras.json").write_text(settings, encoding="utf-8")
    command = [sys.executable, "-m", "modelspec", "train", "s.yaml", "--data", "d.npz"]
    subprocess.run(
        [*command, "--run", "set", "--quiet"],
        cwd=folder,
        check=True,
        env={**os.environ, "KERAS_HOME": str(folder / "home")},
    )
    plain = modelspec.train(modelspec.loads(IMAGES), data, run=folder / "plain")
    assert state(modelspec.Run(folder / "set")) == state(plain)
