"""Three random models against plain Keras; ``make sweep`` takes thirty,
``make differential`` five hundred."""

import pytest
from differential import verdict

pytestmark = [pytest.mark.keras, pytest.mark.slow]


@pytest.mark.parametrize(
    "seed",
    [
        *range(3),
        *(pytest.param(seed, marks=pytest.mark.sweep) for seed in range(3, 30)),
    ],
)
def test_a_random_model_gives_keras_numbers(seed: int) -> None:
    result, problem = verdict(seed)
    assert result in ("equal", "rounding", "refused"), problem
