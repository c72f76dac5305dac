"""The calls of a scope as lines of a function."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelspec.catalog import Catalog, Entry
from modelspec.convert.python.layout import Code, applied, call, lines, sequence
from modelspec.convert.python.models import model_lines, preprocessed
from modelspec.convert.python.names import Names
from modelspec.convert.python.operation_arguments import arguments_code, slices_code
from modelspec.convert.python.steps import Step
from modelspec.convert.python.values import UnwrittenError, Values
from modelspec.graph.graph import Node, Source
from modelspec.graph.operations import SLICED, bind_tensors
from modelspec.language.spec import BlockSpec

_RUNNING = ("x", "h", "hidden")


class Body:
    """Writes the calls of one function.

    ``values`` has the Python variable of each value that was computed so far, by its key.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        inputs: Mapping[str, str],
        outputs: Sequence[str],
        names: Names,
        parameters: Mapping[str, str],
        blocks: Mapping[str, tuple[str, BlockSpec, Mapping[str, str]]],
        catalog: Catalog,
    ) -> None:
        self._steps, self._names, self._blocks = steps, names, blocks
        self._catalog, self._parameters = catalog, parameters
        self.values = dict(inputs)
        self._layers: dict[str, str] = {}
        self._last = _last_uses(steps, outputs)
        chosen = {step.variable for step in steps} | set(inputs.values())
        self._running = names.give(next((n for n in _RUNNING if n not in chosen), "running"))
        self._free_from = 0

    def lines(self) -> Iterator[str]:
        for position, step in enumerate(self._steps):
            yield from self._step(position, step)

    def _step(self, position: int, step: Step) -> Iterator[str]:
        looped = step.repeat is not None
        values = Values(self._catalog, self._lookup(looped=looped))
        if looped:
            yield from self._loop(position, step, values)
            return
        code, before = self._called(step, values, None)
        yield from before
        target = self._target(position, step)
        yield from lines(code.before(f"{target} = ") if target else code, 4)

    def _loop(self, position: int, step: Step, values: Values) -> Iterator[str]:
        entry = step.sources.get(None)
        if len(step.sources) != 1 or not isinstance(entry, str):
            raise UnwrittenError("a chain with several inputs")
        source = self._variable(entry)
        target = self._target(position, step) or self._running
        code, before = self._called(step, values, target)
        if before:
            raise UnwrittenError("a chain of models")
        if source != target:
            yield f"    {target} = {source}"
        count = Values(self._catalog, self._lookup(looped=False)).value(step.repeat).flat
        body = list(lines(code.before(f"{target} = "), 8))
        counts = any(_uses_i(text) for text in _texts([step.arguments, step.options]))
        yield f"    for {'i' if counts else '_'} in range({count}):"
        yield from body

    def _called(self, step: Step, values: Values, chained: str | None) -> tuple[Code, list[str]]:
        """Return the call, and the lines that create its layer before it."""
        if step.type.startswith("ops."):
            return self._operation(step, values), []
        tensors = self._inputs_of(step, chained)
        constants = [values.value(item).before(f"{key}=") for key, item in step.constants.items()]
        if step.type in self._blocks:
            return self._block(step, values, chained), []
        entry = self._catalog.find("layer", step.type)
        if entry is not None and entry.is_model:
            tensors = _of_model(entry, step, tensors)
        if step.layer is not None:
            return call(self._layers[step.layer], [*tensors, *constants]), []
        if entry is not None and entry.is_model:
            variable = self._names.give(f"{step.variable or step.keys[0]}_model")
            self._layers[step.keys[0]] = variable
            made = list(model_lines(variable, entry, step.arguments, step.options, values))
            return call(variable, [*tensors, *constants]), made
        constructor = values.construct("layer", {step.type: dict(step.arguments)}, step.options)
        if not step.shared:
            return applied(constructor, [*tensors, *constants]), []
        variable = self._names.give(f"{step.variable or step.keys[0]}_layer")
        self._layers[step.keys[0]] = variable
        made = list(lines(constructor.before(f"{variable} = "), 4))
        return call(variable, [*tensors, *constants]), made

    def _block(self, step: Step, values: Values, chained: str | None) -> Code:
        function, block, parameters = self._blocks[step.type]
        sources = step.sources
        if None in sources:
            first = sources[None]
            keys = first if isinstance(first, tuple) else (first,)
        else:
            keys = tuple(str(sources[name]) for name in block.inputs)
        tensors = [Code(chained)] if chained else [Code(self._variable(key)) for key in keys]
        return call(
            function,
            [
                *tensors,
                *(
                    values.value(item).before(f"{parameters[str(key)]}=")
                    for key, item in step.arguments.items()
                ),
            ],
        )

    def _operation(self, step: Step, values: Values) -> Code:
        entry = self._catalog.find("operation", step.type)
        if entry is None:
            raise UnwrittenError(f"{step.type}")
        inputs = {
            key: tuple(Source(name, None, ()) for name in source)
            if isinstance(source, tuple)
            else Source(source, None, ())
            for key, source in step.sources.items()
        }
        node = Node(step.keys[0], "", step.type, step.arguments, {}, inputs, {}, ())
        tensors, problems = bind_tensors(node, entry)
        if problems:
            raise UnwrittenError(step.type)
        code = {name: self._tensors(value) for name, value in tensors.items()}
        if step.type in SLICED:
            [tensor] = code.values()
            return Code(f"{tensor.flat}[{slices_code(step.arguments[SLICED[step.type]])}]")
        code |= {name: values.value(item) for name, item in step.arguments.items()}
        return call(step.type, arguments_code(entry.arguments, entry.call_arguments, code))

    def _tensors(self, value: Source | tuple[Source, ...]) -> Code:
        if isinstance(value, tuple):
            return sequence(Code(self._variable(source.name)) for source in value)
        return Code(self._variable(value.name))

    def _inputs_of(self, step: Step, chained: str | None) -> list[Code]:
        if chained is not None:
            return [Code(chained)]
        tensors = []
        for key, keys in step.sources.items():
            code = (
                sequence(Code(self._variable(name)) for name in keys)
                if isinstance(keys, tuple)
                else Code(self._variable(keys))
            )
            tensors.append(code if key is None else code.before(f"{key}="))
        return tensors

    def _variable(self, key: str) -> str:
        if key not in self.values:
            raise UnwrittenError("one call of a chain")
        return self.values[key]

    def _target(self, position: int, step: Step) -> str:
        """Return the variable of a step's value; empty if the value is not used."""
        if step.parts:
            for part in step.parts:
                hint = part if "#" not in part else f"{step.variable}_{part.rpartition('#')[2]}"
                unused = "" if part in self._last else "_"
                self.values[part] = self._names.give(unused + hint)
            return ", ".join(self.values[part] for part in step.parts)
        last = max((self._last.get(key, -1) for key in step.keys), default=-1)
        if last < 0:
            return ""
        if step.variable is None and self._free_from <= position:
            variable, self._free_from = self._running, last
        else:
            variable = self._names.give(step.variable or step.keys[0])
        for key in step.keys:
            self.values[key] = variable
        return variable

    def _lookup(self, *, looped: bool) -> Any:
        def name(parameter: str) -> str:
            return "i" if looped and parameter == "i" else self._parameters[parameter]

        return name


def _of_model(entry: Entry, step: Step, tensors: Sequence[Code]) -> list[Code]:
    """Return the inputs of a model: its tensors in order, preprocessed if the spec says so."""
    if entry.model is not None and None not in step.sources:
        by_name = dict(zip(step.sources, tensors, strict=True))
        codes = [_without_name(by_name[name], name) for name in entry.model.inputs]
        return [sequence(codes) if len(codes) > 1 else codes[0]]
    return [preprocessed(entry, tensor) for tensor in tensors] if step.preprocess else [*tensors]


def _without_name(code: Code, name: str) -> Code:
    return Code(code.head.removeprefix(f"{name}="), code.elements, code.tail)


def _last_uses(steps: Sequence[Step], outputs: Sequence[str]) -> dict[str, int]:
    last: dict[str, int] = {}
    for position, step in enumerate(steps):
        for names in step.sources.values():
            for key in names if isinstance(names, tuple) else (names,):
                last[key] = position
    return {**last, **dict.fromkeys(outputs, len(steps) + 1)}


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for item in data.values():
            yield from _texts(item)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _texts(item)


def _uses_i(text: str) -> bool:
    import ast
    import re

    return any(
        isinstance(node, ast.Name) and node.id == "i"
        for expression in re.findall(r"\$\{([^{}]*)\}", text)
        for node in ast.walk(ast.parse(expression.strip(), mode="eval"))
    )
