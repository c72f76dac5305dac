"""Thirty random models against plain Keras; ``make differential`` takes five hundred."""

import pytest
from differential import verdict

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("seed", range(30))
def test_a_random_model_gives_keras_numbers(seed: int) -> None:
    found, problem = verdict(seed)
    assert found in ("equal", "rounding", "refused"), problem
