"""The command line: options → one call of the API → one report."""

import atexit
import gc
import io
import os
import shlex
import sys
import threading
import warnings

import click

from modelspec import __version__
from modelspec.cli.commands import Verbs
from modelspec.cli.hard_interrupt import note_interrupts, was_interrupted
from modelspec.cli.streams import err, is_plain, keep_stderr, say
from modelspec.cluster.pulse import PULSE, start_pulse

_TF_CONFIG = "TF_CONFIG"

_CONTINUE = "continue with "
"""The words before the command in the message of an interrupted run."""

SPEC_PROBLEM, USAGE, OUR_FAULT, INTERRUPTED = 1, 2, 3, 130


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="modelspec")
def modelspec() -> None:
    """Compile YAML specs into Keras models, and train them on npz files or tables."""


def main() -> None:
    """Run the command line; every exit code is set here."""
    # Keras and TensorFlow create hundreds of thousands of permanent objects, which the garbage
    # collector would scan again and again: a tenth of a training of seconds, a quarter of a first
    # summary.
    gc.set_threshold(100_000, 50, 1_000)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    keep_stderr()
    note_interrupts()
    if PULSE in os.environ:
        start_pulse()  # before slow imports, during which the process would seem to hang
    code = _run()
    _leave(code)
    sys.exit(code)


def _leave(code: int) -> None:
    """End without destroying all objects: a fifth of a check, and a second with TensorFlow.

    TensorFlow's own end in a worker waits for other workers, which may have ended.
    """
    if _TF_CONFIG not in os.environ:
        main_thread = threading.main_thread()
        if any(not (t.daemon or t is main_thread) for t in threading.enumerate()):
            return  # for example a plugin's, for which Python waits
        atexit._run_exitfuncs()  # noqa: SLF001 - as Python does before it destroys all objects
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # as it is where the shell has closed it
                stream.flush()
        except (OSError, ValueError):
            if _TF_CONFIG not in os.environ:
                return  # Python reports that itself, with its own exit code
    os._exit(code)


def _run() -> int:
    try:
        code = modelspec.main(standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - the one place that decides all exit codes
        return _exit_code(error)
    except SystemExit:
        # click and rich exit with this code where a pipe is closed, and nothing else does.
        return _reader_left()
    except KeyboardInterrupt as interrupt:
        return _interrupted(str(interrupt))
    # Depending on its version, click returns the code of an Exit or raises the Exit.
    return code if isinstance(code, int) else 0


def _exit_code(error: Exception) -> int:
    """Print the error, and return the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case click.ClickException():
            _show_usage(error)
            return error.exit_code
        case click.Abort():
            # click raises this in place of a KeyboardInterrupt, also of ours.
            return _interrupted(str(error.__cause__ or ""))
        case BrokenPipeError():
            return _reader_left()
        case _:
            return _problem_or_fault(error)


def _show_usage(error: click.ClickException) -> None:
    """Print a usage error; on a terminal, its lines break between words."""
    if is_plain(sys.__stderr__):
        error.show(sys.stderr)
        return
    text = io.StringIO()
    error.show(text)
    say(text.getvalue().rstrip("\n"))


def _problem_or_fault(error: Exception) -> int:
    from modelspec.problems.errors import (
        KerasError,
        ModelError,
        PluginError,
        ResumableError,
        RunError,
        SpecError,
    )

    match error:
        case ResumableError():
            # The message ends in a command to copy, which must not be broken into lines.
            err().print(f"error: {error}", markup=False, soft_wrap=True)
        case RunError() | ModelError() | KerasError() | PluginError():
            say(f"error: {error}")
        case OSError():
            say(f"error: {_system_error(error)}")
        case SpecError():
            from modelspec.cli.options import show

            show(error.problems)
        case _:
            return _interrupted("") if was_interrupted() else _our_fault(error)
    return SPEC_PROBLEM


def _system_error(error: OSError) -> str:
    """Return the message of the system with the file that it is about."""
    if error.strerror is None:
        return str(error)
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    # Without a file, it is one that was open already, such as standard output.
    return f"cannot read or write: {error.strerror}"


def _interrupted(message: str) -> int:
    from modelspec.report.prose import print_command

    what, continued, command = (message or "interrupted").partition(_CONTINUE)
    print_command(err(), shlex.split(command), before=what + continued)
    return INTERRUPTED


def _reader_left() -> int:
    """Handle a closed pipe, as after ``| head``: print nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


def _our_fault(error: Exception) -> int:
    import tempfile
    import traceback
    from pathlib import Path

    folder = Path(tempfile.mkdtemp(prefix="modelspec-"))
    log = folder / "error.log"
    trace = "".join(traceback.format_exception(error))
    log.write_text(f"{sys.argv}\n{trace}", encoding="utf-8")
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    err().print(
        f"error: internal error in modelspec: {first}\nplease report it with {log}",
        markup=False,
        soft_wrap=True,
    )
    return OUR_FAULT
