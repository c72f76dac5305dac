"""Codes, pages and fixtures: each code that is emitted has a page, whose samples are true."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ending import PATIENCE

from modelspec import explain
from modelspec.catalog import FAMILIES
from modelspec.problems.diagnostic import Diagnostic

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "modelspec"
MISTAKES = ROOT / "tests" / "mistakes"
CODE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

OTHER_WORDS = {
    "keras-modelspec",
    "modelspec-deep",
    "fully-defined",
    "one-hot",
    "utf-8",
    "utf-8-sig",
    "aria-labelledby",
    "ai-edge-litert",
    "litert-flex",
    "xla-flags",
}
"""Texts in the package that look like codes but are not."""

TOLD = {
    "array-too-large": "needs a cache folder without room",
    "bad-override": "is a mistake in an option",
    "bad-table": "is a mistake in a table",
    "mixed-column": "is a mistake in a table",
    "unknown-class": "is a mistake in names that the data has",
    "cannot-import": "is about a model file: see test_hostile_models.py",
    "data-unreadable": "needs a file that this user may not read",
    "missing-losses": "is found by training, not by check",
    "state-not-kept": "is about plugins, and found by training: see test_unkept_state.py",
    "not-utf8": "cannot be shown in a page, which is UTF-8",
    "spec-not-read": "is a mistake in a path",
    "missing-package": "depends on what is installed: see test_packages.py",
}
"""Codes whose samples are commands, or cannot be run in a test, each with the reason."""

WITHOUT_FIXTURE = {
    "array-too-large": TOLD["array-too-large"],
    "cannot-import": TOLD["cannot-import"],
    "data-unreadable": TOLD["data-unreadable"],
    "missing-losses": TOLD["missing-losses"],
    "missing-package": TOLD["missing-package"],
    "spec-not-read": TOLD["spec-not-read"],
    "state-not-kept": TOLD["state-not-kept"],
    "not-utf8": "cannot stand beside a header that is UTF-8: see test_yamltree.py",
}
"""Codes without a fixture in the corpus, each with the reason; this table may only shrink."""

FOLLOWS = {"bad-name": {"unknown-name"}, "missing-array": {"unknown-array"}}
"""Further problems that a sample's mistake causes."""

WHOLE = {"empty-spec", "not-a-mapping"}
FRAME = {
    "modelspec": "modelspec: 1",
    "inputs": "inputs: {x: {shape: [8]}}",
    "layers": "layers: [{Dense: {units: 4}, name: y}]",
    "outputs": "outputs: y",
    "losses": "losses: mse",
}
JUDGE = """
import json, os, sys
import numpy as np
from modelspec.api.reading import load
found = {}
for folder in sorted(os.scandir("."), key=lambda entry: entry.name):
    os.chdir(folder.path)
    if os.path.exists("data.py"):
        exec(open("data.py").read())
        data = "d.npz"
    else:
        data = None
    found[folder.name] = sorted({each.code for each in load("spec.yaml").check(data, light=True)})
    if os.path.exists("d.npz"):
        os.remove("d.npz")
    os.chdir("..")
json.dump(found, sys.stdout)
"""


def literals(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the texts among the nodes that are no docstrings."""
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def emitters(nodes: list[ast.AST]) -> set[str]:
    """Return the names that are called with a code: Diagnostic, and others with ``code``."""
    names = {Diagnostic.__name__}
    for node in nodes:
        if isinstance(node, ast.ClassDef):
            fields = [member.target for member in node.body if isinstance(member, ast.AnnAssign)]
            methods = [member for member in node.body if isinstance(member, ast.FunctionDef)]
            made = [member for member in methods if member.name == "__init__"]
            known = [ast.unparse(member) for member in fields]
            known += [argument.arg for member in made for argument in member.args.args]
            names |= {node.name} if "code" in known else set()
        if isinstance(node, ast.FunctionDef) and node.name != "__init__":
            names |= (
                {node.name} if "code" in {argument.arg for argument in node.args.args} else set()
            )
    return names - {"explain", "page", "_exit_code"}


def given_codes(node: ast.AST, names: set[str]) -> Iterator[ast.expr]:
    """The codes that a node of a module emits, as expressions."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in names:
            keyword = [
                keyword_argument.value
                for keyword_argument in node.keywords
                if keyword_argument.arg == "code"
            ]
            yield from keyword or node.args[:1]
        case ast.FunctionDef(returns=ast.Name(id="_Description")):
            for statement in ast.walk(node):
                if isinstance(statement, ast.Return) and isinstance(statement.value, ast.Tuple):
                    yield statement.value.elts[0]


def meant(expression: ast.expr) -> set[str]:
    match expression:
        case ast.Constant(value=str(code)):
            return {code}
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), ast.FormattedValue()]):
            return {f"{start}{family}" for family in FAMILIES}
        case ast.IfExp(body=one, orelse=other):
            return meant(one) | meant(other)
    return set()


def nodes_of_the_package() -> list[ast.AST]:
    paths = [path for path in PACKAGE.rglob("*.py") if "schema" not in path.parts]
    modules = [ast.parse(path.read_text(encoding="utf-8")) for path in paths]
    return [node for module in modules for node in ast.walk(module)]


@cache
def codes_of_the_package() -> tuple[frozenset[str], frozenset[str]]:
    """Return the codes that the package emits, and the texts in it that look like codes."""
    nodes = nodes_of_the_package()
    names = emitters(nodes)
    codes = (meant(code) for node in nodes for code in given_codes(node, names))
    hyphened = (text for text in literals(nodes) if "-" in text and text[0].isalpha())
    return frozenset().union(*codes), frozenset(filter(CODE.fullmatch, hyphened))


def emitted() -> frozenset[str]:
    return codes_of_the_package()[0]


def test_the_collector_sees_every_text_that_looks_like_a_code() -> None:
    codes, alike = codes_of_the_package()
    assert len(codes) > 60
    assert alike - codes <= OTHER_WORDS


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert set(explain.codes()) == emitted()


@pytest.mark.parametrize("code", explain.codes())
def test_a_page_is_short_and_whole(code: str) -> None:
    page = explain.page(code)
    assert CODE.fullmatch(code)
    assert page.text.startswith(f"# {code}: {page.title}\n\n")
    assert re.findall("^## .*", page.text, re.MULTILINE) == ["## Wrong", "## Right"]
    assert page.text.count("\n```\n") >= 2
    assert page.text.endswith("\n```\n")
    assert 10 <= len(page.text.splitlines()) <= 50
    assert max(map(len, page.text.splitlines())) <= 150
    assert wrong(code) != right(code)


def fixtures() -> set[str]:
    """The codes that the corpus expects: ``# expect: LINE:COLUMN CODE``."""
    pattern = re.compile(r"^# expect: \S+ (?:warning )?(\S+)$", re.MULTILINE)
    texts = (path.read_bytes().decode(errors="replace") for path in MISTAKES.glob("*.yaml"))
    return {code for text in texts for code in pattern.findall(text)}


def test_every_code_occurs_in_the_corpus() -> None:
    assert emitted() - fixtures() == WITHOUT_FIXTURE.keys()


def samples(code: str) -> tuple[str, str]:
    _, wrong_part, right_part = re.split("^## .*", explain.page(code).text, flags=re.MULTILINE)
    return wrong_part, right_part


def wrong(code: str) -> str:
    return samples(code)[0]


def right(code: str) -> str:
    return samples(code)[1]


def fenced(part: str, language: str) -> str:
    return "\n".join(re.findall(rf"^```{language}\n(.*?)\n```$", part, re.MULTILINE | re.DOTALL))


def spec_of(code: str, part: str) -> str:
    """A whole spec: the sample, and of the frame what it does not give."""
    text = fenced(part, "yaml")
    if code in WHOLE or text.startswith("modelspec: 1\n"):
        return text
    keys = {line.partition(":")[0] for line in text.splitlines()}
    return "\n".join([*(line for key, line in FRAME.items() if key not in keys), text, ""])


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The codes that each sample gets, from one process of its own: it starts Keras on JAX."""
    folder = tmp_path_factory.mktemp("samples")
    for code in set(explain.codes()) - TOLD.keys():
        for name, part in zip(("wrong", "right"), samples(code), strict=True):
            place = folder / f"{code}.{name}"
            place.mkdir()
            place.joinpath("spec.yaml").write_text(spec_of(code, part), encoding="utf-8")
            if data := fenced(part, "python"):
                place.joinpath("data.py").write_text(data, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", JUDGE],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=PATIENCE,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.process
@pytest.mark.parametrize("code", sorted(set(explain.codes()) - TOLD.keys()))
def test_samples_are_true(judged: dict[str, list[str]], code: str) -> None:
    assert judged[f"{code}.wrong"] == sorted([code, *FOLLOWS.get(code, ())])
    assert judged[f"{code}.right"] == []


def test_what_is_only_told_is_still_a_code() -> None:
    assert emitted() >= TOLD.keys()
    assert emitted() >= WITHOUT_FIXTURE.keys()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "modelspec", "explain", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.process
def test_the_command_prints_a_page_as_it_is_in_a_pipe() -> None:
    done = run("unknown-key")
    assert (done.returncode, done.stdout) == (0, explain.page("unknown-key").text)


@pytest.mark.process
def test_the_command_lists_all_codes() -> None:
    lines = run().stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == explain.codes()
    assert "there is no such key" in run().stdout


@pytest.mark.process
def test_an_unknown_code_is_wrong_usage_with_the_nearest() -> None:
    done = run("unknwon-key")
    assert done.returncode == 2
    assert "did you mean unknown-key?" in done.stderr
