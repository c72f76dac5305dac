"""Models from Keras's public guides and examples: none of them raises a false alarm."""

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import modelspec
from modelspec.api.costs import with_lengths
from modelspec.api.timing import _arrays, _output_shapes

pytestmark = [pytest.mark.keras, pytest.mark.slow]

GUIDES = Path(__file__).parents[1] / "guides"
SPECS = sorted(GUIDES.glob("*.yaml"))

STATED = {  # "Total params" of model.summary() where the page prints it
    "denoising_autoencoder": 28_353,
    "functional_autoencoder": 28_241,
    "functional_mnist_mlp": 55_050,
    "functional_toy_resnet": 223_242,
    "imbalanced_classification": 139_777,
    "imdb_bidirectional_lstm": 2_757_761,
    "mnist_convnet": 34_826,
    "oxford_pets_segmentation": 2_058_979,
    "timeseries_anomaly_detection": 9_505,
    "vae_decoder": 65_089,
    "vae_encoder": 69_076,
}

PIXELS = {"convmixer", "image_classification_xception"}
"""Those that rescale their images themselves."""

STEPS = 64


def test_there_are_at_least_twenty() -> None:
    assert len(SPECS) >= 20
    for path in SPECS:
        first = path.read_text("utf-8").partition("\n")[0]
        assert first.startswith("# https://keras.io/"), path.name


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_no_false_alarm(path: Path) -> None:
    assert modelspec.load(path).check() == []


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_no_false_alarm_on_data_that_fits(path: Path) -> None:
    source = modelspec.load(path)
    graph = source.require().graph
    lengths = {
        name: tuple(size or STEPS for size in entry.shape) for name, entry in graph.inputs.items()
    }
    known = with_lengths(graph, lengths)
    arrays = _arrays(source, known, _output_shapes(source, known), samples=8)
    if path.stem in PIXELS:
        arrays |= {name: arrays[name] * 255 for name in graph.inputs}
    assert source.check(arrays) == []


@pytest.mark.parametrize("name", sorted(STATED))
def test_parameters_are_those_that_the_page_states(name: str) -> None:
    assert modelspec.load(GUIDES / f"{name}.yaml").summary().params.total == STATED[name]


def mnist_mlp(keras: Any) -> Any:
    inputs = keras.Input((784,))
    x = keras.layers.Dense(64, activation="relu")(inputs)
    x = keras.layers.Dense(64, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(10)(x))


def tickets(keras: Any) -> Any:
    layers = keras.layers
    title, body, tags = keras.Input((None,)), keras.Input((None,)), keras.Input((12,))
    title_features = layers.LSTM(128)(layers.Embedding(10000, 64)(title))
    body_features = layers.LSTM(32)(layers.Embedding(10000, 64)(body))
    x = layers.concatenate([title_features, body_features, tags])
    return keras.Model([title, body, tags], [layers.Dense(1)(x), layers.Dense(4)(x)])


def shared_layers(keras: Any) -> Any:
    embedding = keras.layers.Embedding(1000, 128)
    a, b = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    return keras.Model([a, b], [embedding(a), embedding(b)])


def ensemble(keras: Any) -> Any:
    def member() -> Any:
        inputs = keras.Input((128,))
        return keras.Model(inputs, keras.layers.Dense(1)(inputs))

    inputs = keras.Input((128,))
    outputs = keras.layers.average([member()(inputs) for _ in range(3)])
    return keras.Model(inputs, outputs)


def encoder_decoder(keras: Any) -> Any:
    layers = keras.layers
    first, second = keras.Input((None,)), keras.Input((None,))
    embedded = layers.Embedding(1000, 64)(first)
    _, *state = layers.LSTM(64, return_state=True)(embedded)
    decoded = layers.LSTM(64)(layers.Embedding(2000, 64)(second), initial_state=state)
    return keras.Model([first, second], layers.Dense(10)(decoded))


def seq2seq(keras: Any) -> Any:
    layers = keras.layers
    first, second = keras.Input((None, 71)), keras.Input((None, 93))
    _, *state = layers.LSTM(256, return_state=True)(first)
    decoder = layers.LSTM(256, return_sequences=True, return_state=True)
    decoded, _, _ = decoder(second, initial_state=state)
    return keras.Model([first, second], layers.Dense(93, activation="softmax")(decoded))


def transformer(keras: Any) -> Any:
    layers = keras.layers
    tokens, positions = keras.Input((200,)), keras.Input((200,))
    x = layers.Embedding(20000, 32)(tokens) + layers.Embedding(200, 32)(positions)
    attended = layers.Dropout(0.1)(layers.MultiHeadAttention(2, 32)(x, x))
    out1 = layers.LayerNormalization(epsilon=1e-6)(x + attended)
    fed = layers.Dense(32)(layers.Dense(32, activation="relu")(out1))
    x = layers.LayerNormalization(epsilon=1e-6)(out1 + layers.Dropout(0.1)(fed))
    x = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(x))
    x = layers.Dropout(0.1)(layers.Dense(20, activation="relu")(x))
    return keras.Model([tokens, positions], layers.Dense(2, activation="softmax")(x))


def convmixer(keras: Any) -> Any:
    layers = keras.layers

    def activation(x: Any) -> Any:
        return layers.BatchNormalization()(layers.Activation("gelu")(x))

    inputs = keras.Input((32, 32, 3))
    x = activation(layers.Conv2D(256, 2, strides=2)(layers.Rescaling(1 / 255)(inputs)))
    for _ in range(8):
        mixed = layers.Conv2D(256, 5, groups=256, padding="same")(x)
        x = layers.Add()([activation(mixed), x])
        x = activation(layers.Conv2D(256, 1)(x))
    x = layers.GlobalAvgPool2D()(x)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x))


def conv_lstm(keras: Any) -> Any:
    layers = keras.layers
    options: dict[str, Any] = {"padding": "same", "return_sequences": True, "activation": "relu"}
    inputs = keras.Input((None, 64, 64, 1))
    x = layers.BatchNormalization()(layers.ConvLSTM2D(64, 5, **options)(inputs))
    x = layers.BatchNormalization()(layers.ConvLSTM2D(64, 3, **options)(x))
    x = layers.ConvLSTM2D(64, 1, **options)(x)
    return keras.Model(inputs, layers.Conv3D(1, 3, activation="sigmoid", padding="same")(x))


def captcha_ocr(keras: Any) -> Any:
    layers = keras.layers
    inputs = keras.Input((200, 50, 1))
    x = layers.MaxPooling2D(2)(layers.Conv2D(32, 3, padding="same")(inputs))
    x = layers.MaxPooling2D(2)(layers.Conv2D(64, 3, padding="same")(x))
    x = layers.Dense(64)(layers.Reshape((50, 768))(x))
    x = layers.Bidirectional(layers.LSTM(128, return_sequences=True))(x)
    x = layers.Bidirectional(layers.LSTM(64, return_sequences=True))(x)
    return keras.Model(inputs, layers.Dense(21, activation="softmax")(x))


def super_resolution(keras: Any) -> Any:
    layers = keras.layers
    x = inputs = keras.Input((100, 100, 1))
    for filters, kernel_size in ((64, 5), (64, 3), (32, 3), (9, 3)):
        x = layers.Conv2D(filters, kernel_size, padding="same")(x)
    return keras.Model(inputs, x)


COUNTED: dict[str, Callable[[Any], Any]] = {
    "captcha_ocr": captcha_ocr,
    "conv_lstm": conv_lstm,
    "convmixer": convmixer,
    "functional_ensemble": ensemble,
    "functional_mnist_mlp": mnist_mlp,
    "functional_shared_layers": shared_layers,
    "functional_tickets": tickets,
    "lstm_seq2seq": seq2seq,
    "rnn_encoder_decoder": encoder_decoder,
    "super_resolution": super_resolution,
    "text_classification_transformer": transformer,
}


@pytest.mark.parametrize("name", sorted(COUNTED))
def test_parameters_are_those_of_plain_keras(name: str) -> None:
    ours = modelspec.load(GUIDES / f"{name}.yaml").summary().params
    import keras

    with keras.StatelessScope(initialize_variables=False):
        plain = COUNTED[name](keras)
        assert ours.total == count(plain.weights)
        assert ours.trainable == count(plain.trainable_weights)


def count(weights: Iterable[Any]) -> int:
    return sum(math.prod(weight.shape) for weight in weights)
