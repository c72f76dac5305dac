"""The JSON Schema of the language, held against a validator and against ``modelspec check``."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, validators

from modelspec import catalog
from modelspec.api.reading import loads
from modelspec.language.document import read, read_text
from modelspec.language.spec import LAYER_KEYS, BlockSpec, InputSpec, Spec
from modelspec.language.training import Training
from modelspec.schema import language_schema, schema_text
from modelspec.schema.docs import markdown
from modelspec.schema.help import HELP

ROOT = Path(__file__).parents[2]
SPECS = sorted([*ROOT.glob("specs/*.yaml"), *ROOT.glob("tests/guides/*.yaml")])
FRAME = {
    "modelspec": "modelspec: 1",
    "inputs": "inputs: {x: {shape: [8]}}",
    "layers": "layers: [{Dense: {units: 4}, name: y}]",
    "outputs": "outputs: y",
}


@cache
def schema() -> dict[str, Any]:
    return language_schema(catalog.load())


def any_of(validator: Any, choices: list[Any], instance: Any, parent: Any) -> Iterator[Any]:
    """Collect the errors of all choices only where none is valid: that takes most of the time."""
    if not any(validator.evolve(schema=choice).is_valid(instance) for choice in choices):
        yield from Draft7Validator.VALIDATORS["anyOf"](validator, choices, instance, parent)


@cache
def validator() -> Any:
    return validators.extend(Draft7Validator, {"anyOf": any_of})(schema())


def plain(data: Any) -> Any:
    """As JSON has it: every key a text."""
    return json.loads(json.dumps(data))


def completed(text: str) -> str:
    """A whole spec from some of its keys, which stand at the start of lines."""
    keys = {line.partition(":")[0] for line in text.splitlines()}
    return "\n".join([text, *(part for key, part in FRAME.items() if key not in keys)])


def is_valid(text: str) -> bool:
    document, problems = read_text(text)
    assert document is not None, problems
    return bool(validator().is_valid(plain(document.data)))


def has_error(text: str) -> bool:
    return any(problem.severity == "error" for problem in loads(text).diagnostics)


def layer(written: str) -> str:
    return f"layers: [{{{written}, name: y}}]"


def test_the_schema_is_one_and_of_sensible_size() -> None:
    Draft7Validator.check_schema(schema())
    assert 500_000 < len(schema_text(catalog.load()).encode()) < 2_200_000


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_good_specs_are_accepted(path: Path) -> None:
    document, _ = read(path)
    assert document is not None
    assert [error.message for error in validator().iter_errors(plain(document.data))] == []


ACCEPTED = [
    "name: a\ndescription: text\nparams: {n: 4, shape: [8, null]}",
    "inputs: {x: {shape: '${s}', dtype: '${d}'}}\nparams: {d: float32, s: [8]}",
    "inputs: '${i}'\nparams: {i: {x: {shape: [8]}}}",
    layer("Dense: {units: 4, activation: null, use_bias: '${b}', kernel_initializer: HeNormal}")
    + "\nparams: {b: true}",
    layer("Dense: {units: '${2 * 2}', kernel_initializer: {RandomNormal: {stddev: 0.1}}}"),
    layer("Dense: '${given}'") + "\nparams: {given: {units: 4}}",
    layer("Dense: {units: 4, kernel_regularizer: {l2: {l2: 0.1}}}, repeat: '${1 + 1}'"),
    layer("Dense: {units: 4}, trainable: false, dtype: mixed_float16, from: x"),
    layer("Activation: {activation: {relu: }}, from: [x]"),
    layer("BatchNormalization: "),
    layer("Conv1D: {filters: 2, kernel_size: [3], padding: SAME}")
    + "\ninputs: {x: {shape: [8, 2]}}",
    layer("Bidirectional: {layer: {LSTM: {units: 2, name: inner, dtype: float32}}}")
    + "\ninputs: {x: {shape: [8, 2]}}",
    layer("RNN: {cell: [{LSTMCell: {units: 2}}, {GRUCell: {units: 2}}]}")
    + "\ninputs: {x: {shape: [8, 2]}}",
    layer("LSTM: {units: 4}, call: {training: true}") + "\ninputs: {x: {shape: [8, 2]}}",
    layer("MultiHeadAttention: {num_heads: 1, key_dim: 2}, from: {query: x, value: x}")
    + "\ninputs: {x: {shape: [8, 2]}}",
    "layers: [Flatten, {Dense: {units: 4}, name: y}]",
    """
inputs: {x: {shape: [4]}, b: {shape: [4]}}
layers: [{Dense: {units: 4}, name: a, from: x}, {share: a, name: y, from: b}]
outputs: [a, y]
""",
    """
blocks:
  b: {params: {n: null, k: 3}, inputs: [x], outputs: o, layers: [{Dense: {units: "${n}"}, name: o}]}
layers: [{b: {n: 4}, name: y}]
""",
    """
blocks: {b: {inputs: [x], outputs: [o], layers: [{ReLU: , from: x, name: o}]}}
layers: [b, {Dense: {units: 4}, name: y}]
""",
    "outputs: {result: y}",
    "losses: [mse]\nloss_weights: [0.5]\nmetrics: [acc, {AUC: {name: a}}]",
    "losses: {Huber: {delta: 2}}\nmetrics: {MeanSquaredError: }",
    "losses: {MSE: {}}",
    "losses: {y: {CategoricalCrossentropy: {label_smoothing: 0.1}}}\nloss_weights: {y: 0.5}",
    "metrics: {y: [mae, {MeanSquaredError: {name: m}}]}\nlosses: {y: null}",
    "losses: '${l}'\nparams: {l: mse}",
    "training: '${t}'\nparams: {t: {epochs: 3}}",
    "optimizer: ADAM",
    "optimizer: {sgd: {momentum: 0.9, learning_rate: 1}}",
    "optimizer: {Adam: {learning_rate: {CosineDecay: {initial_learning_rate: 1, decay_steps: 9}}}}",
    "optimizer: {Adam: {learning_rate: '${rate}'}}\nparams: {rate: 0.1}",
    "training: {epochs: '${2}', jit: true, callbacks: [TerminateOnNaN], precision: bfloat16}",
    "training: {class_weights: {y: {0: 1.0, 3: 5.0}}, seed: 3, shuffle: false}\nlosses: mse",
    "training: {jit: auto, callbacks: [{EarlyStopping: {patience: 3}}]}\ndata: {x: X_text}",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_check_accepts_is_accepted(text: str) -> None:
    assert not has_error(completed(text)), loads(completed(text)).diagnostics
    assert is_valid(completed(text))


FLAGGED = [
    "los: mse",
    "training: {epoch: 3}",
    "training: {epochs: 0}",
    "training: {epochs: many}",
    "training: {validation_split: 1.0}",
    "training: {precision: float8}",
    "training: {callbacks: [{EarlyStopping: {patiens: 3}}]}",
    "training: {callbacks: [Callback]}",
    "modelspec: 2",
    "name: 2nd model",
    "params: {a-b: 3}",
    "inputs: {x: {shape: 8}}",
    "inputs: {x: {shape: [0]}}",
    "inputs: {x: {shape: [8], dtype: float}}",
    "inputs: {x: {shape: [8], type: int32}}",
    "inputs: {x: {dtype: int32}}",
    "inputs: {}",
    "layers: []",
    "layers: [Dense]",
    "layers: [Flaten]",
    "layers: [{name: y, from: x}]",
    "layers: [{share: y, Dense: {units: 4}}]",
    layer("Dense: {units: 4}, nme: z"),
    layer("Dense: {units: 4}, Flatten: "),
    layer("Dens: {units: 4}"),
    layer("Dense: {unit: 4}"),
    layer("Dense: {use_bias: true}"),
    layer("Dense: {units: 4, name: z}"),
    layer("Dense: {units: 4, unknown: 1}"),
    layer("Dense: {units: four}"),
    layer("Dense: {units: 4, use_bias: 3}"),
    layer("Dense: {units: 4, activation: rleu}"),
    layer("Dense: {units: 4, activation: {relu: {max: 3}}}"),
    layer("Dense: {units: 4, kernel_initializer: {RandomNormal: {stdev: 1}}}"),
    layer("Dense: {units: 4, kernel_initializer: {RandomNorml: {stddev: 1}}}"),
    layer("Dense: {units: 4, kernel_regularizer: {l3: {l3: 1}}}"),
    layer("Dense: 4"),
    layer("Dense: {units: 4}, repeat: twice"),
    layer("Dense: {units: 4}, dtype: float23"),
    layer("Dense: {units: 4}, as: y"),
    layer("Conv1D: {filters: 2, kernel_size: 3, padding: smae}"),
    layer("Conv1D: {filters: 2, kernel_size: [three]}"),
    layer("Dropout: {rate: {a: 1}}"),
    layer("Bidirectional: {layer: {LSTM: {unts: 3}}}"),
    layer("Lambda: {function: f}"),
    "blocks: {b: {inputs: [], outputs: o, layers: [ReLU]}}",
    "blocks: {b: {inputs: [x], outputs: o, layers: [Relu]}}\nlayers: [b]",
    "outputs: [1]",
    "losses: msee",
    "losses: {Huber: {dleta: 1}}",
    "losses: {y: {Huber: {dleta: 1}}}",
    "losses: {y: {binary_crossentropy: {from_logits: true}}}",
    "loss_weights: {y: much}",
    "metrics: [acc, acuracy]",
    "metrics: {y: [Mean]}",
    "optimizer: admm",
    "optimizer: {Adem: {learning_rate: 0.1}}",
    "optimizer: {Adam: {lr: 0.1}}",
    "optimizer: {Adam: {learning_rate: fast}}",
    "optimizer: {Adam: {}, SGD: {}}",
    "data: {x: 3}",
]


@pytest.mark.parametrize("text", FLAGGED)
def test_what_check_refuses_by_name_and_kind_is_flagged(text: str) -> None:
    assert has_error(completed(text))
    assert not is_valid(completed(text))


@pytest.mark.parametrize("key", ["modelspec", "inputs", "layers", "outputs"])
def test_required_keys_are_required(key: str) -> None:
    parts = [part for name, part in FRAME.items() if name != key]
    assert not is_valid("\n".join(parts))


def test_every_object_of_the_catalogue_is_there_with_its_arguments_and_help() -> None:
    offered, definitions = catalog.load(), schema()["definitions"]
    for family in catalog.FAMILIES:
        for name in offered.names(family):
            entry = offered.find(family, name)
            assert entry is not None
            definition = definitions[f"{family}.{name}"]
            assert definition.get("properties", {}).keys() == entry.arguments.keys()
            assert definition["description"]
    item = definitions["LayerItem"]["anyOf"][1]["properties"]
    assert item.keys() == {*offered.names("layer"), *offered.names("operation"), *LAYER_KEYS}
    assert "densely-connected" in definitions["item.Dense"]["markdownDescription"]
    assert "dimensionality" in definitions["argument.Dense.units"]["markdownDescription"]


def test_every_argument_takes_its_default_null_and_expressions() -> None:
    offered = catalog.load()
    for family in catalog.FAMILIES:
        for name in offered.names(family):
            entry = offered.find(family, name)
            assert entry is not None
            for argument in entry.arguments.values():
                reference = schema()["definitions"][f"{family}.{name}"]["properties"]
                judge = validator().evolve(schema=reference[argument.name])
                assert judge.is_valid("${n}"), (name, argument)
                assert argument.required or judge.is_valid(None), (name, argument)
                default = _literal(argument.default)
                assert judge.is_valid(default) or default is None, (name, argument)


def _literal(text: str | None) -> Any:
    try:
        return plain(ast.literal_eval(text or "None"))
    except (ValueError, SyntaxError):
        return None


def test_every_key_of_the_language_has_help() -> None:
    for model in (Spec, InputSpec, BlockSpec, Training):
        assert HELP[model.__name__].keys() == model.model_fields.keys()
    assert HELP["LayerItem"].keys() == LAYER_KEYS


def test_docstrings_become_markdown() -> None:
    doc = "Does it.\n\nArgs:\n    a: One.\n    b: Two.\n\nExample:\n\n>>> f()\n3\n\nNote:\n    g\n"
    expected = "Does it.\n\n**Example**\n\n\n\n```python\n>>> f()\n3\n```\n\n**Note**\n\ng"
    assert markdown(doc) == expected


@pytest.mark.process
@pytest.mark.parametrize("seed", ["1", "2"])
def test_the_command_prints_the_same_schema_every_time_without_keras(seed: str) -> None:
    script = (
        "import atexit, sys; sys.argv = ['modelspec', 'schema']\n"
        "used = lambda: {'keras', 'jax', 'tensorflow'} & set(sys.modules)\n"
        "atexit.register(lambda: print(used(), file=sys.stderr))\n"
        "from modelspec.cli import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.strip() == "set()"
    assert done.stdout == schema_text(catalog.load()) + "\n"


@pytest.mark.process
def test_new_starts_with_the_line_that_editors_read() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelspec", "new"], capture_output=True, text=True, check=True
    )
    first, *_ = done.stdout.splitlines()
    assert first == "# yaml-language-server: $schema=modelspec.schema.json"
    assert is_valid(done.stdout)
    assert not has_error(done.stdout)
