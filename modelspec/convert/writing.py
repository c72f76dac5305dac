"""Draft → the text of a spec."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

from modelspec.convert.drafts import Block, Body, Draft, Step
from modelspec.convert.labels import Labels, choose_labels, follows, valid_name
from modelspec.convert.saved_graph import Ref, SavedInput
from modelspec.convert.yaml_text import Expression, comment, fits, flow, lines, scalar


@dataclass(slots=True)
class Written:
    """The text, and the line of each gap by the ``id`` of its step.

    ``outputs`` are the public names of the outputs in their order, ``renamed`` the layers whose
    names changed: theirs, ours, the longest path last.
    """

    text: str
    gap_lines: dict[int, int]
    outputs: list[str]


@dataclass
class Writer:
    """Writes a draft."""

    draft: Draft
    labels: dict[int, Labels] = field(default_factory=dict)
    _lines: list[str] = field(default_factory=list)
    _gaps: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for body in (self.draft.body, *(block.body for block in self.draft.blocks.values())):
            self.labels[id(body)] = choose_labels(body)

    def outputs(self) -> list[str]:
        """Return the public names of the outputs."""
        named = self._named_outputs(self.draft.body)
        return list(named) if isinstance(named, Mapping) else named

    def write(self) -> Written:
        draft = self.draft
        self._add("modelspec: 1")
        if draft.name is not None:
            self._add(f"name: {scalar(draft.name)}")
        self._inputs(draft.inputs)
        if draft.blocks:
            self._add("blocks:")
            for block in _inner_first(draft.blocks):
                self._block(block)
        if draft.models:
            self._add("models:")
            for name, source in draft.models.items():
                self._entry("  ", name, source)
        self._add("layers:")
        self._body(draft.body, "  ")
        self._outputs(draft.body, "")
        for key, value in draft.settings.items():
            self._entry("", key, value)
        return Written("\n".join(self._lines) + "\n", self._gaps, self.outputs())

    def _add(self, line: str) -> None:
        self._lines.append(line)

    def _entry(self, indent: str, key: str, value: Any) -> None:
        self._lines += lines(f"{indent}{scalar(key)}:", flow(value), len(indent) + 2)

    def _inputs(self, inputs: Sequence[SavedInput]) -> None:
        self._add("inputs:")
        for source in inputs:
            entry: dict[str, Any] = {"shape": list(source.shape)}
            if source.dtype != "float32":
                entry["dtype"] = source.dtype
            self._entry("  ", source.name, entry)

    def _block(self, block: Block) -> None:
        self._add(f"  {block.name}:")
        if block.params:
            self._entry("    ", "params", dict.fromkeys(block.params))
        self._entry("    ", "inputs", block.body.inputs)
        self._add("    layers:")
        self._body(block.body, "      ")
        self._outputs(block.body, "    ")

    def _outputs(self, body: Body, indent: str) -> None:
        named = self._named_outputs(body)
        value: Any = named
        if (
            isinstance(named, list)
            and (body.form == "name" or len(named) == 1)
            and body is not None
        ):
            value = named[0] if body.form != "list" or indent else named
        self._entry(indent, "outputs", value)

    def _named_outputs(self, body: Body) -> list[str] | dict[str, str]:
        labels = self.labels[id(body)]
        written = [labels.of(ref) for _, ref in body.outputs]
        if body.form != "mapping" and len(set(written)) == len(written):
            return written
        public: dict[str, str] = {}
        for (name, _), label in zip(body.outputs, written, strict=True):
            free = base = valid_name(name)
            number = 0
            while free in public:
                number += 1
                free = f"{base}_{number}"
            public[free] = label
        return public

    def _body(self, body: Body, indent: str) -> None:
        labels = self.labels[id(body)]
        above: Step | None = None
        for step in body.steps:
            for line in self._item(step, self._beside(step, above, body, labels), indent):
                self._add(line)
            above = step

    def _beside(self, step: Step, above: Step | None, body: Body, labels: Labels) -> dict[str, Any]:
        """Return the keys beside the layer."""
        beside: dict[str, Any] = {}
        if step.id in labels.written:
            beside["name"] = Expression(step.name) if step.names else labels.names[step.id]
        if not follows(step, above, body.inputs):
            beside["from"] = _from(step, labels)
        if step.results > 1:
            beside["as"] = list(labels.parts[step.id])
        if step.call:
            beside["call"] = dict(step.call)
        if step.repeat > 1:
            beside["repeat"] = step.repeat
        return {**beside, **step.options}

    def _item(self, step: Step, beside: Mapping[str, Any], indent: str) -> Iterator[str]:
        kind, arguments = scalar(step.type), dict(step.arguments)
        if step.gap is not None:
            self._gaps[step.id] = len(self._lines) + 2
            yield f"{indent}# gap: {comment(step.gap)}"
        if step.owner is not None:
            return (yield from self._shared(step, beside, indent))
        bare = f"{indent}- {kind}" + (f": {flow(arguments)}" if arguments else "")
        if not beside:
            yield from lines(*_split(bare), len(indent) + 6)
            return None
        whole = {step.type: arguments or {}, **beside}
        if one := fits(f"{indent}- ", flow(whole)):
            yield one
            return None
        apart = lines(*_split(bare if arguments else f"{bare}:"), len(indent) + 6)
        for key, value in beside.items():
            apart += lines(f"{indent}  {key}:", flow(value), len(indent) + 6)
        together = lines(f"{indent}-", flow(whole), len(indent) + 4)
        yield from apart if len(apart) <= len(together) else together
        return None

    def _shared(self, step: Step, beside: Mapping[str, Any], indent: str) -> Iterator[str]:
        labels = next(
            labels_of_body
            for labels_of_body in self.labels.values()
            if step.id in labels_of_body.names
        )
        owner = step.owner
        assert owner is not None
        whole = {"share": labels.names[owner], **beside}
        yield from lines(f"{indent}-", flow(whole), len(indent) + 6)


def _inner_first(blocks: Mapping[str, Block]) -> Iterator[Block]:
    """Yield each block after those that it uses."""
    uses = {
        name: {step.type for step in block.body.steps} & blocks.keys()
        for name, block in blocks.items()
    }
    return (blocks[name] for name in TopologicalSorter(uses).static_order())


def _split(line: str) -> tuple[str, str]:
    start, _, rest = line.partition(": ")
    return (f"{start}:", rest) if rest else (line, "")


def _from(step: Step, labels: Labels) -> Any:
    named = {
        key: [labels.of(ref) for ref in source] if isinstance(source, tuple) else labels.of(source)
        for key, source in step.sources.items()
    }
    return named[None] if set(named) == {None} else named


def cost(body: Body, steps: Sequence[Step]) -> int:
    """Count the names and ``from`` that this order of steps needs."""
    tried = Body(body.inputs, list(steps), body.outputs, body.form)
    labels = choose_labels(tried)
    above: Step | None = None
    wiring = 0
    for step in steps:
        wiring += not follows(step, above, body.inputs)
        above = step
    return wiring + len(labels.written)


def references(body: Body) -> Iterator[Ref]:
    for step in body.steps:
        yield from step.refs()
    for _, ref in body.outputs:
        yield ref
