"""Several workers on this machine: started, watched, ended together, and started again."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from modelspec.cluster.cluster import LOCAL, TF_CONFIG, config_text
from modelspec.cluster.cores import divide, starting_on, usable_cores
from modelspec.cluster.pulse import HANGS, PULSE, SILENCE
from modelspec.cluster.stopping import stopping_signals
from modelspec.problems.errors import RunError
from modelspec.storage.regular import open_regular

WORKER_LOGS = "workers"
"""The folder, inside that of the run, of the logs of all workers but the first."""

INTERRUPTED = 130
FAILED = 1
_GRACE = 20.0
"""The seconds in which workers must end after the first of them ended."""

_THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")


@dataclass(slots=True)
class _Worker:
    index: int
    process: subprocess.Popen[bytes]
    pulse: int  # the reading end of a pipe
    heard: float = field(default_factory=time.monotonic)
    hangs: bool = False

    @property
    def log(self) -> str:
        return f"{WORKER_LOGS}/{self.index}.log in the run's folder"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of the workers: the exit code of the command, and a sentence if one failed."""

    code: int
    reason: str = ""
    lost: bool = False  # a worker was killed or hung, and the rest may be started again


def run_workers(
    command: Sequence[str],
    count: int,
    folder: Path,
    environment: Mapping[str, str] = os.environ,
    text: str = "",
) -> Outcome:
    """Run a command as ``count`` workers on loopback, until all have ended.

    Each has its own cores, if there are enough.

    Args:
        command: The arguments of this program, which every worker gets.
        count: The number of workers.
        folder: The folder for the logs of all workers but the first, as ``workers/N.log``.
        environment: Variables for the workers, besides ``TF_CONFIG``.
        text: The standard input of every worker.
    """
    logs = folder / WORKER_LOGS
    try:
        logs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot create {logs}: {error.strerror}") from error
    if logs.is_symlink():
        raise RunError(f"{logs} is a link: a run's folder holds files and folders only")
    addresses = [f"{LOCAL}:{port}" for port in free_ports(count)]
    cores = usable_cores()
    threads = str(max(1, len(cores) // count))
    shared = dict.fromkeys(_THREADS, threads) | dict(environment)
    workers: list[_Worker] = []
    try:
        for index, own_cores in enumerate(divide(cores, count)):
            own = shared | {TF_CONFIG: config_text(addresses, index)}
            with starting_on(own_cores):
                workers.append(_started(command, index, own, logs, text))
        with _passing_signals(workers) as asked:
            return _watch(workers, asked)
    finally:
        for worker in workers:
            _end(worker)


def _started(
    command: Sequence[str], index: int, environment: Mapping[str, str], logs: Path, text: str
) -> _Worker:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with contextlib.ExitStack() as files:
        log: IO[bytes] | None = None
        if index:
            path, flags = logs / f"{index}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND
            log = files.enter_context(open(open_regular(path, flags), "ab"))  # noqa: PTH123
        # A file, because a pipe is smaller than a long spec, and the worker may end before it
        # reads.
        standard_input = files.enter_context(tempfile.TemporaryFile())
        standard_input.write(text.encode())
        standard_input.seek(0)
        process = subprocess.Popen(  # noqa: S603 - this program itself
            [sys.executable, "-P", "-m", "modelspec", *command],
            env=dict(environment) | {PULSE: str(writing), "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[writing],
            stdin=standard_input,
            stdout=log,
            stderr=log,
            process_group=0,  # a terminal sends Ctrl-C only to this process, which passes it on
        )
    os.close(writing)
    return _Worker(index, process, reading)


def _watch(workers: Sequence[_Worker], asked: Collection[int]) -> Outcome:
    """Wait until all workers have ended, or one has failed and the others were ended.

    ``asked`` are the signals that the workers were sent, which may end one that is still starting.
    """
    pending = list(workers)
    codes: list[int] = []
    while pending:
        _hear(pending)
        for worker in [worker for worker in pending if worker.process.poll() is not None]:
            pending.remove(worker)
            code = worker.process.returncode
            codes.append(INTERRUPTED if -code in asked else code)
            if codes[-1] not in (0, INTERRUPTED):
                return _after(worker, pending)
        if reason := _hang(pending):
            for other in pending:
                other.process.kill()
            return Outcome(FAILED, f"{reason}; all workers were ended", lost=True)
    return Outcome(max(codes, default=0))


def _hang(workers: Sequence[_Worker]) -> str:
    """Say which worker hangs; nothing if none does."""
    hanging = [str(worker.index) for worker in workers if worker.hangs]
    if hanging:
        return f"worker {' and worker '.join(hanging)} did nothing, while the others waited"
    now = time.monotonic()
    for worker in workers:
        if now - worker.heard > SILENCE:
            return f"worker {worker.index} has not answered for {SILENCE:g} seconds"
    return ""


def _after(first: _Worker, others: Sequence[_Worker]) -> Outcome:
    """End the other workers after one failed, and name the one that caused it."""
    end = time.monotonic() + _GRACE
    blamed, hanging = first, None
    for worker in others:
        try:
            worker.process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            hanging = worker
        else:
            # A killed worker is the reason why the others lost their connection.
            if worker.process.returncode < 0 <= blamed.process.returncode:
                blamed = worker
        _end(worker)
    code = blamed.process.returncode
    if code < 0:
        name = signal.Signals(-code).name
        return Outcome(FAILED, f"worker {blamed.index} was ended by {name}", lost=True)
    if hanging is not None:
        return Outcome(FAILED, f"worker {hanging.index} did not answer and was ended", lost=True)
    chief = next((worker for worker in (first, *others) if worker.index == 0), None)
    if chief is not None and chief.process.returncode > 0:
        return Outcome(chief.process.returncode)  # it has printed why
    return Outcome(FAILED, f"worker {blamed.index} ended with exit code {code}; see {blamed.log}")


def _hear(workers: Sequence[_Worker]) -> None:
    """Wait a moment for signs of life, and note the workers that sent one."""
    by_pipe = {worker.pulse: worker for worker in workers}
    ready, _, _ = select.select(list(by_pipe), [], [], 0.1)
    for pipe in ready:
        if signs := os.read(pipe, 1 << 16):
            by_pipe[pipe].heard = time.monotonic()
            by_pipe[pipe].hangs |= HANGS in signs
        else:
            time.sleep(0.05)  # its writing end is closed: the process is about to end


def _end(worker: _Worker) -> None:
    if worker.process.poll() is None:
        worker.process.kill()
        worker.process.wait()
    if worker.pulse >= 0:
        os.close(worker.pulse)
        worker.pulse = -1


def free_ports(count: int) -> list[int]:
    """Return unused ports of loopback."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in sockets:
            listener.bind((LOCAL, 0))
        return [listener.getsockname()[1] for listener in sockets]


@contextlib.contextmanager
def _passing_signals(workers: Sequence[_Worker]) -> Iterator[Collection[int]]:
    """Pass Ctrl-C, SIGTERM and SIGHUP to the workers; yield the signals that were passed so far."""
    asked: set[int] = set()

    def passed(number: int, frame: FrameType | None) -> None:
        del frame
        asked.add(number)
        for worker in workers:
            if worker.process.poll() is None:
                worker.process.send_signal(number)

    before = {number: signal.signal(number, passed) for number in stopping_signals()}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
