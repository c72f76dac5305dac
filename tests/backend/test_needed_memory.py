"""The memory that training needs is what Keras allocates."""

import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from modelspec.backend.model.needed_memory import need_above, refuse_need, weights_within
from modelspec.backend.model.symbols import symbols_only
from modelspec.problems.errors import ModelError
from modelspec.storage.memory import free_memory, limit_of, total_memory

pytestmark = pytest.mark.keras

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {},
    "Adam": {"amsgrad": True},
    "RMSprop": {"momentum": 0.5, "use_ema": True, "ema_momentum": 0.5},
}


def model_of(frozen: int = 0) -> Any:
    inputs = keras.Input((5,))
    first = keras.layers.Dense(7, trainable=not frozen)(inputs)
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.BatchNormalization()(first)))


@pytest.mark.parametrize("frozen", [0, 1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_need_is_what_keras_allocates(name: str, frozen: int) -> None:
    def optimizer() -> Any:
        return getattr(keras.optimizers, name)(**OPTIMIZERS[name])

    with symbols_only():
        symbols = model_of(frozen)
    need = need_above(1, symbols, optimizer)
    assert need is not None
    real = model_of(frozen)
    real.compile(optimizer(), "mse")
    real.fit(np.ones((4, 5)), np.ones(4), verbose=0)
    kept = [variable for variable in real.optimizer.variables if len(variable.shape)]
    assert need.weights == 4 * real.count_params()
    assert need.gradients == 4 * sum(np.prod(weight.shape) for weight in real.trainable_weights)
    assert need.optimizer == 4 * sum(np.prod(variable.shape) for variable in kept)
    assert need_above(need.total, real, optimizer) is None
    refuse_need(real, optimizer, need.total - need.weights)
    with pytest.raises(ModelError, match=r"training needs .*, gradients .* are free"):
        refuse_need(real, optimizer, need.total - need.weights - 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.layers.Dense(50),
        lambda: keras.layers.LSTM(11),
        lambda: keras.layers.Bidirectional(keras.layers.GRU(9)),
        lambda: keras.layers.MultiHeadAttention(2, 3),
    ],
)
def test_no_weights_are_made_beyond_a_limit(make: Any) -> None:
    before = keras.Layer.add_weight
    needed = 4 * int(called(make()).count_params())
    with weights_within(needed):
        called(make())
    with weights_within(needed - 1), pytest.raises(MemoryError, match="are free"):
        called(make())
    with weights_within(None):
        called(make())
    assert keras.Layer.add_weight is before


def called(layer: Any) -> Any:
    """Return a layer that was called on a sequence; attention on two."""
    inputs = keras.Input((3, 4))
    layer(*([inputs] * (2 if isinstance(layer, keras.layers.MultiHeadAttention) else 1)))
    return layer


def test_the_memory_of_the_machine() -> None:
    total, free = total_memory(), free_memory()
    assert total is not None
    assert free is not None
    assert 0 < free < total <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_the_cache_of_files_is_free(tmp_path: Path) -> None:
    assert limit_of(tmp_path) is None
    for name, text in {
        "memory.max": "1000\n",
        "memory.current": "900\n",
        "memory.stat": "anon 200\nfile 700\nactive_file 300\ninactive_file 350\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="ascii")
    assert limit_of(tmp_path) == (1000, 250)
    (tmp_path / "memory.max").write_text("max\n", encoding="ascii")
    assert limit_of(tmp_path) is None
