"""One call of every operation: the inputs, its `from`, and the constants."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelspec.catalog import Catalog

SQUARE = (3, 3)
IMAGE = (8, 8, 3)
SAMPLES = 5


@dataclass(frozen=True)
class Case:
    """Inputs by name, with shape and dtype; ``source`` is the ``from``, None for all in order."""

    inputs: Mapping[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    source: Any = None
    positive_definite: bool = False


def ints(*shapes: tuple[int, ...], **arguments: Any) -> Case:
    return Case({name: (s, "int32") for name, s in zip("abcd", shapes, strict=False)}, arguments)


def floats(*shapes: tuple[int, ...], **arguments: Any) -> Case:
    return Case({name: (s, "float32") for name, s in zip("abcd", shapes, strict=False)}, arguments)


def bools(*shapes: tuple[int, ...], **arguments: Any) -> Case:
    return Case({name: (s, "bool") for name, s in zip("abcd", shapes, strict=False)}, arguments)


_PAIRS_OF_INTS = (
    *("bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_left_shift", "bitwise_right_shift"),
    *("left_shift", "right_shift", "gcd", "lcm"),
)
_WAVE = {"sequence_length": 4, "sequence_stride": 2, "fft_length": 4}

CASES: dict[str, Case] = {
    **{f"ops.{name}": ints((4,), (4,)) for name in _PAIRS_OF_INTS},
    **{f"ops.{name}": ints((4,)) for name in ("bitwise_invert", "bitwise_not")},
    "ops.adaptive_average_pool": floats(IMAGE, output_size=[2, 2], data_format="channels_last"),
    "ops.adaptive_max_pool": floats(IMAGE, output_size=[2, 2], data_format="channels_last"),
    "ops.argpartition": floats((6,), kth=2),
    "ops.array_split": floats((7,), indices_or_sections=3, axis=-1),
    "ops.average_pool": floats(IMAGE, pool_size=2),
    "ops.batch_normalization": Case(
        {"a": ((4,), "float32")}, {"mean": [0.0] * 4, "variance": [2.0] * 4, "axis": -1}
    ),
    "ops.binary_crossentropy": floats((4,), (4,)),
    "ops.bincount": ints((6,), minlength=9),
    "ops.broadcast_to": floats((1, 4), shape=[SAMPLES, 3, 4]),
    "ops.cast": floats((4,), dtype="int32"),
    "ops.categorical_crossentropy": floats((4,), (4,)),
    "ops.cdist": floats((4, 3), (2, 3)),
    "ops.cholesky": Case({"a": (SQUARE, "float32")}, positive_definite=True),
    "ops.cholesky_inverse": Case({"a": (SQUARE, "float32")}, positive_definite=True),
    "ops.clip": floats((4,), x_min=0.2, x_max=0.7),
    "ops.concatenate": floats((4,), (3,), axis=-1),
    "ops.conv": Case(
        {"a": ((6, 2), "float32")}, {"kernel": [[[1.0, 2.0], [0.5, 1.0]]] * 3, "padding": "same"}
    ),
    "ops.conv_transpose": Case(
        {"a": ((6, 2), "float32")},
        {"kernel": [[[1.0, 2.0], [0.5, 1.0]]] * 3, "data_format": "channels_last"},
    ),
    "ops.corrcoef": floats((4,)),
    "ops.cross": floats((3,), (3,)),
    "ops.ctc_decode": Case(
        {"a": ((6, 4), "float32"), "b": ((), "int32")}, {}, {"inputs": "a", "sequence_lengths": "b"}
    ),
    "ops.ctc_loss": Case(
        {
            "a": ((3,), "int32"),
            "b": ((6, 4), "float32"),
            "c": ((), "int32"),
            "d": ((), "int32"),
        },
    ),
    "ops.depth_to_space": floats((4, 4, 8), block_size=2),
    "ops.depthwise_conv": Case(
        {"a": ((6, 6, 2), "float32")}, {"kernel": [[[[1.0], [0.5]]] * 2] * 2}
    ),
    "ops.diag": floats((4,), k=1),
    "ops.diagonal": floats(SQUARE, axis1=1, axis2=2),
    "ops.digitize": Case({"a": ((4,), "float32")}, {"bins": [0.2, 0.5, 0.8]}),
    "ops.dot": Case({"a": ((4,), "float32")}, {"x2": [[1.0, 2.0]] * 4}),
    "ops.dot_product_attention": floats((4, 2, 3), (4, 2, 3), (4, 2, 3)),
    "ops.dsplit": floats((3, 4), indices_or_sections=2),
    "ops.dstack": floats((4, 1), (4, 1)),
    "ops.einsum": floats((3, 4), (4,), subscripts="bij,bj->bi"),
    "ops.expand_dims": floats((4,), axis=-1),
    "ops.extract_sequences": floats((12,), sequence_length=4, sequence_stride=2),
    "ops.fft": floats((8,), (8,)),
    "ops.fft2": floats((4, 4), (4, 4)),
    "ops.fliplr": floats((4,)),
    "ops.fold": floats((8, 9), output_size=[4, 4], kernel_size=[2, 2]),
    "ops.full": Case({"a": ((4,), "float32")}, {"shape": [SAMPLES, 4]}),
    "ops.full_like": Case({"a": ((4,), "float32")}, {"fill_value": 2.5}),
    "ops.geomspace": floats((4,), (4,), num=5),
    "ops.get_item": floats((4, 6), key="[:, -1, ::2]"),
    "ops.glu": floats((4,)),
    "ops.histogram": Case({"a": ((), "float32")}, {"bins": 4}),
    "ops.hsplit": floats((4,), indices_or_sections=2),
    "ops.hstack": floats((4,), (3,)),
    "ops.ifft2": floats((4, 4), (4, 4)),
    "ops.image.affine_transform": Case(
        {"a": (IMAGE, "float32")},
        {"transform": [[1.0, 0.1, 0.5, 0.0, 1.0, 0.2, 0.0, 0.0]] * SAMPLES},
    ),
    "ops.image.crop_images": floats(
        IMAGE, top_cropping=1, left_cropping=1, target_height=4, target_width=4
    ),
    "ops.image.elastic_transform": floats(IMAGE, seed=1),
    "ops.image.extract_patches": floats(IMAGE, size=[2, 2]),
    "ops.image.extract_patches_3d": floats((4, 4, 4, 1), size=[2, 2, 2]),
    "ops.image.gaussian_blur": floats(IMAGE),
    "ops.image.hsv_to_rgb": floats(IMAGE),
    "ops.image.map_coordinates": Case(
        {"a": ((4,), "float32")}, {"coordinates": [[0.0, 1.0], [0.5, 1.5]], "order": 1}
    ),
    "ops.image.pad_images": floats(
        IMAGE, top_padding=1, left_padding=1, target_height=12, target_width=12
    ),
    "ops.image.perspective_transform": Case(
        {"a": (IMAGE, "float32")},
        {
            "start_points": [[[0.0, 0.0], [0.0, 7.0], [7.0, 0.0], [7.0, 7.0]]] * SAMPLES,
            "end_points": [[[1.0, 0.0], [0.0, 6.0], [7.0, 1.0], [6.0, 7.0]]] * SAMPLES,
        },
    ),
    "ops.image.resize": floats(IMAGE, size=[4, 4]),
    "ops.image.rgb_to_grayscale": floats(IMAGE),
    "ops.image.rgb_to_hsv": floats(IMAGE),
    "ops.image.scale_and_translate": Case(
        {"a": (IMAGE, "float32")},
        {
            "output_shape": [SAMPLES, 4, 4, 3],
            "scale": [0.5, 0.5],
            "translation": [0.0, 0.0],
            "spatial_dims": [1, 2],
            "method": "linear",
        },
    ),
    "ops.image.sobel_edges": floats(IMAGE),
    "ops.image.ssim": floats((16, 16, 1), (16, 16, 1)),
    "ops.in_top_k": Case(
        {"a": ((), "int32"), "b": ((6,), "float32")}, {"k": 2}, {"targets": "a", "predictions": "b"}
    ),
    "ops.irfft": floats((5,), (5,)),
    "ops.isin": Case({"a": ((4,), "int32")}, {"x2": [1, 2]}),
    "ops.istft": floats((4, 3), (4, 3), **_WAVE),
    "ops.ldexp": Case({"a": ((4,), "float32"), "b": ((4,), "int32")}),
    "ops.linspace": floats((4,), (4,), num=5, axis=-1),
    "ops.logdet": Case({"a": (SQUARE, "float32")}, positive_definite=True),
    **{f"ops.{name}": bools((4,), (4,)) for name in ("logical_and", "logical_or", "logical_xor")},
    "ops.logical_not": bools((4,)),
    "ops.logspace": floats((4,), (4,), num=5, axis=-1),
    "ops.kron": floats((2,), (3,)),
    "ops.lstsq": floats((3,), (2,)),
    "ops.lu_factor": floats((3,)),
    "ops.meshgrid": Case({"a": ((), "float32"), "b": ((), "float32")}),
    "ops.norm": floats(SQUARE, axis=-1),
    "ops.max_pool": floats(IMAGE, pool_size=2),
    "ops.moments": floats((4, 3), axes=[1]),
    "ops.moveaxis": floats((4, 3), source=1, destination=2),
    "ops.multi_hot": ints((3,), num_classes=6),
    "ops.nanpercentile": Case({"a": ((4,), "float32")}, {"q": 30.0, "axis": 1}),
    "ops.nanquantile": Case({"a": ((4,), "float32")}, {"q": 0.3, "axis": 1}),
    "ops.one_hot": ints((3,), num_classes=6),
    "ops.pad": floats((4,), pad_width=[[0, 0], [1, 2]]),
    "ops.percentile": Case({"a": ((4,), "float32")}, {"q": 30.0, "axis": 1}),
    "ops.psnr": floats((4,), (4,), max_val=1.0),
    "ops.quantile": Case({"a": ((4,), "float32")}, {"q": 0.3, "axis": 1}),
    "ops.rearrange": floats((4, 6), pattern="b h w -> b w h"),
    "ops.repeat": floats((4,), repeats=2, axis=1),
    "ops.reshape": floats((4, 6), newshape=[-1, 8, 3]),
    "ops.roll": floats((4,), shift=1, axis=1),
    "ops.rot90": floats((4, 3), axes=[1, 2]),
    "ops.saturate_cast": floats((4,), dtype="uint8"),
    "ops.scatter": Case(
        {"b": ((2,), "float32")},
        {"indices": [[0], [1], [2], [3], [4]], "shape": [7, 2]},
        {"values": "b"},
    ),
    "ops.scatter_update": Case(
        {"a": ((4,), "float32")}, {"indices": [[0, 1], [1, 2]], "updates": [9.0, 8.0]}
    ),
    "ops.searchsorted": Case(
        {"a": ((), "float32")}, {"sorted_sequence": [0.2, 0.5, 0.8]}, {"values": "a"}
    ),
    **{
        f"ops.segment_{name}": Case(
            {"a": ((3,), "float32"), "b": ((), "int32")}, {"num_segments": 5}
        )
        for name in ("max", "min", "prod", "sum")
    },
    "ops.select": Case(
        {"a": ((4,), "bool"), "b": ((4,), "float32")},
        {"default": 0.5},
        {"condlist": ["a"], "choicelist": ["b"]},
    ),
    "ops.separable_conv": Case(
        {"a": ((6, 2), "float32")},
        {"depthwise_kernel": [[[1.0], [0.5]]] * 3, "pointwise_kernel": [[[1.0], [2.0]]]},
    ),
    "ops.slice": Case({"a": ((4, 3), "float32")}, {"start_indices": [0, 1, 0], "shape": [5, 2, 3]}),
    "ops.slice_update": Case(
        {"a": ((4,), "float32")}, {"start_indices": [0, 1], "updates": [[7.0, 8.0]]}
    ),
    "ops.solve": Case({"a": (SQUARE, "float32"), "b": ((3, 2), "float32")}, positive_definite=True),
    "ops.solve_triangular": Case(
        {"a": (SQUARE, "float32"), "b": ((3, 2), "float32")},
        {"lower": True},
        positive_definite=True,
    ),
    "ops.space_to_depth": floats((4, 4, 2), block_size=2),
    "ops.sparse_categorical_crossentropy": Case({"a": ((), "int32"), "b": ((4,), "float32")}),
    "ops.split": floats((6,), indices_or_sections=2, axis=-1),
    "ops.squeeze": floats((4, 1), axis=2),
    "ops.stack": floats((4,), (4,), axis=1),
    "ops.stft": floats((12,), **_WAVE),
    "ops.swapaxes": floats((4, 3), axis1=1, axis2=2),
    "ops.take": Case({"a": ((4,), "float32")}, {"indices": [0, 2], "axis": 1}),
    "ops.take_along_axis": Case({"a": ((4,), "float32"), "b": ((2,), "int32")}, {"axis": 1}),
    "ops.tensordot": Case({"a": ((4,), "float32")}, {"x2": [[1.0, 2.0]] * 4, "axes": 1}),
    "ops.threshold": floats((4,), threshold=0.5, default_value=0.1),
    "ops.tile": floats((4,), repeats=[1, 2]),
    "ops.top_k": floats((6,), k=2),
    "ops.trace": floats(SQUARE, axis1=1, axis2=2),
    "ops.transpose": floats((4, 3), axes=[0, 2, 1]),
    "ops.unfold": floats((2, 6, 6), kernel_size=2),
    "ops.unique": ints((4,)),
    "ops.unravel_index": ints((4,), shape=[4, 6]),
    "ops.unstack": floats((3, 4), axis=1),
    "ops.vander": Case({"a": ((), "float32")}, {"N": 3}),
    "ops.view": floats((4,), dtype="int32"),
    "ops.view_as_complex": floats((4, 2)),
    "ops.vsplit": floats((4,), indices_or_sections=[2]),
    "ops.vstack": floats((4,), (4,)),
    "ops.where": Case(
        {"a": ((4,), "bool"), "b": ((4,), "float32")}, {"x2": 0.0}, {"condition": "a", "x1": "b"}
    ),
}
PARTS = {
    "ops.array_split": 3, "ops.ctc_decode": 2, "ops.dsplit": 2, "ops.eig": 2, "ops.eigh": 2,
    "ops.fft": 2, "ops.fft2": 2, "ops.histogram": 2, "ops.hsplit": 2, "ops.ifft2": 2,
    "ops.lu_factor": 2, "ops.meshgrid": 2, "ops.moments": 2, "ops.nonzero": 3, "ops.qr": 2,
    "ops.rfft": 2, "ops.slogdet": 2, "ops.split": 2, "ops.stft": 2, "ops.svd": 3, "ops.top_k": 2,
    "ops.unravel_index": 2, "ops.unstack": 3, "ops.vsplit": 2,
}  # fmt: skip
"""The number of results of operations with several."""

"""Operations for which a square of numbers for each tensor is not valid."""


def case_of(catalog: Catalog, name: str) -> Case:
    """Return the case of an operation; by default, a square of numbers for each required tensor."""
    if name in CASES:
        return CASES[name]
    entry = catalog.find("operation", name)
    assert entry is not None
    needed = [argument for argument in entry.call_arguments if entry.is_needed(argument)]
    axis = entry.arguments.get("axis")
    reduced = {"axis": -1} if axis is not None and axis.default == "None" else {}
    return floats(*(SQUARE for _ in needed), **reduced)


def spec_of(name: str, case: Case) -> dict[str, Any]:
    """Return a spec of one operation, whose name is ``y``."""
    source = case.source if case.source is not None else list(case.inputs)
    inputs = {
        key: {"shape": list(shape), "dtype": kind} for key, (shape, kind) in case.inputs.items()
    }
    parts = [f"y{index}" for index in range(PARTS.get(name, 0))]
    item = {name: dict(case.arguments), "from": source} | (
        {"as": parts} if parts else {"name": "y"}
    )
    return {
        "modelspec": 1,
        "name": "swept",
        "inputs": inputs,
        "layers": [item],
        "outputs": parts or "y",
    }


def arrays_of(case: Case) -> dict[str, NDArray[Any]]:
    """Return values for the inputs of a case: numbers between 0.1 and 0.9, ids from 0 to 3."""
    random = np.random.default_rng(0)
    arrays: dict[str, NDArray[Any]] = {}
    for name, (shape, kind) in case.inputs.items():
        size = (SAMPLES, *shape)
        if kind == "bool":
            arrays[name] = random.random(size) < 0.5
        elif kind == "int32":
            arrays[name] = random.integers(1, 4, size).astype("int32")
        else:
            arrays[name] = random.uniform(0.1, 0.9, size).astype("float32")
        if case.positive_definite and name == "a":
            arrays[name] = arrays[name] @ arrays[name].swapaxes(1, 2) + np.eye(3, dtype="float32")
    return arrays
