"""``--set PATH=VALUE``: overrides, applied to a document before validation."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from modelspec.language.document import Document, child_of
from modelspec.language.yaml_nodes import YamlEntry, YamlNode
from modelspec.language.yaml_tree import parse, resolve_scalar
from modelspec.problems.diagnostic import Diagnostic, Span, did_you_mean


def apply_overrides(
    document: Document, options: Iterable[str]
) -> tuple[Document, list[Diagnostic]]:
    """Put each ``PATH=VALUE`` into the document, in turn; VALUE is read as YAML."""
    problems: list[Diagnostic] = []
    for option in options:
        try:
            document = replace(document, root=_apply(document.root, option))
        except _OverrideError as error:
            problems.append(error.problem(option))
    return document, problems


class _OverrideError(Exception):
    def __init__(self, message: str, hint: str | None = None, column: int = 1) -> None:
        super().__init__(message)
        self.hint, self.column = hint, column

    def problem(self, option: str) -> Diagnostic:
        span = Span(1, self.column, 1, len(option) + 1)
        name = f"--set {option}"
        message, hint = str(self), self.hint
        return Diagnostic("bad-override", message, hint=hint, span=span, file=name, text=option)


def _apply(root: YamlNode, option: str) -> YamlNode:
    path, equals, text = option.partition("=")
    steps = path.split(".")
    if not equals or not all(steps):
        raise _OverrideError(f"{option!r} is not PATH=VALUE", "for example training.epochs=5")
    value, problems = parse(text)
    if problems:
        raise _OverrideError(problems[0].message, problems[0].hint, _column(problems[0], path))
    node = value or YamlNode(None, Span(1, 1, 1, 1))
    if steps[0] == "params":
        _check_declared(root, steps)
    if steps[0] == "models" and len(steps) > 1:
        _check_model(root, steps[1])
    return _put(root, steps, _marked(node, option, len(path) + 1))


def _column(problem: Diagnostic, path: str) -> int:
    """Return the column in the option, shown as one line, of a problem in VALUE's YAML."""
    first = problem.span is not None and problem.span.line == 1
    return len(path) + 1 + (problem.span.column if first and problem.span else 1)


def _check_declared(root: YamlNode, steps: Sequence[str]) -> None:
    params = child_of(root, "params")
    declared = params.value.content if params and isinstance(params.value.content, dict) else {}
    if len(steps) == 1:
        raise _OverrideError("set one parameter at a time", "for example params.units=32")
    if steps[1] not in declared:
        hint = did_you_mean(steps[1], map(str, declared)) or "declare it under params in the spec"
        raise _OverrideError(f"the spec has no parameter {steps[1]}", hint)


def _check_model(root: YamlNode, name: str) -> None:
    models = child_of(root, "models")
    declared = models.value.content if models and isinstance(models.value.content, dict) else {}
    if name not in declared:
        hint = did_you_mean(name, map(str, declared)) or f"models: {{{name}: {{path: …}}}}"
        raise _OverrideError(f"the spec has no model {name}", hint)


def _put(node: YamlNode, steps: Sequence[str], value: YamlNode, column: int = 1) -> YamlNode:
    """Return ``node`` with ``value`` at the end of ``steps``; missing mappings are created.

    ``column`` is the position of the first step in the option.
    """
    if not steps:
        return value
    step, rest = _first_step(node, steps)
    after = column + len(step) + 1
    if isinstance(node.content, list):
        return _put_in_list(node, node.content, steps, value, after)
    entries = _entries(node, step)
    key = _key(entries, step)
    old = entries.get(key)
    below = old.value if old else YamlNode(None, value.span, value.option)
    # A key is looked up in the text that its value comes from.
    place = old.key if old and rest else Span(1, column, 1, after - 1)
    entry = YamlEntry(place, _put(below, rest, value, after))
    return replace(node, content={**entries, key: entry})


def _first_step(node: YamlNode, steps: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Split off the first step; an existing key may contain dots, as ``ops.mean``."""
    for length in range(len(steps), 1, -1):
        joined = ".".join(steps[:length])
        if joined == node.content or (isinstance(node.content, dict) and joined in node.content):
            return joined, steps[length:]
    return steps[0], steps[1:]


def _key(entries: Mapping[str | int, YamlEntry], step: str) -> str | int:
    """Return the key that a step names: an existing one, or the step read as YAML."""
    read = resolve_scalar(step)
    whole = isinstance(read, int) and not isinstance(read, bool) and step not in entries
    return int(step) if whole and step.isdecimal() else step


def _entries(node: YamlNode, step: str) -> dict[str | int, YamlEntry]:
    """Return the entries that a step selects from; a bare name, or null, has none yet."""
    if isinstance(node.content, dict):
        return node.content
    if node.content is None or node.content == step:
        return {}
    hint = None
    if isinstance(node.content, str) and node.content.lower() == step.lower():
        hint = f"the spec writes it {node.content}"
    elif isinstance(node.content, str):
        hint = f"the name comes first, as in {node.content}.{step}"
    raise _OverrideError(f"there is no {step} in {node.content!r}", hint)


def _put_in_list(
    node: YamlNode, items: list[YamlNode], steps: Sequence[str], value: YamlNode, after: int
) -> YamlNode:
    step, rest = steps[0], steps[1:]
    names = [_name(item) for item in items]
    numbers = [str(index) for index in range(len(items))]
    if step in numbers:
        index = numbers.index(step)
    elif step in names:
        index = names.index(step)
    elif (used := _unnamed_use(items, step)) is not None:
        index = used
    else:
        hint = _unnamed(items, steps) or did_you_mean(step, filter(None, names))
        counted = f"0 to {len(items) - 1}, or the name of an item" if items else None
        raise _OverrideError(f"there is no item {step}", hint or counted)
    changed = _put(items[index], rest, value, after)
    return replace(node, content=[*items[:index], changed, *items[index + 1 :]])


def _unnamed_use(items: Sequence[YamlNode], step: str) -> int | None:
    """Return the index of the only item without a name that uses this block or model."""
    used = [
        index
        for index, item in enumerate(items)
        if _name(item) is None and isinstance(item.content, dict) and step in item.content
    ]
    return used[0] if len(used) == 1 and step[:1].islower() else None


def _unnamed(items: Sequence[YamlNode], steps: Sequence[str]) -> str | None:
    """Return a hint with the index of an item without a name, whose type the step names."""
    wanted = steps[0].rstrip("0123456789").rstrip("_").replace("_", "").lower()
    for index, item in enumerate(items):
        content = item.content
        kinds = [content] if isinstance(content, str) else []
        kinds += map(str, content) if isinstance(content, dict) else []
        kind = next((kind for kind in kinds if kind.lower() == wanted), None)
        if kind is not None and _name(item) is None:
            below = ".".join(steps[1:])
            inside = below if below.startswith(f"{kind}.") else f"{kind}.{below}".rstrip(".")
            return f"item {index} is {kind} without a name: layers.{index}.{inside}, or name it"
    return None


def _name(item: YamlNode) -> str | None:
    child = child_of(item, "name")
    return child.value.content if child and isinstance(child.value.content, str) else None


def _marked(node: YamlNode, option: str, shift: int) -> YamlNode:
    """Return the tree of an option's VALUE, with columns counted from the option's start."""

    def moved(span: Span) -> Span:
        first, last = (shift if line == 1 else 0 for line in (span.line, span.end_line))
        return Span(span.line, span.column + first, span.end_line, span.end_column + last)

    content = node.content
    if isinstance(content, dict):
        content = {
            key: YamlEntry(moved(entry.key), _marked(entry.value, option, shift))
            for key, entry in content.items()
        }
    elif isinstance(content, list):
        content = [_marked(item, option, shift) for item in content]
    return YamlNode(content, moved(node.span), option)
