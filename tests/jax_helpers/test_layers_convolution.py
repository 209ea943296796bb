"""Convolutions and transposed convolutions against torch."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import pytest
import torch
from flax import nnx

from ivy_convert.api_maps.jax.helpers import convolution, convolution_layers

from .transfer import assert_same_start, compare_calls, compare_modules

SIZES = {1: (9,), 2: (9, 8), 3: (6, 7, 5)}

CONFIGURATIONS: list[dict[str, Any]] = [
    {},
    {"stride": 2, "padding": 1},
    {"padding": "same"},
    {"padding": "same", "dilation": 2},
    {"padding": "valid", "bias": False},
    {"stride": 2, "dilation": 2, "padding": 3, "groups": 2},
    {"groups": 4, "padding": 1},
    {"padding": 2, "padding_mode": "reflect"},
    {"padding": 2, "padding_mode": "replicate", "stride": 2},
    {"padding": "same", "padding_mode": "circular"},
]


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
def test_convolution(dimensions: int, options: dict[str, Any]) -> None:
    theirs = getattr(torch.nn, f"Conv{dimensions}d")(4, 8, 3, **options)
    ours = getattr(convolution_layers, f"Conv{dimensions}d")(4, 8, 3, **options, rngs=nnx.Rngs(0))
    compare_modules(theirs, ours, torch.randn(2, 4, *SIZES[dimensions]))


def test_convolution_per_axis_arguments() -> None:
    options: dict[str, Any] = {"stride": (2, 1), "padding": (0, 3), "dilation": (1, 2)}
    theirs = torch.nn.Conv2d(3, 5, (2, 4), **options)
    ours = convolution_layers.Conv2d(3, 5, (2, 4), **options, rngs=nnx.Rngs(0))
    compare_modules(theirs, ours, torch.randn(2, 3, 9, 8))
    compare_modules(theirs, ours, torch.randn(3, 9, 8))
    even = {"padding": "same", "dilation": (3, 1)}
    compare_modules(
        torch.nn.Conv2d(3, 5, (2, 4), **even),
        convolution_layers.Conv2d(3, 5, (2, 4), **even, rngs=nnx.Rngs(0)),
        torch.randn(2, 3, 9, 8),
    )


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "padding": 1, "output_padding": 1},
        {"stride": 2, "groups": 2, "bias": False},
        {"dilation": 2, "padding": 1, "groups": 4},
        {"stride": 3, "dilation": 2, "padding": 4, "output_padding": 2},
    ],
    ids=str,
)
def test_transposed_convolution(dimensions: int, options: dict[str, Any]) -> None:
    theirs = getattr(torch.nn, f"ConvTranspose{dimensions}d")(4, 8, 3, **options)
    ours = getattr(convolution_layers, f"ConvTranspose{dimensions}d")(4, 8, 3, **options, rngs=nnx.Rngs(0))
    compare_modules(theirs, ours, torch.randn(2, 4, *(size - 3 for size in SIZES[dimensions])))


def test_transposed_convolution_output_size() -> None:
    theirs = torch.nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1)
    ours = convolution_layers.ConvTranspose2d(2, 3, 3, stride=2, padding=1, rngs=nnx.Rngs(0))
    compare_modules(theirs, ours, torch.randn(1, 2, 4, 5), output_size=[8, 9])
    with pytest.raises(ValueError, match="cannot be reached"):
        ours(jnp.ones((1, 2, 4, 5)), output_size=[20, 9])


def test_initial_values() -> None:
    assert_same_start(
        lambda: torch.nn.Conv2d(6, 16, 3, groups=2), lambda r: convolution_layers.Conv2d(6, 16, 3, groups=2, rngs=r)
    )
    assert_same_start(
        lambda: torch.nn.ConvTranspose2d(6, 16, 3, groups=2),
        lambda r: convolution_layers.ConvTranspose2d(6, 16, 3, groups=2, rngs=r),
    )


def test_functions() -> None:
    x, weight, bias = torch.randn(2, 4, 8, 8), torch.randn(6, 2, 3, 3), torch.randn(6)
    compare_calls(torch.nn.functional.conv2d, convolution.conv2d, x, weight, bias, stride=2, padding=1, groups=2)
    compare_calls(
        torch.nn.functional.conv1d, convolution.conv1d, torch.randn(4, 8), torch.randn(6, 4, 3), padding="same"
    )
    weight = torch.randn(4, 3, 3, 3)
    compare_calls(
        torch.nn.functional.conv_transpose2d,
        convolution.conv_transpose2d,
        x,
        weight,
        bias,
        stride=2,
        output_padding=1,
        groups=2,
    )


def test_refusals() -> None:
    with pytest.raises(ValueError, match="groups"):
        convolution_layers.Conv1d(3, 4, 1, groups=2, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="strided"):
        convolution_layers.Conv1d(3, 4, 3, stride=2, padding="same", rngs=nnx.Rngs(0))(jnp.ones((1, 3, 8)))
