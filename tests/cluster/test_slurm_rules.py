"""Our reading of Slurm's variables against TensorFlow's ``SlurmClusterResolver``."""

import pytest
import tensorflow as tf

from modelspec.cluster.cluster import Cluster, from_environment

pytestmark = pytest.mark.keras

# A job of this number gets ports from here on.
JOB, FIRST = "41", 10_000 + 64 * 41 + 3


@pytest.mark.parametrize(
    ("nodes", "tasks", "count"),
    [("node[01-03,07]", "2,1(x3)", 5), ("a,b[1-3]", "4(x2),1(x2)", 10), ("login", "3", 3)],
)
def test_the_rules_are_those_of_tensorflow(
    monkeypatch: pytest.MonkeyPatch, nodes: str, tasks: str, count: int
) -> None:
    """Nodes whose names are sorted as text, the only order that TensorFlow supports."""
    step = {
        "SLURM_PROCID": str(count - 1),
        "SLURM_STEP_NUM_TASKS": str(count),
        "SLURM_STEP_NODELIST": nodes,
        "SLURM_STEP_TASKS_PER_NODE": tasks,
        "SLURM_JOB_ID": JOB,
        "SLURM_STEP_ID": "3",
    }
    for name, value in step.items():
        monkeypatch.setenv(name, value)
    resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
        port_base=FIRST, gpus_per_node=1_000, gpus_per_task=1, auto_set_gpu=False
    )
    listed = tuple(resolver.cluster_spec().as_dict()["worker"])
    assert from_environment(step) == Cluster(listed, resolver.task_id)
