"""Strategies that set the weights of losses during training, from the key ``loss_weights``.

A strategy is written like a Keras object: its name, or a mapping from its name to its arguments.
A mapping whose keys are outputs is not a strategy: it contains the weights of the outputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelspec.language.validation import problems_of
from modelspec.language.written import Written
from modelspec.problems.diagnostic import UNKNOWN, Anchor, Diagnostic, Route, did_you_mean

_ROUTE: Route = ("loss_weights",)


class Strategy(BaseModel):
    """A strategy and its arguments; a subclass's docstring is its help."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True
    )


class EqualContribution(Strategy):
    """Each loss is divided by its running mean, so that all outputs contribute equally."""

    momentum: float = Field(
        0.99, ge=0.0, lt=1.0, description="Fraction of the running mean that each step keeps."
    )


class GradNorm(Strategy):
    """Gradients on the last shared layer are balanced; outputs that learn more slowly get more."""

    alpha: float = Field(
        1.5, ge=0.0, description="Strength of the correction for outputs that learn more slowly."
    )
    learning_rate: float = Field(
        0.025, gt=0.0, description=("Learning rate of the Adam that learns the weights.")
    )
    from_first_batch: bool = Field(
        True,
        description=(
            "Start with weights that make the gradients of the first batch equal; otherwise with 1."
        ),
    )


class Uncertainty(Strategy):
    """Weights are learned as the variances of the outputs' errors."""

    learning_rate: float = Field(
        0.01, gt=0.0, description="Learning rate of the Adam that learns the log-variances."
    )
    from_first_batch: bool = Field(
        True, description="Start with the optimal variances for the first batch; otherwise with 1."
    )


class Auto(Strategy):
    """The strategy with the most reliable results in modelspec's measurements: gradnorm.

    It is uncertainty if the outputs share no layer.
    """


BEST: Final = GradNorm
"""The strategy that ``auto`` selects; modelspec/BALANCE.md has the measurements."""

APART: Final = Uncertainty
"""The strategy that ``auto`` selects if the outputs share no layer, which ``BEST`` requires."""

STRATEGIES: Final[Mapping[str, type[Strategy]]] = {
    "auto": Auto,
    "equal_contribution": EqualContribution,
    "gradnorm": GradNorm,
    "uncertainty": Uncertainty,
}


def find_strategy(value: Any, outputs: Sequence[str]) -> tuple[str, Any] | None:
    """Return the name, known or not, and the arguments of a value with a strategy's form."""
    if isinstance(value, str):
        meant = value in STRATEGIES or (value.isidentifier() and len(outputs) > 1)
        return (value, None) if meant else None
    written = Written.read(value)
    if written is None:
        return None
    meant = written.name in STRATEGIES or isinstance(written.raw, Mapping)
    return (written.name, written.raw) if meant and written.name not in outputs else None


def read_strategy(value: Any, outputs: Sequence[str]) -> tuple[Strategy | None, list[Diagnostic]]:
    """Return the strategy in ``loss_weights``; None for numbers, or if it has errors."""
    strategy = find_strategy(value, outputs)
    if strategy is None:
        return None, []
    name, arguments = strategy
    route = _ROUTE if isinstance(value, str) else (*_ROUTE, name)
    if name not in STRATEGIES:
        hint = did_you_mean(name, STRATEGIES) or f"there are {', '.join(STRATEGIES)}"
        message = f"no strategy for loss weights is named {name}"
        anchor: Anchor = "value" if isinstance(value, str) else "key"
        return None, [Diagnostic("unknown-strategy", message, route, anchor, hint=hint)]
    if arguments is UNKNOWN:
        return None, []
    if arguments is not None and not isinstance(arguments, Mapping):
        message = f"write the arguments of {name} as a mapping, argument: value"
        return None, [Diagnostic("not-an-object", message, route)]
    return _validated(name, arguments or {}, route)


def _validated(
    name: str, arguments: Mapping[Any, Any], route: Route
) -> tuple[Strategy | None, list[Diagnostic]]:
    kind = STRATEGIES[name]
    try:
        settings = kind.model_validate(arguments)
    except ValidationError as error:
        problems = [_in_words(name, problem) for problem in problems_of(error, arguments, kind)]
        return None, [replace(problem, route=(*route, *problem.route)) for problem in problems]
    return settings, []


def _in_words(name: str, problem: Diagnostic) -> Diagnostic:
    """Reword an unknown key of a strategy as an unknown argument, as for Keras objects."""
    if problem.code != "unknown-key":
        return problem
    known = STRATEGIES[name].model_fields
    message = f"{name} has no argument {problem.route[-1]}"
    hint = problem.hint or (f"it takes {', '.join(known)}" if known else "it has no arguments")
    return replace(problem, code="unknown-argument", message=message, hint=hint)
