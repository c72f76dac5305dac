"""Parts of TensorFlow are imported when they are first used, and are then as without that."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from modelspec.backend import quick_import
from modelspec.backend.quick_import import quick_tensorflow

FIRST = """
import time
from .. import log
log.append(__name__)
value = 7
from . import inner
time.sleep(0.05)
late = 8
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A package of three parts, of which ``broken`` cannot be imported."""
    folder = tmp_path / "partlibrary"
    for part in ("first", "second", "broken"):
        (folder / part).mkdir(parents=True)
    (folder / "__init__.py").write_text("log = []\nfrom . import first, second, broken\n")
    (folder / "first" / "__init__.py").write_text(FIRST)
    (folder / "first" / "inner.py").write_text("from partlibrary.first import value\n")
    (folder / "second" / "__init__.py").write_text(
        'name = "a name"\nfrom .. import log\nlog.append(__name__)\n'
    )
    (folder / "broken" / "__init__.py").write_text("import partlibrary.missing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(quick_import, "_PARENTS", ("partlibrary",))
    with quick_tensorflow():
        yield import_module("partlibrary")
    for name in [name for name in sys.modules if name.partition(".")[0] == "partlibrary"]:
        del sys.modules[name]


def test_a_part_runs_at_its_first_use(library: Any) -> None:
    assert library.log == []
    assert library.second.name == "a name"
    assert library.log == ["partlibrary.second"]
    assert "name" in dir(library.second)
    assert library.log == ["partlibrary.second"]
    assert type(library.second) is type(sys)


def test_dir_runs_a_part(library: Any) -> None:
    assert "name" in dir(library.second)


def test_an_unknown_name_is_an_error(library: Any) -> None:
    for _ in range(2):
        with pytest.raises(AttributeError, match=r"partlibrary\.second.*other"):
            _ = library.second.other


def test_a_broken_part_tells_why_at_each_use(library: Any) -> None:
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match=r"partlibrary\.missing"):
            _ = library.broken.value


def test_threads_wait_for_a_part(library: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: library.first.late, range(4))) == [8] * 4
    assert library.log == ["partlibrary.first"]


NAMES = """
import json, sys
{imports}
import tensorflow as tf
tf.compat.v1.placeholder  # Keras reads it for each symbol
spared = [name for name in sys.modules if name.startswith("tensorflow.python.keras.")]
parts = [
    (f"{{start}}.{{name}}", module, name)
    for start, module in (
        ("tf", tf),
        ("tf.__internal__", tf.__internal__),
        ("tf.__internal__.distribute", tf.__internal__.distribute),
        ("tf.compat", tf.compat),
        ("tf.compat.v1", tf.compat.v1),
    )
    for name in dir(module)
    if getattr(getattr(module, name), "__name__", "").startswith("tensorflow._api.v2.")
]
for _, module, name in parts:
    dir(getattr(module, name))
# A part may have taken the place of another one.
names = {{path: sorted(vars(getattr(module, name))) for path, module, name in parts}}
from tensorflow.python.framework import ops
names["the types"] = [type(getattr(module, name)).__name__ for _, module, name in parts]
print(json.dumps([len(spared), names, sorted(ops.gradient_registry.list())]))
"""
OURS = "from modelspec.backend.start import start; start()"


def names_after(imports: str) -> Any:
    program = NAMES.format(imports=imports)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert not imports or done.stderr == b""
    return json.loads(done.stdout)


@pytest.mark.keras
@pytest.mark.process
def test_tensorflow_has_its_gradients_and_names() -> None:
    spared, parts, gradients = names_after(OURS)
    assert spared == 0
    assert "TFModuleWrapper" in parts["the types"]
    assert {"frame", "stft"} <= set(parts["tf.signal"])
    assert {"v1", "v2", "as_text"} <= set(parts["tf.compat"])
    # These parts have the names of packages of TensorFlow's code.
    assert "get_strategy" in parts["tf.distribute"]
    assert "TFLiteConverter" in parts["tf.lite"]
    assert {"Conv2D", "ResizeBilinear", "Svd", "SparseMatMul"} <= set(gradients)


@pytest.mark.sweep
@pytest.mark.keras
@pytest.mark.process
def test_every_name_and_gradient_is_as_without_that() -> None:
    assert names_after(OURS)[1:] == names_after("")[1:]
