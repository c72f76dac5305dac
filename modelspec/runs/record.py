"""The status in ``run.json``, kept correct until the run ends."""

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from modelspec.problems.errors import ResumableError, RunError, RunInterrupted
from modelspec.runs.run import Run
from modelspec.storage.installed import installed_version

ALL_EPOCHS = "all epochs"
INTERRUPTED = "interrupted"

_DISTRIBUTIONS = ("keras-modelspec", "keras", "tensorflow", "numpy")


@contextmanager
def recorded(run: Run, facts: Mapping[str, Any]) -> Iterator[None]:
    """Write the status of a run while it runs: running, then completed, interrupted or failed.

    ``facts`` are the other values of the record. A resumed run keeps its first ``started``.

    Raises:
        RunInterrupted: In place of KeyboardInterrupt.
        RunError: In place of OSError, where the folder cannot be written.
    """
    before = run.record if run.exists() else {}
    run.update(
        status="running",
        **facts,
        versions={"python": platform.python_version(), **versions()},
        started=before.get("started", _now()),
        resumed=[*before.get("resumed", []), _now()] if before else None,
        ended=None,
        end_reason=None,
        error=None,
    )
    began = time.perf_counter() - before.get("seconds", 0.0)

    def end(status: str, **more: str) -> None:
        seconds = round(time.perf_counter() - began, 3)
        run.update(status=status, ended=_now(), seconds=seconds, **more)

    try:
        yield
    except KeyboardInterrupt as interrupt:
        with suppress(OSError):
            end("interrupted", end_reason=INTERRUPTED)
        raise RunInterrupted(run.path) from interrupt
    except OSError as error:
        why = f"cannot write {error.filename or run.path}: {error.strerror or error}"
        with suppress(OSError):
            end("failed", error=why)
        if not run.path.exists():
            raise RunError(f"{why}; the run's folder was deleted") from error
        raise ResumableError(why, run.path) from error
    except BaseException as error:
        with suppress(OSError):
            end("failed", error=str(error))
        raise
    end("completed")


def versions() -> dict[str, str]:
    """Return the versions of the packages that affect results, by name."""
    return {name: installed_version(name) for name in _DISTRIBUTIONS}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
