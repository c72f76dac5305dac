"""The exchange in ``summary --costs --workers``, compared with steps of the engine itself.

The collective operations count their bytes, and replace two workers with the same rows.
"""

import math
from pathlib import Path
from typing import Any

import keras
import pytest
import tensorflow as tf

import modelspec
from modelspec.api.costs import estimate, with_lengths
from modelspec.api.spec_data import trained_outputs
from modelspec.api.target import Target
from modelspec.api.timing import _arrays, _output_shapes
from modelspec.backend.model.compiling import build_losses
from modelspec.backend.workers.collectives import Collectives
from modelspec.backend.workers.shared_model import SharedModel

pytestmark = pytest.mark.keras

SPECS = Path(__file__).parents[2] / "specs"
LENGTHS = {"posts": (280,), "text": (40,), "question": (10,)}
BATCH = 6

MASKED = """\
modelspec: 1
inputs: {ids: {shape: [5], dtype: int32}, x: {shape: [4]}}
layers:
  - Embedding: {input_dim: 9, output_dim: 3, mask_zero: true, embeddings_regularizer: EXTRA}
    from: ids
  - LSTM: {units: 4, return_sequences: true}
    name: steps
  - Dense: {units: 4, use_bias: false}
    from: x
  - BatchNormalization: {synchronized: SYNCHRONIZED}
  - Dense: {units: 1}
    name: y
outputs: [steps, y]
losses: [mse, mse]
"""


class Counted(Collectives):
    """Two workers with the same rows, of which this is one."""

    def __init__(self) -> None:
        super().__init__(["one:1", "two:1"], 0)

    def _sum(self, value: Any) -> Any:
        return 2 * value

    def _gather(self, value: Any) -> Any:
        return tf.concat([value, value], 0)


@pytest.mark.parametrize(
    "name",
    [
        "masked",
        *(
            pytest.param(name, marks=pytest.mark.sweep)
            for name in (
                *("author_profile", "question_answering", "digits_heads"),
                *("moments", "regularized"),
            )
        ),
    ],
)
def test_the_engine_exchanges_what_is_predicted(name: str, tmp_path: Path) -> None:
    path = SPECS / f"{name}.yaml"
    if not path.exists():
        path = tmp_path / "spec.yaml"
        path.write_text(text_of(name), encoding="utf-8")
    source = modelspec.load(path, [f"training.batch_size={BATCH}"])
    costs = estimate(Target(source), lengths=LENGTHS)
    sums, summed, gathers, sent = step(source, costs.lengths).counts()
    exchange = costs.exchange
    assert (summed, sums) == (exchange.summed, exchange.sums)
    gathered = BATCH * exchange.gathered_per_sample
    assert (2 * sent, gathers) == (gathered, exchange.gathers)


def text_of(name: str) -> str:
    text = MASKED.replace("EXTRA", "L2" if name == "regularized" else "null")
    return text.replace("SYNCHRONIZED", str(name == "moments").lower())


def step(source: modelspec.ModelSpec, lengths: Any) -> Counted:
    """One step of the first of two workers."""
    model = source.build()
    known = with_lengths(source.require().graph, lengths)
    arrays = _arrays(source, known, _output_shapes(source, known), BATCH)
    inputs = {name: tf.constant(arrays[name]) for name in known.inputs}
    targets = {name: tf.constant(value) for name, value in arrays.items() if name not in inputs}
    arranged = keras.tree.pack_sequence_as(model.input, [inputs[t.name] for t in model.inputs])
    wanted = [targets[name] for name in trained_outputs(source)]
    shared = SharedModel(model, counted := Counted())
    batch = (arranged, wanted if len(wanted) > 1 else wanted[0])
    build_losses(model, batch)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]
    def taken(total: Any) -> Any:
        return shared.take(model.train_step, batch, total, trains=True, own=False)

    taken(tf.constant(BATCH))
    return counted


def test_bytes_are_those_of_the_arrays() -> None:
    """By hand: 3,466 weights of ``mlp``, and ten outputs, in 32 bits."""
    exchange = estimate(Target(modelspec.load(SPECS / "mlp.yaml"))).exchange
    assert exchange.summed == 4 * 3_466
    assert exchange.gathered_per_sample == 4 * 10
    assert (exchange.sums, exchange.gathers) == (1, 1)
    assert math.isclose(exchange.summed, 13_864)
