"""Specs and data made to cause harm: each gets a code, in little memory, and is never executed.

Every case goes through the whole command, in a separate process that is measured.
"""

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from warm_command import CHECKING, WarmCommand

pytestmark = [pytest.mark.process, pytest.mark.slow]

MEGABYTES = 800
"""The most memory of a check: TensorFlow alone, without JAX, takes 520. How long it
takes, `tests/benchmarks/limits.py` measures."""

NPY = b"\x93NUMPY"
HEAD = """\
modelspec: 1
name: hostile
inputs:
  x: {shape: [4]}
layers:
"""
TAIL = """\
outputs: y
losses: mse
"""
DENSE = "  - Dense: {units: 1}\n    name: y\n"
PLAIN = HEAD + DENSE + TAIL


@dataclass(frozen=True)
class Answer:
    exit_code: int
    megabytes: float
    codes: list[str]
    output: str


def ask(command: WarmCommand, folder: Path, spec: str | bytes, npz: Path | None = None) -> Answer:
    """Return the result of ``modelspec check``, and its memory."""
    path = folder / "hostile.yaml"
    path.write_bytes(spec.encode() if isinstance(spec, str) else spec)
    data = ["--data", str(npz)] if npz else []
    ended = command.run("check", str(path), "--format", "json", *data, folder=folder)
    codes = [problem["code"] for problem in json.loads(ended.out)] if ended.out else []
    output = ended.out[:4000] + ended.err[:4000]
    return Answer(ended.code, ended.megabytes, codes, output)


WARNINGS = {"unknown-array"}


def check(answer: Answer, code: str | None, folder: Path) -> None:
    """Hold an answer against the promise; ``code`` None where nothing is wrong with the spec."""
    assert "Traceback" not in answer.output
    assert not (folder / "PWNED").exists()
    assert answer.exit_code == (0 if code in {None, *WARNINGS} else 1), answer.output
    assert (code is None and not answer.codes) or code in answer.codes, answer.output
    assert answer.megabytes < MEGABYTES, answer.megabytes


def graph(*layers: str) -> str:
    return HEAD + "".join(layers) + DENSE + TAIL


def argument(text: str) -> str:
    return HEAD + f"  - Dense: {{units: 1, {text}}}\n    name: y\n" + TAIL


def expression(text: str) -> str:
    return argument(f'name: "${{{text}}}"').replace("units: 1, name:", "units:")


def laughs(opening: str, closing: str, key: str = "") -> str:
    lines = [f"a0: &a0 {opening}{key}lol{closing}"]
    for level in range(1, 12):
        items = ", ".join(f"{key.replace('k', f'k{i}')}*a{level - 1}" for i in range(10))
        lines.append(f"a{level}: &a{level} {opening}{items}{closing}")
    return "\n".join(lines) + "\n" + PLAIN


def nested_blocks(depth: int, repeat: int) -> str:
    blocks = "".join(
        f"  b{level}:\n    inputs: [x]\n    layers:\n"
        f"      - b{level - 1}:\n        repeat: {repeat}\n        name: y\n    outputs: y\n"
        for level in range(1, depth + 1)
    )
    first = "blocks:\n  b0:\n    inputs: [x]\n    layers: [{ReLU: {}, name: y}]\n    outputs: y\n"
    return graph(f"  - b{depth}\n").replace("layers:\n  - b", f"{first}{blocks}layers:\n  - b")


def params(values: str) -> str:
    return PLAIN + f"params: {{a: [{values}]}}\n"


def doubling(start: str) -> str:
    params = [f"p0: {start}", *(f'p{i}: "${{p{i - 1} + p{i - 1}}}"' for i in range(1, 64))]
    return PLAIN + "params:\n" + "".join(f"  {line}\n" for line in params)


def config(module: str, name: str, arguments: str = "{}") -> str:
    return f"{{module: {module}, class_name: {name}, config: {arguments}, registered_name: {name}}}"


EVIL = config("os", "system", "{command: touch PWNED}")
LAMBDA = config("keras.layers", "Lambda", "{function: \"__import__('os').system('touch PWNED')\"}")

SPECS: dict[str, tuple[str | bytes, str | None]] = {
    # YAML
    "billion laughs, lists": (laughs("[", "]"), "too-large"),
    "billion laughs, mappings": (laughs("{", "}", "k: "), "too-large"),
    "billion laughs, merged": (
        "".join(
            f"a{i}: &a{i} {{k{i}: 1, <<: [{', '.join([f'*a{i - 1}'] * 10 if i else [])}]}}\n"
            for i in range(12)
        )
        + PLAIN,
        "too-large",
    ),
    "100,000 brackets": ("x: " + "[" * 100_000, "too-deep"),
    "100,000 brackets, closed": ("x: " + "[" * 100_000 + "]" * 100_000 + "\n" + PLAIN, "too-deep"),
    "100,000 braces": ("x: " + "{a: " * 100_000, "too-deep"),
    "100,000 dashes": ("- " * 100_000, "too-deep"),
    "100,000 question marks": ("? " * 100_000, "too-deep"),
    "a staircase of keys": ("".join(f"{' ' * i}a:\n" for i in range(3000)), "too-deep"),
    "recursive list": ("a: &a [*a]\n" + PLAIN, "recursive-alias"),
    "recursive mapping": ("a: &a {b: *a}\n" + PLAIN, "recursive-alias"),
    "recursive merge": ("a: &a {<<: *a}\n" + PLAIN, "recursive-alias"),
    "recursive root": ("&a {a: *a}\n", "recursive-alias"),
    "tag python/object/apply": (
        graph('  - !!python/object/apply:os.system ["touch PWNED"]\n'),
        "yaml-tag",
    ),
    "tag python/object/new": (
        argument("activation: !!python/object/new:os.system [touch PWNED]"),
        "yaml-tag",
    ),
    "tag python/name": ("a: !!python/name:os.system\n" + PLAIN, "yaml-tag"),
    "tag of one's own": (argument("activation: !evil x"), "yaml-tag"),
    "tag directive": (
        "%TAG ! tag:yaml.org,2002:python/\n---\na: !object/apply:os.system [touch PWNED]\n",
        "yaml-tag",
    ),
    "a million layers": (graph("  - ReLU\n" * 1_000_000), "too-large"),
    "45,000 keys": ("".join(f"k{i}: 1\n" for i in range(45_000)) + PLAIN, "unknown-key"),
    "99,000 times one key": ("k: 1\n" * 99_000 + PLAIN, "duplicate-key"),
    "99,000 unknown aliases": ("a: [" + "*b, " * 99_000 + "]\n" + PLAIN, "unknown-alias"),
    "99,000 tags": ("a: [" + "!b 1, " * 99_000 + "]\n" + PLAIN, "yaml-tag"),
    "nine megabytes": ("#" * 9_000_000, "too-large"),
    "seven megabytes, one line": (PLAIN + "description: " + "x" * 7_000_000, None),
    "seven megabytes, one key": (PLAIN + '? "' + "x" * 7_000_000 + '"\n: 1\n', "unknown-key"),
    "seven megabytes, a name": (
        PLAIN.replace("name: hostile", f"name: {'-' * 7_000_000}"),
        "bad-name",
    ),
    "seven megabytes of line breaks": ("\n" * 7_000_000 + "a: [", "yaml-syntax"),
    "seven megabytes of anchors": (
        "a: [" + ", ".join(f"&a{i} 1" for i in range(500_000)) + "]",
        "too-large",
    ),
    "not UTF-8": (PLAIN.encode() + b"\xff\xfe", "not-utf8"),
    "UTF-16": (PLAIN.encode("utf-16"), "not-utf8"),
    "null bytes": (PLAIN.replace("hostile", "hos\0tile"), "not-text"),
    "escaped null bytes": (PLAIN.replace("hostile", '"hos\\0tile"'), "not-text"),
    "escaped half of a pair": (PLAIN.replace("hostile", '"\\ud800"'), "yaml-syntax"),
    "only null bytes": (b"\0" * 100_000, "not-text"),
    "random bytes": (bytes(range(256)) * 100, "not-utf8"),
    # Numbers
    "a whole number of 400 digits": (argument("bias_initializer: " + "9" * 400), "not-an-object"),
    "a whole number of 100,000 digits": (PLAIN.replace("[4]", f"[{'9' * 100_000}]"), "wrong-type"),
    "a hexadecimal of 400 digits": (PLAIN.replace("[4]", f"[0x{'f' * 400}]"), "wrong-value"),
    "units of 400 digits": (argument("x: 1").replace("1, x: 1", "9" * 400), "too-large"),
    "a float of a million digits": (argument("use_bias: 1." + "0" * 1_000_000), "wrong-type"),
    "1e999999": (PLAIN + "loss_weights: 1e999999\n", "wrong-value"),
    "a loss weight of 400 digits": (PLAIN + f"loss_weights: {'9' * 400}\n", "wrong-value"),
    "epochs of 400 digits": (PLAIN + f"training: {{epochs: {'9' * 400}}}\n", "wrong-value"),
    "a seed of 400 digits": (PLAIN + f"training: {{seed: {'9' * 400}}}\n", "wrong-value"),
    "a class of 400 digits": (
        PLAIN + f"training: {{class_weights: {{y: {{{'9' * 400}: 1.0}}}}}}\n",
        None,
    ),
    "a shape of 10^15": (PLAIN.replace("[4]", "[1000000000000000]"), "wrong-value"),
    "a shape of three times 2^31": (
        PLAIN.replace("[4]", "[2147483647, 2147483647, 2147483647]"),
        None,
    ),
    "a shape of 1,000 axes": (PLAIN.replace("[4]", f"[{'1, ' * 1000}]"), "too-large"),
    "units of 10^15": (argument("x: 1").replace("1, x: 1", "1000000000000000"), "too-large"),
    # The graph
    "repeat of 10^9": (graph("  - ReLU:\n    repeat: 1000000000\n"), "wrong-value"),
    "repeat of 400 digits": (graph(f"  - ReLU:\n    repeat: {'9' * 400}\n"), "wrong-value"),
    "repeat 20,000 of 20,000": (nested_blocks(1, 20_000), "too-many-layers"),
    "30 blocks, repeated 20 times each": (nested_blocks(30, 20), "too-many-layers"),
    "200 blocks in each other": (nested_blocks(200, 1), "too-deep"),
    "a block in itself": (
        graph("  - b\n") + "blocks: {b: {inputs: [x], layers: [{b: {}, name: y}], outputs: y}}\n",
        "cycle",
    ),
    "5,000 names that are not there": (
        graph("".join(f"  - ReLU:\n    from: nothing_{i}\n" for i in range(5000))),
        "unknown-name",
    ),
    "5,000 layers that are not there": (
        graph("".join(f"  - Dens{i}\n" for i in range(5000))),
        "unknown-layer",
    ),
    "5,000 arguments that are not there": (
        argument(", ".join(f"unit{i}: 1" for i in range(5000))),
        "unknown-argument",
    ),
    "5,000 keys that are not there": (
        graph("".join(f"  - ReLU:\n    nam{i}: a\n" for i in range(5000))),
        "unknown-key",
    ),
    "20,000 keys at the top": (
        PLAIN + "".join(f"outputs{i}: 1\n" for i in range(20_000)),
        "unknown-key",
    ),
    "a ring of 5,000": (
        graph(
            "".join(
                f"  - ReLU:\n    name: n{i}\n    from: n{(i + 1) % 5000}\n" for i in range(5000)
            )
        ),
        "cycle",
    ),
    "2,500 rings": (
        graph("".join(f"  - ReLU:\n    name: n{i}\n    from: n{i ^ 1}\n" for i in range(5000))),
        "cycle",
    ),
    "20,000 inputs to one": (
        graph(f"  - Add:\n    from: [{', '.join(['x'] * 20_000)}]\n"),
        None,
    ),
    "losses for 20,000 outputs that are not there": (
        PLAIN.replace(
            "losses: mse", f"losses: {{{', '.join(f'y{i}: mse' for i in range(20_000))}}}"
        ),
        "unknown-output",
    ),
    # ${…}
    "9**9**9": (expression("9**9**9"), "bad-expression"),
    "2**-10**9": (expression("2**-(10**9)"), "bad-expression"),
    "a text times 10^9": (expression("'a'*10**9"), "bad-expression"),
    "a list times 10^9": (expression("[0]*10**9"), "bad-expression"),
    "formatting with %": (expression("'%1000000000d' % 5"), "bad-expression"),
    "a chain of 100,000 sums": (expression("1+" * 100_000 + "1"), "bad-expression"),
    "100,000 parentheses": (expression("(" * 100_000 + ")" * 100_000), "bad-expression"),
    "190 parentheses": (expression("(" * 190 + "1" + ")" * 190), None),
    "380 minus signs": (expression("-" * 380 + "1"), None),
    "a call": (expression("__import__('os').system('touch PWNED')"), "bad-expression"),
    "an attribute": (expression("().__class__.__base__.__subclasses__"), "bad-expression"),
    "an f-string": (expression("f'{1}'"), "bad-expression"),
    "a lambda": (expression("lambda: 1"), "bad-expression"),
    "texts that double": (doubling('"lol"'), "bad-expression"),
    "lists that double": (doubling("[1]"), "bad-expression"),
    "a million expressions in one text": (
        PLAIN + 'description: "' + "${1}" * 1_000_000 + '"\n',
        "bad-expression",
    ),
    "a million openings": (PLAIN + 'description: "' + "${" * 1_000_000 + '"\n', "bad-expression"),
    "60,000 expressions": (
        params('"${7 * (6 + 5) ** 2 // 3}", ' * 60_000),
        None,
    ),
    "20,000 different expressions": (
        params("".join(f'"${{{i} * (6 + 5) ** 2 // 3}}", ' for i in range(20_000))),
        None,
    ),
    "20,000 expressions of nobody": (
        params("".join(f'"${{b{i}}}", ' for i in range(20_000))),
        "bad-expression",
    ),
    # Code
    "Lambda of a text": (
        graph("  - Lambda: {function: \"__import__('os').system('touch PWNED')\"}\n"),
        "refused-object",
    ),
    "TFSMLayer": (graph("  - TFSMLayer: {filepath: /tmp/model}\n"), "refused-object"),
    "a dotted layer": (graph("  - os.system: {command: touch PWNED}\n"), "unknown-layer"),
    "a dotted path to Keras": (graph("  - keras.layers.Lambda\n"), "unknown-layer"),
    "a dotted activation": (argument("activation: os.system"), "unknown-activation"),
    "a registered initializer": (argument("kernel_initializer: os>system"), "unknown-initializer"),
    "a config as units": (argument("x: 1").replace("1, x: 1", EVIL), "wrong-type"),
    "a config as activation": (argument(f"activation: {EVIL}"), "not-an-object"),
    "a config as initializer": (argument(f"kernel_initializer: {LAMBDA}"), "not-an-object"),
    "a config as dtype": (argument(f"dtype: {config('keras', 'DTypePolicy')}"), "unknown-argument"),
    "a config as name": (argument(f"name: {EVIL}"), "unknown-argument"),
    "a config in a list": (graph(f"  - Reshape: {{target_shape: [{EVIL}]}}\n"), "wrong-type"),
    "a config as wrapped layer": (
        graph(f"  - TimeDistributed: {{layer: {LAMBDA}}}\n"),
        "not-an-object",
    ),
    "a config as cell": (graph(f"  - RNN: {{cell: {LAMBDA}}}\n"), "not-an-object"),
    "a config as cells": (graph(f"  - RNN: {{cell: [{LAMBDA}]}}\n"), "not-an-object"),
    "a config as layer": (graph(f"  - {LAMBDA}\n"), "unknown-key"),
    "a config as loss": (PLAIN.replace("mse", LAMBDA), "unknown-output"),
    "a config as metric": (PLAIN + f"metrics: [{EVIL}]\n", "not-an-object"),
    "a config as optimizer": (PLAIN + f"optimizer: {EVIL}\n", "not-an-object"),
    "a config as schedule": (
        PLAIN + f"optimizer: {{Adam: {{learning_rate: {EVIL}}}}}\n",
        "not-an-object",
    ),
    "a config as callback": (PLAIN + f"training: {{callbacks: [{EVIL}]}}\n", "not-an-object"),
    "a config in a call": (
        graph(f"  - Dense: {{units: 1}}\n    call: {{training: {LAMBDA}}}\n"),
        "wrong-type",
    ),
    "a config as a shape": (PLAIN.replace("[4]", EVIL), "wrong-type"),
    "a vocabulary from a file": (
        graph("  - StringLookup: {vocabulary: /etc/passwd}\n  - Reshape: {target_shape: [4]}\n"),
        "refused-path",
    ),
    "a callback that writes elsewhere": (
        PLAIN + "training: {callbacks: [{CSVLogger: {filename: ../../PWNED}}]}\n",
        "refused-path",
    ),
}


class Payload:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch PWNED",)


def npy(array: Any) -> bytes:
    raw = io.BytesIO()
    np.lib.format.write_array(raw, np.asarray(array), allow_pickle=True)
    return raw.getvalue()


def lying(header: str | bytes, data: bytes = b"\0" * 64, version: int = 1) -> bytes:
    text = header if isinstance(header, bytes) else header.encode()
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return NPY + bytes([version, 0]) + length + text + data


def shaped(shape: str, dtype: str = "'<f4'", data: bytes = b"\0" * 64) -> bytes:
    return lying(f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n", data)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return raw.getvalue()


X, Y = npy(np.zeros((8, 4), np.float32)), npy(np.zeros((8, 1), np.float32))
GOOD = zipped({"x.npy": X, "y.npy": Y})


def with_x(x: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
    return zipped({"x.npy": x, "y.npy": Y}, method)


def zeros(size: int) -> bytes:
    """A deflated stream of so many zeros, in a thousandth of the space."""
    chunk = 1 << 24
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packer.compress(b"\0" * chunk)
    packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b"\0" * chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    return again * (size // chunk)


def bomb(count: int, size: int) -> bytes:
    """A zip file of so many members, each an array of so many zeros."""
    header = shaped(f"({size},)", "'|u1'", b"")
    raw, directory, sizes = b"", b"", size + len(header)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(header) + packer.flush(zlib.Z_FULL_FLUSH)
    data = start + zeros(size) + b"\x03\x00"
    for i in range(count):
        name = f"{'x' if not i else f'x{i}'}.npy".encode()
        extra = struct.pack("<HHQQ", 1, 16, sizes, len(data))
        fields = struct.pack(
            "<HHHHHIIIHH", 45, 0, 8, 0, 0, 0, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra)
        )
        place = struct.pack("<HHHII", 0, 0, 0, 0, len(raw))
        directory += b"PK\1\2" + struct.pack("<H", 45) + fields + place + name + extra
        raw += b"PK\3\4" + fields + name + extra + data
    end = struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(raw), 0)
    return raw + directory + b"PK\5\6" + end


def many_members(count: int) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as file:
        for i in range(count):
            file.writestr(f"{i}.npy", b"")
    return raw.getvalue()


def patched(raw: bytes, old: bytes, new: bytes, last: int = 0) -> bytes:
    """``raw`` with the bytes after its last ``old`` put over by ``new``, ``last`` bytes on."""
    at = raw.rindex(old) + last
    return raw[:at] + new + raw[at + len(new) :]


def twice() -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as file, warnings.catch_warnings(action="ignore"):
        for name, data in (("x", X), ("x", X), ("y", Y)):
            file.writestr(f"{name}.npy", data)
    return raw.getvalue()


ARRAYS: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "not-npz"),
    "half a file": (lambda: GOOD[: len(GOOD) // 2], "not-npz"),
    "without its last byte": (lambda: GOOD[:-1], "not-npz"),
    "without its first bytes": (lambda: GOOD[40:], "bad-array"),
    "truncated data": (lambda: with_x(X[:-5]), "bad-array"),
    "truncated header": (lambda: with_x(X[:20]), "bad-array"),
    "no header": (lambda: with_x(b""), "bad-array"),
    "noise": (lambda: bytes(range(256)) * 1000, "not-npz"),
    "a pickle": (lambda: pickle.dumps(Payload()), "not-npz"),
    "a pickled member": (lambda: with_x(npy(np.array([Payload()]))), "pickled-array"),
    "a pickled field": (
        lambda: with_x(npy(np.array([(1, Payload())], [("a", "i4"), ("b", "O")]))),
        "pickled-array",
    ),
    "a bare pickle as member": (lambda: with_x(pickle.dumps(Payload())), "bad-array"),
    "a pickle behind a plain header": (
        lambda: with_x(shaped("(1,)", "'|O'", pickle.dumps(Payload()))),
        "pickled-array",
    ),
    "10 GB of zeros": (lambda: bomb(1, 10 * 2**30 - 2**24), "zip-bomb"),
    "40 times 240 MB of zeros": (lambda: bomb(40, 15 * 2**24), "zip-bomb"),
    "a bzip2 bomb": (
        lambda: with_x(shaped("(300000000,)", "'|u1'", b"\0" * 300_000_000), 12),
        "bad-array",
    ),
    "more data than declared": (lambda: with_x(shaped("(2, 4)")), "bad-array"),
    "less data than declared": (lambda: with_x(shaped("(2000, 4)")), "bad-array"),
    "a shape of 10^18": (lambda: with_x(shaped("(1000000000000000000, 4)")), "bad-array"),
    "a shape of 10^15 times zero": (
        lambda: with_x(shaped("(0, 1000000000000000)", data=b"")),
        "wrong-shape",
    ),
    "a negative shape": (lambda: with_x(shaped("(-8, 4)")), "bad-array"),
    "a shape of True": (lambda: with_x(shaped("(True, True)", data=b"\0" * 4)), "bad-array"),
    "a shape of text": (lambda: with_x(shaped("'ab'")), "bad-array"),
    "a shape of 1,000 axes": (
        lambda: with_x(shaped(f"({'1,' * 1000})", data=b"\0" * 4)),
        "bad-array",
    ),
    "a length of 3,000 digits": (lambda: with_x(shaped(f"({'9' * 3000},)")), "bad-array"),
    "a dtype of 2 GB": (lambda: with_x(shaped("(1,)", "'|V2000000000'")), "bad-array"),
    "a dtype of nothing": (lambda: with_x(shaped("(1000000000000,)", "'|V0'", b"")), "bad-array"),
    "a dtype that is code": (
        lambda: with_x(shaped("(1,)", "__import__('os').system('touch PWNED')")),
        "bad-array",
    ),
    "a dtype with nests": (lambda: with_x(shaped("(1,)", "[('a', " * 500)), "bad-array"),
    "a header that is no mapping": (lambda: with_x(lying("[]\n")), "bad-array"),
    "a header of parentheses": (lambda: with_x(lying("(" * 4000 + "\n")), "bad-array"),
    "a header of minus signs": (lambda: with_x(lying("-" * 4000 + "1\n")), "bad-array"),
    "a header of 60 KB": (lambda: with_x(lying("{}" + " " * 60_000 + "\n")), "bad-array"),
    "a header of 4 GB": (lambda: with_x(NPY + b"\2\0\xff\xff\xff\xff" + b"{" * 100), "bad-array"),
    "version 9": (lambda: with_x(lying("{}\n", version=9)), "bad-array"),
    "names that leave the folder": (
        lambda: zipped({"../../x.npy": X, "/etc/x.npy": X, "x.npy": X, "y.npy": Y}),
        "unknown-array",
    ),
    "only names that leave the folder": (
        lambda: zipped({"../../x.npy": X, "y.npy": Y}),
        "missing-array",
    ),
    "a name of escape codes": (
        lambda: zipped({"\x1b[2J.npy": X, "x.npy": X, "y.npy": Y}),
        "bad-array",
    ),
    "a name of 60,000 letters": (lambda: zipped({"x" * 60_000 + ".npy": X}), "bad-array"),
    "no name": (lambda: zipped({".npy": X, "y.npy": Y}), "missing-array"),
    "100,000 members": (lambda: many_members(100_000), "not-npz"),
    "9,000 members": (lambda: many_members(9000), "bad-array"),
    "one name twice": (twice, "duplicate-array"),
    "a directory of 4 GB": (lambda: patched(GOOD, b"PK\5\6", b"\xff\xff\xff\xff", 12), "not-npz"),
    "a directory elsewhere": (
        lambda: patched(GOOD, b"PK\5\6", b"\xff\xff\xff\x7f", 16),
        "bad-array",
    ),
    "an encrypted member": (lambda: patched(GOOD, b"PK\1\2", b"\1", 8), "bad-array"),
    "an unknown method": (lambda: patched(GOOD, b"PK\1\2", b"\x63", 10), "bad-array"),
    "no samples": (
        lambda: zipped({"x.npy": npy(np.zeros((0, 4))), "y.npy": npy(np.zeros((0, 1)))}),
        "no-samples",
    ),
    "no axes": (lambda: zipped({"x.npy": npy(1.0), "y.npy": npy(1.0)}), "wrong-shape"),
    "not numbers": (lambda: with_x(npy(np.full((8, 4), np.nan))), "not-finite"),
    "records": (lambda: with_x(npy(np.zeros(8, [("a", "f4"), ("b", "f4")]))), "wrong-dtype"),
    "texts": (lambda: with_x(npy(np.full((8, 4), "a" * 1000))), "wrong-dtype"),
    "no arrays": (lambda: zipped({}), "missing-array"),
    "other files": (
        lambda: zipped({"a.py": b"import os", "b.pkl": pickle.dumps(Payload())}),
        "missing-array",
    ),
}


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WarmCommand]:
    folder = tmp_path_factory.mktemp("first")
    (folder / "plain.yaml").write_text(PLAIN, encoding="utf-8")
    (folder / "plain.npz").write_bytes(GOOD)
    command = WarmCommand(CHECKING, folder / "plain.yaml", folder / "plain.npz")
    # The shapes of a spec are remembered: those of most cases with data are found here.
    ask(command, folder, PLAIN)
    yield command
    command.close()


SWEPT = {
    *("billion laughs, merged", "99,000 tags", "99,000 unknown aliases", "20,000 keys at the top"),
    *("seven megabytes, one line", "seven megabytes, a name", "seven megabytes of line breaks"),
    *("a whole number of 100,000 digits", "a float of a million digits", "a class of 400 digits"),
    *("epochs of 400 digits", "a seed of 400 digits", "a loss weight of 400 digits"),
    *("a shape of 10^15", "a shape of three times 2^31", "units of 10^15", "repeat of 400 digits"),
    *("5,000 layers that are not there", "5,000 keys that are not there", "2,500 rings"),
    *("60,000 expressions", "lists that double", "a million openings", "a dotted activation"),
    *("a dotted path to Keras", "a registered initializer", "a config as initializer"),
    *("a config as dtype", "a config as name", "a config in a list", "a config as cell"),
    *("a config as cells", "a config as metric", "a config as schedule", "a config as a shape"),
    *("20,000 different expressions", "5,000 arguments that are not there", "repeat of 10^9"),
    *("losses for 20,000 outputs that are not there", "a hexadecimal of 400 digits"),
    *("a whole number of 400 digits", "a config as units", "a config as callback"),
    *("a config in a call", "20,000 expressions of nobody", "seven megabytes, one key"),
    *("5,000 names that are not there", "a bzip2 bomb", "100,000 members"),
}
"""Long cases, and those that are much like another."""


def marked(names: Iterable[str]) -> list[Any]:
    return [pytest.param(name, marks=[pytest.mark.sweep] * (name in SWEPT)) for name in names]


@pytest.mark.parametrize("name", marked(SPECS))
def test_spec(name: str, command: WarmCommand, tmp_path: Path) -> None:
    spec, code = SPECS[name]
    check(ask(command, tmp_path, spec), code, tmp_path)


def test_weights_larger_than_any_memory(command: WarmCommand, tmp_path: Path) -> None:
    large = graph("  - Embedding: {input_dim: 2000000000, output_dim: 4000}\n  - Flatten\n")
    answer = ask(command, tmp_path, large)
    assert (answer.exit_code, answer.codes) == (0, ["too-large"])
    assert answer.megabytes < MEGABYTES


@pytest.mark.parametrize("name", marked(ARRAYS))
def test_arrays(name: str, command: WarmCommand, tmp_path: Path) -> None:
    make, code = ARRAYS[name]
    path = tmp_path / "hostile.npz"
    path.write_bytes(make())
    check(ask(command, tmp_path, PLAIN, path), code, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {"hostile.yaml", "hostile.npz"}
