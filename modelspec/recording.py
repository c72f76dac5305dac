"""What ``run.json`` says, kept true whatever happens to a run."""

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from modelspec.failures import RunError, RunInterrupted
from modelspec.run import Run

_DISTRIBUTIONS = ("keras-modelspec", "keras", "tensorflow", "numpy")


@contextmanager
def recorded(run: Run, facts: Mapping[str, Any]) -> Iterator[None]:
    """Write the status of a run as it goes: running, then completed, interrupted or failed.

    ``facts`` are what else the record holds. A run that goes on keeps its first ``started``.

    Raises:
        RunInterrupted: in place of KeyboardInterrupt.
        RunError: in place of OSError, where the folder could not be written.
    """
    before = run.record if run.exists() else {}
    run.update(
        status="running",
        **facts,
        versions={"python": platform.python_version(), **_versions()},
        started=before.get("started", _now()),
        resumed=[*before.get("resumed", []), _now()] if before else None,
        ended=None,
        error=None,
    )
    began = time.perf_counter()
    try:
        yield
    except KeyboardInterrupt as interrupt:
        _end(run, "interrupted")
        raise RunInterrupted(run.path) from interrupt
    except OSError as error:
        why = f"cannot write {error.filename or run.path}: {error.strerror or error}"
        _end(run, "failed", why)
        raise RunError(
            f"{why}; what was kept before is whole: free the way, and --resume"
        ) from error
    except BaseException as error:
        _end(run, "failed", str(error))
        raise
    seconds = before.get("seconds", 0.0) + round(time.perf_counter() - began, 3)
    run.update(status="completed", ended=_now(), seconds=seconds)


def _end(run: Run, status: str, why: str | None = None) -> None:
    # The disk may be what failed; what brought us here matters more.
    with suppress(OSError):
        run.update(status=status, ended=_now(), error=why)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in _DISTRIBUTIONS}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
