"""A mutation fuzzer of specs and data: a check must answer every mutation.

    python tests/support/fuzz.py --cases 20000 --seed 1

Mutates the shipped specs, those of Keras's guides, and small npz files, and checks each in this
process, including shapes and data. A case fails when the check raises an exception or does not end,
or when a problem has no place. Every failure is printed with its seed.
"""

import argparse
import copy
import io
import json
import random
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ending import bounded

import modelspec
from modelspec.language.yaml_tree import parse
from modelspec.problems.problem import Problem

DAMAGED, TEXT, GENTLE = 0.2, 0.45, 0.7
"""The upper bounds of the kinds of mutation, from 0 to 1: data, text, tree, values."""

REPOSITORY = Path(__file__).parents[2]
CORPUS = tuple(
    path.read_text("utf-8")
    for folder in (REPOSITORY / "specs", REPOSITORY / "tests" / "guides")
    for path in sorted(folder.glob("*.yaml"))
)

DATA_SPEC = """\
modelspec: 1
name: fuzzed
inputs:
  ids: {shape: [null], dtype: int32}
  image: {shape: [8, 8, 1]}
layers:
  - Embedding: {input_dim: 50, output_dim: 4}
    from: ids
  - Conv1D: {filters: 4, kernel_size: 3}
  - GlobalMaxPooling1D:
    name: text
  - Conv2D: {filters: 2, kernel_size: 3}
    from: image
  - Flatten:
    name: pixels
  - Concatenate:
    from: [text, pixels]
    name: both
  - Dense: {units: 3, activation: softmax}
    name: class
    from: both
  - Dense: {units: 1}
    name: size
    from: both
outputs: [class, size]
losses: {class: sparse_categorical_crossentropy, size: mse}
"""

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 3, 7, 2**31, 2**63, 10**30, 0.5, -0.5, 1e308, 1e-320,
    float("inf"), float("nan"), "", " ", "x", "relu", "adam", "mse", "Dense", "${a}", "${1/0}",
    "${2 ** 8}", "${i}", "a${1}b", "${", "null", "Lambda", "Dense: 1", "é\u2028☃", "a.b", "../x",
    [], {},
    [None], [[]], [1, 2], {"a": 1}, {"Dense": None}, {"Dense": {"units": 1}}, {1: 2}, {"": ""},
    {"L2": {"l2": -1}}, {"class_name": "Dense", "config": {}}, ["x", "y"], [1.5], -(10**400),
)  # fmt: skip
LAYERS = (
    "Add", "Concatenate", "Conv1D", "Conv2D", "Dense", "Dot", "Embedding", "Flatten", "GRU", "LSTM",
    "LayerNormalization", "MaxPooling1D", "MaxPooling2D", "MultiHeadAttention", "Permute",
    "Reshape",
    "RepeatVector", "Bidirectional", "UpSampling2D", "Softmax", "Masking",
    "Cropping2D", "ZeroPadding1D", "GroupNormalization", "Attention", "ConvLSTM1D",
)  # fmt: skip
WORDS = (
    ":", "- ", "{", "}", "[", "]", ",", "#", "&a ", "*a", "<<: ", "!!str ", "|", ">", "'", '"',
    "\t", "\n", "\r", "\0", "\x85", "\ufeff", "\ud7ff", "${", "}", "?", "%", "@", "`", "---\n",
    "...\n", "null", "~", "1e3", "0x10", "name: ", "from: ", "repeat: ", "share: ", "as: ",
)  # fmt: skip


def mutate_text(source: random.Random, text: str) -> str:
    """Change one line or character of a text."""
    lines = text.splitlines(keepends=True) or [""]
    at, other = source.randrange(len(lines)), source.randrange(len(lines))
    char = source.randrange(len(text) + 1)
    match source.randrange(9):
        case 0:
            del lines[at]
        case 1:
            lines.insert(other, lines[at])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            lines[at] = " " * source.randrange(7) + lines[at].lstrip(" ")
        case 4:
            lines[at] = lines[at].replace("  ", "", 1)
        case 5:
            return (
                text[:char] + chr(source.choice((source.randrange(128), 0x2028))) + text[char + 1 :]
            )
        case 6:
            return text[:char] + source.choice(WORDS) + text[char:]
        case 7:
            return text[:char] + text[char + source.randrange(1, 40) :]
        case _:
            return text[:char] + _piece(source, source.choice(CORPUS)) + text[char:]
    return "".join(lines)


def _piece(source: random.Random, text: str) -> str:
    start = source.randrange(len(text))
    return text[start : start + source.randrange(1, 200)]


def mutate_tree(source: random.Random, root: Any) -> None:
    """Change one place in a tree of mappings, lists and scalars."""
    places = list(_places(root))
    owner, key = source.choice(places)
    other_owner, other_key = source.choice(places)
    match source.randrange(8):
        case 0:
            del owner[key]
        case 1 | 2:
            owner[key] = source.choice(ODD)
        case 3:
            value, other = copy.deepcopy((owner[key], other_owner[other_key]))
            owner[key], other_owner[other_key] = other, value
        case 4 if isinstance(owner, dict):
            owner[_misspelt(source, str(key))] = owner.pop(key)
        case 5 if isinstance(owner, list):
            owner.insert(source.randrange(len(owner) + 1), owner[key])
        case 6:
            owner[key] = _numeral(source, owner[key])
        case _:
            wraps: tuple[Callable[[Any], Any], ...] = (
                lambda value: [value], lambda value: {"x": value}, lambda value: {value: None}
                if isinstance(value, str) else [[value]], str,
            )  # fmt: skip
            owner[key] = source.choice(wraps)(owner[key])


def mutate_gently(source: random.Random, root: Any) -> None:
    """Make a change that keeps the form of a spec valid, so that its shapes are checked too."""
    layers = root.get("layers") if isinstance(root, dict) else None
    sections = [layers, *(block["layers"] for block in root.get("blocks", {}).values())]
    items = [item for section in sections if section for item in section if isinstance(item, dict)]
    if not items:
        return
    names = [item["name"] for item in items if "name" in item] + list(root["inputs"])
    item = source.choice(items)
    numbers = [
        (owner, key)
        for owner, key in _places(item)
        if isinstance(owner[key], int | list) or str(owner[key]).startswith("${")
    ]
    match source.randrange(6):
        case 0 | 1 if numbers:
            owner, key = source.choice(numbers)
            owner[key] = source.choice((0, 1, 2, 3, 5, 16, 1000, [2, 2], [1], None, -1, True))
        case 2:
            item["from"] = source.choice((source.choice(names), [source.choice(names)] * 2))
        case 3:
            kind = next(iter(item))
            other = source.choice((*LAYERS, kind))
            item[other] = item.pop(kind)
        case 4:
            item["repeat"] = source.choice((1, 2, 3, 40))
        case _:
            declared = source.choice(list(root["inputs"].values()))
            declared["shape"] = source.choice(([], [None], [3], [8, 8], [None, 4], [5, 5, 3], [0]))


def _places(node: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in list(pairs):
        yield node, key
        if isinstance(value, dict | list) and depth < 40:
            yield from _places(value, depth + 1)


def _misspelt(source: random.Random, name: str) -> str:
    at = source.randrange(len(name) + 1)
    return source.choice((name[:at] + name[at + 1 :], name.upper(), f"{name}s", name[::-1]))


def _numeral(source: random.Random, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return source.choice((3, "3", [3], -value if isinstance(value, int) else 0))
    return source.choice((-value, value * 10**6, value + 0.5, f"${{{value} * 2}}", str(value)))


def mutate_npz(source: random.Random) -> bytes:
    """Return an npz file with wrong values, wrong shapes, or wrong bytes."""
    count = source.choice((0, 1, 5, 5, 5))
    arrays: dict[str, Any] = {
        "ids": np.arange(count * 6).reshape(count, 6) % source.choice((50, 51, 5)),
        "image": np.ones((count, 8, 8, 1), np.float32),
        "class": np.arange(count) % source.choice((3, 4)),
        "size": np.ones((count, 1), np.float32),
    }
    for _ in range(source.randrange(3)):
        name = source.choice(sorted(arrays))
        arrays[name] = _odd_array(source, arrays[name])
    if source.random() < 0.2:
        arrays[source.choice(("size_weight", "x", "ids_train", "class_test"))] = arrays.pop("size")
    raw = io.BytesIO()
    save = source.choice((np.savez, np.savez_compressed))
    save(raw, **arrays)
    return _damaged(source, raw.getvalue()) if source.random() < 0.6 else raw.getvalue()


def _odd_array(source: random.Random, array: Any) -> Any:
    kinds = "?bBhHiIlLefdgFDSUVMm"
    changes: tuple[Callable[[Any], Any], ...] = (
        lambda array: array.astype(source.choice(kinds[:13])),
        lambda array: array.reshape(-1),
        lambda array: array[..., None],
        lambda array: array[: len(array) // 2],
        lambda array: array * -1.5,
        lambda array: np.where(array > 0, array, np.nan),
        lambda array: np.zeros((len(array), 3), source.choice(kinds)),
        lambda array: np.asfortranarray(array).astype(">f4"),
        lambda array: np.array(array.tolist(), object),
        lambda _: np.float64(3),
        lambda array: np.zeros((len(array), 2), [("a", "i4"), ("b", "O")]),
        lambda array: array[:, :2] if array.ndim > 1 else array,
    )
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
            return source.choice(changes)(np.asarray(array))
    except (TypeError, ValueError, OverflowError):  # not every change can follow every other
        return array


def _damaged(source: random.Random, raw: bytes) -> bytes:
    data = bytearray(raw)
    match source.randrange(5):
        case 0:
            return raw[: source.randrange(len(raw) + 1)]
        case 1:
            for _ in range(source.randrange(1, 20)):
                data[source.randrange(len(data))] = source.randrange(256)
        case 2:
            old, new = source.choice(
                ((b"'shape': (", b"'shape': ["), (b"<f4", b"|O8"), (b"(5,", b"(9,"),
                 (b"False", b"True "),
                 (b"'descr'", b"'descR'"), (b"NUMPY\x01", b"NUMPY\x07"), (b".npy", b".exe"),
                 (b"ids", b"../"), (b"PK\x01\x02", b"PK\x01\x03"), (b"<i8", b">M8"))
            )  # fmt: skip
            return raw.replace(old, new, source.choice((1, -1)))
        case 3:
            at = source.randrange(len(raw))
            del data[at : at + source.randrange(1, 64)]
        case _:
            at = source.randrange(len(raw))
            data[at:at] = raw[: source.randrange(1, 200)]
    return bytes(data)


@dataclass
class Report:
    """The findings of a run of the fuzzer; ``failures`` are pairs of a seed and a reason."""

    cases: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[str, str]] = field(default_factory=list)
    slowest: float = 0.0
    clean: int = 0


def make_case(seed: str, folder: Path) -> tuple[str | bytes, Path | None]:
    """Return the text and the data of a case, both determined by its seed."""
    source = random.Random(seed)  # noqa: S311 - repeatable is what it has to be
    kind = source.random()
    if kind < DAMAGED:
        path = folder / "fuzzed.npz"
        path.write_bytes(mutate_npz(source))
        return DATA_SPEC, path
    text: str | bytes = source.choice(CORPUS)
    assert isinstance(text, str)
    if kind < TEXT:
        for _ in range(source.randrange(1, 4)):
            text = mutate_text(source, text)
        raw = text.encode("utf-8", "surrogatepass")
        return (
            (raw[: source.randrange(len(raw) + 1)], None)
            if source.random() < 0.05
            else (text, None)
        )
    root, _ = parse(text)
    tree = root.data() if root else {}
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        if tree and kind < GENTLE:
            mutate_tree(source, tree)
        elif tree:
            mutate_gently(source, tree)
    return json.dumps(tree, default=str), None


def examine(seed: str, folder: Path, report: Report) -> None:
    """Run one case and add its result."""
    report.cases += 1
    text, npz = make_case(seed, folder)
    started = time.perf_counter()
    try:
        with bounded():
            problems = modelspec.loads(text).check(npz)
    except BaseException as error:  # every exception is a finding
        if isinstance(error, KeyboardInterrupt):
            raise
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        report.failures.append((seed, f"{type(error).__name__} at {place}: {str(error)[:200]}"))
        return
    seconds = time.perf_counter() - started
    report.slowest = max(report.slowest, seconds)
    report.clean += not problems
    report.codes.update(problem.code for problem in problems)
    files = {"<text>", str(npz)}
    for problem in problems:
        if reason := _misplaced(problem, files):
            report.failures.append((seed, f"{problem.code}: {reason}"))


def _misplaced(problem: Problem, files: set[str]) -> str | None:
    for place in (problem.place, *(related.place for related in problem.related)):
        span = place.span
        if place.file not in files:
            return f"an unknown file {place.file}"
        if min(span.line, span.column) < 1:
            return f"placed at {span}"
        if (span.end_line, span.end_column) < (span.line, span.column):
            return f"ends before it starts: {span}"
    return None


def run(cases: int, seed: int, seconds: float = float("inf")) -> Report:
    """Examine cases up to a number or a time; the same ones for the same seed."""
    report = Report()
    until = time.perf_counter() + seconds
    with tempfile.TemporaryDirectory() as folder:
        for case in range(cases):
            examine(f"{seed}:{case}", Path(folder), report)
            if time.perf_counter() > until:
                break
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--show", metavar="SEED:CASE", help="print one case, and run it")
    options = parser.parse_args()
    if options.show:
        return show(options.show)
    started = time.perf_counter()
    report = run(options.cases, options.seed, options.seconds)
    for failed, reason in report.failures:
        print(f"{failed}  {reason}")
    print(
        f"{report.cases} cases, {len(report.failures)} failures, {report.clean} clean, "
        f"{time.perf_counter() - started:.0f} s, slowest {report.slowest:.1f} s"
    )
    print(", ".join(f"{code} {count}" for code, count in report.codes.most_common()))
    return 1 if report.failures else 0


def show(seed: str) -> int:
    """Print one case again, with its text and its result."""
    with tempfile.TemporaryDirectory() as folder:
        text, npz = make_case(seed, Path(folder))
        print(text)
        for problem in modelspec.loads(text).check(npz):
            print(problem)
    return 0


if __name__ == "__main__":
    sys.exit(main())
