"""The catalogue from Keras itself, asked in another process, where its source cannot be read.

This process stays free of Keras, whose import takes seconds.
"""

import json
import os
import subprocess
import sys

from modelspec.catalog.entries import Payload
from modelspec.problems.errors import KerasError

_PROGRAM = "modelspec.backend.inspection"


def inquire() -> Payload:
    """What the installed Keras says of itself once it is imported.

    Raises:
        KerasError: where it cannot be imported, or cannot say.
    """
    # The child finds modules where this process does, and nowhere else.
    done = subprocess.run(  # noqa: S603 - our own program, with nothing from a spec in it
        [sys.executable, "-P", "-m", _PROGRAM],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        payload: Payload = json.loads(done.stdout)
    except ValueError:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise KerasError(lines[-1] if lines else f"exit code {done.returncode}") from None
    return payload
