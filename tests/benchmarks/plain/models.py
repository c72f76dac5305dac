"""The shipped specs' models, written with Keras alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
from keras import layers


def mlp() -> Any:
    features = keras.Input((64,), name="features")
    x = layers.Dense(32, activation="relu")(features)
    x = layers.Dense(32, activation="relu")(x)
    return keras.Model(features, layers.Dense(10, activation="softmax", name="label")(x))


def question_answering() -> Any:
    text = keras.Input((None,), dtype="int32", name="text")
    question = keras.Input((None,), dtype="int32", name="question")
    read = layers.LSTM(32)(layers.Embedding(10_000, 64)(text))
    asked = layers.LSTM(16)(layers.Embedding(10_000, 64)(question))
    both = layers.Concatenate(axis=-1)([read, asked])
    answer = layers.Dense(500, activation="softmax", name="answer")(both)
    return keras.Model([text, question], answer)


def author_profile() -> Any:
    posts = keras.Input((None,), dtype="int32", name="posts")
    x = layers.Embedding(50_000, 256)(posts)
    x = layers.Conv1D(128, 5, activation="relu")(x)
    x = layers.MaxPooling1D(5)(x)
    x = layers.Conv1D(256, 5, activation="relu")(x)
    x = layers.Conv1D(256, 5, activation="relu")(x)
    x = layers.MaxPooling1D(5)(x)
    x = layers.Conv1D(256, 5, activation="relu")(x)
    x = layers.Conv1D(256, 5, activation="relu")(x)
    x = layers.GlobalMaxPooling1D()(x)
    x = layers.Dense(128, activation="relu", name="profile")(x)
    age = layers.Dense(1, name="age")(x)
    income = layers.Dense(10, activation="softmax", name="income")(x)
    gender = layers.Dense(1, activation="sigmoid", name="gender")(x)
    return keras.Model(posts, [age, income, gender])


def digits() -> Any:
    image = keras.Input((8, 8), name="image")
    x = layers.Flatten()(image)
    x = layers.Dense(128, activation="relu")(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x))


def digits_conv() -> Any:
    image = keras.Input((8, 8), name="image")
    x = layers.Reshape((8, 8, 1))(image)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.4)(x)
    x = layers.Dense(64, activation="relu")(x)
    x = layers.Dropout(0.4)(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x))


def digits_heads() -> Any:
    image = keras.Input((8, 8), name="image")
    x = layers.Reshape((8, 8, 1))(image)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(0.25)(x)
    x = layers.Dense(64, activation="relu", name="features")(x)
    digit = layers.Dense(10, activation="softmax", name="digit")(x)
    parity = layers.Dense(1, activation="sigmoid", name="parity")(x)
    return keras.Model(image, [digit, parity, layers.Dense(1, name="ink")(x)])


def digits_restored() -> Any:
    image = keras.Input((8, 8), name="image")
    x = layers.Dense(64, activation="relu")(layers.Flatten()(image))
    code = layers.Dense(16, activation="relu", name="code")(x)
    digit = layers.Dense(10, activation="softmax", name="digit")(code)
    x = layers.Dense(64, activation="relu")(code)
    x = layers.Dense(64, activation="sigmoid")(x)
    return keras.Model(image, [digit, layers.Reshape((8, 8), name="restored")(x)])


def breast_cancer_heads() -> Any:
    inputs = [keras.Input((10,), name=name) for name in ("mean", "error")]
    x = layers.BatchNormalization(momentum=0.9)(layers.Concatenate()(inputs))
    x = layers.Dense(32, activation="relu")(x)
    x = layers.Dense(32, activation="relu", name="shared")(x)
    malignant = layers.Dense(1, activation="sigmoid", name="malignant")(x)
    return keras.Model(inputs, [malignant, layers.Dense(10, name="worst")(x)])


def breast_cancer() -> Any:
    inputs = [keras.Input((10,), name=name) for name in ("mean", "error", "worst")]
    branches = []
    for tensor, units in zip(inputs, (16, 8, 16), strict=True):
        x = layers.BatchNormalization(momentum=0.9)(tensor)
        regularizer = keras.regularizers.L2(0.01)
        x = layers.Dense(units, activation="relu", kernel_regularizer=regularizer)(x)
        branches.append(x)
    x = layers.Dropout(0.3)(layers.Concatenate()(branches))
    return keras.Model(inputs, layers.Dense(1, activation="sigmoid", name="malignant")(x))


def attention() -> Any:
    rows = keras.Input((8, 8), name="rows")
    context = layers.Bidirectional(layers.GRU(32, return_sequences=True))(rows)
    attended = layers.MultiHeadAttention(4, 16)(query=context, value=context)
    x = layers.LayerNormalization()(layers.Add()([context, attended]))
    x = layers.Dropout(0.2)(layers.Flatten()(x))
    return keras.Model(rows, layers.Dense(10, activation="softmax", name="digit")(x))


def residual() -> Any:
    image = keras.Input((8, 8), name="image")
    x = layers.Reshape((8, 8, 1))(image)
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
    for number in range(3):
        y = layers.Conv2D(16, 3, padding="same", activation="relu")(x)
        y = layers.Dropout(0.1 * number)(y)
        y = layers.Conv2D(16, 3, padding="same")(y)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Flatten()(layers.MaxPooling2D()(x))
    x = layers.Dropout(0.3)(x)
    return keras.Model(image, layers.Dense(10, activation="softmax", name="digit")(x))


def siamese() -> Any:
    image = keras.Input((8, 8))
    x = layers.Reshape((8, 8, 1))(image)
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 3, activation="relu")(x)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    encoder = keras.Model(image, layers.Dense(32)(x))
    left, right = keras.Input((8, 8), name="left"), keras.Input((8, 8), name="right")
    difference = layers.Subtract()([encoder(left), encoder(right)])
    squared = layers.Multiply()([difference, difference])
    return keras.Model([left, right], layers.Dense(1, activation="sigmoid", name="same")(squared))


def siamese_l1() -> Any:
    image = keras.Input((8, 8))
    x = layers.Dense(64, activation="relu")(layers.Flatten()(image))
    encoder = keras.Model(image, layers.Dense(32)(x))
    left, right = keras.Input((8, 8), name="left"), keras.Input((8, 8), name="right")
    distances = keras.ops.abs(keras.ops.subtract(encoder(left), encoder(right)))
    distance = keras.ops.sum(distances, axis=-1, keepdims=True)
    x = keras.ops.concatenate([distances, distance], axis=-1)
    return keras.Model([left, right], layers.Dense(1, activation="sigmoid", name="same")(x))


def classes(optimizer: Any = "adam") -> dict[str, Any]:
    loss = "sparse_categorical_crossentropy"
    return {"optimizer": optimizer, "loss": loss, "metrics": ["accuracy"]}


def quick() -> dict[str, Any]:
    return classes(keras.optimizers.Adam(3e-3))


def falling() -> dict[str, Any]:
    schedule = keras.optimizers.schedules.CosineDecay(3e-3, 900)
    return classes(keras.optimizers.Adam(schedule))


def one_hot() -> dict[str, Any]:
    return {"optimizer": "rmsprop", "loss": "categorical_crossentropy"}


def profile() -> dict[str, Any]:
    losses = ["mse", "categorical_crossentropy", "binary_crossentropy"]
    return {"optimizer": "rmsprop", "loss": losses, "loss_weights": [0.25, 1.0, 10.0]}


def heads() -> dict[str, Any]:
    return {
        "optimizer": "adam",
        "loss": ["sparse_categorical_crossentropy", "binary_crossentropy", "mse"],
        "loss_weights": [1.0, 1.0, 1e-4],
        "metrics": [["accuracy"], ["accuracy"], ["mae"]],
    }


def restored() -> dict[str, Any]:
    return {
        "optimizer": "adam",
        "loss": ["sparse_categorical_crossentropy", "mse"],
        "loss_weights": [0.1, 1.9],
        "metrics": [["accuracy"], ["mae"]],
    }


def measured() -> dict[str, Any]:
    return {
        "optimizer": keras.optimizers.Adam(3e-3),
        "loss": ["binary_crossentropy", "mse"],
        "loss_weights": [1.0, 1e-4],
        "metrics": [["accuracy"], ["mae"]],
    }


def malignant() -> dict[str, Any]:
    return {
        "optimizer": keras.optimizers.Adam(3e-3),
        "loss": "binary_crossentropy",
        "metrics": ["accuracy", keras.metrics.AUC(name="auc")],
    }


def same() -> dict[str, Any]:
    return {"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["accuracy"]}


@dataclass(frozen=True)
class Plain:
    """A model, its compile arguments, its data's names, and its fit arguments."""

    build: Callable[[], Any]
    compiled: Callable[[], dict[str, Any]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    epochs: int
    fitted: dict[str, Any] = field(default_factory=dict)


MODELS = {
    "mlp": Plain(mlp, one_hot, ("features",), ("label",), 10),
    "question_answering": Plain(
        question_answering,
        lambda: {**one_hot(), "metrics": ["acc"]},
        *(("text", "question"), ("answer",), 10, {"batch_size": 128}),
    ),
    "author_profile": Plain(
        author_profile, profile, ("posts",), ("age", "income", "gender"), 10, {"batch_size": 64}
    ),
    "digits": Plain(digits, quick, ("image",), ("digit",), 20),
    "digits_conv": Plain(digits_conv, classes, ("image",), ("digit",), 20),
    "digits_heads": Plain(digits_heads, heads, ("image",), ("digit", "parity", "ink"), 25),
    "breast_cancer": Plain(
        *(breast_cancer, malignant, ("mean", "error", "worst"), ("malignant",), 80),
        {"validation_split": 0.1, "class_weight": {0: 1.0, 1: 1.2}},
    ),
    "breast_cancer_heads": Plain(
        breast_cancer_heads, measured, ("mean", "error"), ("malignant", "worst"), 60
    ),
    "digits_restored": Plain(digits_restored, restored, ("image",), ("digit", "image"), 40),
    "attention": Plain(attention, falling, ("image",), ("digit",), 20),
    "residual": Plain(residual, classes, ("image",), ("digit",), 20),
    "siamese": Plain(siamese, same, ("left", "right"), ("same",), 15),
    "siamese_l1": Plain(siamese_l1, same, ("left", "right"), ("same",), 15),
}
