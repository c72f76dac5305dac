"""The functions that build the model: one for each block, and ``build_model``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelspec.convert.python.blocks import Blocks, BlockWriter, in_order, named_blocks
from modelspec.convert.python.body import Body
from modelspec.convert.python.compiling import compile_call
from modelspec.convert.python.layer_names import chosen_names, clashes
from modelspec.convert.python.layout import Code, call, lines, sequence, string
from modelspec.convert.python.names import Names
from modelspec.convert.python.outputs import in_form
from modelspec.convert.python.parameters import ParameterNames
from modelspec.convert.python.steps import Step, steps_of_graph, steps_of_scope
from modelspec.convert.python.values import UnwrittenError, Values
from modelspec.graph.budget import Budget
from modelspec.graph.graph import Source
from modelspec.graph.heads import Head
from modelspec.graph.scope import Scope
from modelspec.graph.valid_spec import ValidSpec


@dataclass
class Script:
    """The parts of a script: constants by parameter, functions, and the lines that compile."""

    constants: dict[str, tuple[str, Any]] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)


def write_model(valid: ValidSpec, taken: Sequence[str], sought: frozenset[str]) -> Script:
    """Return the functions of a spec, with its blocks and loops, or else call by call.

    ``sought`` are layers that ``main`` looks up by their names.
    """
    everything = {node.name for node in valid.graph.nodes}
    chosen = chosen_names(valid) | sought
    clash = clashes(valid.graph, chosen)
    named = everything if clash else chosen
    inside = any("." in name for name in sought) or _is_model_shared(valid)
    if inside or (clash and (valid.spec.blocks or _repeats(valid))):
        return _Writer(valid, taken, named).flat()
    try:
        return _Writer(valid, taken, named).structured()
    except UnwrittenError:
        return _Writer(valid, taken, named).flat()


def _is_model_shared(valid: ValidSpec) -> bool:
    """Return True where a model from a file is called several times, as one layer."""
    calls = [node.type for node in valid.graph.nodes if node.type in valid.spec.models]
    return len(calls) > len(set(calls))


def _repeats(valid: ValidSpec) -> bool:
    return any("repeat" in item.model_fields_set for item in valid.spec.layers)


class _Writer:
    def __init__(self, valid: ValidSpec, taken: Sequence[str], named: set[str]) -> None:
        self._valid, self._named = valid, named
        self._names = Names(taken)
        self._script = Script()
        self._parameters = {key: self._names.give(key.upper()) for key in valid.spec.params}
        self._used: set[str] = set()

    def structured(self) -> Script:
        spec = self._valid.spec
        blocks = named_blocks(self._valid, self._names)
        writer = BlockWriter(
            self._valid, frozenset(self._names.taken), self._parameters, self._used, blocks
        )
        self._script.functions += map(writer.write, in_order(spec.blocks))
        inputs = {name: Source(name, None, ()) for name in spec.inputs}
        scope = Scope(("layers",), spec.layers, spec.params, dict(inputs), Budget())
        steps = list(steps_of_scope(scope, spec.blocks, self._named))
        outputs = spec.outputs
        pairs = (
            dict(outputs)
            if isinstance(outputs, dict)
            else {name: name for name in ([outputs] if isinstance(outputs, str) else outputs)}
        )
        self._write_model(steps, pairs, blocks)
        return self._finished()

    def flat(self) -> Script:
        graph = self._valid.graph
        steps = steps_of_graph(graph, self._named)
        pairs = {
            name: source.name if source.index is None else f"{source.name}#{source.index}"
            for name, source in graph.outputs.items()
        }
        self._write_model(steps, pairs, {})
        return self._finished()

    def _finished(self) -> Script:
        params = self._valid.spec.params
        self._script.constants = {
            key: (name, params[key]) for key, name in self._parameters.items() if key in self._used
        }
        return self._script

    def _write_model(
        self, steps: Sequence[Step], outputs: Mapping[str, str], blocks: Blocks
    ) -> None:
        names = Names(self._names.taken)
        variables = {key: names.give(key) for key in self._valid.graph.inputs}
        body = Body(
            steps,
            inputs=variables,
            outputs=list(outputs.values()),
            names=names,
            parameters=ParameterNames(self._parameters, {}, self._used),
            blocks=blocks,
            catalog=self._valid.catalog,
        )
        written = [*self._input_lines(variables), *body.lines()]
        results = {name: Code(body.values[key]) for name, key in outputs.items()}
        model = self._model_call(list(variables.values()), results)
        compiled = lines(self._compiled(), 4) if _is_trained(self._valid.heads) else ()
        text = [
            "def build_model():",
            *self._policy(),
            *written,
            *lines(model, 4),
            *compiled,
            "    return model",
        ]
        self._script.functions.append("\n".join(text))

    def _model_call(self, inputs: Sequence[str], results: Mapping[str, Code]) -> Code:
        graph = self._valid.graph
        codes = [Code(variable) for variable in inputs]
        arguments = [
            (codes[0] if len(codes) == 1 else sequence(codes)).before("inputs="),
            in_form(graph, results).before("outputs="),
            string(graph.name).before("name="),
        ]
        return call("model = keras.Model", arguments)

    def _policy(self) -> list[str]:
        precision = self._valid.spec.training.precision
        return (
            [] if precision == "float32" else [f'    keras.config.set_dtype_policy("{precision}")']
        )

    def _input_lines(self, variables: Mapping[str, str]) -> Iterator[str]:
        for name, entry in self._valid.graph.inputs.items():
            inside = "".join(f"{size}, " for size in entry.shape)
            shape = f"({inside[:-1] if len(entry.shape) == 1 else inside[:-2]})"
            arguments = [Code(shape), string(name).before("name=")]
            if entry.dtype != "float32":
                arguments.insert(1, string(entry.dtype).before("dtype="))
            yield from lines(call(f"{variables[name]} = keras.Input", arguments), 4)

    def _compiled(self) -> Code:
        return compile_call(self._valid, Values(self._valid.catalog, self._lookup))

    def _lookup(self, name: str) -> str:
        self._used.add(name)
        return self._parameters[name]


def _is_trained(heads: Sequence[Head]) -> bool:
    return any(head.loss is not None for head in heads)
