"""``${…}``: values, refusals, and limits of time."""

import random
from typing import Any

import pytest
from ending import bounded

from modelspec.language.document import read_text
from modelspec.language.expressions import ExpressionError, evaluate, fill, substitute
from modelspec.language.parameters import put_parameters
from modelspec.language.yaml_tree import MAX_NODES
from modelspec.problems.diagnostic import UNKNOWN, Diagnostic

SCOPE: dict[str, Any] = {
    "n": 6,
    "rate": 0.5,
    "name": "conv",
    "on": True,
    "nothing": None,
    "sizes": [8, 16, 32],
    "table": {"small": 1, 2: "two", "deep": {"x": [5]}},
    "huge": 10**399,
    "lambda_": 3,
}

VALUES: list[tuple[str, Any]] = [
    ("${n}", 6),
    ("${ n }", 6),
    ("${rate}", 0.5),
    ("${on}", True),
    ("${nothing}", None),
    ("${sizes}", [8, 16, 32]),
    ("${n * 2 + 1}", 13),
    ("${n / 2}", 3.0),
    ("${n // 4}", 1),
    ("${-n // 4}", -2),
    ("${n % 4}", 2),
    ("${2 ** n}", 64),
    ("${2 ** -1}", 0.5),
    ("${-2 ** 2}", -4),
    ("${(-2) ** 2}", 4),
    ("${+n}", 6),
    ("${n - -n}", 12),
    ("${1e-3 * n}", 0.006),
    ("${0x10}", 16),
    ("${sizes[0]}", 8),
    ("${sizes[-1] // 2}", 16),
    ("${sizes[n - 5]}", 16),
    ("${table['small']}", 1),
    ("${table[2]}", "two"),
    ("${table['deep']['x'][0]}", 5),
    ("${name[0]}", "c"),
    ("${name + '_a'}", "conv_a"),
    ("${sizes + sizes}", [8, 16, 32, 8, 16, 32]),
    ("${lambda_}", 3),
    ("${'a' 'b'}", "ab"),
    ("${n # six}", 6),
    ("x${n}y", "x6y"),
    ("${name}_${n}", "conv_6"),
    ("${n}${n}", "66"),
    ("${n / 2}!", "3.0!"),
    ("${on}?", "true?"),
    (" ${n}", " 6"),
    ("é${name}é", "éconvé"),
    ("$n {n} $", "$n {n} $"),
    ("$${n}", "$6"),
    ("plain", "plain"),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text: str, value: Any) -> None:
    substituted = substitute(text, SCOPE)
    assert substituted == value
    assert type(substituted) is type(value)


FORBIDDEN = [
    "__import__('os')", "n()", "open('x')", "n.real", "name.upper", "().__class__",
    "lambda: 1", "lambda_ if n else 1", "[n]", "(n, n)", "n,", "[x for x in sizes]",
    "sizes[0:1]", "sizes[::2]", "f'x'", "b'x'", "(x := 1)", "n and n", "n or n", "not n",
    "n < 1", "n == n", "n in sizes", "n is n", "~n", "n & 1", "n | 1", "n ^ 1", "n << 1",
    "n >> 1", "n @ n", "True", "None", "False", "...", "1j", "await n", "yield", "yield n",
    "*sizes", "n if n else n", "sizes[0, 1]", "'%s' % n", "'a' * 3", "sizes * 2", "on + 1",
    "n + 'a'", "'a' + n", "-name", "on * on", "sizes + [1]", "name - name", "nothing + 1",
]  # fmt: skip

MALFORMED = [
    "", " ", "n +", "(n", "n)", "1 2", "n = 1", "import os", "n\n+ 1", "n; n", "'a", "\\", "$n",
    "n ?", "\x00", "class", "0777", "1__0", "'\\x'", "\u2028", "sizes[", "sizes[]", "\ud800",
]  # fmt: skip

WRONG = [
    ("__class__", "no parameter is named __class__"),
    ("__builtins__", "no parameter is named"),
    ("os", "no parameter is named os"),
    ("sizes[3]", "[8, 16, 32] has no 3"),
    ("sizes['a']", "has no 'a'"),
    ("sizes[rate]", "has no 0.5"),
    ("sizes[10 ** 30]", "has no"),
    ("table['x']", "has no 'x'"),
    ("table[sizes]", "has no [8, 16, 32]"),
    ("n[0]", "6 cannot be indexed"),
    ("n / 0", "divides by zero"),
    ("n // 0", "divides by zero"),
    ("n % 0", "divides by zero"),
    ("0 ** -1", "divides by zero"),
    ("(-8) ** 0.5", "not a number"),
    ("huge * huge", "too large"),
    ("huge * 1.5", "too large"),
    ("huge ** 2", "too large"),
    ("1e308 ** 2", "too large"),
    ("2 ** 10 ** 9", "too large"),
    ("2 ** -(10 ** 9)", "too large"),
    ("9 ** 9 ** 9 ** 9", "too large"),
    ("10 ** 400", "too large"),
    ("1" * 399, "too large"),
    ("1" * 401, "longer than 400"),
    ("n + " * 100 + "n", "longer than 400"),
]


@pytest.mark.parametrize("expression", FORBIDDEN + MALFORMED)
def test_refused(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression, SCOPE)


@pytest.mark.parametrize(("expression", "message"), WRONG)
def test_wrong(expression: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught, bounded():
        evaluate(expression, SCOPE)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("text", ["${", "${n", "a ${n} ${", "${a{b}", "${sizes[${n}]}"])
def test_braces(text: str) -> None:
    with pytest.raises(ExpressionError, match="without }"):
        substitute(text, SCOPE)


@pytest.mark.parametrize("text", ["a${nothing}", "a${sizes}", "a${table}"])
def test_no_place_in_a_text(text: str) -> None:
    with pytest.raises(ExpressionError, match="cannot be part of a longer string"):
        substitute(text, SCOPE)


def test_hints() -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate("Rate * 2", SCOPE)
    assert caught.value.hint == "did you mean rate?"
    with pytest.raises(ExpressionError) as caught:
        evaluate("x", {"units": 1, "heads": 2})
    assert caught.value.hint == "known here: units, heads"
    with pytest.raises(ExpressionError) as caught:
        evaluate("open('x')", SCOPE)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("names, numbers, strings")


QUICK = [
    "(" * 5000 + "n" + ")" * 5000,
    "(" * 199 + "n" + ")" * 199,
    "-" * 399 + "n",
    "[" * 400,
    "n" + "[0]" * 130,
    "2**" * 100 + "2",
    "'" + "a" * 10**6 + "'",
    "long + long",
    "wide + wide",
    "deep",
    "9" * 10**6,
    "1e" + "9" * 390,
]
BIG: dict[str, Any] = {"n": [1], "long": "x" * 9000, "wide": [0] * 9000, "deep": [1]}
for _ in range(100):
    BIG["deep"] = [BIG["deep"]]


@pytest.mark.parametrize("expression", QUICK, ids=range(len(QUICK)))
def test_bounds(expression: str) -> None:
    try:
        with bounded():
            evaluate(expression, BIG)
    except ExpressionError as error:
        assert len(str(error)) < 1000  # noqa: PT017 - either outcome is fine, quickly
    else:
        assert expression in {QUICK[1], QUICK[-1]}


def test_bounds_of_a_text() -> None:
    assert len(substitute("${long}" + "y", BIG)) == 9001
    with pytest.raises(ExpressionError, match="longer than"):
        substitute("${long}${long}", BIG)
    with pytest.raises(ExpressionError), bounded():
        substitute("${" * 1_000_000, BIG)


ATOMS = ["n", "rate", "3", "7", "0", "1.5", "sizes[1]", "huge", "'a'", "name", "on", "nothing"]
JUNK = [*ATOMS, *"()[]+-*/%~!.,:'\"{}\\ ", "**", "//", "lambda", " if ", "else", "()", "\n", "é"]


def arithmetic(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(ATOMS[:7])
    if rng.random() < 0.15:
        return f"-({arithmetic(rng, depth - 1)})"
    operation = rng.choice(["+", "-", "*", "/", "//", "%"])
    return f"({arithmetic(rng, depth - 1)} {operation} {arithmetic(rng, depth - 1)})"


def test_agrees_with_python() -> None:
    rng = random.Random(3)  # noqa: S311 - not for secrets
    for _ in range(500):
        expression = arithmetic(rng, 4)
        if len(expression) > 400:
            continue
        try:
            expected: Any = eval(expression, {"__builtins__": {}}, SCOPE)  # noqa: S307
        except ZeroDivisionError:
            with pytest.raises(ExpressionError, match="divides by zero"):
                evaluate(expression, SCOPE)
            continue
        actual = evaluate(expression, SCOPE)
        assert actual == expected
        assert type(actual) is type(expected)


def test_junk_gives_nothing_but_expression_errors() -> None:
    rng = random.Random(4)  # noqa: S311 - not for secrets
    for _ in range(3000):
        text = "".join(rng.choice(JUNK) for _ in range(rng.randint(1, 12)))
        for whole in (text, "${" + text + "}"):
            try:
                with bounded():
                    substitute(whole, SCOPE)
            except ExpressionError as error:
                assert str(error)  # noqa: PT017


def test_fill_reports_each_and_goes_on() -> None:
    problems: list[Diagnostic] = []
    data = {"a": ["${n}", "${x}"], "b": {"c": "${y}", "d": 1}}
    filled = fill(data, {"n": 1}, ("top",), problems)
    assert filled == {"a": [1, UNKNOWN], "b": {"c": UNKNOWN, "d": 1}}
    assert [(problem.code, problem.route) for problem in problems] == [
        ("bad-expression", ("top", "a", 1)),
        ("bad-expression", ("top", "b", "c")),
    ]


def test_fill_does_not_copy_constants() -> None:
    data = {"a": [1, {"b": 2}], "c": "x"}
    assert fill(data, {}, (), []) is data
    mixed = {"a": [1, 2], "b": "${n}"}
    filled = fill(mixed, {"n": 1}, (), [])
    assert filled == {"a": [1, 2], "b": 1}
    assert filled["a"] is mixed["a"]


def test_what_follows_from_an_unknown_value_is_silent() -> None:
    problems: list[Diagnostic] = []
    scope = {"u": UNKNOWN, "some": [UNKNOWN, 2]}
    filled = fill(["${u * 2}", "x${u}", "${some[0]}", "${some[1]}"], scope, (), problems)
    assert filled == [UNKNOWN, UNKNOWN, UNKNOWN, 2]
    assert problems == []


def put(text: str) -> tuple[dict[str | int, Any], list[Diagnostic]]:
    document, problems = read_text(text)
    assert problems == []
    assert document is not None
    filled, problems = put_parameters(document)
    return filled.data, problems


def test_parameters_use_those_above() -> None:
    data, problems = put("""\
training: {epochs: "${b}", batch_size: "${sizes[1]}"}
params: {a: 2, b: "${a * 3}", sizes: ["${a}", "${b + 1}"], text: "${a}x${b}"}
layers: [{Dense: {units: "${b}"}}]
blocks: {"${a}": "${b}"}
""")
    assert problems == []
    assert data["params"] == {"a": 2, "b": 6, "sizes": [2, 7], "text": "2x6"}
    assert data["training"] == {"epochs": 6, "batch_size": 7}
    assert data["layers"] == [{"Dense": {"units": "${b}"}}]
    assert data["blocks"] == {"${a}": "${b}"}
    assert list(data) == ["training", "params", "layers", "blocks"]


def test_parameters_do_not_use_those_below() -> None:
    data, [problem] = put('params: {a: "${b}", b: 1, c: "${a}", d: ["${c + 1}"]}\nname: "x${c}"')
    assert (problem.code, problem.route) == ("bad-expression", ("params", "a"))
    assert data["params"] == {"a": UNKNOWN, "b": 1, "c": UNKNOWN, "d": [UNKNOWN]}


@pytest.mark.parametrize("text", ["1", "[1, 2]", "text", ""])
def test_parameters_of_another_form_are_left_to_the_envelope(text: str) -> None:
    data, problems = put(f'params: {text}\nname: "${{a}}"')
    assert data["params"] is None or data["params"]
    assert [problem.route for problem in problems] == [("name",)]


def nested(width: int, height: int) -> str:
    lines = ["params:", "  p0: [1, 2, 3, 4, 5, 6, 7, 8]"]
    lines += [
        f"  p{k}: [" + ", ".join([f'"${{p{k - 1}}}"'] * width) + "]" for k in range(1, height)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize("text", [nested(10, 12), nested(1, 1500), nested(2, 40)])
def test_parameters_cannot_explode(text: str) -> None:
    with bounded():
        _, problems = put(text)
    assert problems
    assert {problem.code for problem in problems} <= {"bad-expression", "too-large"}


def test_many_large_parameters_are_one_problem() -> None:
    large = "[" + "1," * 9000 + "]"
    text = f"params:\n  a: {large}\n  b: [" + '"${a}",' * 40 + "]\n"
    data, [problem] = put(text)
    last = MAX_NODES // 9001
    assert (problem.code, problem.route) == ("too-large", ("params", "b", last))
    assert data["params"]["b"][last - 1 : last + 2] == [[1] * 9000, UNKNOWN, UNKNOWN]
