import pytest
from fuzz import run

pytestmark = [pytest.mark.keras, pytest.mark.slow]

CASES = 300


@pytest.mark.sweep
def test_every_mutation_is_answered() -> None:
    report = run(CASES, seed=20)
    assert report.failures == []
    assert report.cases == CASES
    # Mutations that change nothing, or that nobody minds, would make this an idle test.
    assert report.clean < CASES / 2
    assert len(report.codes) >= 30


def test_a_case_is_told_by_its_seed() -> None:
    assert run(5, seed=3).codes == run(5, seed=3).codes
