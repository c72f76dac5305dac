"""The catalogue of operations: which arguments are tensors, and what is refused."""

import pytest

from modelspec import catalog

OFFERED = catalog.load()

TENSORS = {
    "ops.mean": ["x"],
    "ops.subtract": ["x1", "x2"],
    "ops.where": ["condition", "x1", "x2"],
    "ops.get_item": ["x"],
    "ops.reshape": ["x"],
    "ops.clip": ["x"],
    "ops.segment_sum": ["data", "segment_ids"],
    "ops.separable_conv": ["inputs", "depthwise_kernel", "pointwise_kernel"],
    "ops.dot_product_attention": ["query", "key", "value", "bias", "mask"],
    "ops.batch_normalization": ["x", "mean", "variance", "offset", "scale"],
    "ops.diff": ["a"],
    "ops.pad": ["x", "constant_values"],
    "ops.abs": ["x"],
    "ops.einsum": ["operands"],
    "ops.image.map_coordinates": ["inputs", "coordinates"],
    "ops.rearrange": ["tensor"],
}
SEVERAL = {
    "ops.concatenate": {"xs"},
    "ops.stack": {"x"},
    "ops.hstack": {"xs"},
    "ops.vstack": {"xs"},
    "ops.dstack": {"xs"},
    "ops.meshgrid": {"x"},
    "ops.einsum": {"operands"},
    "ops.select": {"condlist", "choicelist"},
    **{f"ops.{name}": {"x"} for name in ("fft", "fft2", "ifft2", "irfft", "istft")},
}


@pytest.mark.parametrize(("name", "tensors"), TENSORS.items())
def test_tensors(name: str, tensors: list[str]) -> None:
    entry = OFFERED.find("operation", name)
    assert entry is not None
    assert list(entry.call_arguments) == tensors
    assert entry.help
    assert not any(entry.arguments[tensor].required for tensor in tensors)


def test_arguments_that_take_several_tensors() -> None:
    several = {
        name: set(entry.several)
        for name in OFFERED.names("operation")
        if (entry := OFFERED.find("operation", name)) and entry.several
    }
    assert several == SEVERAL


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ops.map", "Python function"),
        ("ops.while_loop", "Python function"),
        ("ops.vectorize", "Python function"),
        ("ops.custom_gradient", "Python function"),
        ("ops.zeros", "takes no tensor"),
        ("ops.eye", "takes no tensor"),
        ("ops.shape", "not a tensor"),
        ("ops.arange", "length"),
        ("ops.hamming", "only on numbers"),
    ],
)
def test_what_is_refused_with_its_reason(name: str, reason: str) -> None:
    entry = OFFERED.find("operation", name)
    assert entry is not None
    assert entry.refused is not None
    assert reason in entry.refused
    assert name not in OFFERED.names("operation")


def test_longer_names_stand_for_the_same() -> None:
    for alias, name in {"ops.nn.relu": "ops.relu", "ops.numpy.mean": "ops.mean"}.items():
        entry = OFFERED.find("operation", alias)
        assert entry is not None
        assert entry.name == name
    resize = OFFERED.find("operation", "ops.image.resize")
    assert resize is not None
    assert resize.arguments["size"].required
