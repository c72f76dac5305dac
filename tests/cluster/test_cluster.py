"""TF_CONFIG as the addresses of workers."""

import json

import pytest

from modelspec.cluster.cluster import Cluster, config_text, from_environment
from modelspec.problems.errors import RunError

TWO = ("10.0.0.1:2222", "10.0.0.2:2222")


@pytest.mark.parametrize("index", [0, 1])
def test_the_written_config_is_read_again(index: int) -> None:
    assert from_environment({"TF_CONFIG": config_text(TWO, index)}) == Cluster(TWO, index)


def test_a_chief_is_the_first_worker() -> None:
    cluster = {"chief": [TWO[0]], "worker": [TWO[1]]}
    for kind, index in (("chief", 0), ("worker", 1)):
        config = {"cluster": cluster, "task": {"type": kind, "index": 0}}
        assert from_environment({"TF_CONFIG": json.dumps(config)}) == Cluster(TWO, index)


@pytest.mark.parametrize("environment", [{}, {"TF_CONFIG": ""}, {"TF_CONFIG": "  "}])
def test_no_config_is_no_cluster(environment: dict[str, str]) -> None:
    assert from_environment(environment) is None


def test_one_worker_is_no_cluster() -> None:
    assert from_environment({"TF_CONFIG": config_text(TWO[:1], 0)}) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "must be"),
        ("{}", "must be"),
        ('{"cluster": {"worker": 3}, "task": {"type": "worker", "index": 0}}', "must be"),
        (config_text(TWO, 2), "no worker 2"),
        (config_text((TWO[0], TWO[0]), 0), "the same address"),
        (config_text((TWO[0], "10.0.0.2"), 0), "not HOST:PORT"),
        (config_text((TWO[0], "10.0.0.2:70000"), 0), "not HOST:PORT"),
        (config_text(TWO, 0).replace('"type": "worker"', '"type": "ps"'), "'ps'"),
    ],
)
def test_a_wrong_config_is_explained(text: str, said: str) -> None:
    with pytest.raises(RunError, match=said):
        from_environment({"TF_CONFIG": text})
