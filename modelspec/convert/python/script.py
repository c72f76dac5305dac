"""The whole script: its imports, constants and functions."""

from collections.abc import Iterator

from modelspec.convert.python.arrays import ArrayNames
from modelspec.convert.python.layout import Code, lines, string
from modelspec.convert.python.model import write_model
from modelspec.convert.python.own_parts import import_lines, part_names
from modelspec.convert.python.rates import scaled_layers
from modelspec.convert.python.starting import Start
from modelspec.convert.python.strategies import chosen_strategy, shared_layer
from modelspec.convert.python.training import Main
from modelspec.convert.python.values import UnwrittenError, Values
from modelspec.graph.valid_spec import ValidSpec
from modelspec.language.loss_weights import GradNorm
from modelspec.language.training import LastRows
from modelspec.problems.errors import ModelError

_OWN = (
    "BATCH_SIZE", "DATA", "EPOCHS", "MODEL", "SEED", "VALIDATION_SPLIT",
    "balance", "class_ids", "class_weights", "csv", "fnmatchcase", "h5py", "held_out", "layer",
    "load", "load_weights", "patterns", "pl", "policy", "read_table", "saved",
    "scale_learning_rates", "tf", "validation_rows",
)  # fmt: skip


def python_script(
    valid: ValidSpec,
    arrays: ArrayNames | None = None,
    weighted: frozenset[str] = frozenset(),
    start: Start | None = None,
) -> str:
    """Write a Python script that builds, trains and saves the model of a spec, with Keras only.

    Args:
        valid: The spec.
        arrays: The arrays of the data; without them, the names of the spec, or ``NAME_train``.
        weighted: The layers with trained weights, for the strategy of a spec that has one.
        start: The weights that the model starts from, if the spec names any.

    Raises:
        ModelError: The spec has parts that such a script cannot have.
    """
    values = Values(valid.catalog, str)
    strategy = chosen_strategy(valid, weighted)
    main = Main(valid, arrays, values, strategy=strategy, weighted=weighted, start=start)
    named = {node.name for node in valid.graph.adapted} | _models(valid) | scaled_layers(valid)
    if isinstance(strategy, GradNorm) and (shared := shared_layer(valid, weighted)):
        named.add(shared)
    if start is not None:
        named |= start.names
    try:
        script = write_model(valid, [*_OWN, *part_names()], frozenset(named))
    except UnwrittenError as error:
        raise ModelError(f"the spec cannot be written to Python: {error}") from error
    constants = "\n".join(
        [
            *_parameter_lines(script.constants, values),
            *_setting_lines(valid, arrays),
        ]
    )
    parts = [*script.functions, *main.helpers(), "\n".join(main.lines())]
    body = "\n\n\n".join([*parts, 'if __name__ == "__main__":\n    main(*sys.argv[1:])'])
    imports = ["import h5py"] if "h5py.File(" in body else []
    imports += ["import keras", *(["import numpy as np"] if "np." in body else [])]
    imports += ["import polars as pl"] if "pl.read_parquet(" in body else []
    imports += ["import tensorflow as tf"] if "tf.GradientTape" in body else []
    used = [name for name in ("layers", "ops") if f"{name}." in body]
    imports += [f"from keras import {', '.join(used)}"] if used else []
    imports += import_lines(body)
    head = "".join(_head(valid))
    modules = {"csv": "csv.reader(", "os": "os.environ"}
    standard = "".join(f"import {name}\n" for name, use in modules.items() if use in body)
    standard += "import sys"
    standard += "\nfrom fnmatch import fnmatchcase" if "fnmatchcase(" in body else ""
    return f"{head}{standard}\n\n" + "\n".join(imports) + f"\n\n{constants}\n\n\n{body}\n"


def _models(valid: ValidSpec) -> set[str]:
    """Return the layers that are models: Keras would give two of them the same name."""
    entries = {node.layer: valid.catalog.find("layer", node.type) for node in valid.graph.nodes}
    return {name for name, entry in entries.items() if entry is not None and entry.is_model}


def _head(valid: ValidSpec) -> Iterator[str]:
    description = " ".join((valid.spec.description or "").split())
    text = "".join(char for char in description if char.isprintable())
    if text:
        safe = text.replace("\\", "\\\\").replace('"', '\\"')
        yield f'"""{safe}"""\n\n'
    yield "# Written by modelspec.\n"


def _parameter_lines(constants: dict[str, tuple[str, object]], values: Values) -> Iterator[str]:
    for name, value in constants.values():
        yield from lines(values.value(value).before(f"{name} = "))


def _setting_lines(valid: ValidSpec, arrays: ArrayNames | None) -> Iterator[str]:
    training = valid.spec.training
    settings: dict[str, Code] = {
        "DATA": string(arrays.path if arrays else f"{valid.graph.name}.npz"),
        "MODEL": string(f"{valid.graph.name}.keras"),
        "SEED": Code(str(training.seed)),
    }
    if any(head.loss is not None for head in valid.heads):
        settings["BATCH_SIZE"] = Code(str(training.batch_size))
        settings["EPOCHS"] = Code(str(training.epochs))
        split = training.validation_split
        if isinstance(split, LastRows):
            split = split.last
        if isinstance(split, float) and split and not (arrays and arrays.validation):
            settings["VALIDATION_SPLIT"] = Code(repr(split))
    for name, code in settings.items():
        yield from lines(code.before(f"{name} = "))
