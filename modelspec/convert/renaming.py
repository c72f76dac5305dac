"""Names of layers in a file of weights → those of a spec, as rules of ``weights.rename``."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from modelspec.convert.drafts import Body, Draft, Path
from modelspec.convert.labels import Labels

MAX_RULES = 2_000
_WILD = re.compile(r"[*?\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|.{500}")
"""Characters and lengths of names that no rule can have: patterns, controls, long YAML keys."""


def layer_names(
    draft: Draft, labels: Mapping[int, Labels], moved: Mapping[int, Path]
) -> dict[str, str]:
    """Return the name of each saved layer with weights in the model of the spec."""
    bodies: dict[int, Body] = {}
    for body in (draft.body, *(block.body for block in draft.blocks.values())):
        bodies |= {step.id: body for step in body.steps}

    def name(path: Path) -> Iterator[str]:
        for step, call in path:
            if step in bodies:
                yield labels[id(bodies[step])].calls[step][call]
            else:
                yield from name(moved[step])

    return {
        theirs: ".".join(name(((step.id, call), *path)))
        for step in draft.body.steps
        for call, path, theirs in step.weights()
    }


def rename_rules(names: Mapping[str, str]) -> dict[str, str]:
    """Return rules that give each layer of the file its name in the spec; the last match counts."""
    rules = dict(_by_ending(names))
    rules |= _by_beginning(_wrong(names, rules))
    return rules | _wrong(names, rules)


def _wrong(names: Mapping[str, str], rules: Mapping[str, str]) -> dict[str, str]:
    """Return the layers for which the rules give a wrong name, with the right one."""
    return {
        theirs: ours
        for theirs, ours in names.items()
        if not _WILD.search(theirs) and _renamed(theirs, rules) != ours
    }


def _by_beginning(names: Mapping[str, str]) -> dict[str, str]:
    """Return ``stem_*: block.*`` for several layers of one use of a block."""
    uses: dict[tuple[str, str], int] = {}
    for theirs, ours in names.items():
        use, _, rest = ours.rpartition(".")
        if use and rest and theirs.endswith(rest) and len(theirs) > len(rest):
            key = theirs.removesuffix(rest), use
            uses[key] = uses.get(key, 0) + 1
    return {f"{start}*": f"{use}.*" for (start, use), count in uses.items() if count > 1}


def _by_ending(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield ``*_conv: "*.conv"`` where it applies to several layers."""
    counts: Counter[tuple[str, str]] = Counter()
    for theirs, ours in names.items():
        use, _, rest = ours.partition(".")
        if _WILD.search(theirs):
            continue
        if rest and theirs.startswith(use) and len(theirs) > len(use) + 1:
            counts[f"*{theirs[len(use) :]}", f"*.{rest}"] += 1
    best: dict[str, tuple[int, str]] = {}
    for (pattern, replacement), count in counts.items():
        if count > best.get(pattern, (1, ""))[0] and "*" not in pattern[1:] and "?" not in pattern:
            best[pattern] = (count, replacement)
    yield from ((pattern, replacement) for pattern, (_, replacement) in best.items())


def _renamed(name: str, rules: Mapping[str, str]) -> str:
    renamed = name
    for pattern, replacement in rules.items():
        if pattern == name:
            renamed = replacement
        elif pattern[:1] == "*" and name.endswith(pattern[1:]):
            renamed = name.removesuffix(pattern[1:]) + replacement[1:]
        elif pattern[-1:] == "*" and name.startswith(pattern[:-1]):
            renamed = replacement[:-1] + name.removeprefix(pattern[:-1])
    return renamed


def unwritten(names: Mapping[str, str], rules: Mapping[str, str]) -> Sequence[str]:
    """Return the layers whose names no rule can write."""
    return [
        theirs
        for theirs, ours in names.items()
        if theirs != ours and _WILD.search(theirs) and _renamed(theirs, rules) != ours
    ]
