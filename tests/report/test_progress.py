"""Progress for users: on a terminal of any width, in a log, without output, and at the end."""

import io
import json
import math
import re
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from test_curves import epoch, history

from modelspec.problems.errors import RunError
from modelspec.report.epochs import EpochTable, OutputTable, cell
from modelspec.report.finish import print_finish
from modelspec.report.live import LiveTable, Running
from modelspec.report.pace import Pace, duration
from modelspec.report.progress import Lines, Quiet, make_listener
from modelspec.runs.history import groups
from modelspec.runs.run import Run

SAMPLES = 1000


def terminal(width: int = 80, height: int = 30) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        height=height,
        color_system=None,
        legacy_windows=False,
        _environ={"TERM": "xterm-256color"},
    )


def log() -> Console:
    return Console(file=io.StringIO(), width=100_000)


def text(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def screen(console: Console) -> list[str]:
    """Return the final contents of a terminal, from the few commands that move and clear."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+", text(console)):
        if part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part == "\x1b[1A":
            row -= 1
        elif part[0] != "\x1b":
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part) :]
            column += len(part)
    return "\n".join(lines).rstrip("\n").split("\n")


def rows(console: Console) -> list[str]:
    return [line for line in screen(console) if re.match(r"[* ] +\d+/\d+ ", line)]


def shown(running: Running, width: int) -> list[str]:
    return [line.plain for line in running.lines(width)]


def trained(console: Console, records: list[dict[str, Any]], epochs: int | None = None) -> None:
    with closing(make_listener(console)) as listener:
        listener.training_started([])
        for record in records:
            listener.epoch_started(record["epoch"], epochs or len(records), SAMPLES)
            listener.samples_done(SAMPLES, {"loss": record["loss"]})
            listener.epoch_finished(record)


# In a log


def test_a_log_has_a_line_for_each_epoch() -> None:
    console = log()
    with closing(make_listener(console)) as listener:
        listener.note("the data is [unpacked]")
        for record in history(2):
            listener.epoch_started(record["epoch"], 2, SAMPLES)
            listener.epoch_finished(record)
        listener.warn("ink holds 97 % of the loss")
        assert listener.samples == SAMPLES
    assert text(console).splitlines() == [
        "note: the data is [unpacked]",
        "epoch 1/2  loss 3.619  accuracy 0.09516  val_loss 3.981  val_accuracy 0.1047  0.02 s",
        "epoch 2/2  loss 3.275  accuracy 0.1813  val_loss 3.602  val_accuracy 0.1994  0.02 s",
        "warning: ink holds 97 % of the loss",
    ]


def test_quiet_says_warnings_alone() -> None:
    console = terminal()
    with closing(make_listener(console, quiet=True)) as listener:
        assert isinstance(listener, Quiet)
        listener.training_started([])
        listener.epoch_started(1, 1, SAMPLES)
        listener.samples_done(1, {"loss": 1.0})
        listener.note("a note")
        listener.warn("ink holds 97 % of the loss")
        listener.epoch_finished(epoch(1))
    assert text(console) == "warning: ink holds 97 % of the loss\n"


def test_a_terminal_that_cannot_move_gets_lines() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"})
    assert isinstance(make_listener(console), Lines)
    assert isinstance(make_listener(terminal()), LiveTable)


# The table


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200, 400])
@pytest.mark.parametrize("heads", [1, 2, 3])
def test_rows_fit_and_align(width: int, heads: int) -> None:
    record = epoch(7, heads=heads)
    table = EpochTable(groups(record), 1000, width)
    lines = [line.plain for line in (*table.header(), table.row(record, best=True))]
    assert all(len(line) <= width for line in lines)
    heading, row = lines[-2:]
    assert [match.end() for match in re.finditer(r"\S+", heading)][-3:] == [
        match.end() for match in re.finditer(r"\S+", row)
    ][-3:]
    assert row.startswith("*    7/1000")
    assert table.is_complete == (width >= {1: 80, 2: 200, 3: 200}[heads])


def test_what_is_left_out_when_it_is_narrow() -> None:
    grouped = groups(epoch(1, heads=3))
    labels = {
        width: [
            f"{column.output} {column.label}" for column in EpochTable(grouped, 10, width).columns
        ]
        for width in (50, 80, 110, 400)
    }
    assert labels[50] == [" loss", " val_loss"]
    losses = ["digit loss", "parity loss", "ink loss"]
    assert labels[80] == [" loss", " val_loss", *losses]
    assert labels[110][:4] == [" loss", " val_loss", "digit loss", "digit share"]
    assert len(labels[400]) == 2 + 3 * 5


def test_header_names_the_outputs_over_their_columns() -> None:
    over, heading = [line.plain for line in EpochTable(groups(epoch(1, heads=3)), 10, 200).header()]
    start = over.index("digit")
    assert heading.split()[:3] == ["epoch", "loss", "val_loss"]
    assert "─" in over[: start - 1]
    assert over.index("digit") < over.index("parity") < over.index("ink")


def test_outputs_one_a_row() -> None:
    record = epoch(1, heads=3)
    table = OutputTable(groups(record), 80)
    heading, whole, *outputs = [line.plain for line in table.lines(record)]
    assert heading.split() == ["loss", "share", "mae", "val_loss", "val_mae"]
    assert whole.split()[:2] == ["total", "3.619"]
    assert [line.split()[0] for line in outputs] == ["digit", "parity", "ink"]
    assert outputs[0].split()[2] == "33%"
    narrow = OutputTable(groups(record), 30).lines(record)
    assert narrow[0].plain.split() == ["loss", "share"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (0.5, "0.5000"),
        (1234.5, "1234"),
        (0.00012345, "1.23e-04"),
        (-12.3456, "-12.35"),
        (1e10, "1.00e+10"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (0, "0.000"),
    ],
)
def test_numbers(value: float | None, expected: str) -> None:
    assert cell("loss", value) == expected


# On a terminal


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("heads", [1, 3])
def test_each_epoch_leaves_a_row(width: int, heads: int) -> None:
    console = terminal(width)
    trained(console, history(12, heads=heads))
    printed = rows(console)
    assert [line.split("/")[0].split()[-1] for line in printed] == [str(n) for n in range(1, 13)]
    assert all(line.startswith("*") for line in printed)
    assert screen(console)[-1] == printed[-1]


def test_only_the_best_so_far_is_marked() -> None:
    losses = [3.0, 2.0, math.nan, 2.5, 1.0, 1.0]
    records = [{"epoch": n, "loss": loss, "seconds": 0.125} for n, loss in enumerate(losses, 1)]
    console = terminal()
    trained(console, records)
    assert [line[0] for line in rows(console)] == ["*", "*", " ", " ", "*", " "]


def test_a_resumed_run_knows_its_best() -> None:
    console = terminal()
    listener = LiveTable(console)
    with closing(listener):
        listener.training_started([{"epoch": 1, "loss": 0.5, "seconds": 1.0}])
        listener.epoch_started(2, 2, SAMPLES)
        listener.epoch_finished({"epoch": 2, "loss": 0.75, "seconds": 1.0})
    [row] = rows(console)
    assert row.split()[0] == "2/2"


def test_quick_epochs_are_thinned_but_never_the_last() -> None:
    console = terminal()
    trained(console, history(990), 1000)
    printed = [int(line.split("/")[0].split()[-1]) for line in rows(console)]
    assert printed[0] == 1
    assert printed[-1] == 990
    assert len(printed) < 120
    assert all(number % 20 == 0 for number in printed[40:-1])


def test_slow_epochs_are_all_shown() -> None:
    console = terminal()
    trained(console, [{**epoch(n), "seconds": 30.0} for n in range(1, 201)])
    assert len(rows(console)) == 200


def test_notes_and_warnings_stand_above() -> None:
    console = terminal()
    with closing(make_listener(console)) as listener:
        listener.note("before [it] begins")
        listener.epoch_started(1, 1, SAMPLES)
        listener.warn("in the middle")
        listener.epoch_finished(epoch(1))
    assert "note: before [it] begins\n" in text(console)
    assert "warning: in the middle\n" in text(console)


def test_the_running_epoch() -> None:
    running = Running()
    running.start(3, 10, SAMPLES)
    first = shown(running, 80)
    assert first[0].startswith("epoch 3/10 ───")
    running.finish(epoch(2, heads=3))
    running.advance(500, {"loss": 1.25, "digit_loss": 0.5})
    lines = shown(running, 80)
    assert lines[0].split()[0] == "digit"
    assert lines[2].split()[:2] == ["3/10", "1.250"]
    assert "  50%" in lines[3]
    assert "best: epoch 2, val_loss 3.602" in " ".join(lines)
    assert [line.split()[0] for line in lines[-4:]] == ["total", "digit", "parity", "ink"]
    # Of this epoch where it is known, else of the one before.
    assert lines[-3].split()[1:3] == ["0.5000", "33%"]
    assert all(len(line) <= 80 for line in lines)
    wide = shown(running, 400)
    assert not any(line.startswith("total") for line in wide)


def test_a_narrow_terminal_loses_nothing_but_room() -> None:
    running = Running()
    running.start(1, 10, SAMPLES)
    running.advance(500, {"loss": 1.0})
    running.advance(900, {"loss": 1.0})
    running.finish(epoch(1) | {f"{'long' * 20}_loss": 1.0})
    console = terminal(40)
    console.print(running)
    lines = text(console).splitlines()
    assert [len(line) for line in lines] == running.widths
    assert max(running.widths) == 40


def test_a_terminal_made_narrower_is_cleared_of_wrapped_lines() -> None:
    console = terminal(200)
    listener = LiveTable(console)
    listener.epoch_started(1, 10, SAMPLES)
    listener.samples_done(500, {name: 1.0 for name in epoch(1, heads=3) if "val" not in name})
    live = listener._live
    live.auto_refresh = False
    live.refresh()
    widths = list(listener._running.widths)
    assert max(widths) > 80
    wrapped = sum(-(-width // 80) for width in widths)
    before = len(text(console))
    console.width = 80
    live.refresh()
    climbed = re.split(r"[^\x1b\r\[0-9KA]", text(console)[before:])[0].count("\x1b[1A")
    listener.close()
    assert climbed == wrapped - 1


# Time left


def clock() -> Iterator[float]:
    yield from (float(second) for second in range(1000))


def test_pace() -> None:
    ticks = clock()
    pace = Pace(lambda: next(ticks))
    pace.start(1, 4, SAMPLES)
    assert (pace.rate, pace.epoch_left, pace.run_left) == (None, None, None)
    pace.advance(100)  # whose time was compilation's
    assert pace.rate is None
    pace.advance(300)
    assert pace.rate == 200
    assert pace.epoch_left == 3.5
    assert pace.run_left == 3.5 + 3 * 5
    pace.finish(10.0)
    pace.start(2, 4, SAMPLES)
    pace.advance(500)
    assert pace.rate == 500
    assert pace.run_left == 1 + 2 * 10
    pace.finish(20.0)
    assert pace.epoch_seconds == 13
    assert (pace.share, pace.run_share) == (0.5, 0.375)


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.2, 59.6, 61, 3600, 90061)] == [
        *("0:00", "1:00", "1:01", "1:00:00", "25:01:01"),
    ]


# The end


def finished(folder: Path, records: list[dict[str, Any]]) -> Run:
    run = Run(folder / "the run")
    run.path.mkdir()
    arguments = {"data": ["a b.npz", "more"], "validation": ["v.npz"]}
    run.update(status="completed", name="heads", arguments=arguments)
    for name in ("model.keras", "curves.png", "lock"):
        (run.path / name).touch()
    run.write("history.jsonl", "".join(f"{json.dumps(record)}\n" for record in records))
    return run


def test_the_end_says_what_was_learned_and_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    records = [{**record, "val_loss": abs(record["epoch"] - 2) + 0.5} for record in history(3)]
    records[0]["seconds"], records[2]["seconds"] = 5.0, 0.03
    finished(tmp_path, records)
    console = log()
    print_finish(console, Run(Path("the run")), 500)
    lines = text(console).splitlines()
    assert lines[0] == ("heads: 3 epochs in 5.0 s, 20,000 samples/s; best: epoch 2, val_loss 0.5")
    assert re.split("  +", lines[1]) == [
        *("measure", "epoch 2 (best)", "validation", "epoch 3", "validation"),
    ]
    assert lines[2].split() == ["loss", "3.275", "0.5000", "2.963", "1.500"]
    assert lines[3].split()[0] == "accuracy"
    data = "--data 'a b.npz' --data more"
    again = "--validation v.npz --run 'the run' --resume --epochs 6"
    assert lines[4:] == [
        "the run holds model.keras, history.jsonl, curves.png",
        f"next: modelspec evaluate 'the run' {data}",
        f"      modelspec predict 'the run' {data}",
        f"      modelspec train 'the run/spec.yaml' {data} {again}",
    ]


def test_the_end_offers_more_epochs_where_they_would_be_trained(tmp_path: Path) -> None:
    run = finished(tmp_path, history(3))
    console = log()
    print_finish(console, run, 0, takes_more_epochs=False)
    commands = [line for line in text(console).splitlines() if "modelspec " in line]
    assert [line.removeprefix("next:").split()[1] for line in commands] == ["evaluate", "predict"]


def test_the_end_of_a_run_that_learned_nothing(tmp_path: Path) -> None:
    run = finished(tmp_path, [{"epoch": 1, "loss": None, "seconds": 1.0}])
    console = log()
    print_finish(console, run, 0)
    lines = text(console).splitlines()
    assert lines[0] == "heads: 1 epoch in 1.0 s"
    assert lines[1].split() == ["measure", "epoch", "1"]
    assert lines[2].split() == ["loss"]


def test_the_end_on_a_narrow_terminal(tmp_path: Path) -> None:
    run = finished(tmp_path, history(2, heads=3))
    console = terminal(60)
    print_finish(console, run, 100)
    lines = [line for line in text(console).splitlines() if str(tmp_path) not in line]
    assert all(len(line) <= 60 for line in lines)


@pytest.fixture
def command() -> Any:
    return import_module("modelspec.cli.train")


def test_curves_that_cannot_be_drawn_are_no_failure(
    command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished(tmp_path, history(2))
    console = log()
    monkeypatch.setattr(command.curves, "can_draw", lambda: False)
    command._draw(run, Quiet(console))
    assert text(console) == ""
    command._draw(run, Lines(console))
    assert text(console).startswith("note: curves.png needs matplotlib: ")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command.curves, "can_draw", lambda: True)
    monkeypatch.setattr(command.curves, "draw_curves", full)
    command._draw(run, Quiet(console))
    last = text(console).splitlines()[-1]
    assert last == "warning: cannot write curves.png: No space left on device"


def test_tensorboard_that_is_not_installed(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    arguments = ["no.yaml", "--data", "no.npz", "--tensorboard"]
    with pytest.raises(RunError, match="needs the package tensorboard"):
        command.train.main(arguments, standalone_mode=False)
