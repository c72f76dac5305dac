"""Every layer that Keras offers, with arguments and an input that fit it, for sweeps."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import pytest
from numpy.typing import NDArray

from modelspec import catalog
from modelspec.catalog import Family

Arrays = dict[str, NDArray[Any]]

CATALOG = catalog.load()
TESTED_KERAS = (3, 15)
"""The newest release of Keras for which the tables below are known to be complete."""

BATCH = 2


class Case(NamedTuple):
    """The least that a layer needs: its arguments, its inputs' shapes and dtypes, its ``from``."""

    arguments: str
    inputs: tuple[str, ...]
    source: str
    parts: str
    layer: str

    def spec(self, name: str) -> str:
        names = [f"in{position}" for position in range(len(self.inputs))]
        lines = ["modelspec: 1", "inputs:"]
        for key, written in zip(names, self.inputs, strict=True):
            shape, _, dtype = written.partition(" of ")
            lines.append(f"  {key}: {{shape: {shape}, dtype: {dtype or 'float32'}}}")
        source = self.source or (names[0] if len(names) == 1 else f"[{', '.join(names)}]")
        lines += ["layers:", f"  - {self.layer or name}: {self.arguments}", f"    from: {source}"]
        lines.append(f"    as: {self.parts}" if self.parts else "    name: out")
        return "\n".join([*lines, "outputs: out", ""])


def case(
    arguments: str = "", *inputs: str, source: str = "", parts: str = "", layer: str = ""
) -> Case:
    return Case(arguments, inputs or ("[3]",), source, parts, layer)


LINE, IMAGE, SOLID = "[8, 3]", "[8, 8, 3]", "[4, 4, 4, 3]"
STEPS, IDS, TEXT = "[5, 3]", "[4] of int32", "[1] of string"
STATE = ("[3]", "[2]")

LAYERS: dict[str, Case] = {
    "Activation": case("{activation: relu}"),
    "ActivityRegularization": case("{l2: 0.1}"),
    "AdaptiveAveragePooling1D": case("{output_size: 2}", LINE),
    "AdaptiveAveragePooling2D": case("{output_size: 2}", IMAGE),
    "AdaptiveAveragePooling3D": case("{output_size: 2}", SOLID),
    "AdaptiveMaxPooling1D": case("{output_size: 2}", LINE),
    "AdaptiveMaxPooling2D": case("{output_size: 2}", IMAGE),
    "AdaptiveMaxPooling3D": case("{output_size: 2}", SOLID),
    "Add": case("", "[3]", "[3]"),
    "AdditiveAttention": case("", STEPS, STEPS),
    "AlphaDropout": case("{rate: 0.5}"),
    "Attention": case("", STEPS, STEPS),
    "AugMix": case("", IMAGE),
    "AutoContrast": case("", IMAGE),
    "Average": case("", "[3]", "[3]"),
    "AveragePooling1D": case("{pool_size: 2}", LINE),
    "AveragePooling2D": case("{pool_size: 2}", IMAGE),
    "AveragePooling3D": case("{pool_size: 2}", SOLID),
    "BatchNormalization": case(),
    "Bidirectional": case("{layer: {GRU: {units: 2}}}", STEPS),
    "CategoryEncoding": case("{num_tokens: 5}", IDS),
    "CenterCrop": case("{height: 4, width: 4}", IMAGE),
    "Concatenate": case("", "[3]", "[2]"),
    "ContrastLimitedAdaptiveHistogramEqualization": case("", IMAGE),
    "Conv1D": case("{filters: 2, kernel_size: 3}", LINE),
    "Conv1DTranspose": case("{filters: 2, kernel_size: 3}", LINE),
    "Conv2D": case("{filters: 2, kernel_size: 3}", IMAGE),
    "Conv2DTranspose": case("{filters: 2, kernel_size: 3}", IMAGE),
    "Conv3D": case("{filters: 2, kernel_size: 3}", SOLID),
    "Conv3DTranspose": case("{filters: 2, kernel_size: 3}", SOLID),
    "ConvLSTM1D": case("{filters: 2, kernel_size: 3}", "[4, 8, 3]"),
    "ConvLSTM2D": case("{filters: 2, kernel_size: 3}", "[4, 8, 8, 3]"),
    "ConvLSTM3D": case("{filters: 2, kernel_size: 3}", "[2, 4, 4, 4, 3]"),
    "Cropping1D": case("{cropping: 1}", LINE),
    "Cropping2D": case("{cropping: 1}", IMAGE),
    "Cropping3D": case("{cropping: 1}", SOLID),
    "CutMix": case("", IMAGE),
    "Dense": case("{units: 2}"),
    "DepthwiseConv1D": case("{kernel_size: 3}", LINE),
    "DepthwiseConv2D": case("{kernel_size: 3}", IMAGE),
    "Discretization": case("{bin_boundaries: [0.0, 0.5]}"),
    "Dot": case("{axes: 1}", "[3]", "[3]"),
    "Dropout": case("{rate: 0.5}"),
    "ELU": case(),
    "EinsumDense": case("{equation: 'ab,bc->ac', output_shape: 2}"),
    "Embedding": case("{input_dim: 5, output_dim: 2}", IDS),
    # Alone it returns its own input, which a functional model refuses.
    "Equalization": case("{layers: [Equalization]}", IMAGE, layer="Pipeline"),
    "Flatten": case("", IMAGE),
    "GRU": case("{units: 2}", STEPS),
    "GRUCell": case(
        "{units: 2}", *STATE, source="{inputs: in0, states: [in1]}", parts="[out, state]"
    ),
    "GaussianDropout": case("{rate: 0.5}"),
    "GaussianNoise": case("{stddev: 0.5}"),
    "GlobalAveragePooling1D": case("", LINE),
    "GlobalAveragePooling2D": case("", IMAGE),
    "GlobalAveragePooling3D": case("", SOLID),
    "GlobalMaxPooling1D": case("", LINE),
    "GlobalMaxPooling2D": case("", IMAGE),
    "GlobalMaxPooling3D": case("", SOLID),
    "GroupNormalization": case("{groups: 3}", LINE),
    "GroupQueryAttention": case(
        "{head_dim: 2, num_query_heads: 2, num_key_value_heads: 1}",
        STEPS,
        STEPS,
        source="{query: in0, value: in1}",
    ),
    "HashedCrossing": case("{num_bins: 5}", "[1] of int32", "[1] of int32"),
    "Hashing": case("{num_bins: 5}", IDS),
    "Identity": case(),
    "IntegerLookup": case("{vocabulary: [7, 9]}", IDS),
    "LSTM": case("{units: 2}", STEPS),
    "LSTMCell": case(
        "{units: 2}",
        *STATE,
        "[2]",
        source="{inputs: in0, states: [in1, in2]}",
        parts="[out, state]",
    ),
    "LayerNormalization": case(),
    "LeakyReLU": case(),
    "Masking": case("", STEPS),
    "MaxNumBoundingBoxes": case("{max_number: 2}", IMAGE),
    "MaxPooling1D": case("", LINE),
    "MaxPooling2D": case("", IMAGE),
    "MaxPooling3D": case("", SOLID),
    "Maximum": case("", "[3]", "[3]"),
    "MelSpectrogram": case("{fft_length: 32, sequence_length: 32}", "[128]"),
    "Minimum": case("", "[3]", "[3]"),
    "MixUp": case("", IMAGE),
    "MultiHeadAttention": case(
        "{num_heads: 2, key_dim: 2}", STEPS, STEPS, source="{query: in0, value: in1}"
    ),
    "Multiply": case("", "[3]", "[3]"),
    "Normalization": case("{mean: 1.0, variance: 4.0}"),
    "PReLU": case(),
    "Permute": case("{dims: [2, 1]}", LINE),
    "Pipeline": case("{layers: [{Rescaling: {scale: 0.5}}, AutoContrast]}", IMAGE),
    "RMSNormalization": case(),
    "RNN": case("{cell: {LSTMCell: {units: 2}}}", STEPS),
    "RandAugment": case("", IMAGE),
    "RandomBrightness": case("{factor: 0.1}", IMAGE),
    "RandomColorDegeneration": case("{factor: 0.1}", IMAGE),
    "RandomColorJitter": case("", IMAGE),
    "RandomContrast": case("{factor: 0.1}", IMAGE),
    "RandomCrop": case("{height: 4, width: 4}", IMAGE),
    "RandomElasticTransform": case("", IMAGE),
    "RandomErasing": case("", IMAGE),
    "RandomFlip": case("", IMAGE),
    "RandomGaussianBlur": case("", IMAGE),
    "RandomGrayscale": case("", IMAGE),
    "RandomHue": case("{factor: 0.1}", IMAGE),
    "RandomInvert": case("", IMAGE),
    "RandomPerspective": case("", IMAGE),
    "RandomPosterization": case("{factor: 4}", IMAGE),
    "RandomRotation": case("{factor: 0.1}", IMAGE),
    "RandomSaturation": case("{factor: 0.1}", IMAGE),
    "RandomSharpness": case("{factor: 0.1}", IMAGE),
    "RandomTranslation": case("{height_factor: 0.1, width_factor: 0.1}", IMAGE),
    "RandomZoom": case("{height_factor: 0.1}", IMAGE),
    "ReLU": case(),
    "RepeatVector": case("{n: 2}"),
    "Rescaling": case("{scale: 0.5}"),
    "Reshape": case("{target_shape: [3, 1]}"),
    "Resizing": case("{height: 4, width: 4}", IMAGE),
    "ReversibleEmbedding": case("{input_dim: 5, output_dim: 2}", IDS),
    "STFTSpectrogram": case("{frame_length: 32, frame_step: 8}", "[128, 1]"),
    "SeparableConv1D": case("{filters: 2, kernel_size: 3}", LINE),
    "SeparableConv2D": case("{filters: 2, kernel_size: 3}", IMAGE),
    "SimpleRNN": case("{units: 2}", STEPS),
    "SimpleRNNCell": case(
        "{units: 2}", *STATE, source="{sequence: in0, states: [in1]}", parts="[out, state]"
    ),
    "Softmax": case(),
    "Solarization": case("", IMAGE),
    "SpatialDropout1D": case("{rate: 0.5}", LINE),
    "SpatialDropout2D": case("{rate: 0.5}", IMAGE),
    "SpatialDropout3D": case("{rate: 0.5}", SOLID),
    "SpectralNormalization": case("{layer: {Dense: {units: 2}}}"),
    "StackedRNNCells": case(
        "{cells: [{GRUCell: {units: 2}}, {GRUCell: {units: 2}}]}",
        *STATE,
        "[2]",
        source="{inputs: in0, states: [in1, in2]}",
        parts="[out, state]",
    ),
    "StringLookup": case("{vocabulary: [red, blue]}", TEXT),
    "Subtract": case("", "[3]", "[3]"),
    "TextVectorization": case("{vocabulary: [red, blue]}", TEXT),
    "TimeDistributed": case("{layer: {Dense: {units: 2}}}", STEPS),
    "UnitNormalization": case(),
    "UpSampling1D": case("", LINE),
    "UpSampling2D": case("", IMAGE),
    "UpSampling3D": case("", SOLID),
    "ZeroPadding1D": case("", LINE),
    "ZeroPadding2D": case("", IMAGE),
    "ZeroPadding3D": case("", SOLID),
}


def newer_keras() -> bool:
    release = tuple(int(part) for part in keras.__version__.split(".")[:2])
    return release > TESTED_KERAS


def is_model(family: Family, name: str) -> bool:
    """Return True where a layer is a model of keras.applications, as in test_applications.py."""
    entry = CATALOG.find(family, name)
    return entry is not None and entry.module is not None


def require_rows(family: Family, rows: Iterable[str]) -> None:
    """Fail for objects of the catalogue that no row tests; skip for a newer Keras."""
    names = (name for name in CATALOG.names(family) if not is_model(family, name))
    missing = sorted(set(names) - set(rows))
    message = f"no row tests the {family}s {', '.join(missing)}"
    if missing and newer_keras():
        pytest.skip(f"{message}, which Keras {keras.__version__} has added")
    assert not missing, message


def offered(family: Family, rows: Iterable[str]) -> list[str]:
    """Return rows that the installed Keras has; an older one may lack some."""
    return [name for name in rows if CATALOG.find(family, name) is not None]
