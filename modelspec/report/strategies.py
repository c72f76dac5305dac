"""Strategies for loss weights, printed like Keras objects."""

from typing import Final

from rich.console import Console

from modelspec.language.loss_weights import STRATEGIES
from modelspec.report.prose import print_prose
from modelspec.report.table import print_table

STRATEGY: Final = "strategy"
"""The heading of the strategies among the families of Keras's objects."""


def print_strategies(console: Console) -> None:
    rows = [(name, kind.__doc__ or "") for name, kind in STRATEGIES.items()]
    print_table(console, (STRATEGY, "help"), rows, set(), prose=frozenset({1}))


def print_strategy(console: Console, name: str) -> None:
    """Print one strategy: its description, and its arguments with defaults and help."""
    kind = STRATEGIES[name]
    console.print(f"[bold]{name}[/bold] ({STRATEGY} for loss_weights)", highlight=False)
    print_prose(console, kind.__doc__ or "")
    rows = [
        (argument, str(field.default), field.description or "")
        for argument, field in kind.model_fields.items()
    ]
    if rows:
        console.print()
        print_table(console, ("argument", "default", "help"), rows, set(), prose=frozenset({2}))
