"""A larger stack for Keras, which recurses once for each layer of a graph."""

import sys
import threading
from collections.abc import Callable
from typing import TypeVar

STACK_BYTES = 512 * 2**20
RECURSION_LIMIT = 1_000_000

T = TypeVar("T")


def with_deep_stack(function: Callable[[], T]) -> T:
    """Call ``function`` in a thread with a large stack, and return its result or raise its error.

    A chain of 1,000 residual blocks raises RecursionError under Python's usual limit.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised again by the caller's thread
            errors.append(error)

    limit, size = sys.getrecursionlimit(), threading.stack_size(STACK_BYTES)
    sys.setrecursionlimit(RECURSION_LIMIT)
    try:
        thread = threading.Thread(target=work, name="modelspec-deep", daemon=True)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
    if errors:
        raise errors[0]
    return results[0]
