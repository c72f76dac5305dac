"""Pages about runs: their figures against scikit-learn's and those of ``evaluate``."""

import json
import re
import shutil
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import SCHEMES, WIDTHS, NoBrowserError, chromium, look
from hostile_names import HOSTILE
from sklearn import metrics

import modelspec
from modelspec.api.evaluated import evaluate_for_report
from modelspec.api.report import gather
from modelspec.cli import modelspec as group
from modelspec.problems.diagnostic import Span
from modelspec.problems.problem import Place, Problem
from modelspec.report.pages.comparing import differences, is_higher_better
from modelspec.report.pages.comparison import comparison_page
from modelspec.report.pages.markdown import report_markdown
from modelspec.report.pages.page import report_page
from modelspec.report.pages.run_report import RunReport
from modelspec.results.evaluated import Classes, Finding, Importance, Judged, Labels, Sample, Shown
from modelspec.results.regression import Fit

pytestmark = pytest.mark.keras

ROOT = Path(__file__).parents[2]
HEADS, DATA = ROOT / "specs" / "digits_heads.yaml", ROOT / "data" / "digits_heads.npz"

KINDS = """
modelspec: 1
name: kinds
description: every kind of output
inputs: {x: {shape: [3]}, words: {shape: [4], dtype: int32}}
layers:
  - {Embedding: {input_dim: 9, output_dim: 2}, from: words}
  - Flatten
  - {Concatenate: {}, from: [x, flatten], name: all}
  - {Dense: {units: 3}, name: onehot, from: all}
  - {Dense: {units: 4, activation: sigmoid}, name: tags, from: all}
  - {Dense: {units: 1, activation: tanh}, name: side, from: all}
  - {Dense: {units: 2}, name: pair, from: all}
  - {Dense: {units: 30, activation: softmax}, name: many, from: all}
outputs: [onehot, tags, side, pair, many]
losses:
  onehot: {CategoricalCrossentropy: {from_logits: true}}
  tags: binary_crossentropy
  side: hinge
  pair: {Huber: {delta: 2}}
  many: sparse_categorical_crossentropy
loss_weights: {pair: 0.5}
optimizer: {Adam: {learning_rate: {ExponentialDecay:
  {initial_learning_rate: 0.1, decay_steps: 10, decay_rate: 0.5}}}}
training: {epochs: 2, batch_size: 16}
"""


def arrays(rows: int = 100) -> dict[str, Any]:
    random = np.random.default_rng(3)
    return {
        "x": random.normal(size=(rows, 3)).astype("f"),
        "words": random.integers(0, 9, (rows, 4)),
        "onehot": np.eye(3, dtype="f")[random.integers(0, 3, rows)],
        "tags": (random.random((rows, 4)) < 0.4).astype("f"),
        "side": np.where(random.random((rows, 1)) < 0.5, -1, 1).astype("f"),
        "pair": random.normal(size=(rows, 2)).astype("f"),
        "many": random.integers(0, 30, rows),
    }


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads") / "run"
    options = ["training.epochs=4", "training.validation_split=0.2"]
    return modelspec.train(modelspec.load(HEADS, options), DATA, run=folder).path


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kinds")
    np.savez(folder / "data.npz", **arrays())
    spec = modelspec.loads(KINDS)
    return modelspec.train(spec, folder / "data.npz", run=folder / "run").path


@pytest.fixture(scope="module")
def of_heads(heads: Path) -> RunReport:
    return gather(heads)


@pytest.fixture(scope="module")
def of_kinds(kinds: Path) -> RunReport:
    return gather(kinds)


def details(report: RunReport, output: str) -> Any:
    assert report.evaluated is not None
    [judged] = [
        output_figures
        for output_figures in report.evaluated.outputs
        if output_figures.output == output
    ]
    return judged.details


def test_metrics_are_those_of_evaluate(of_heads: RunReport, heads: Path) -> None:
    assert of_heads.evaluated is not None
    assert dict(of_heads.evaluated.metrics) == modelspec.evaluate(
        modelspec.open_target(heads), DATA
    )
    assert (of_heads.evaluated.rows, of_heads.evaluated.samples) == (360, 360)


def test_figures_are_scikit_learns(of_heads: RunReport, heads: Path) -> None:
    made = modelspec.predict(modelspec.open_target(heads), DATA)
    true = {name: np.asarray(target[:]) for name, target in made.targets.items()}
    shares, digit = made.arrays["digit"], details(of_heads, "digit")
    assert isinstance(digit, Classes)
    assert np.array_equal(digit.table, metrics.confusion_matrix(true["digit"], shares.argmax(1)))
    assert digit.accuracy == metrics.accuracy_score(true["digit"], shares.argmax(1))
    auc = metrics.roc_auc_score(np.eye(10)[true["digit"].ravel()], shares, average="macro")
    assert digit.macro_auc == pytest.approx(auc, abs=1e-9)
    parity = details(of_heads, "parity")
    said = made.arrays["parity"].ravel() > 0.5
    assert np.array_equal(parity.table, metrics.confusion_matrix(true["parity"], said))
    assert parity.roc[0].area == pytest.approx(
        metrics.roc_auc_score(true["parity"], made.arrays["parity"].ravel()), abs=1e-9
    )
    ink = details(of_heads, "ink")
    assert isinstance(ink, Fit)
    assert ink.r2 == pytest.approx(metrics.r2_score(true["ink"], made.arrays["ink"]), abs=1e-6)
    assert ink.mae == pytest.approx(
        of_heads.evaluated and of_heads.evaluated.metrics["ink_mae"], rel=1e-4
    )


def test_every_kind_of_output_has_its_figures(of_kinds: RunReport, kinds: Path) -> None:
    made = modelspec.predict(modelspec.open_target(kinds), kinds.parent / "data.npz")
    true = arrays()
    onehot = details(of_kinds, "onehot")
    assert np.array_equal(
        onehot.table,
        metrics.confusion_matrix(true["onehot"].argmax(1), made.arrays["onehot"].argmax(1)),
    )
    assert onehot.calibration is not None
    tags = details(of_kinds, "tags")
    assert isinstance(tags, Labels)
    theirs = metrics.precision_recall_fscore_support(
        true["tags"], made.arrays["tags"] > 0.5, zero_division=0
    )
    ours = np.array([[s.precision, s.recall, s.f1, s.support] for s in tags.scores]).T
    np.testing.assert_allclose(ours, np.array(theirs, float))
    side = details(of_kinds, "side")
    assert side.names == ("-1", "1")
    assert side.calibration is None
    assert np.array_equal(
        side.table, metrics.confusion_matrix(true["side"], np.where(made.arrays["side"] > 0, 1, -1))
    )
    pair = details(of_kinds, "pair")
    assert pair.r2 == pytest.approx(metrics.r2_score(true["pair"], made.arrays["pair"]), abs=1e-5)
    many = details(of_kinds, "many")
    assert many.names[-1] == "others"
    assert many.table.shape == (20, 20)
    assert many.table.sum() == 100
    assert len(many.scores) == 30


def test_the_loss_of_samples_is_that_of_keras(of_kinds: RunReport, kinds: Path) -> None:
    made = modelspec.predict(modelspec.open_target(kinds), kinds.parent / "data.npz")
    evaluated = of_kinds.evaluated
    assert evaluated is not None
    true, predicted = arrays(), made.arrays
    logits = predicted["onehot"].astype("d")
    cross = np.log(np.exp(logits).sum(1)) - (logits * true["onehot"]).sum(1)
    many = -np.log(predicted["many"][np.arange(100), true["many"]].astype("d"))
    p = np.clip(predicted["tags"].astype("d"), 1e-7, 1 - 1e-7)
    tags = -(true["tags"] * np.log(p) + (1 - true["tags"]) * np.log(1 - p)).mean(1)
    hinge = np.maximum(1 - true["side"] * predicted["side"], 0).mean(1)
    error = np.abs(true["pair"] - predicted["pair"]).astype("d")
    huber = np.where(error <= 2, error**2 / 2, 2 * error - 2).mean(1)
    total = cross + tags + hinge + 0.5 * huber + many
    assert evaluated.loss == pytest.approx(total.mean(), rel=1e-4)
    worst = np.argsort(-total, kind="stable")[:20]
    assert [sample.row for sample in evaluated.worst] == worst.tolist()
    assert evaluated.worst[0].loss == pytest.approx(total.max(), rel=1e-4)


def test_steps_of_an_ignored_class_do_not_count(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    x = random.integers(1, 9, (30, 5))
    y = random.integers(0, 4, (30, 5))
    y[0] = 0
    spec = modelspec.loads(
        """
modelspec: 1
name: steps
inputs: {x: {shape: [5], dtype: int32}}
layers:
  - {Embedding: {input_dim: 9, output_dim: 3, mask_zero: true}}
  - {Dense: {units: 4, activation: softmax}, name: y}
outputs: y
losses: {SparseCategoricalCrossentropy: {ignore_class: 0}}
training: {epochs: 1}
"""
    )
    run = modelspec.train(spec, {"x": x, "y": y}, run=tmp_path / "run")
    target = modelspec.open_target(run.path)
    evaluated = evaluate_for_report(target, {"x": x, "y": y})
    shares = modelspec.predict(target, {"x": x}).arrays["y"].astype("d")
    steps = -np.log(np.take_along_axis(shares, y[..., None], -1)[..., 0])
    by_sample = (steps * (y != 0)).sum(1) / np.maximum((y != 0).sum(1), 1)
    assert evaluated.outputs[0].mean_loss == pytest.approx(by_sample.mean(), rel=1e-5)
    classes = evaluated.outputs[0].details
    assert isinstance(classes, Classes)
    known = y != 0
    wanted = metrics.confusion_matrix(y[known], shares.argmax(-1)[known], labels=range(4))
    assert np.array_equal(classes.table, wanted)
    assert evaluated.notes == ("The figures also count the steps of y that are masked.",)


def test_importance_is_the_rise_of_the_loss(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 3)).astype("f")
    np.savez(tmp_path / "d.npz", x=x, idle=x[:, :1].copy(), y=3 * x[:, 1:2])
    spec = modelspec.loads(
        """
modelspec: 1
name: linear
inputs: {x: {shape: [3]}, idle: {shape: [1]}}
layers:
  - {Dense: {units: 1, kernel_regularizer: null}, name: used, from: x}
  - {Dense: {units: 1, kernel_initializer: zeros}, name: unused, from: idle, trainable: false}
  - {Add: {}, name: y, from: [used, unused]}
outputs: y
losses: mse
optimizer: {Adam: {learning_rate: 0.05}}
training: {epochs: 60}
"""
    )
    run = modelspec.train(spec, tmp_path / "d.npz", run=tmp_path / "run")
    evaluated = gather(run.path).evaluated
    assert evaluated is not None
    rises = {importance.name: importance.rise for importance in evaluated.importance}
    assert rises["idle"] == 0
    # Shuffled, 3·x has a squared error of twice its variance.
    variance = float(np.var(3 * x[:, 1]))
    assert rises["x[1]"] == pytest.approx(2 * variance, rel=0.25)
    assert rises["x"] == pytest.approx(2 * variance, rel=0.25)
    assert abs(rises["x[0]"]) < 0.05 * variance


def test_of_large_data_samples_are_drawn_and_the_page_says_so(
    heads: Path, of_heads: RunReport
) -> None:
    few = evaluate_for_report(modelspec.open_target(heads), DATA, rows=50)
    assert of_heads.evaluated is not None
    assert (few.rows, few.samples) == (50, 360)
    digit = few.outputs[0].details
    assert isinstance(digit, Classes)
    assert digit.table.sum() == 50
    assert {sample.row for sample in few.worst} <= set(range(360))
    assert few.metrics == of_heads.evaluated.metrics
    page = report_page(replace(of_heads, evaluated=few))
    assert "Figures are of 50 of 360 samples, drawn at random" in page


def test_learning_rates_follow_the_schedule(of_kinds: RunReport, of_heads: RunReport) -> None:
    steps = 7
    wanted = {epoch: 0.1 * 0.5 ** ((epoch * steps - 1) / 10) for epoch in (1, 2)}
    assert of_kinds.rates == pytest.approx(wanted, rel=1e-5)
    assert of_heads.rates == pytest.approx(dict.fromkeys(range(1, 5), 0.001))


class Tags(HTMLParser):
    """The tags of a page, their attributes, and the targets of its links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_the_page_stands_alone(of_heads: RunReport, of_kinds: RunReport) -> None:
    for report in (of_heads, of_kinds):
        text = report_page(report)
        assert len(text) < 1_000_000
        page = Tags(text)
        assert not {"script", "link", "iframe", "object", "embed", "form"} & set(page.tags)
        for name, value in page.attributes:
            assert not name.startswith("on")
            if name in ("href", "src", "xlink:href"):
                assert re.match(r"#|data:image/png;base64,", value or "")
        ids = {value for name, value in page.attributes if name == "id"}
        links = {value[1:] for name, value in page.attributes if name.endswith("href") and value}
        assert links <= ids
        assert {f"L{k}" for k in range(1, len(report.spec_text.splitlines()) + 1)} <= ids


def hostile(report: RunReport, text: str) -> RunReport:
    """The same report, with a text of somebody else's wherever one may come from outside."""
    evaluated = report.evaluated
    assert evaluated is not None
    assert report.network is not None
    sample = Sample(
        3, 1.0, (Shown(text, text=text), Shown(text, png=b"x")), {text: (text, text, 1.0)}
    )
    judged = [
        Judged(text, text, 1.0, judged_output.details, text) for judged_output in evaluated.outputs
    ]
    place = Place(text, Span(1, 1, 1, 1))
    record = {
        **report.record,
        "overrides": [text],
        "versions": {text: text},
        "status": text,
        "data": {"samples": 1, "sha256": {text: text}},
    }
    return replace(
        report,
        name=text,
        path=text,
        description=text,
        record=record,
        findings=(Finding("warning", text),),
        command=text,
        spec_text=f"name: |\n  {text}\n",
        spec_facts={text: text},
        network=replace(
            report.network,
            name=text,
            vertices=tuple(
                replace(vertex, name=text, type=text, line=1) for vertex in report.network.vertices
            ),
        ),
        costs=None,
        warnings=(Problem("unused-input", "warning", text, place, text, ()),),
        notes=(text,),
        evaluated=replace(
            evaluated,
            data=(text,),
            notes=(text,),
            outputs=tuple(judged),
            worst=(sample,),
            importance=(Importance(text, 1.0, 0.5),),
        ),
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(text: str, of_heads: RunReport) -> None:
    plain, page = (
        Tags(report_page(hostile(of_heads, "plain"))),
        Tags(report_page(hostile(of_heads, text))),
    )
    extra = len(f"name: |\n  {text}\n".splitlines()) - 2
    items = [tag for tag in page.tags if tag not in ("tspan", "text")]
    assert len(items) - extra == len([tag for tag in plain.tags if tag not in ("tspan", "text")])
    assert not {"script", "img" if "<img" not in text else "iframe", "b", "i"} & set(page.tags) - {
        "img"
    }
    assert [name for name, _ in page.attributes if name.startswith("on")] == []
    both = comparison_page([hostile(of_heads, text), hostile(of_heads, "plain")])
    assert "script" not in Tags(both).tags
    card = report_markdown(hostile(of_heads, text))
    outside = re.sub(r"^(`{3,})(?:.*?)^\1$", "", card, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"(?<!\\)<|(?<!\\)\]\(|(?<!\\)!\[", outside)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.sweep
def test_a_browser_shows_pages_without_complaint(
    of_heads: RunReport, of_kinds: RunReport, tmp_path: Path
) -> None:
    long = "w" * 500
    pages = {
        "heads": report_page(of_heads),
        "kinds": report_page(of_kinds),
        "hostile": report_page(hostile(of_heads, HOSTILE[5] + long)),
        "comparison": comparison_page([of_heads, of_kinds, replace(of_heads, path="another/run")]),
    }
    try:
        with chromium() as browser:
            for name, text in pages.items():
                path = tmp_path / f"{name}.html"
                path.write_text(text, encoding="utf-8")
                for width in WIDTHS:
                    for scheme in SCHEMES:
                        seen = look(browser, path, width, scheme)
                        where = (name, width, scheme)
                        assert (seen.errors, seen.requests) == ([], []), where
                        assert seen.weak == [], where
                        assert seen.overflow["page"] <= seen.overflow["wide"], (
                            where,
                            seen.overflow,
                        )
                        assert seen.overflow["cut"] == [], where
    except NoBrowserError as error:
        pytest.skip(str(error))


def test_markdown_has_the_same_facts(of_heads: RunReport) -> None:
    card = report_markdown(of_heads)
    assert of_heads.evaluated is not None
    for finding in of_heads.findings:
        assert re.sub(r"\W", "", finding.text) in re.sub(r"\W", "", card)
    assert f"{of_heads.evaluated.metrics['loss']:.4g}" in card
    assert "```mermaid\nflowchart TD" in card
    for part in ("Verdict", "Metrics", "Worst samples", "Importance of inputs", "What ran", "Spec"):
        assert f"## {part}" in card
    assert "sparse\\_categorical\\_crossentropy" in card


def test_runs_are_compared_by_meaning(of_heads: RunReport) -> None:
    other = replace(
        of_heads,
        path="another",
        spec_facts={**of_heads.spec_facts, "training.epochs": "9", "layers.features.units": "32"},
        record={**of_heads.record, "data": {"sha256": {"image_train": "0" * 64}}},
    )
    rows = {row.path: row.values for row in differences([of_heads, other])}
    assert rows["training.epochs"] == ("4", "9")
    assert rows["layers.features.units"] == ("64", "32")
    assert rows["data image_train, SHA-256"][1] == "0" * 12
    assert differences([of_heads, replace(of_heads, path="elsewhere")]) == []
    better = [{**row, "val_loss": 1e-6, "val_digit_accuracy": 0.0} for row in of_heads.history]
    page = comparison_page([of_heads, replace(other, history=better)])
    cells = re.findall(
        r"<td>(?:whole model|digit)</td><td>(\w+)</td><td>validation</td>\s*"
        r'<td class="n( best)?">[^<]*</td><td class="n( best)?">',
        page,
    )
    assert ("loss", "", " best") in cells
    assert ("accuracy", " best", "") in cells


@pytest.mark.parametrize(
    ("metric", "higher"),
    [
        ("loss", False),
        ("val_loss", False),
        ("accuracy", True),
        ("mae", False),
        ("auc", True),
        ("f1_score", True),
        ("r2_score", True),
        ("false_positives", False),
        ("recall", True),
        ("mean_squared_error", False),
        ("mean_io_u", True),
        ("binary_io_u", True),
    ],
)
def test_the_better_direction_of_a_metric(metric: str, higher: bool) -> None:  # noqa: FBT001
    assert is_higher_better(metric) is higher


def command(*arguments: str) -> int:
    try:
        group.main(list(arguments), standalone_mode=False)
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_the_command_writes_into_the_run(
    heads: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "run"
    shutil.copytree(heads, run)
    command("report", str(run))
    assert capfd.readouterr().out == f"{run / 'report.html'}\n"
    assert (run / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    command("report", str(run), "--format", "markdown", "-o", "-", "--data", str(DATA))
    assert capfd.readouterr().out.startswith("# digits")
    command("report", str(run), str(heads))
    assert capfd.readouterr().out == "comparison.html\n"
    assert modelspec.Run.open(run).status == "completed"


def test_a_run_whose_data_is_gone_or_that_has_no_model_is_reported(
    heads: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(heads, run)
    record = json.loads((run / "run.json").read_text())
    record["arguments"]["data"] = [str(tmp_path / "gone.npz")]
    record |= {"status": "interrupted", "versions": ["odd"], "epochs": "many", "model_epoch": None}
    (run / "run.json").write_text(json.dumps(record))
    page = modelspec.make_report(run)
    assert "data of the run does not exist any more" in page
    assert "The run is interrupted" in page
    assert "Worst samples" not in page
    (run / "model.keras").unlink()
    assert "Figures are of all 360 samples" in modelspec.make_report(run, DATA)
    (run / "history.jsonl").unlink()
    assert "No epoch is finished" in modelspec.make_report(run)


def test_a_run_that_goes_on_can_be_compared(of_heads: RunReport) -> None:
    record = {"status": "running"}
    page = comparison_page([of_heads, replace(of_heads, path="on", record=record, history=[])])
    assert "<td>running</td>" in page
    assert 'class="n best"' not in page
    assert "running" in report_page(replace(of_heads, record=record, history=[], evaluated=None))


def test_mistakes_are_told(heads: Path, kinds: Path, tmp_path: Path) -> None:
    with pytest.raises(modelspec.RunError, match="contains no run"):
        modelspec.make_report(tmp_path)
    with pytest.raises(modelspec.SpecError, match="words"):
        modelspec.make_report(kinds, DATA)
    with pytest.raises(ValueError, match="form is html or markdown"):
        modelspec.make_report(heads, form="pdf")
    with pytest.raises(ValueError, match="no runs"):
        modelspec.make_report([])


def test_without_jinja_the_extra_is_named(
    heads: Path, of_heads: RunReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("jinja2", "markupsafe"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(modelspec.RunError, match="install the extra report"):
        modelspec.make_report(heads)
    assert report_markdown(of_heads).startswith("# digits")


def test_without_graphviz_the_page_has_no_picture(
    of_heads: RunReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    page = report_page(of_heads)
    assert "The extra graph draws the model here" in page
    assert "conv2d_1" in page


TABLE = """
modelspec: 1
name: flowers
inputs: {size: {shape: [2]}}
layers: [{Dense: {units: 3, activation: softmax}, name: species}]
outputs: species
losses: sparse_categorical_crossentropy
data: {size: [long, wide], species: {column: kind}}
training: {epochs: 1}
"""


def test_classes_and_columns_have_the_names_of_the_data(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kinds = ["iris", "lily", "rose"]
    lines = ["long,wide,kind"]
    lines += [
        f"{k + random.normal():.3f},{-k + random.normal():.3f},{kinds[k]}" for k in [0, 1, 2] * 20
    ]
    (tmp_path / "flowers.csv").write_text("\n".join(lines) + "\n")
    spec = modelspec.loads(TABLE)
    run = modelspec.train(spec, tmp_path / "flowers.csv", run=tmp_path / "run")
    report = gather(run.path)
    assert report.evaluated is not None
    species = details(report, "species")
    assert species.names == ("iris", "lily", "rose")
    assert [score.name for score in species.scores] == kinds
    assert {importance.name for importance in report.evaluated.importance} == {
        "size",
        "size.long",
        "size.wide",
    }
    truths = {sample.outputs["species"][0] for sample in report.evaluated.worst}
    assert truths <= set(kinds)
    assert "<td>rose</td>" in report_page(report)
