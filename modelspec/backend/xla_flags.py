"""XLA's options in the environment: TensorFlow ends the process if it does not know one."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping

from modelspec.problems.errors import KerasError
from modelspec.storage import cache
from modelspec.storage.installed import installed_version

_VARIABLES = ("TF_XLA_FLAGS", "XLA_FLAGS")
_PROGRAM = """
import tensorflow as tf
tf.function(lambda: tf.constant(1.0) + 1.0, jit_compile=True)()
"""
"""TensorFlow reads both variables: the second one where XLA first compiles."""

_REASON = re.compile(r"parse_flags_from_env\.cc:\d+\] (.*)")
_UNREADABLE = "Flag parsing failed"
_SECONDS = 300


def has_xla_flags() -> bool:
    """Return True where the environment sets options of XLA."""
    return bool(_flags())


def require_xla_flags() -> None:
    """Try the options of XLA in a process of their own, once for each set of options.

    Raises:
        KerasError: TensorFlow ends the process because of one of them.
    """
    flags = _flags()
    if not flags:
        return
    name = cache.key(installed_version("tensorflow"), sys.executable, repr(flags))
    if cache.load("xla-flags", name) is None:
        if (reason := _refusal(flags)) is not None:
            raise KerasError(reason)
        cache.store("xla-flags", name, "accepted")


def _flags() -> dict[str, str]:
    return {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}


def _refusal(flags: Mapping[str, str]) -> str | None:
    """Return why TensorFlow ends with these options; None where it also ends without them."""
    for name, value in flags.items():
        said = _try({name: value})
        if said is None or _try({}) is not None:
            continue
        match = _REASON.search(said)
        reason = (
            match[1] if match and _UNREADABLE not in match[1] else "an option has a wrong value"
        )
        return f"TensorFlow cannot start with {name}={value}: {reason[:300]}"
    return None


def _try(flags: Mapping[str, str]) -> str | None:
    """Return TensorFlow's output where it ends with these options; None where it works."""
    others = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
    done = subprocess.run(  # noqa: S603 - a program of this file
        [sys.executable, "-P", "-W", "ignore", "-c", _PROGRAM],
        env={**others, **flags},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_SECONDS,
        check=False,
    )
    return done.stderr if done.returncode else None
