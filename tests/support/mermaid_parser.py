"""Mermaid texts, parsed by the mermaid package under Node.js."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ending import PATIENCE
from node_packages import install

_PROGRAM = Path(__file__).with_name("mermaid.mjs")
_PACKAGES = ("mermaid@11.12.0", "jsdom@26.1.0")


def parse(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return for each text its ``error`` (or None), and its parsed edges and labels.

    Raises:
        NotHereError: Node.js or the package is missing.
    """
    folder = install("mermaid", *_PACKAGES)
    ran = subprocess.run(
        ["node", str(_PROGRAM), str(folder)],
        input=json.dumps(texts),
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    answers: list[dict[str, Any]] = json.loads(ran.stdout)
    return answers
