"""The addresses of the workers of a Slurm job step, from the variables that ``srun`` sets.

The rules are those of TensorFlow's ``SlurmClusterResolver``, which is not used for three reasons.
The workers compare themselves before TensorFlow is imported. The resolver needs ``nvidia-smi``. And
it sorts nodes as text, so that the first task of ``node[8-10]`` would be expected on ``node10``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from modelspec.problems.errors import RunError

_TASKS, _RANK = "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"
_NODES, _PER_NODE = "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE"
_RESERVED, _DISTRIBUTION = "SLURM_STEP_RESV_PORTS", "SLURM_DISTRIBUTION"

_FIRST_PORT, _PORTS = 10_000, 20_000  # below the ports that Linux uses for connections
_PORTS_OF_JOB = 64


STEP = "the Slurm job step"


def task_addresses(environment: Mapping[str, str]) -> tuple[list[str], int] | None:
    """Return the addresses HOST:PORT of the tasks of the job step, and the number of this task.

    Return None outside of a job step, or in one with a single task. A port is one of ``srun
    --resv-ports``, or is computed from the numbers of the job and the step, so that two jobs can
    share a node.

    Raises:
        RunError: The variables are incomplete, or contradict each other.
    """
    if not environment.get(_TASKS):
        return None
    count, rank = _number(environment, _TASKS), _number(environment, _RANK)
    if count == 1:
        return None
    nodes = expand_nodes(_value(environment, _NODES))
    tasks = expand_counts(_value(environment, _PER_NODE))
    if len(nodes) != len(tasks) or sum(tasks) != count:
        raise RunError(
            f"{_PER_NODE}={environment[_PER_NODE]} does not divide {count} tasks among "
            f"{len(nodes)} nodes ({_NODES}={environment[_NODES]})"
        )
    placed = list(_places(tasks, environment.get(_DISTRIBUTION, "block")))
    ports = _ports(environment, max(tasks))
    if rank < count:
        _check_place(environment, nodes[placed[rank][0]])
    return [f"{nodes[node]}:{ports[local]}" for node, local in placed], rank


def unused_tasks(environment: Mapping[str, str]) -> int:
    """Count the tasks of a Slurm job whose script started this process without ``srun``."""
    tasks = environment.get("SLURM_NTASKS", "")
    outside = "SLURM_JOB_ID" in environment and _TASKS not in environment
    return int(tasks) if outside and tasks.isdecimal() else 0


def expand_nodes(text: str) -> list[str]:
    """Return the names in a list of nodes: ``n[08-10,12],login`` is n08, n09, n10, n12 and login.

    Raises:
        RunError: The text is not a list of nodes.
    """
    parts = re.findall(r"(?:[^,\[\]]|\[[^\[\]]*\])+", text)
    if not parts or ",".join(parts) != text:
        raise RunError(f"{text!r} is not a list of Slurm's nodes")
    return [name for part in parts for name in _names(part, text)]


def expand_counts(text: str) -> list[int]:
    """Return the numbers of tasks by node: ``3(x2),1`` is 3, 3, 1.

    Raises:
        RunError: The text is not a list of numbers.
    """
    counts: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,6})(?:\(x([0-9]{1,6})\))?", part)
        if match is None:
            raise RunError(f"{text!r} is not a list of Slurm's numbers of tasks")
        counts += [int(match[1])] * int(match[2] or 1)
    return counts


def _names(part: str, text: str) -> Iterator[str]:
    """Yield the names in one part of a list, which may have several ranges."""
    pieces = re.split(r"\[([^\]]*)\]", part)
    choices = [_range(piece, text) if place % 2 else [piece] for place, piece in enumerate(pieces)]
    return map("".join, product(*choices))


def _range(piece: str, text: str) -> list[str]:
    """Return numbers with the leading zeros of the first number in a range."""
    numbers: list[str] = []
    for span in piece.split(","):
        match = re.fullmatch(r"([0-9]{1,9})(?:-([0-9]{1,9}))?", span)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise RunError(f"{text!r} is not a list of Slurm's nodes: {span!r} is not a range")
        first, last = int(match[1]), int(match[2] or match[1])
        numbers += [str(number).zfill(len(match[1])) for number in range(first, last + 1)]
    return numbers


def _places(tasks: Sequence[int], distribution: str) -> Iterator[tuple[int, int]]:
    """Yield the node of each task and its place there, in the order of the tasks."""
    slots = [(node, local) for node, count in enumerate(tasks) for local in range(count)]
    if distribution.startswith("cyclic"):
        slots.sort(key=lambda slot: (slot[1], slot[0]))
    return iter(slots)


def _check_place(environment: Mapping[str, str], node: str) -> None:
    """Compare the node of this task with the one on which it runs."""
    here = environment.get("SLURMD_NODENAME", node)
    if here != node:
        raise RunError(
            f"Slurm runs task {environment[_RANK]} on {here} and not on {node}, where its "
            f"distribution {environment.get(_DISTRIBUTION, 'block')!r} places it: "
            "start the workers with srun --distribution=block"
        )


def _ports(environment: Mapping[str, str], wanted: int) -> list[int]:
    """Return the ports of the tasks of one node."""
    if reserved := environment.get(_RESERVED):
        ports = [int(port) for port in _range(reserved, reserved)]
        if len(ports) < wanted:
            raise RunError(f"{_RESERVED}={reserved} has fewer ports than a node has tasks")
        return ports
    job = _number(environment, "SLURM_JOB_ID")
    step = _number(environment, "SLURM_STEP_ID")
    start = (_PORTS_OF_JOB * job + step) % _PORTS
    return [_FIRST_PORT + (start + local) % _PORTS for local in range(wanted)]


def _value(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "")
    if not value:
        raise RunError(f"{name} is not set, which srun sets for every task of a job step")
    return value


def _number(environment: Mapping[str, str], name: str) -> int:
    value = _value(environment, name)
    if not re.fullmatch(r"[0-9]{1,12}", value):
        raise RunError(f"{name}={value} is not a number")
    return int(value)
