"""The functions that build the model: one for each block, and ``build_model``."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from modelspec.convert.python.body import Body
from modelspec.convert.python.layout import Code, call, lines, mapping, sequence, string
from modelspec.convert.python.names import Names
from modelspec.convert.python.steps import Step, steps_of_graph, steps_of_scope
from modelspec.convert.python.values import UnwrittenError, Values
from modelspec.graph.budget import Budget
from modelspec.graph.graph import Graph, Source
from modelspec.graph.heads import Head
from modelspec.graph.naming import snake_case
from modelspec.graph.operations import is_operation
from modelspec.graph.scope import Scope, Use
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.expressions import has_expression
from modelspec.language.spec import BlockSpec
from modelspec.problems.diagnostic import UNKNOWN

Blocks = Mapping[str, tuple[str, BlockSpec, Mapping[str, str]]]


@dataclass
class Script:
    """The parts of a script: constants by parameter, functions, and the lines that compile."""

    constants: dict[str, tuple[str, Any]] = field(default_factory=dict)
    functions: list[str] = field(default_factory=list)


def is_dict(graph: Graph) -> bool:
    """Whether the outputs are a dict, as ``functional.make_functional`` has them."""
    made = {node.name for node in graph.nodes if node.layer == node.name and not is_operation(node)}
    carried = all(
        source.index is None and source.name == name and name in made
        for name, source in graph.outputs.items()
    )
    return graph.form == "mapping" or not carried


def write_model(valid: ValidSpec, taken: Sequence[str]) -> Script:
    """The functions of a spec, with its blocks and loops, or else call by call."""
    everything = {node.name for node in valid.graph.nodes}
    chosen = _chosen_names(valid)
    clash = _clash(valid.graph, chosen)
    named = everything if clash else chosen
    if clash and (valid.spec.blocks or _repeats(valid)):
        return _Writer(valid, taken, named).flat()
    try:
        return _Writer(valid, taken, named).structured()
    except UnwrittenError:
        return _Writer(valid, taken, named).flat()


def _repeats(valid: ValidSpec) -> bool:
    return any("repeat" in item.model_fields_set for item in valid.spec.layers)


def _chosen_names(valid: ValidSpec) -> set[str]:
    """The names of layers that the script tells Keras: those of the user and of outputs."""
    own = {item.name for item in valid.spec.layers if item.name and not item.as_}
    computed = [item for item in valid.spec.layers if has_expression(item.name)]
    names = {node.name for node in valid.graph.nodes if "." not in node.name}
    outputs = {source.name for source in valid.graph.outputs.values()}
    repeated = {
        node.name
        for node in valid.graph.nodes
        for item in valid.spec.layers
        if item.name and node.name.startswith(f"{item.name}_")
    }
    every = names if computed else repeated & names
    auto = {
        node.name
        for node in valid.graph.nodes
        if _is_auto(node.name, node.type) and node.name not in own
    }
    return (own & names) | (outputs & names) | (every - auto)


def _is_auto(name: str, kind: str) -> bool:
    base = snake_case(kind)
    return name == base or (name.startswith(f"{base}_") and name[len(base) + 1 :].isdigit())


def _clash(graph: Graph, chosen: set[str]) -> bool:
    """Whether Keras would give a name that is chosen to a layer without a name."""
    kinds = {
        node.type.rpartition(".")[2]
        for node in graph.nodes
        if node.name not in chosen and node.layer == node.name
    }
    return any(_is_auto(name, kind) for name in chosen for kind in kinds)


class _Writer:
    def __init__(self, valid: ValidSpec, taken: Sequence[str], named: set[str]) -> None:
        self._valid, self._named = valid, named
        self._names = Names(taken)
        self._script = Script()
        self._parameters = {key: self._names.give(key.upper()) for key in valid.spec.params}
        self._used: set[str] = set()

    def structured(self) -> Script:
        spec = self._valid.spec
        blocks = self._blocks()
        for name in _in_order(spec.blocks):
            self._write_block(name, blocks)
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

    def _blocks(self) -> dict[str, tuple[str, BlockSpec, dict[str, str]]]:
        return {
            name: (self._names.give(name), block, {key: _parameter(key) for key in block.params})
            for name, block in self._valid.spec.blocks.items()
        }

    def _write_block(self, name: str, blocks: Blocks) -> None:
        function, block, parameters = blocks[name]
        unknown = {key: UNKNOWN if value is None else value for key, value in block.params.items()}
        inputs = {key: Source(key, None, ()) for key in block.inputs}
        scope = Scope(
            ("blocks", name, "layers"),
            block.layers,
            {**self._valid.spec.params, **unknown},
            dict(inputs),
            Budget(),
            Use(),
        )
        steps = list(steps_of_scope(scope, self._valid.spec.blocks, set()))
        names = Names([*self._names.taken, *parameters.values()])
        variables = {key: names.give(key) for key in block.inputs}
        outputs = (
            list(block.outputs.values())
            if isinstance(block.outputs, dict)
            else [block.outputs]
            if isinstance(block.outputs, str)
            else list(block.outputs)
        )
        constants = _Recorder(self._parameters, parameters, self._used)
        body = Body(
            steps,
            inputs=variables,
            outputs=outputs,
            names=names,
            parameters=constants,
            blocks=blocks,
            catalog=self._valid.catalog,
        )
        written = list(body.lines())
        results = ", ".join(body.values[key] for key in outputs)
        values = Values(self._valid.catalog, constants.__getitem__)
        head = [Code(variable) for variable in variables.values()]
        required = [parameters[key] for key, value in block.params.items() if value is None]
        defaults = [
            self._default(values, block.params[key]).before(f"{parameters[key]}=")
            for key in block.params
            if block.params[key] is not None
        ]
        definition = call(f"def {function}", [*head, *map(Code, required), *defaults])
        self._script.functions.append(
            "\n".join([*lines(definition, 0, ":"), *written, f"    return {results}"])
        )

    def _default(self, values: Values, value: Any) -> Code:
        if has_expression(value) or not isinstance(value, str | int | float | bool):
            raise UnwrittenError("a default that is computed")
        return values.value(value)

    def _write_model(
        self, steps: Sequence[Step], outputs: Mapping[str, str], blocks: Blocks
    ) -> None:
        graph = self._valid.graph
        names = Names(self._names.taken)
        variables = {key: names.give(key) for key in graph.inputs}
        constants = _Recorder(self._parameters, {}, self._used)
        keys = list(outputs.values())
        body = Body(
            steps,
            inputs=variables,
            outputs=keys,
            names=names,
            parameters=constants,
            blocks=blocks,
            catalog=self._valid.catalog,
        )
        written = [*self._input_lines(variables), *body.lines()]
        results = {name: Code(body.values[key]) for name, key in outputs.items()}
        inputs = [Code(variable) for variable in variables.values()]
        model = call(
            "model = keras.Model",
            [
                (inputs[0] if len(inputs) == 1 else sequence(inputs)).before("inputs="),
                self._in_form(results).before("outputs="),
                string(graph.name).before("name="),
            ],
        )
        compiled = lines(self._compile(), 4) if _is_trained(self._valid.heads) else ()
        self._script.functions.append(
            "\n".join(
                [
                    "def build_model():",
                    *self._policy(),
                    *written,
                    *lines(model, 4),
                    *compiled,
                    "    return model",
                ]
            )
        )

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

    def _in_form(self, values: Mapping[str, Code]) -> Code:
        return in_form(self._valid.graph, values)

    def _compile(self) -> Code:
        valid = self._valid
        values = Values(valid.catalog, self._lookup)
        heads = valid.heads
        optimizer = valid.spec.optimizer
        arguments = [
            values.construct("optimizer", optimizer, {})
            if isinstance(optimizer, Mapping)
            else values.judge("optimizer", optimizer)
        ]
        arguments[0] = arguments[0].before("optimizer=")
        losses = {head.output: values.judge("loss", head.loss) for head in heads}
        arguments.append(self._in_form(losses).before("loss="))
        if any(head.weight != 1.0 for head in heads):
            weights = {head.output: Code(repr(head.weight)) for head in heads}
            arguments.append(self._in_form(weights).before("loss_weights="))
        for name, weighted in (("metrics", False), ("weighted_metrics", True)):
            metrics = {
                head.output: sequence(
                    values.judge("metric", metric.value)
                    for metric in head.metrics
                    if metric.weighted == weighted
                )
                for head in heads
            }
            if any(code.elements for code in metrics.values()):
                arguments.append(self._in_form(metrics).before(f"{name}="))
        arguments.append(Code("jit_compile=False"))
        return call("model.compile", arguments)

    def _lookup(self, name: str) -> str:
        self._used.add(name)
        return self._parameters[name]


class _Recorder(dict[str, str]):
    """The Python names of parameters; remembers which constants are used."""

    def __init__(
        self, constants: Mapping[str, str], own: Mapping[str, str], used: set[str]
    ) -> None:
        super().__init__({**constants, **own})
        self._constants, self._used = set(constants) - set(own), used

    def __getitem__(self, key: str) -> str:
        if key in self._constants:
            self._used.add(key)
        return super().__getitem__(key)


def in_form(graph: Graph, values: Mapping[str, Code]) -> Code:
    """A value for each output in the form of the outputs."""
    if is_dict(graph):
        return mapping((string(name), code) for name, code in values.items())
    several = list(values.values())
    return sequence(several) if len(several) > 1 else several[0]


def _is_trained(heads: Sequence[Head]) -> bool:
    return any(head.loss is not None for head in heads)


def _parameter(name: str) -> str:
    return Names().give(name)


def _in_order(blocks: Mapping[str, BlockSpec]) -> Iterator[str]:
    """Blocks before those that use them."""
    from graphlib import TopologicalSorter

    uses = {
        name: {item.type for item in block.layers if item.type in blocks}
        for name, block in blocks.items()
    }
    yield from TopologicalSorter(uses).static_order()
