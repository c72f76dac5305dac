"""The variables of a Slurm job step as the addresses of workers.

``STEP`` has the values that Slurm 22.05 gave to task 2 of a step on four nodes.
"""

import pytest

from modelspec.cluster.cluster import Cluster, config_text, from_environment
from modelspec.cluster.slurm import expand_counts, expand_nodes, unused_tasks
from modelspec.problems.errors import RunError

STEP = {
    "SLURMD_NODENAME": "node02",
    "SLURM_DISTRIBUTION": "block",
    "SLURM_JOB_ID": "41",
    "SLURM_JOB_NODELIST": "node[01-03,07]",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "1",
    "SLURM_NTASKS": "5",
    "SLURM_PROCID": "2",
    "SLURM_STEP_ID": "3",
    "SLURM_STEP_NODELIST": "node[01-03,07]",
    "SLURM_STEP_NUM_NODES": "4",
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_STEP_TASKS_PER_NODE": "2,1(x3)",
    "SLURM_TASKS_PER_NODE": "2,1(x3)",
}
FIRST = 10_000 + 64 * 41 + 3


def test_a_task_of_a_step_is_a_worker() -> None:
    hosts = ("node01", "node01", "node02", "node03", "node07")
    ports = (FIRST, FIRST + 1, FIRST, FIRST, FIRST)
    addresses = tuple(f"{host}:{port}" for host, port in zip(hosts, ports, strict=True))
    assert from_environment(STEP) == Cluster(addresses, 2)


def test_cyclic_tasks_are_where_slurm_puts_them() -> None:
    step = STEP | {"SLURM_DISTRIBUTION": "cyclic", "SLURMD_NODENAME": "node03"}
    cluster = from_environment(step)
    assert cluster is not None
    hosts = [address.partition(":")[0] for address in cluster.addresses]
    assert hosts == ["node01", "node02", "node03", "node07", "node01"]


def test_reserved_ports_are_used() -> None:
    cluster = from_environment(STEP | {"SLURM_STEP_RESV_PORTS": "12000-12001,12005"})
    assert cluster is not None
    assert cluster.addresses[:3] == ("node01:12000", "node01:12001", "node02:12000")


@pytest.mark.parametrize("job", [7, 1_234_567, 99_999_999_999])
def test_ports_of_jobs_side_by_side_differ(job: int) -> None:
    ports = []
    for number in (job, job + 1):
        cluster = from_environment(STEP | {"SLURM_JOB_ID": str(number)})
        assert cluster is not None
        ports += [int(address.rpartition(":")[2]) for address in cluster.addresses[:2]]
    assert len(set(ports)) == 4
    assert all(10_000 <= port < 30_000 for port in ports)


def test_a_cluster_of_the_user_is_preferred() -> None:
    two = ("10.0.0.1:2222", "10.0.0.2:2222")
    assert from_environment(STEP | {"TF_CONFIG": config_text(two, 1)}) == Cluster(two, 1)


def test_a_single_task_and_a_batch_script_are_no_cluster() -> None:
    script = {name: value for name, value in STEP.items() if not name.startswith("SLURM_STEP")}
    assert from_environment(STEP | {"SLURM_STEP_NUM_TASKS": "1"}) is None
    assert from_environment(script) is None
    assert [unused_tasks(names) for names in (script, STEP, {})] == [5, 0, 0]


@pytest.mark.parametrize(
    ("text", "nodes"),
    [
        ("login", ["login"]),
        ("n[1-2],m5,o[3-4,6]", ["n1", "n2", "m5", "o3", "o4", "o6"]),
        ("node[08-10]", ["node08", "node09", "node10"]),
        ("n[8-11]", ["n8", "n9", "n10", "n11"]),
        ("r[1-2]n[01-02]-ib", ["r1n01-ib", "r1n02-ib", "r2n01-ib", "r2n02-ib"]),
    ],
)
def test_lists_of_nodes(text: str, nodes: list[str]) -> None:
    assert expand_nodes(text) == nodes


@pytest.mark.parametrize("text", ["", ",", "n[1-", "n[2-1]", "n[a]", "n[]", "a,,b", "n[1]]", "[["])
def test_what_is_no_list_of_nodes_is_refused(text: str) -> None:
    with pytest.raises(RunError, match="is not a list of Slurm's nodes"):
        expand_nodes(text)


@pytest.mark.parametrize("text", ["", "x", "2(x", "2(x3", "-1", "1,,2", "2(3)"])
def test_what_is_no_list_of_counts_is_refused(text: str) -> None:
    with pytest.raises(RunError, match="is not a list of Slurm's numbers of tasks"):
        expand_counts(text)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"SLURM_PROCID": ""}, "SLURM_PROCID is not set"),
        ({"SLURM_PROCID": "x"}, "SLURM_PROCID=x is not a number"),
        ({"SLURM_PROCID": "5"}, "no worker 5 among the 5 of the Slurm job step"),
        ({"SLURM_STEP_NODELIST": ""}, "SLURM_STEP_NODELIST is not set"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2,1(x2)"}, "does not divide 5 tasks among 4 nodes"),
        ({"SLURM_STEP_TASKS_PER_NODE": "2(x4)"}, "does not divide 5 tasks among 4 nodes"),
        ({"SLURMD_NODENAME": "node07"}, "runs task 2 on node07 and not on node02"),
        ({"SLURM_STEP_RESV_PORTS": "12000"}, "fewer ports than a node has tasks"),
        ({"SLURM_STEP_ID": ""}, "SLURM_STEP_ID is not set"),
    ],
)
def test_a_step_that_contradicts_itself_is_explained(changed: dict[str, str], said: str) -> None:
    with pytest.raises(RunError, match=said):
        from_environment(STEP | changed)
