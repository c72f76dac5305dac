"""Factors of the learning rate: a function that multiplies it for some layers of a model."""

from collections.abc import Iterator

from modelspec.catalog import Catalog
from modelspec.convert.python.layout import Code, call, lines, mapping
from modelspec.convert.python.models import glob
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.patterns import matching
from modelspec.language.written import Written
from modelspec.problems.errors import ModelError

_SCALE = '''def scale_learning_rates(model, factors):
    """Multiply the learning rate of the layers whose names, or whose model's, match a pattern."""
    scaled = {{}}

    def collect(layers, prefix):
        for layer in layers:
            name = prefix + layer.name
            if isinstance(layer, keras.Model):
                collect(layer.layers, f"{{name}}.")
                continue
            for pattern, factor in factors.items():
                if fnmatchcase(name, pattern) or fnmatchcase(name, f"{{pattern}}.*"):
                    for variable in layer.trainable_variables:
                        scaled[id(variable)] = scaled[id(variable.value)] = factor

    collect(model.layers, "")
    optimizer = model.optimizer{inner}
    plain_step = optimizer.update_step
{exclude}
    def update_step(gradient, variable, learning_rate):
        if id(variable) in scaled:
            learning_rate = ops.cast(learning_rate, "float32") * scaled[id(variable)]
{decay}        plain_step(gradient, variable, learning_rate)

    optimizer.update_step = update_step'''

_EXCLUDE = """    slower = [v for v in model.trainable_variables if id(v) in scaled]
    optimizer.exclude_from_weight_decay(var_list=slower)
"""

_DECAY = """            step = ops.cast(learning_rate, variable.dtype) * optimizer.weight_decay
            variable.assign(variable - variable * step)
"""


def rates_function(valid: ValidSpec) -> str:
    """Return the function ``scale_learning_rates`` of a script.

    Raises:
        ModelError: The optimizer has a weight decay for each kind of weight.
    """
    optimizer, is_scaled = _optimizer(valid)
    decays = _has_decay(valid.catalog, optimizer)
    if decays and optimizer is not None and optimizer.name == "Muon":
        why = "learning_rates with Muon, which has two weight decays"
        raise ModelError(f"the spec cannot be written to Python: {why}")
    return _SCALE.format(
        inner=".inner_optimizer" if is_scaled else "",
        exclude=_EXCLUDE if decays else "",
        decay=_DECAY if decays else "",
    )


def rates_lines(valid: ValidSpec) -> Iterator[str]:
    """Yield the call of ``scale_learning_rates`` in ``main``."""
    factors = mapping(
        (glob(pattern), Code(repr(factor)))
        for pattern, factor in valid.spec.training.learning_rates.items()
    )
    yield from lines(call("scale_learning_rates", [Code("model"), factors]), 4)


def scaled_layers(valid: ValidSpec) -> set[str]:
    """Return the layers that a pattern matches, whose names the script must set."""
    matched: set[str] = set()
    for node in valid.graph.nodes:
        steps = node.layer.split(".")
        names = [".".join(steps[: count + 1]) for count in range(len(steps))]
        if any(matching(pattern, names) for pattern in valid.spec.training.learning_rates):
            matched.add(node.layer)
    return matched


def _optimizer(valid: ValidSpec) -> tuple[Written | None, bool]:
    """Return the optimizer that updates, and whether another scales its loss."""
    written = Written.read(valid.spec.optimizer)
    is_scaled = valid.spec.training.precision == "mixed_float16"
    if written is not None and "inner_optimizer" in written.arguments:
        return Written.read(written.arguments["inner_optimizer"]), True
    return written, is_scaled


def _has_decay(catalog: Catalog, optimizer: Written | None) -> bool:
    entry = catalog.find("optimizer", optimizer.name) if optimizer else None
    if optimizer is None or entry is None:
        return False
    argument = entry.arguments.get("weight_decay")
    default = argument.default if argument else None
    return optimizer.arguments.get("weight_decay", default) not in (None, "None")
