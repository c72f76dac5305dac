"""Models as layers: lines that load one, or create one of ``keras.applications``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from modelspec.catalog import Entry
from modelspec.catalog.file_models import FileModel
from modelspec.convert.cutting import model_in
from modelspec.convert.python.layout import Code, call, lines, sequence, string
from modelspec.convert.python.values import UnwrittenError, Values
from modelspec.convert.saved_graph import SavedGraph
from modelspec.convert.saved_reader import read_graph

SAVED = "saved"
"""The variable of a loaded model, of which only a part is used."""


def model_lines(
    variable: str, entry: Entry, arguments: Mapping[str, Any], options: Mapping[str, Any],
    values: Values,
) -> Iterator[str]:  # fmt: skip
    """Yield lines that create a model and freeze its layers as the spec says.

    Raises:
        UnwrittenError: The spec has an option for it that a script cannot have.
    """
    if "name" not in options:
        raise UnwrittenError("a model in a block")
    trainable = options.get("trainable")
    if isinstance(trainable, list | tuple) and _has_models(entry):
        raise UnwrittenError("patterns of layers in a model that contains models")
    if entry.model is not None:
        yield from _file_model(variable, entry.model, values.value(options["name"]))
    else:
        yield from _application(variable, entry, arguments, options, values)
    yield from _frozen(variable, trainable, values)


def preprocessed(entry: Entry, tensor: Code) -> Code:
    """Return the result of the ``preprocess_input`` of a model's module."""
    assert entry.module is not None
    module = entry.module.rpartition(".")[2]
    return call(f"keras.applications.{module}.preprocess_input", [tensor])


def _has_models(entry: Entry) -> bool:
    """Return True where a model has layers that are models, like those of ConvNeXt."""
    if entry.model is None:
        return entry.name.startswith("ConvNeXt")
    graph = model_in(read_graph(entry.model.config), entry.model.layer)
    return any(made.layer.inner is not None for made in graph.calls)


def _file_model(variable: str, model: FileModel, name: Code) -> Iterator[str]:
    if len(model.cut) > 1:
        raise UnwrittenError(f"until: {model.until}, inside of a model that is a layer")
    graph = model_in(read_graph(model.config), model.layer)
    load = call("keras.saving.load_model", [string(str(model.path)), Code("compile=False")])
    yield from lines(load.before(f"{SAVED} = "), 4)
    for layer in model.layer.split(".") if model.layer else ():
        yield f"    {SAVED} = {SAVED}.get_layer({string(layer).flat})"
    arguments = [_inputs(model, graph), _outputs(model, graph), name.before("name=")]
    yield from lines(call(f"{variable} = keras.Model", arguments), 4)


def _inputs(model: FileModel, graph: SavedGraph) -> Code:
    if len(graph.inputs) == 1:
        return Code(f"{SAVED}.inputs[0]")
    return _one_or_many(
        [Code(f"{SAVED}.get_layer({string(name).flat}).output") for name in model.inputs]
    )


def _outputs(model: FileModel, graph: SavedGraph) -> Code:
    if model.until is None:
        if graph.form == "mapping" and not graph.flattened:
            names = [string(name).flat for name in model.outputs]
            return _one_or_many([Code(f"{SAVED}.output[{name}]") for name in names])
        return Code(f"{SAVED}.outputs[0]" if len(model.outputs) == 1 else f"{SAVED}.outputs")
    until = string(model.until).flat
    if not any(call.layer.is_operation for call in graph.calls if call.layer.name == model.until):
        return Code(f"{SAVED}.get_layer({until}).output")
    return Code(f"next(op.output for op in {SAVED}.operations if op.name == {until})")


def _one_or_many(codes: Sequence[Code]) -> Code:
    return codes[0] if len(codes) == 1 else sequence(codes)


def _application(
    variable: str, entry: Entry, arguments: Mapping[str, Any], options: Mapping[str, Any],
    values: Values,
) -> Iterator[str]:  # fmt: skip
    passed = [_argument(item, values).before(f"{key}=") for key, item in arguments.items()]
    made = call(f"keras.applications.{entry.name}", passed)
    policy = options.get("dtype")
    if policy is not None:
        yield "    policy = keras.config.dtype_policy()"
        yield from lines(call("keras.config.set_dtype_policy", [values.value(policy)]), 4)
    yield from lines(made.before(f"{variable} = "), 4)
    # Not by an argument: Keras chooses the blocks of some models by it.
    yield from lines(values.value(options["name"]).before(f"{variable}.name = "), 4)
    if policy is not None:
        yield "    keras.config.set_dtype_policy(policy)"


def _argument(value: Any, values: Values) -> Code:
    """Return a value; a shape becomes a tuple, as in Keras's own examples."""
    if not isinstance(value, list | tuple):
        return values.value(value)
    end = ",)" if len(value) == 1 else ")"
    return Code("(", tuple(map(values.value, value)), end)


def _frozen(variable: str, trainable: Any, values: Values) -> Iterator[str]:
    """Freeze a model, except for the layers that patterns match."""
    if trainable is None:
        return
    if not isinstance(trainable, list | tuple):
        yield f"    {variable}.trainable = {values.value(trainable).flat}"
        return
    test = _without_wild("layer.name", trainable)
    if test is None:
        yield from lines(sequence(map(glob, trainable)).before("patterns = "), 4)
        test = Code("any(fnmatchcase(layer.name, pattern) for pattern in patterns)")
    yield f"    for layer in {variable}.layers:"
    yield from lines(test.before("layer.trainable = "), 8)


def _without_wild(name: str, patterns: Sequence[str]) -> Code | None:
    """Return an expression that is true where a pattern matches, if plain Python has one."""
    starts = [pattern[:-1] for pattern in patterns if pattern.endswith("*")]
    if len(starts) == len(patterns) and not any(map(_is_wild, starts)):
        prefixes = tuple(map(string, starts))
        one = prefixes[0] if len(prefixes) == 1 else Code("(", prefixes, ")")
        return call(f"{name}.startswith", [one])
    if not any(map(_is_wild, patterns)):
        return sequence(map(string, patterns)).before(f"{name} in ")
    return None


def _is_wild(text: str) -> bool:
    return "*" in text or "?" in text


def glob(pattern: str) -> Code:
    """Return a pattern for ``fnmatchcase``, which reads brackets as classes of characters."""
    return string(pattern.replace("[", "[[]"))
