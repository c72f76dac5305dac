"""The properties of a machine that affect the last digits of a run."""

import os
from collections.abc import Mapping

_VARIABLES = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
    "OMP_NUM_THREADS",
)

Machine = Mapping[str, str | int]


def machine() -> Machine:
    """Return the processors that this process may use, and the variables that TensorFlow reads.

    Sums are divided among threads, so that another number of threads rounds differently.
    """
    processors = len(os.sched_getaffinity(0))
    return {"processors": processors} | {
        name: os.environ[name] for name in _VARIABLES if name in os.environ
    }


def difference(then: Machine, now: Machine) -> str:
    """Describe the differences between two machines; empty where there are none."""
    names = dict.fromkeys((*then, *now))
    return ", ".join(
        f"{name} was {then.get(name, 'not set')} and is {now.get(name, 'not set')}"
        for name in names
        if then.get(name) != now.get(name)
    )
