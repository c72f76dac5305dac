"""Hints for names of other libraries, and for names that are near to one of Keras."""

import pytest

from modelspec import catalog
from modelspec.catalog import FAMILIES, Family
from modelspec.checks.other_names import MEANT
from modelspec.checks.suggestions import right_name

CATALOG = catalog.load()


@pytest.mark.parametrize(
    ("family", "name", "hint"),
    [
        ("layer", "Linear", "did you mean Dense?"),
        ("layer", "nn.Linear", "did you mean Dense?"),
        ("layer", "Reduce", "reductions are operations: ops.mean"),
        ("layer", "ConvTranspose2d", "did you mean Conv2DTranspose?"),
        ("layer", "InstanceNorm2d", "write GroupNormalization: {groups: -1}"),
        ("layer", "StandardScaler", "write Normalization, with adapt: true"),
        ("layer", "GlobalAvgPool", "GlobalAvgPool1D, GlobalAvgPool2D or GlobalAvgPool3D?"),
        ("layer", "Dence", "did you mean Dense?"),
        ("layer", "LTSM", "did you mean LSTM?"),
        ("layer", "BatchNorm", "did you mean BatchNormalization?"),
        ("loss", "BCEWithLogitsLoss", "write BinaryCrossentropy: {from_logits: true}"),
        ("loss", "rmse", "write MeanSquaredError; RootMeanSquaredError is a metric"),
        ("metric", "recall_score", "did you mean Recall?"),
        ("metric", "roc_auc_score", "did you mean AUC?"),
        ("optimizer", "SGDM", "write SGD: {momentum: 0.9}"),
        ("optimizer", "sdg", "did you mean sgd?"),
        ("initializer", "xavier_uniform", "did you mean glorot_uniform?"),
        ("regularizer", "l2_regularizer", "did you mean L2?"),
        ("operation", "ops.avg", "did you mean ops.mean?"),
        ("operation", "ops.flatten", "the layer Flatten"),
        ("operation", "ops.maen", "did you mean ops.mean?"),
        ("schedule", "CosineAnnealingLR", "did you mean CosineDecay?"),
    ],
)
def test_hint(family: Family, name: str, hint: str) -> None:
    assert hint in (right_name(CATALOG, family, name) or "")


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("layer", "PixelShuffle"),
        ("layer", "CRF"),
        ("layer", "Highway"),
        ("loss", "TripletMarginLoss"),
        ("metric", "confusion_matrix"),
        ("metric", "kappa"),
        ("activation", "sine"),
        ("optimizer", "TFOptimizer"),
    ],
)
def test_a_name_that_is_like_no_other_has_no_hint(family: Family, name: str) -> None:
    assert right_name(CATALOG, family, name) is None


def test_names_of_other_libraries_are_not_names_of_keras() -> None:
    for family, names in MEANT.items():
        assert family in FAMILIES
        known = {name.lower().replace("_", "") for name in CATALOG.known(family)}
        assert not names.keys() & known
        assert all(name == name.lower().replace("_", "") for name in names)
