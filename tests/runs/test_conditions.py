"""``runs --where``: which runs fulfil a condition, in every format."""

import json
from pathlib import Path

import pytest

from modelspec.cli import modelspec as group
from modelspec.runs.conditions import Condition

RUNS = {
    "good": ("completed", {"width": 8, "wide": True}, 0.25),
    "bad": ("completed", {"width": 16, "wide": False}, 0.75),
    "unknown": ("failed", {"width": "8"}, None),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, (status, parameters, loss) in RUNS.items():
        run = tmp_path / name
        run.mkdir()
        record = {"status": status, "name": name, "parameters": parameters}
        (run / "run.json").write_text(json.dumps(record))
        line = {"epoch": 1, "loss": 1.0, **({} if loss is None else {"val_loss": loss})}
        (run / "history.jsonl").write_text(json.dumps(line) + "\n")
    return tmp_path


def listed(
    capfd: pytest.CaptureFixture[str], folder: Path, *conditions: str, form: str = "json"
) -> set[str]:
    options = [option for condition in conditions for option in ("--where", condition)]
    group.main(["runs", str(folder), "--format", form, *options], standalone_mode=False)
    out = capfd.readouterr().out
    if form == "json":
        return {run["name"] for run in json.loads(out)}
    return {name for name in RUNS if f"{folder / name}" in out}


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        (["val_loss<0.5"], {"good"}),
        (["val_loss <= 2.5e-1"], {"good"}),
        (["val_loss>0.1"], {"good", "bad"}),
        (["val_loss>=0.75"], {"bad"}),
        (["val_loss=0.75"], {"bad"}),
        (["val_loss!=0.75"], {"good", "unknown"}),
        (["val_loss=null"], {"unknown"}),
        (["val_loss!=null"], {"good", "bad"}),
        (["status=completed", "params.width==8"], {"good"}),
        (["params.width<20"], {"good", "bad"}),
        (["params.width=8"], {"good"}),
        (["params.wide=true"], {"good"}),
        (["params.wide!=true"], {"bad", "unknown"}),
        (["name>c"], {"good", "unknown"}),
        (['name="good"'], {"good"}),
        (["epochs=1"], {"good", "bad", "unknown"}),
        (["val_loss<0.1"], set()),
    ],
)
@pytest.mark.parametrize("form", ["json", "csv", "table"])
def test_only_matching_runs_are_listed(
    conditions: list[str],
    names: set[str],
    form: str,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert listed(capfd, folder, *conditions, form=form) == names


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("val_loss", "is not a condition"),
        ("<3", "is not a condition"),
        ("val_loss<", "is not a condition"),
        ("val_los<3", "did you mean val_loss"),
        ("", "is not a condition"),
    ],
)
def test_a_wrong_condition_is_told(
    condition: str, message: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        group.main(["runs", str(folder), "--where", condition])
    assert left.value.code == 2
    assert message in " ".join(capfd.readouterr().err.split())


def test_operators_are_read_whole() -> None:
    assert Condition.parse("a<=-1") == Condition("a", "<=", -1.0)
    assert Condition.parse("a != x=y") == Condition("a", "!=", "x=y")
    assert Condition.parse("params.a.b == true") == Condition("params.a.b", "==", True)
