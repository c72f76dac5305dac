"""Measurements of ``balance`` as tables, JSON and YAML."""

import json
from typing import Any

from rich.cells import cell_len
from rich.console import Console

from modelspec.report.table import print_table
from modelspec.results.balance import Balance, LayerUse, loss_weights_line, number, pairs


def print_balance(console: Console, balance: Balance) -> None:
    """Print heads, pairs of heads and layers as tables, and the lines to paste."""
    after = f"after {balance.batches} batches"
    heads = (
        *("output", "loss", f"loss {after}", "gradient", f"gradient {after}"),
        *("equal contributions", "equal gradients"),
    )
    print_table(console, heads, _heads(balance), set(range(1, len(heads))))
    console.print()
    angles = ("outputs", "cosine of gradients", f"cosine {after}")
    print_table(console, angles, _cosines(balance), {1, 2})
    console.print()
    rows = [_layer(use, "shared by") for use in balance.shared]
    rows += [_layer(use, "private to") for use in balance.private]
    print_table(console, ("layer", "line", "use"), rows, {1}, prose=frozenset({2}))
    console.print()
    lines = balance_yaml(balance)
    if console.is_terminal and max(map(cell_len, lines.splitlines())) > console.width:
        lines = _block_yaml(balance)
    console.print(lines, markup=False, highlight=False, soft_wrap=True, end="")


def balance_yaml(balance: Balance) -> str:
    """Return two lines of a spec, of which one is a comment as an alternative.

    Equal gradients come first: their results in modelspec/BALANCE.md were better, and best where
    targets have their original scale.
    """
    return (
        f"{loss_weights_line(balance.equal_gradients)}  # equal gradients\n"
        f"# {loss_weights_line(balance.equal_contributions)}  # equal contributions\n"
    )


def _block_yaml(balance: Balance) -> str:
    """Return the same with one line for each output."""
    gradients, contributions = balance.equal_gradients, balance.equal_contributions
    return (
        "# equal gradients\nloss_weights:\n"
        + "".join(f"  {name}: {number(gradients[name])}\n" for name in balance.outputs)
        + "# equal contributions\n# loss_weights:\n"
        + "".join(f"#   {name}: {number(contributions[name])}\n" for name in balance.outputs)
    )


def balance_json(balance: Balance) -> str:
    return json.dumps(_as_json(balance), indent=2)


def _as_json(balance: Balance) -> dict[str, Any]:
    contributions, gradients = balance.equal_contributions, balance.equal_gradients
    start, warm = balance.start, balance.warm
    return {
        "batches": balance.batches,
        "heads": [
            {
                "output": name,
                "loss": start.losses[index],
                "warm_loss": warm.losses[index],
                "gradient_norm": start.norms[index],
                "warm_gradient_norm": warm.norms[index],
            }
            for index, name in enumerate(balance.outputs)
        ],
        "cosines": [
            {
                "outputs": [balance.outputs[one], balance.outputs[other]],
                "cosine": start.cosines[one][other],
                "warm_cosine": warm.cosines[one][other],
            }
            for one, other in pairs(balance.outputs)
        ],
        "shared": [_use(use) for use in balance.shared],
        "private": [_use(use) for use in balance.private],
        "loss_weights": {"equal_contributions": contributions, "equal_gradients": gradients},
    }


def _use(use: LayerUse) -> dict[str, Any]:
    return {"name": use.name, "line": use.line, "outputs": list(use.outputs)}


def _heads(balance: Balance) -> list[list[str]]:
    start, warm = balance.start, balance.warm
    columns = (start.losses, warm.losses, start.norms, warm.norms)
    return [
        [
            name,
            *(f"{column[index]:.4g}" for column in columns),
            number(balance.equal_contributions[name]),
            number(balance.equal_gradients[name]),
        ]
        for index, name in enumerate(balance.outputs)
    ]


def _cosines(balance: Balance) -> list[list[str]]:
    return [
        [
            f"{balance.outputs[one]}, {balance.outputs[other]}",
            *(f"{gauge.cosines[one][other]:.2f}" for gauge in (balance.start, balance.warm)),
        ]
        for one, other in pairs(balance.outputs)
    ]


def _layer(use: LayerUse, words: str) -> list[str]:
    return [use.name, str(use.line), f"{words} {', '.join(use.outputs)}"]
