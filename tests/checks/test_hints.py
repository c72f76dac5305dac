"""Mistakes that cost newcomers minutes: each has one message, and a hint with the remedy."""

import pytest

import modelspec

SPEC = """\
modelspec: 1
inputs: {x: {shape: [4]}}
layers:
  - Flatten
  - Dense: {units: 8}
  - LeakyReLU
  - Dense: {units: 2}
    name: y
outputs: y
losses: mse
"""


def problems(text: str, *options: str) -> list[tuple[str, str | None]]:
    read = modelspec.loads(text, options).problems
    return [(problem.code, problem.hint) for problem in read if problem.severity == "error"]


def test_the_spec_is_right() -> None:
    assert problems(SPEC) == []


@pytest.mark.parametrize(
    ("old", "new", "code", "hint"),
    [
        ("modelspec: 1\n", "", "missing-key", "modelspec: 1"),
        ("outputs: y\n", "", "missing-key", "outputs: the name of a layer"),
        ("losses", "epochs: 5\nlosses", "unknown-key", "training: {epochs: …}"),
        ("losses", "batch_size: 5\nlosses", "unknown-key", "training: {batch_size: …}"),
        ("losses", "seed: 5\nlosses", "unknown-key", "training: {seed: …}"),
        ("losses", "training: {optimizer: adam}\nlosses", "unknown-key", "top level"),
        ("losses", "training: {metrics: mae}\nlosses", "unknown-key", "top level"),
        ("units: 8", 'units: "8"', "wrong-type", "8"),
        ("losses", "optimizer: {name: Adam, learning_rate: 1}\nlosses", "not-an-object", "Adam: {"),
        ("losses", "optimizer: {class_name: SGD, momentum: 1}\nlosses", "not-an-object", "SGD: {"),
        ("losses: mse", "losses: {name: Huber, delta: 2.0}", "unknown-output", None),
        ("- Flatten", "- type: Flatten", "unknown-layer", "Flatten"),
        ("- LeakyReLU", "- class_name: LeakyReLU", "unknown-layer", "LeakyReLU"),
        ("losses", "training: {precision: float16}\nlosses", "wrong-value", "mixed_float16"),
        ("losses", "training: {class_weights: {0: 1, 1: 3}}\nlosses", "wrong-type", "{OUTPUT:"),
        ("losses", "training: {class_weights: {1: 3}}\nlosses", "wrong-type", "{OUTPUT:"),
        ("losses", "training: {class_weights: {y: {no: 3}}}\nlosses", "wrong-type", "the number"),
    ],
)
def test_hint(old: str, new: str, code: str, hint: str | None) -> None:
    errors = problems(SPEC.replace(old, new, 1))
    if hint is None:
        assert errors
        return
    [(found_code, found_hint)] = errors
    assert found_code == code
    assert hint in (found_hint or "")


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("optimizer.learning_rate=0.1", "rmsprop.learning_rate"),
        ("losses.delta=0.1", "mse.delta"),
        ("layers.dense.units=5", "layers.1.Dense.units"),
        ("layers.dense_1.Dense.units=5", "layers.1.Dense.units"),
        ("layers.flatten.name=f", "layers.0.Flatten.name"),
        ("layers.leaky_relu.negative_slope=0.1", "layers.2.LeakyReLU.negative_slope"),
    ],
)
def test_hint_of_an_option(option: str, hint: str) -> None:
    text = SPEC + "optimizer: rmsprop\n"
    [(code, found_hint)] = problems(text, option)
    assert code == "bad-override"
    assert hint in (found_hint or "")


@pytest.mark.keras
@pytest.mark.parametrize("inner", ["adam", "Adam", "{SGD: {momentum: 0.9}}"])
def test_an_inner_optimizer_by_name(inner: str) -> None:
    text = SPEC + f"optimizer: {{LossScaleOptimizer: {{inner_optimizer: {inner}}}}}\n"
    source = modelspec.loads(text)
    assert source.check() == []
    assert type(source.build().optimizer.inner_optimizer).__name__ in ("Adam", "SGD")


LAYERS = {
    "[null, 8, 8]": "[Flatten, {Dense: {units: 64}}, {Dense: {units: 2}, name: y}]",
    "[32, 28, 28, 1]": "[{Conv2D: {filters: 2, kernel_size: 3}}, {Flatten: null, name: y}]",
    "[null, 9, 4]": "[{LSTM: {units: 3}}, {Dense: {units: 2}, name: y}]",
    "[null, 20]": "[{Dense: {units: 3}}, Flatten, {Dense: {units: 1}, name: y}]",
}
"""Layers that fail where a shape begins with the batch; some others work by chance."""


@pytest.mark.keras
@pytest.mark.parametrize("shape", LAYERS)
def test_a_batch_axis_that_the_layers_contradict(shape: str) -> None:
    text = (
        f"{{modelspec: 1, inputs: {{x: {{shape: {shape}}}}}, layers: {LAYERS[shape]}, outputs: y}}"
    )
    [problem] = modelspec.loads(text).check()
    assert problem.code == "shape-mismatch"
    sample = shape.partition(", ")[2]
    assert problem.hint == (
        f"a shape describes one sample: leave the batch out of x: shape: [{sample}"
    )


@pytest.mark.keras
def test_a_shape_that_is_wrong_with_and_without_its_first_axis() -> None:
    layers = "[{Conv2D: {filters: 2, kernel_size: 9}}, {Flatten: null, name: y}]"
    text = (
        f"{{modelspec: 1, inputs: {{x: {{shape: [null, 8, 8, 1]}}}}, layers: {layers}, outputs: y}}"
    )
    [problem] = modelspec.loads(text).check()
    assert "batch" not in (problem.hint or "")


@pytest.mark.parametrize("mistake", ["training: {epoch: 3}", "training: {epochs: x}"])
def test_a_wrong_setting_hides_no_wrong_name(mistake: str) -> None:
    text = SPEC.replace("losses: mse", "losses: {yy: mse}")
    text = text.replace("- LeakyReLU", "- LeakyReLU:\n    from: q")
    codes = {code for code, _ in problems(f"{text}{mistake}\n")}
    assert codes >= {"unknown-name", "unknown-output"}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        ("", "write max_tokens: N, with one entry for unknown ones, and pad_to_max_tokens: true"),
        (", max_tokens: 9", "write pad_to_max_tokens: true"),
    ],
)
def test_a_width_that_only_data_would_tell(arguments: str, hint: str) -> None:
    lookup = f"{{StringLookup: {{output_mode: one_hot{arguments}}}, adapt: true}}"
    text = SPEC.replace("{shape: [4]}", "{shape: [1], dtype: string}").replace("Flatten", lookup)
    assert problems(text) == [("cannot-adapt", hint)]
    whole = text.replace("one_hot", "one_hot, max_tokens: 9, pad_to_max_tokens: true")
    assert arguments or problems(whole) == []
