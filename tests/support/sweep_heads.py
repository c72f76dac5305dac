"""Every loss and metric that Keras offers, with the output and the targets that fit it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Kind = tuple[str, str]
"""The layer that computes an output, and the kind of its target."""

BINARY, ONE_HOT, CLASS = ("sigmoid", "binary"), ("softmax", "one-hot"), ("softmax", "ids")
NUMBER, SIGN, VECTOR, STRING = (
    ("real", "real"),
    ("real", "sign"),
    ("vector", "ids"),
    ("time", "text"),
)

LOSSES: dict[str, Kind] = {
    "BinaryCrossentropy": BINARY,
    "BinaryFocalCrossentropy": BINARY,
    "CTC": STRING,
    "CategoricalCrossentropy": ONE_HOT,
    "CategoricalFocalCrossentropy": ONE_HOT,
    "CategoricalGeneralizedCrossEntropy": CLASS,
    "CategoricalHinge": ONE_HOT,
    "Circle": VECTOR,
    "CosineSimilarity": ONE_HOT,
    "Dice": BINARY,
    "Hinge": SIGN,
    "Huber": NUMBER,
    "KLDivergence": ONE_HOT,
    "LogCosh": NUMBER,
    "MeanAbsoluteError": NUMBER,
    "MeanAbsolutePercentageError": NUMBER,
    "MeanSquaredError": NUMBER,
    "MeanSquaredLogarithmicError": BINARY,
    "Poisson": BINARY,
    "SparseCategoricalCrossentropy": CLASS,
    "SquaredHinge": SIGN,
    "Tversky": BINARY,
    "binary_crossentropy": BINARY,
    "binary_focal_crossentropy": BINARY,
    "categorical_crossentropy": ONE_HOT,
    "categorical_focal_crossentropy": ONE_HOT,
    "categorical_hinge": ONE_HOT,
    "ce": CLASS,
    "circle": VECTOR,
    "cosine_similarity": ONE_HOT,
    "crossentropy": ONE_HOT,
    "ctc": STRING,
    "dice": BINARY,
    "hinge": SIGN,
    "huber": NUMBER,
    "kl_divergence": ONE_HOT,
    "log_cosh": NUMBER,
    "mean_absolute_error": NUMBER,
    "mean_absolute_percentage_error": NUMBER,
    "mean_squared_error": NUMBER,
    "mean_squared_logarithmic_error": BINARY,
    "poisson": BINARY,
    "sparse_categorical_crossentropy": CLASS,
    "squared_hinge": SIGN,
    "tversky": BINARY,
}
METRICS: dict[str, tuple[str, Kind]] = {
    "AUC": ("", BINARY),
    "Accuracy": ("", CLASS),
    "BinaryAccuracy": ("", BINARY),
    "BinaryCrossentropy": ("", BINARY),
    "BinaryIoU": ("", BINARY),
    "CategoricalAccuracy": ("", ONE_HOT),
    "CategoricalCrossentropy": ("", ONE_HOT),
    "CategoricalHinge": ("", ONE_HOT),
    "ConcordanceCorrelation": ("", NUMBER),
    "CosineSimilarity": ("", ONE_HOT),
    "F1Score": ("", ONE_HOT),
    "FBetaScore": ("{beta: 0.5}", ONE_HOT),
    "FalseNegatives": ("", BINARY),
    "FalsePositives": ("", BINARY),
    "Hinge": ("", SIGN),
    "IoU": ("{num_classes: 4, target_class_ids: [0, 1], sparse_y_pred: false}", CLASS),
    "KLDivergence": ("", ONE_HOT),
    "LogCoshError": ("", NUMBER),
    "MeanAbsoluteError": ("", NUMBER),
    "MeanAbsolutePercentageError": ("", NUMBER),
    "MeanIoU": ("{num_classes: 4, sparse_y_pred: false}", CLASS),
    "MeanSquaredError": ("", NUMBER),
    "MeanSquaredLogarithmicError": ("", BINARY),
    "OneHotIoU": ("{num_classes: 4, target_class_ids: [0, 1]}", ONE_HOT),
    "OneHotMeanIoU": ("{num_classes: 4}", ONE_HOT),
    "PearsonCorrelation": ("", ONE_HOT),
    "Poisson": ("", BINARY),
    "Precision": ("", BINARY),
    "PrecisionAtRecall": ("{recall: 0.5}", BINARY),
    "R2Score": ("", NUMBER),
    "Recall": ("", BINARY),
    "RecallAtPrecision": ("{precision: 0.5}", BINARY),
    "RootMeanSquaredError": ("", NUMBER),
    "SensitivityAtSpecificity": ("{specificity: 0.5}", BINARY),
    "SparseCategoricalAccuracy": ("", CLASS),
    "SparseCategoricalCrossentropy": ("", CLASS),
    "SparseTopKCategoricalAccuracy": ("{k: 2}", CLASS),
    "SpecificityAtSensitivity": ("{sensitivity: 0.5}", BINARY),
    "SquaredHinge": ("", SIGN),
    "TopKCategoricalAccuracy": ("{k: 2}", ONE_HOT),
    "TrueNegatives": ("", BINARY),
    "TruePositives": ("", BINARY),
    "acc": ("", CLASS),
    "accuracy": ("", BINARY),
    "binary_focal_crossentropy": ("", BINARY),
    "categorical_focal_crossentropy": ("", ONE_HOT),
    "huber": ("", NUMBER),
    "log_cosh": ("", NUMBER),
}
MAKERS = {
    "sigmoid": "Dense: {units: 1, activation: sigmoid}",
    "softmax": "Dense: {units: 4, activation: softmax}",
    "real": "Dense: {units: 1}",
    "vector": "UnitNormalization:",
    "time": "RepeatVector: {n: 4}",
}


def targets(kind: str, random: np.random.Generator, samples: int) -> NDArray[Any]:
    """Return targets of a kind; ids have four classes."""
    ids = np.arange(samples, dtype=np.int32) % 4
    return {
        "binary": random.integers(0, 2, (samples, 1)).astype("f"),
        "one-hot": np.eye(4, dtype="f")[ids],
        "ids": ids,
        "real": random.normal(size=(samples, 1)).astype("f"),
        "sign": random.choice([-1.0, 1.0], (samples, 1)).astype("f"),
        "text": random.integers(1, 3, (samples, 2)).astype(np.int32),
    }[kind]
