"""The catalogue from Keras itself, imported in another process, where its source is unreadable.

This process does not import Keras, which takes seconds.
"""

import json
import os
import subprocess
import sys

from modelspec.catalog.entries import Payload
from modelspec.problems.errors import KerasError

_PROGRAM = "modelspec.backend.inspection"


def inquire() -> Payload:
    """Return the catalogue that another process reads from Keras after importing it.

    Raises:
        KerasError: Keras cannot be imported, or its parts cannot be listed.
    """
    # The child finds the same modules as this process, and no others.
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
