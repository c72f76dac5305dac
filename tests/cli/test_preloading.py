"""The library of TensorFlow is loaded beside the import of a command, without a word."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

PROGRAM = """
import os, sys
from modelspec.cli.commands import Verbs
import click
verbs = Verbs("modelspec")
verbs.get_command(click.Context(verbs, resilient_parsing={completes}), "{verb}")
print("libtensorflow_cc" in open("/proc/self/maps").read(), "tensorflow" in sys.modules)
os.write(2, b"heard")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it reads the libraries of a process in /proc")
@pytest.mark.parametrize(
    ("verb", "completes", "options", "loaded"),
    [
        ("train", False, "", True),
        ("train", True, "", False),
        ("train", False, "--xla_of_no_version", False),
        ("check", False, "", False),
    ],
)
def test_who_loads_the_library(verb: str, completes: bool, options: str, loaded: bool) -> None:  # noqa: FBT001
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(verb=verb, completes=completes)],
        env=os.environ | {"XLA_FLAGS": options},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{loaded} False\n"
    assert done.stderr == "heard"


LATER = """
from modelspec.backend.start import start
start()
import tensorflow as tf
list(tf.data.Dataset.from_generator(lambda: [1], output_signature=tf.TensorSpec([], tf.int32)))
# TensorFlow 2.18 logs the first use of XLA at every level.
compiles = not tf.__version__.startswith("2.18.")
tf.function(lambda: tf.constant(1.0) + 1.0, jit_compile=compiles)()
"""


@pytest.mark.keras
def test_tensorflow_stays_silent() -> None:
    program = PROGRAM.format(verb="train", completes=False) + LATER
    silent = {name: text for name, text in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=silent, capture_output=True, text=True, check=True
    )
    assert done.stderr == "heard"
