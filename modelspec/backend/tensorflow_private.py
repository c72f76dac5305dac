"""The private parts of TensorFlow that modelspec uses: one function for each part.

All exist in TensorFlow 2.18 to 2.21. ``tests/backend/test_private_api.py`` compares each with
public behaviour. Workers start TensorFlow before Keras, so this module does not import Keras.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

import tensorflow as tf

from modelspec.problems.errors import ModelError

_SEEDS, _OPS = (
    "tensorflow.python.ops.random_ops_util",
    "tensorflow.python.ops.gen_stateless_random_ops_v2",
)
_KEY, _UNIFORM, _BITS = (
    "get_key_counter_alg",
    "stateless_random_uniform_v2",
    "stateless_random_uniform_full_int_v2",
)
_STRATEGY = "tensorflow.python.distribute.collective_all_reduce_strategy"
_STRATEGY_PARTS = "CollectiveAllReduceExtended", "_check_health_interval"
_CONTEXT = "tensorflow.python.eager.context"
_ABORT = "Context", "abort_collective_ops"


@cache
def missing_random_part() -> str | None:
    """Return the part of ``replaced_random`` that TensorFlow lacks; None where it has all parts."""
    for module, name in ((_SEEDS, _KEY), (_OPS, _UNIFORM), (_OPS, _BITS)):
        try:
            getattr(import_module(module), name)
        except (ImportError, AttributeError):
            return f"{module}.{name}"
    return None


@contextmanager
def replaced_random(
    key_of: Callable[[Any], Any], uniform: Callable[[Any, Any], Any]
) -> Iterator[None]:
    """Replace TensorFlow's functions that make a key of a seed and that draw uniform numbers.

    Args:
        key_of: Gets ``random_ops_util.get_key_counter_alg`` and returns another.
        uniform: Gets ``stateless_random_uniform_v2`` and ``stateless_random_uniform_full_int_v2``
            of ``gen_stateless_random_ops_v2``, and returns another of the first.
    """
    seeds: Any = import_module(_SEEDS)
    ops: Any = import_module(_OPS)
    originals = getattr(seeds, _KEY), getattr(ops, _UNIFORM)
    setattr(seeds, _KEY, key_of(originals[0]))
    setattr(ops, _UNIFORM, uniform(originals[1], getattr(ops, _BITS)))
    try:
        yield
    finally:
        setattr(seeds, _KEY, originals[0])
        setattr(ops, _UNIFORM, originals[1])


def check_peers_every(seconds: int) -> None:
    """Make workers check each other after that many seconds, in place of 30.

    It applies to strategies that are created later.
    ``CollectiveAllReduceExtended._check_health_interval``.

    Raises:
        ModelError: TensorFlow lacks the part, so a lost worker would not be noticed in time.
    """
    owner, name = _STRATEGY_PARTS
    extended = _part_for_workers(_STRATEGY, owner)
    _part_for_workers(_STRATEGY, owner, name)
    setattr(extended, name, seconds)


def collective_abort() -> Callable[[str], None]:
    """Return a function that makes all collective operations of this process fail, also later ones.

    They raise ``UnavailableError`` with the text that it gets. ``Context.abort_collective_ops``,
    which TensorFlow calls where a worker does not answer.

    Raises:
        ModelError: TensorFlow lacks the part, so workers would wait for one that hangs.
    """
    _part_for_workers(_CONTEXT, *_ABORT)
    context: Any = import_module(_CONTEXT)
    return lambda text: context.context().abort_collective_ops(tf.errors.UNAVAILABLE, text)


def _part_for_workers(module: str, *names: str) -> Any:
    try:
        part: Any = import_module(module)
        for name in names:
            part = getattr(part, name)
    except (ImportError, AttributeError):
        raise ModelError(
            f"TensorFlow {tf.__version__} has no {'.'.join((module, *names))}, which training with "
            "several workers needs: install a version from 2.18 to 2.21"
        ) from None
    return part
