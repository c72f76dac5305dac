"""Keras names the operations on masks itself: whatever our layers are called, models train."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import modelspec

pytestmark = pytest.mark.keras

layers = keras.layers
N, STEPS, RELATIVE = 40, 6, 1e-5

HEAD = """\
modelspec: 1
inputs:
  word: {shape: [null], dtype: int32}
  pos: {shape: [null], dtype: int32}
layers:
  - {Embedding: {input_dim: 20, output_dim: 4, mask_zero: true}, name: WE, from: word}
  - {Embedding: {input_dim: 9, output_dim: 4, mask_zero: true}, name: PE, from: pos}
"""
TAIL = """\
losses: sparse_categorical_crossentropy
optimizer: {SGD: {learning_rate: 0.1}}
training: {epochs: 2, batch_size: 16, shuffle: false}
"""
CONCATENATED = (
    HEAD
    + """\
  - Concatenate:
    from: [WE, PE]
  - LSTM: {units: 3, return_sequences: true}
  - Dense: {units: 5, activation: softmax}
    name: OUT
outputs: OUT
"""
)
ADDED = (
    HEAD
    + """\
  - Add:
    from: [WE, PE]
  - GRU: {units: 3, return_sequences: true}
  - Dense: {units: 5, activation: softmax}
    name: OUT
outputs: OUT
"""
)
NAMES = {"WE": "we", "PE": "pe", "OUT": "tag"}


def arrays() -> dict[str, Any]:
    random = np.random.default_rng(0)
    real = np.arange(STEPS) < random.integers(2, STEPS + 1, (N, 1))
    word = np.where(real, random.integers(1, 20, (N, STEPS)), 0)
    return {"word": word, "pos": np.where(real, random.integers(1, 9, (N, STEPS)), 0)}


def by_hand(merge: Any, recurrent: Any) -> Any:
    word = keras.Input((None,), dtype="int32")
    pos = keras.Input((None,), dtype="int32")
    keras.utils.set_random_seed(0)
    read = layers.Embedding(20, 4, mask_zero=True)(word)
    tagged = layers.Embedding(9, 4, mask_zero=True)(pos)
    steps = recurrent(3, return_sequences=True)(merge()([read, tagged]))
    model = keras.Model([word, pos], layers.Dense(5, activation="softmax")(steps))
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("text", "hand", "names"),
    [
        (ADDED, (layers.Add, layers.GRU), {"WE": "logical_and", "OUT": "logical_or"}),
        *(
            pytest.param(text, hand, names, marks=pytest.mark.sweep)
            for text, hand, names in [
                (
                    CONCATENATED,
                    (layers.Concatenate, layers.LSTM),
                    {"WE": "not_equal", "OUT": "any"},
                ),
                (CONCATENATED, (layers.Concatenate, layers.LSTM), {}),
                (CONCATENATED, (layers.Concatenate, layers.LSTM), {"PE": "any"}),
                (CONCATENATED, (layers.Concatenate, layers.LSTM), {"OUT": "any"}),
                (
                    CONCATENATED,
                    (layers.Concatenate, layers.LSTM),
                    {"WE": "any_1", "OUT": "expand_dims"},
                ),
                (ADDED, (layers.Add, layers.GRU), {"PE": "not_equal_1", "OUT": "zeros_like"}),
            ]
        ),
    ],
)
def test_names_of_mask_operations(
    text: str, hand: tuple[Any, Any], names: dict[str, str], tmp_path: Path
) -> None:
    chosen = {**NAMES, **names}
    for placeholder, name in chosen.items():
        text = text.replace(placeholder, name)
    values = arrays()
    target = values["word"] % 5
    data = tmp_path / "data.npz"
    np.savez(data, **values, **{chosen["OUT"]: target})
    source = modelspec.loads(text + TAIL)
    assert source.check(data) == []

    keras.backend.clear_session()
    model = by_hand(*hand)
    history = model.fit(
        [values["word"], values["pos"]], target, 16, epochs=2, shuffle=False, verbose=0
    )
    keras.backend.clear_session()
    run = modelspec.train(source, data, run=tmp_path / "run")
    losses = [record["loss"] for record in run.history]
    assert losses == pytest.approx(history.history["loss"], rel=RELATIVE)

    summary = source.summary()
    rows = {row.name for row in summary.layers}
    assert {chosen["WE"], chosen["PE"], chosen["OUT"], "word", "pos"} <= rows
    assert all(set(row.sources) <= rows for row in summary.layers)
    loaded = keras.saving.load_model(run.model_path)
    expected = model.evaluate([values["word"], values["pos"]], target, verbose=0)
    evaluated = loaded.evaluate([values["word"], values["pos"]], target, verbose=0)
    assert evaluated == pytest.approx(expected, rel=1e-4)


def test_names_do_not_depend_on_what_the_process_made_before() -> None:
    def names() -> list[str]:
        model = modelspec.loads(CONCATENATED).build()
        return [operation.name for operation in model.operations]

    first = names()
    assert names() == first
    assert len(set(first)) == len(first)
