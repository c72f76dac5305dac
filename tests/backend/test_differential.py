"""Three random models against plain Keras; ``make sweep`` takes thirty,
``make differential`` five hundred."""

import pytest
from differential import verdict

pytestmark = [pytest.mark.keras, pytest.mark.slow]

SEEDS = (0, 1, 3)
"""Models whose float32 is equal: the others are trained a second time, in float64."""


@pytest.mark.parametrize(
    "seed",
    [
        *SEEDS,
        *(pytest.param(seed, marks=pytest.mark.sweep) for seed in range(30) if seed not in SEEDS),
    ],
)
def test_a_random_model_gives_keras_numbers(seed: int) -> None:
    result, problem = verdict(seed)
    assert result in ("equal", "rounding", "refused"), problem
