"""Commands that continue a run, from the options in its record."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelspec.runs.run import Run


def resume_words(run: Run, *more: str) -> list[str]:
    """Return the words of the command that continues a run; ``more`` are further options."""
    arguments = run.record.get("arguments")
    data = [*_options(arguments, "data"), *_options(arguments, "validation")]
    return ["train", str(run.spec_path), *data, "--run", str(run.path), "--resume", *more]


def data_words(run: Run) -> list[str]:
    """Return the options that name the data of a run."""
    return list(_options(run.record.get("arguments"), "data"))


def _options(arguments: Any, name: str) -> Iterator[str]:
    values = arguments.get(name) if isinstance(arguments, Mapping) else None
    for value in values if isinstance(values, list) else ():
        yield from (f"--{name}", str(value))
