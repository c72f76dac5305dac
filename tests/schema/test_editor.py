"""The display of an editor: yaml-language-server itself, with the schema that we print."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from language_server import LanguageServer, install_server
from node_packages import NotHereError

from modelspec import catalog
from modelspec.cli.new import MODELINE
from modelspec.schema import schema_text

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
HEAD = f"{MODELINE}modelspec: 1\ninputs: {{x: {{shape: [8]}}}}\noutputs: y\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LanguageServer]:
    try:
        program = install_server()
    except NotHereError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("editor")
    text = schema_text(catalog.load())
    folder.joinpath("modelspec.schema.json").write_text(text, encoding="utf-8")
    with LanguageServer(program, folder) as running:
        yield running


def underlined(text: str, problem: dict[str, Any]) -> str:
    start, end = problem["range"]["start"], problem["range"]["end"]
    assert start["line"] == end["line"]
    first, last = int(start["character"]), int(end["character"])
    line: str = text.splitlines()[start["line"]]
    return line[first:last]


@pytest.mark.parametrize("folder", ["specs", pytest.param("tests/guides", marks=pytest.mark.sweep)])
def test_no_spec_is_underlined(server: LanguageServer, folder: str) -> None:
    paths = sorted(ROOT.glob(f"{folder}/*.yaml"))
    assert len(paths) >= 9
    diagnostics = server.open(*(MODELINE + path.read_text("utf-8") for path in paths))
    names = [path.name for path in paths]
    assert [pair for pair in zip(names, diagnostics, strict=True) if pair[1]] == []


MISTAKES = [
    ("layers: [{Dense: {units: 4, unts: 3}, name: y}]", "unts", "Property unts is not allowed."),
    ("layers: [{Dens: {units: 4}, name: y}]", "Dens", "Property Dens is not allowed."),
    ("layers: [Flaten]", "Flaten", "no layer of this name"),
    ("layers: [{Dense: {use_bias: true}, name: y}]", "Dense", 'Missing property "units".'),
    ("layers: [{Dense: {units: 4}, Flatten: , name: y}]", "Flatten", "beside Dense"),
    ("layers: [{name: y}]", "{", "has no layer"),
    ("layers: [{Dense: {units: many}, name: y}]", "many", "${…}"),
    ("layers: [{Dense: {units: 4, activation: rleu}}]", "rleu", "no activation of this name"),
    ("layers: [{Conv2D: {filters: 4, kernel_size: 3, padding: smae}}]", "smae", "valid, same"),
    ("layers: [{Bidirectional: {layer: {LSTM: {units: 3, unts: 3}}}}]", "unts", "not allowed"),
    ("layers: [ReLU]\noptimizer: admm", "admm", "no optimizer of this name"),
    ("layers: [ReLU]\noptimizer: {Adem: {beta_1: 0.9}}", "Adem", "Property Adem is not allowed."),
    ("layers: [ReLU]\noptimizer: {Adam: {lr: 0.1}}", "lr", "Property lr is not allowed."),
    ("layers: [ReLU]\nlosses: msee", "msee", "no loss of this name"),
    ("layers: [ReLU]\nlosses: {y: {Huber: {dleta: 1}}}", "dleta", "not allowed"),
    ("layers: [ReLU]\nmetrics: [acc, acuracy]", "acuracy", "no metric of this name"),
    ("layers: [ReLU]\nlos: mse", "los", "Property los is not allowed."),
    ("layers: [ReLU]\ntraining: {epoch: 3}", "epoch", "Property epoch is not allowed."),
]


@pytest.mark.parametrize(("text", "place", "message"), MISTAKES)
def test_a_mistake_is_underlined(
    server: LanguageServer, text: str, place: str, message: str
) -> None:
    [problems] = server.open(HEAD + text)
    shown = {underlined(HEAD + text, problem): problem["message"] for problem in problems}
    assert message in shown[place]
    assert len(shown) <= 2


COMPLETIONS = [
    ("layers:\n  - De|", {"Dense", "DepthwiseConv2D", "Flatten"}),
    ("layers:\n  - |", {"Dense", "LSTM", "Flatten", "share"}),
    ("layers:\n  - Dense: {units: 4}\n    |", {"name", "from", "repeat", "trainable"}),
    ("layers:\n  - Dense: {un|}", {"units", "activation", "kernel_initializer"}),
    ("layers:\n  - Dense:\n      |", {"units", "activation", "kernel_initializer"}),
    ("layers:\n  - Dense: {units: 4, activation: |}", {"relu", "softmax", "gelu"}),
    ("layers:\n  - Conv2D: {filters: 4, kernel_size: 3, padding: |}", {"valid", "same"}),
    ("layers:\n  - Bidirectional:\n      layer:\n        L|", {"LSTM", "GRU"}),
    ("optimizer: |", {"adam", "rmsprop", "SGD"}),
    ("optimizer:\n  |", {"Adam", "RMSprop", "SGD"}),
    ("optimizer:\n  Adam: {le|}", {"learning_rate", "beta_1"}),
    ("losses: |", {"mse", "categorical_crossentropy", "Huber"}),
    ("losses:\n  y: |", {"mse", "categorical_crossentropy", "Huber"}),
    ("metrics: [|]", {"accuracy", "AUC"}),
    ("training:\n  callbacks:\n    - |", {"EarlyStopping"}),
    ("training:\n  |", {"epochs", "batch_size", "jit"}),
    ("|", {"layers", "losses", "optimizer", "training"}),
]


@pytest.mark.parametrize(("text", "labels"), COMPLETIONS)
def test_names_are_completed(server: LanguageServer, text: str, labels: set[str]) -> None:
    assert labels <= server.complete(HEAD + text).keys()


def test_a_layer_is_completed_with_what_it_needs_and_no_more(server: LanguageServer) -> None:
    offered = server.complete(HEAD + "layers:\n  - De|")["Dense"]
    assert offered["insertText"].split() == ["Dense:", "units:"]
    assert "densely-connected" in offered["documentation"]


HOVERS = [
    ("layers: [{De|nse: {units: 4}}]", "`output = activation(dot(input, kernel) + bias)`"),
    ("layers: [{Dense: {un|its: 4}}]", "Positive integer, dimensionality of the output space."),
    ("layers: [{Dense: {units: 4, use_|bias: true}}]", "Default: `True`"),
    ("layers: [{Dense: {units: 4, activation: re|lu}}]", "rectified linear unit"),
    ("layers: [Fla|tten]", "Does not affect the batch size."),
    ("layers: [{Dense: {units: 4}, fr|om: x}]", "The input of the layer"),
    ("optimizer: ad|am", "Adam algorithm"),
    ("optimizer: {Adam: {beta|_1: 0.9}}", "exponential decay rate"),
    ("losses: {y: {Hu|ber: {delta: 1}}}", "Huber loss"),
    ("training: {ep|ochs: 3}", "The number of passes over all samples."),
]


@pytest.mark.parametrize(("text", "shown"), HOVERS)
def test_help_is_shown(server: LanguageServer, text: str, shown: str) -> None:
    assert shown in server.hover(HEAD + text)
