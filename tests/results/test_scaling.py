"""The prediction of steps of several workers, against arithmetic by hand and its page."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from modelspec.report.costs import cost_lines
from modelspec.results import scaling
from modelspec.results.costs import Costs, Exchange, LayerCosts, Measured

ROOT = Path(__file__).parents[2]
NETWORK = scaling.Network("wire", latency=1e-3, bandwidth=1e6)
EXCHANGE = Exchange(summed=8_000, gathered_per_sample=100, sums=2, gathers=1)
LAYER = LayerCosts("dense", flops=10**9, training_flops=3 * 10**9, activations=0)
COSTS = Costs("model", 10, {}, (LAYER,), 8_000, 8_000, None, exchange=EXCHANGE)


@pytest.fixture(autouse=True)
def _constants(monkeypatch: pytest.MonkeyPatch) -> None:
    constants = {"PER_OPERATION": 0.01, "PER_MESSAGE": 1e-3, "PER_BYTE": 1e-6, "SHORT": 15_999}
    for name, value in constants.items():
        monkeypatch.setattr(scaling, name, value)


def test_a_ring_by_hand() -> None:
    """Four workers: six messages a sum, three a gather; ten rows are filled up to twelve."""
    operations = 3 * 0.01
    messages = (2 * 6 + 3) * 2e-3
    sent = (8_000 * 2 * 3 / 4 + 12 * 100 * 3 / 4) * 2e-6
    seconds = scaling.communication(EXCHANGE, 10, 4, NETWORK)
    assert seconds == pytest.approx(operations + messages + sent)
    assert scaling.communication(EXCHANGE, 10, 1, NETWORK) == 0


def test_short_sums_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sums of 4,000 bytes from each of four workers: three messages a sum."""
    monkeypatch.setattr(scaling, "SHORT", 16_000)
    messages = (2 * 3 + 3) * 2e-3
    sent = (8_000 * 3 + 12 * 100 * 3 / 4) * 2e-6
    seconds = scaling.communication(EXCHANGE, 10, 4, NETWORK)
    assert seconds == pytest.approx(3 * 0.01 + messages + sent)


def test_the_largest_share_of_the_rows_is_computed() -> None:
    step = scaling.predict(COSTS, 4, NETWORK)
    assert step.computing == pytest.approx(3 * 3e9 / scaling.FLOPS)
    assert step.alone == pytest.approx(10 * 3e9 / scaling.FLOPS)
    assert step.speed_up == pytest.approx(step.alone / (step.computing + step.communicating))
    assert step.share == pytest.approx(step.communicating / step.seconds)


def test_a_measured_speed_is_preferred() -> None:
    step = scaling.predict(replace(COSTS, measured=Measured(10, 0.5)), 5, NETWORK)
    assert step.computing == pytest.approx(2 * 0.5)


def test_one_worker_exchanges_nothing() -> None:
    step = scaling.predict(COSTS, 1, NETWORK)
    assert (step.share, step.speed_up) == (0, 1)


def test_every_network_has_a_line() -> None:
    first, *lines = list(cost_lines(replace(COSTS, workers=4)))[2:]
    assert first.startswith("4 workers sum 8.0 KB of gradients and gather 1.0 KB in a step of 10")
    assert [line.split(":")[0].strip() for line in lines] == [
        network.name for network in scaling.NETWORKS
    ]
    assert len(list(cost_lines(COSTS))) == 2


def test_json_has_the_figures_of_the_lines() -> None:
    data = scaling.predictions_json(COSTS, 4)
    assert (data["count"], data["summed_bytes"], data["gathered_bytes"]) == (4, 8_000, 1_200)
    step = scaling.predict(COSTS, 4, scaling.NETWORKS[0])
    assert data["networks"][0]["seconds"] == step.seconds
    assert data["networks"][0]["share"] == step.share


def test_the_page_has_the_predictions_of_the_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "benchmarks"))
    import scale_text

    sys.modules.pop("scale_text")
    page = (ROOT / "modelspec" / "SCALE.md").read_text(encoding="utf-8")
    assert scale_text.prediction_table() in page, "run `make scale`"
