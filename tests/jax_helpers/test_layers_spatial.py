"""Pooling, resampling, and weight and spectral normalisation against torch."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from ivy_convert.api_maps.jax.helpers import (
    convolution_layers,
    linear,
    parametrizations,
    pooling_layers,
    resampling,
    resampling_layers,
)

from .transfer import compare_calls, compare_modules, to_jax

SIZES = {1: (11,), 2: (11, 8), 3: (7, 8, 6)}
functional = torch.nn.functional

POOLING: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
    {"kernel_size": 3, "stride": 1, "padding": 1},
]


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        *POOLING,
        {"kernel_size": 2, "dilation": 2},
        {"kernel_size": 3, "dilation": 2, "padding": 1, "stride": 2, "ceil_mode": True},
    ],
    ids=str,
)
def test_max_pool(dimensions: int, options: dict[str, Any]) -> None:
    theirs = getattr(torch.nn, f"MaxPool{dimensions}d")(**options)
    ours = getattr(pooling_layers, f"MaxPool{dimensions}d")(**options)
    for x in (torch.randn(2, 3, *SIZES[dimensions]), torch.randn(3, *SIZES[dimensions])):
        compare_modules(theirs, ours, x)
    # Ties, as behind ReLU: the gradient goes to the first.
    compare_modules(theirs, ours, torch.randint(0, 2, (2, 3, *SIZES[dimensions])).float())


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("options", [*POOLING, *({**o, "count_include_pad": False} for o in POOLING)], ids=str)
def test_avg_pool(dimensions: int, options: dict[str, Any]) -> None:
    theirs = getattr(torch.nn, f"AvgPool{dimensions}d")(**options)
    ours = getattr(pooling_layers, f"AvgPool{dimensions}d")(**options)
    compare_modules(theirs, ours, torch.randn(2, 3, *SIZES[dimensions]))


def test_avg_pool_divisor() -> None:
    theirs = torch.nn.AvgPool2d(3, padding=1, divisor_override=5)
    compare_modules(theirs, pooling_layers.AvgPool2d(3, padding=1, divisor_override=5), torch.randn(2, 3, 6, 7))


@pytest.mark.parametrize("kind", ["Avg", "Max"])
@pytest.mark.parametrize(
    ("dimensions", "output_size"),
    [(1, 1), (1, 4), (1, 20), (2, 1), (2, (3, 5)), (2, (None, 2)), (2, (15, 1)), (3, 1), (3, (2, None, 4))],
)
def test_adaptive_pool(kind: str, dimensions: int, output_size: Any) -> None:
    name = f"Adaptive{kind}Pool{dimensions}d"
    theirs, ours = getattr(torch.nn, name)(output_size), getattr(pooling_layers, name)(output_size)
    compare_modules(theirs, ours, torch.randn(2, 3, *SIZES[dimensions]))
    compare_modules(theirs, ours, torch.randn(3, *SIZES[dimensions]))


def test_pool_functions() -> None:
    x = torch.randn(2, 3, 8, 9)
    compare_calls(functional.max_pool2d, pooling_layers.max_pool2d, x, 3, stride=2)
    compare_calls(functional.avg_pool2d, pooling_layers.avg_pool2d, x, (2, 3))
    compare_calls(functional.adaptive_avg_pool2d, pooling_layers.adaptive_avg_pool2d, x, (3, 4))
    integers = torch.randint(-9, 9, (1, 1, 6, 6))
    expected = functional.max_pool2d(integers, 2)
    np.testing.assert_array_equal(pooling_layers.max_pool2d(to_jax(integers), 2), expected)
    with pytest.raises(ValueError, match="empty"):
        pooling_layers.max_pool2d(jnp.ones((1, 1, 2, 2)), 3)
    with pytest.raises(ValueError, match="half"):
        pooling_layers.max_pool2d(jnp.ones((1, 1, 4, 4)), 2, padding=2)


TARGETS: list[dict[str, Any]] = [
    {"size": 7},
    {"size": 23},
    {"size": 1},
    {"scale_factor": 2},
    {"scale_factor": 0.5},
    {"scale_factor": 1.7},
    {"scale_factor": 1.7, "recompute_scale_factor": True},
]


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize(
    ("mode", "dimensions"),
    [
        ("nearest", 1),
        ("nearest", 2),
        ("nearest-exact", 2),
        ("nearest", 3),
        ("linear", 1),
        ("bilinear", 2),
        ("bicubic", 2),
        ("trilinear", 3),
        ("area", 2),
    ],
)
def test_interpolate(mode: str, dimensions: int, target: dict[str, Any]) -> None:
    x = torch.randn(2, 2, *SIZES[dimensions])
    compare_calls(functional.interpolate, resampling.interpolate, x, mode=mode, **target)
    if mode in ("linear", "bilinear", "bicubic", "trilinear"):
        compare_calls(functional.interpolate, resampling.interpolate, x, mode=mode, align_corners=True, **target)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(5, 3), (20, 4), (30, 30)])
def test_interpolate_antialiased(mode: str, size: tuple[int, int]) -> None:
    x = torch.randn(2, 2, 11, 8)
    for align in (False, True):
        compare_calls(
            functional.interpolate, resampling.interpolate, x, size=size, mode=mode, antialias=True, align_corners=align
        )


def test_nearest_at_every_size() -> None:
    for size in range(1, 40):
        x = torch.arange(float(size)).reshape(1, 1, size)
        for out in (1, 3, 7, 13, 24, 39, 64, 100):
            expected = functional.interpolate(x, size=out)
            np.testing.assert_array_equal(resampling.interpolate(to_jax(x), size=out), expected)


def test_resampling_layers() -> None:
    x = torch.randn(2, 12, 6, 4)
    for name, arguments in (
        ("Upsample", {"scale_factor": 2, "mode": "bilinear"}),
        ("UpsamplingNearest2d", {"scale_factor": 2}),
        ("UpsamplingBilinear2d", {"size": (9, 5)}),
        ("PixelShuffle", {"upscale_factor": 2}),
        ("PixelUnshuffle", {"downscale_factor": 2}),
        ("ChannelShuffle", {"groups": 3}),
        ("Unfold", {"kernel_size": (2, 3), "padding": 1, "stride": (2, 1)}),
        ("Unfold", {"kernel_size": 2, "dilation": 2}),
    ):
        compare_modules(getattr(torch.nn, name)(**arguments), getattr(resampling_layers, name)(**arguments), x)
    columns = torch.randn(2, 12, 20)
    options: dict[str, Any] = {"output_size": (5, 6), "kernel_size": 2}
    compare_modules(torch.nn.Fold(**options), resampling_layers.Fold(**options), columns)


@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm(dim: int | None) -> None:
    theirs = torch.nn.Conv1d(3, 4, 2)
    theirs = torch.nn.utils.weight_norm(theirs, dim=dim)
    ours: Any = convolution_layers.Conv1d(3, 4, 2, rngs=nnx.Rngs(0))
    weight = ours.weight[...]
    ours = parametrizations.weight_norm(ours, dim=dim)
    np.testing.assert_allclose(ours.weight, weight, atol=1e-6)
    assert isinstance(ours, convolution_layers.Conv1d)
    compare_modules(theirs, ours, torch.randn(2, 3, 5))
    current = np.asarray(ours.weight)
    plain = parametrizations.remove_weight_norm(ours)
    np.testing.assert_array_equal(plain.weight, current)
    assert type(plain) is convolution_layers.Conv1d
    with pytest.raises(ValueError, match="not found"):
        parametrizations.remove_weight_norm(plain)


@pytest.mark.parametrize("layer", ["Linear", "ConvTranspose1d"])
def test_spectral_norm(layer: str) -> None:
    rngs, arguments = nnx.Rngs(0), (3, 5) if layer == "Linear" else (3, 5, 2)
    theirs = torch.nn.utils.spectral_norm(getattr(torch.nn, layer)(*arguments))
    ours: Any = getattr(linear if layer == "Linear" else convolution_layers, layer)(*arguments, rngs=rngs)
    ours = parametrizations.spectral_norm(ours, rngs=rngs)
    largest = np.linalg.svd(parametrizations.weight_matrix(ours.weight, 0 if layer == "Linear" else 1))[1][0]
    assert abs(largest - 1) < 1e-3
    x = torch.randn(2, 3) if layer == "Linear" else torch.randn(2, 3, 4)
    compare_modules(theirs, ours, x)
    compare_modules(theirs, ours, x, copy=False)
    compare_modules(theirs, ours, x, copy=False, training=False)
