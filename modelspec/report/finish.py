"""The end of ``modelspec train``: final measures, the run's folder, and next commands."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from rich.console import Console

from modelspec.report.epochs import cell
from modelspec.report.prose import print_command, print_prose
from modelspec.report.table import print_table
from modelspec.runs.commands import data_words, resume_words
from modelspec.runs.history import VALIDATION, Record, best, columns, groups
from modelspec.runs.layout import CURVES, HISTORY, MODEL
from modelspec.runs.record import ALL_EPOCHS
from modelspec.runs.run import Run

_FILES = (MODEL, HISTORY, "history.csv", CURVES, "tensorboard")


def print_finish(
    console: Console,
    run: Run,
    samples: int,
    *,
    takes_more_epochs: bool = True,
    plugins: Sequence[str] = (),
) -> None:
    """Sum up a run.

    Args:
        console: The console to print on.
        run: The run.
        samples: The samples of each epoch that ran now, 0 if none did.
        takes_more_epochs: Says whether more epochs would train it longer.
        plugins: The options that name its plugins, for the next commands.
    """
    history = run.history
    if history:
        print_prose(console, _heading(run, history, samples))
        _print_measures(console, history)
        if ending := _ending(run.record, len(history)):
            print_prose(console, ending)
    files = [name for name in _FILES if (run.path / name).exists()]
    print_prose(console, f"{run.path} holds {', '.join(files)}")
    commands = [*_judging(run), *([_longer(run, history)] if takes_more_epochs else [])]
    for start, command in zip(("next: ", *[" " * 6] * 2), commands, strict=False):
        print_command(console, ["modelspec", *command, *plugins], before=start)


def _heading(run: Run, history: Sequence[Record], samples: int) -> str:
    seconds = [record["seconds"] for record in history]
    count = f"{len(history)} epoch{'s' if len(history) > 1 else ''}"
    text = f"{run.record['name']}: {count} in {sum(seconds):,.1f} s"
    if samples:
        # The first epoch compiles the steps.
        usual = median(seconds[1:] or seconds)
        text += f", {samples / max(usual, 1e-9):,.0f} samples/s"
    best_epoch = best(history)
    if best_epoch is not None:
        text += f"; best: epoch {best_epoch.epoch}, {best_epoch.name} {best_epoch.value:.4g}"
    return text


def _ending(record: Record, done: int) -> str:
    """Return why the run ended, and the epoch of its model; empty if the record lacks them."""
    reason, epoch = record.get("end_reason"), record.get("model_epoch")
    if reason is None or epoch is None:
        return ""
    asked = record.get("epochs")
    why = f"ended after {reason}" if reason == ALL_EPOCHS else f"{reason}, after {done} of {asked}"
    which = "the last" if epoch == done else "which a callback restored"
    return f"{why}; {MODEL} holds epoch {epoch}, {which}"


def _print_measures(console: Console, history: Sequence[Record]) -> None:
    """Print every metric at the best epoch and at the last, of validation too."""
    best_epoch, last = best(history), history[-1]
    shown = {f"epoch {last['epoch']}": last}
    if best_epoch is not None and best_epoch.epoch != last["epoch"]:
        [at_best] = [record for record in history if record["epoch"] == best_epoch.epoch]
        shown = {f"epoch {best_epoch.epoch} (best)": at_best, **shown}
    names = [
        (label, name)
        for group in groups(columns(history))
        for label, name in group.names.items()
        if not label.startswith(VALIDATION)
    ]
    validated = any(name.startswith(VALIDATION) for name in last)
    header = ["measure"]
    for title in shown:
        header += [title, "validation"] if validated else [title]
    rows = [
        [name, *_cells(label, name, shown.values(), validated=validated)] for label, name in names
    ]
    print_table(console, header, rows, set(range(1, len(header))))


def _cells(label: str, name: str, records: Iterable[Record], *, validated: bool) -> Iterator[str]:
    for record in records:
        yield cell(label, record.get(name))
        if validated:
            yield cell(label, record.get(f"{VALIDATION}{name}"))


def _judging(run: Run) -> Iterator[list[str]]:
    yield from ([verb, str(run.path), *data_words(run)] for verb in ("evaluate", "predict"))


def _longer(run: Run, history: Sequence[Record]) -> list[str]:
    return resume_words(run, "--epochs", str(2 * max(len(history), 1)))
