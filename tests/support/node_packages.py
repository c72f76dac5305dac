"""Packages of Node.js, installed once beside the checkout."""

import shutil
import subprocess
from pathlib import Path

from ending import PATIENCE

FOLDER = Path(__file__).parents[2] / ".node"
_FLAGS = (
    *("--no-save", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"),
    "--fetch-retries=0",
)


class NotHereError(Exception):
    """A package is unusable here; the message gives the reason."""


def install(name: str, *packages: str) -> Path:
    """Return the folder with ``node_modules`` of the packages, each ``NAME@VERSION``.

    Raises:
        NotHereError: Node.js is missing, or a package cannot be installed.
    """
    folder = FOLDER / name
    if shutil.which("node") is None:
        raise NotHereError("Node.js is not installed")
    if (folder / "installed").exists():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise NotHereError("npm is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [npm, "install", "--prefix", str(folder), *_FLAGS, *packages],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if done.returncode:
        raise NotHereError(f"npm cannot install {name}: {done.stderr.strip()[-200:]}")
    (folder / "installed").touch()
    return folder
