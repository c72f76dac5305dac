"""The source of the weights of each layer, as a table."""

import json
from collections.abc import Sequence

from rich.console import Console

from modelspec.report.prose import print_prose
from modelspec.report.table import print_table
from modelspec.report.visible import visible
from modelspec.results.weights import Account

_SHOWN = 60
_HEADER = ("layer", "line", "starts from", "note")


def print_account(console: Console, account: Account) -> None:
    """Print one row for each layer with weights, and a line with their numbers."""
    rows = [
        (
            layer.layer,
            str(layer.line or ""),
            layer.state
            if layer.theirs in (None, layer.layer)
            else f"{layer.state} ({layer.theirs})",
            layer.note,
        )
        for layer in account.layers
    ]
    if rows:
        shown = [tuple(map(visible, row)) for row in rows[:_SHOWN]]
        print_table(console, _HEADER, shown, {1}, prose=frozenset({3}))
    print_prose(console, _counts(account, len(rows) - _SHOWN))


def accounts_json(accounts: Sequence[Account]) -> str:
    """Return the list of ``check --account``, one item for each spec."""
    return json.dumps([account.as_json() for account in accounts], indent=2)


def _counts(account: Account, hidden: int) -> str:
    loaded = account.count("loaded", "array")
    text = f"weights: {loaded} of {len(account.layers)} layers start from trained weights"
    if account.source is not None:
        text += f" ({visible(account.source)})"
    if account.unused:
        text += f"; {len(account.unused)} layers of the file are not used"
    return text + (f"; {hidden} layers are not listed here" if hidden > 0 else "")
