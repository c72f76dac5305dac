"""A batch script for Slurm that trains with several workers."""

import re
import shlex

from modelspec.results.launch import Launch

_BEFORE_THE_END = 120
"""The seconds before its time limit at which a job gets a signal: enough for a checkpoint."""

_TEMPLATE = """\
#!/bin/bash
# Edit: PARTITION. The folder and the program modelspec must be the same on all nodes.
#SBATCH --job-name={name}
#SBATCH --partition=PARTITION
#SBATCH --nodes={workers}
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --chdir={folder}
#SBATCH --output=%x-%j.log
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=TERM@{seconds}

set -u
# SIGTERM (preemption, or the end of the time) is for the workers: they save a checkpoint and exit
# with 130. The script waits for them. Submitted or queued again, it continues the run.
trap : TERM

restarts={restarts}
while true; do
    srun --ntasks={workers} --cpus-per-task="$SLURM_CPUS_ON_NODE" --distribution=block \\
        --kill-on-bad-exit=1 {command}
    code=$?
    case "$code" in
        0 | 2 | 3 | 130) exit "$code" ;;
    esac
    if [ "$restarts" -eq 0 ] || [ ! -e {record} ]; then
        exit "$code"
    fi
    restarts=$((restarts - 1))
    echo "a worker was lost; continuing from the last checkpoint" >&2
done
"""


def batch_script(launch: Launch) -> str:
    """Return a script for ``sbatch`` in which only the partition must be edited."""
    words = ["modelspec", *launch.command]
    return _TEMPLATE.format(
        name=re.sub(r"[^A-Za-z0-9_.-]+", "-", launch.name),
        workers=launch.workers,
        folder=shlex.quote(str(launch.folder)),
        seconds=_BEFORE_THE_END,
        restarts=launch.restarts,
        command=shlex.join(words),
        record=shlex.quote(str(launch.run / "run.json")),
    )
