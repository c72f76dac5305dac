"""The functions of blocks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from modelspec.convert.python.body import Body
from modelspec.convert.python.layout import Code, call, lines
from modelspec.convert.python.names import Names
from modelspec.convert.python.parameters import ParameterNames
from modelspec.convert.python.steps import Step, steps_of_scope
from modelspec.convert.python.values import UnwrittenError, Values
from modelspec.graph.budget import Budget
from modelspec.graph.graph import Source
from modelspec.graph.items import Use
from modelspec.graph.scope import Scope
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.expressions import has_expression
from modelspec.language.spec import BlockSpec
from modelspec.problems.diagnostic import UNKNOWN

Blocks = Mapping[str, tuple[str, BlockSpec, Mapping[str, str]]]
"""The name of its function, the block, and the Python names of its parameters, by block."""


def named_blocks(valid: ValidSpec, names: Names) -> Blocks:
    """Give each block the name of its function."""
    return {
        name: (names.give(name), block, {key: Names().give(key) for key in block.params})
        for name, block in valid.spec.blocks.items()
    }


def in_order(blocks: Mapping[str, BlockSpec]) -> Iterator[str]:
    """Yield blocks before those that use them."""
    from graphlib import TopologicalSorter

    uses = {
        name: {item.type for item in block.layers if item.type in blocks}
        for name, block in blocks.items()
    }
    yield from TopologicalSorter(uses).static_order()


@dataclass(frozen=True)
class BlockWriter:
    """Writes the functions of blocks; ``used`` collects the constants that they read."""

    valid: ValidSpec
    taken: frozenset[str]
    constants: Mapping[str, str]
    used: set[str]
    blocks: Blocks

    def write(self, name: str) -> str:
        """Return the function of a block.

        Raises:
            UnwrittenError: It has a default that is computed.
        """
        _, block, parameters = self.blocks[name]
        names = Names([*self.taken, *parameters.values()])
        variables = {key: names.give(key) for key in block.inputs}
        outputs = _outputs(block)
        constants = ParameterNames(self.constants, parameters, self.used)
        body = Body(
            self._steps(name, block),
            inputs=variables,
            outputs=outputs,
            names=names,
            parameters=constants,
            blocks=self.blocks,
            catalog=self.valid.catalog,
        )
        written = list(body.lines())
        results = ", ".join(body.values[key] for key in outputs)
        definition = self._definition(name, list(variables.values()), constants)
        return "\n".join([*lines(definition, 0, ":"), *written, f"    return {results}"])

    def _steps(self, name: str, block: BlockSpec) -> list[Step]:
        unknown = {key: UNKNOWN if value is None else value for key, value in block.params.items()}
        scope = Scope(
            ("blocks", name, "layers"),
            block.layers,
            {**self.valid.spec.params, **unknown},
            {key: Source(key, None, ()) for key in block.inputs},
            Budget(),
            Use(),
        )
        return list(steps_of_scope(scope, self.valid.spec.blocks, set()))

    def _definition(self, name: str, variables: Sequence[str], constants: ParameterNames) -> Code:
        """Return ``def block(x, required, other=default)``, without its colon."""
        function, block, parameters = self.blocks[name]
        values = Values(self.valid.catalog, constants.__getitem__)
        required = [parameters[key] for key, value in block.params.items() if value is None]
        defaults = [
            _default(values, value).before(f"{parameters[key]}=")
            for key, value in block.params.items()
            if value is not None
        ]
        return call(f"def {function}", [*map(Code, variables), *map(Code, required), *defaults])


def _default(values: Values, value: object) -> Code:
    if has_expression(value) or not isinstance(value, str | int | float | bool):
        raise UnwrittenError("a default that is computed")
    return values.value(value)


def _outputs(block: BlockSpec) -> list[str]:
    if isinstance(block.outputs, dict):
        return list(block.outputs.values())
    return [block.outputs] if isinstance(block.outputs, str) else list(block.outputs)
