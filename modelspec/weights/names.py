"""The layers of a file and of a model, matched by their names."""

from collections.abc import Iterable, Iterator, Mapping

from modelspec.language.patterns import matching, renamed
from modelspec.language.spec import StartingWeights
from modelspec.problems.diagnostic import Diagnostic, Route, did_you_mean
from modelspec.results.weights import Layout
from modelspec.weights.stored import Headers

_LISTED = 8


def their_names(
    headers: Headers, weights: StartingWeights, layout: Layout
) -> tuple[dict[str, str], list[Diagnostic]]:
    """Return the layer in the file for each of our names."""
    problems: list[Diagnostic] = []
    stored = {name for name, slots in headers.items() if slots}
    moved: dict[str, str] = {}
    theirs: dict[str, str] = {}
    for pattern, replacement in weights.rename.items():
        our_names = {name: renamed(name, pattern, replacement) or name for name in stored}
        our_names = {name: our_names[name] for name in matching(pattern, sorted(stored))}
        moved |= our_names
        problems += _unmatched_rename(pattern, our_names, stored, layout)
    for name, ours in moved.items():
        if ours in theirs:
            message = f"{theirs[ours]} and {name} of the file both become {ours}"
            problems.append(Diagnostic("duplicate-name", message, ("weights", "rename"), "key"))
        theirs.setdefault(ours, name)
    # A renamed layer replaces one that already has the name.
    for name in stored - moved.keys():
        theirs.setdefault(name, name)
    return theirs, problems


def _unmatched_rename(
    pattern: str, our_names: Mapping[str, str], stored: Iterable[str], layout: Layout
) -> Iterator[Diagnostic]:
    route: Route = ("weights", "rename", pattern)
    if not our_names:
        message = f"no layer of the file is named {pattern}"
        hint = did_you_mean(pattern, stored) or f"it has {listed(sorted(stored))}"
        yield Diagnostic("unmatched-pattern", message, route, "key", hint=hint)
    elif not any(ours in layout for ours in our_names.values()):
        ours = next(iter(our_names.values()))
        message = f"this spec has no layer with weights named {ours}"
        hint = did_you_mean(ours, layout) or f"the layers are {listed(layout)}"
        yield Diagnostic("unmatched-pattern", message, route, hint=hint)


def unmatched_skips(
    weights: StartingWeights, layout: Layout, stored: Iterable[str]
) -> Iterator[Diagnostic]:
    """Report patterns that match no layer of the spec; ``stored`` are the layers of the file."""
    for index, pattern in enumerate(weights.skip):
        if not matching(pattern, layout):
            message = f"no layer with weights is named {pattern}"
            hint = did_you_mean(pattern, layout) or f"the layers are {listed(layout)}"
            if matching(pattern, stored):
                hint = "leave it out: layers that only the file has are not loaded"
            route = ("weights", "skip", index)
            yield Diagnostic("unmatched-pattern", message, route, hint=hint)


def listed(names: Iterable[str]) -> str:
    """Return some names as a text."""
    names = list(names)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more if names else "none with weights"
