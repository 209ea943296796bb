"""Normalisation layers against torch: both modes, running statistics, gradients."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from ivy_convert.api_maps.jax.helpers import normalization

from .transfer import compare_calls, compare_modules, to_jax

SHAPES = {1: (4, 3, 5), 2: (4, 3, 5, 2), 3: (2, 3, 2, 4, 2)}


def pair(name: str, *arguments: Any, **options: Any) -> tuple[torch.nn.Module, nnx.Module]:
    """The torch layer with random affine parameters, and ours."""
    theirs = getattr(torch.nn, name)(*arguments, **options)
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter)
    return theirs, getattr(normalization, name)(*arguments, **options, rngs=nnx.Rngs(0))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [{}, {"momentum": None}, {"momentum": 0.3, "eps": 1e-3}, {"affine": False}, {"track_running_stats": False}],
    ids=str,
)
def test_batch_norm(dimensions: int, options: dict[str, Any]) -> None:
    theirs, ours = pair(f"BatchNorm{dimensions}d", 3, **options)
    compare_modules(theirs, ours, 3 * torch.randn(SHAPES[dimensions]) + 1)
    compare_modules(theirs, ours, torch.randn(SHAPES[dimensions]), copy=False)
    compare_modules(theirs, ours, torch.randn(SHAPES[dimensions]), copy=False, training=False)


def test_batch_norm_of_vectors_and_one_value() -> None:
    theirs, ours = pair("BatchNorm1d", 3)
    compare_modules(theirs, ours, torch.randn(2, 3))
    ours.train()
    with pytest.raises(ValueError, match="more than 1 value"):
        ours(jnp.ones((1, 3)))
    with pytest.raises(ValueError, match="rank"):
        ours(jnp.ones((1, 3, 2, 2)))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"affine": True}, {"affine": True, "track_running_stats": True}], ids=str)
def test_instance_norm(dimensions: int, options: dict[str, Any]) -> None:
    theirs, ours = pair(f"InstanceNorm{dimensions}d", 3, **options)
    compare_modules(theirs, ours, 3 * torch.randn(SHAPES[dimensions]) + 1)
    compare_modules(theirs, ours, torch.randn(SHAPES[dimensions]), training=False, copy=False)
    compare_modules(theirs, ours, torch.randn(SHAPES[dimensions][1:]), copy=False)


@pytest.mark.parametrize(
    ("name", "arguments", "options"),
    [
        ("LayerNorm", (5,), {}),
        ("LayerNorm", ([3, 5],), {"eps": 1e-3}),
        ("LayerNorm", (5,), {"bias": False}),
        ("LayerNorm", (5,), {"elementwise_affine": False}),
        ("RMSNorm", (5,), {}),
        ("RMSNorm", ([3, 5],), {"eps": 1e-3}),
        ("RMSNorm", (5,), {"elementwise_affine": False}),
        ("GroupNorm", (3, 6), {}),
        ("GroupNorm", (1, 6), {"affine": False}),
        ("GroupNorm", (6, 6), {"eps": 1e-2}),
    ],
    ids=str,
)
def test_normalisation_by_sample(name: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    theirs, ours = pair(name, *arguments, **options)
    shape = (2, 6, 3, 5)
    compare_modules(theirs, ours, torch.randn(shape))
    compare_modules(theirs, ours, torch.randn(shape) + 1e3, training=False, tolerance=1e-3)


def test_initial_values() -> None:
    for layer in (
        normalization.LayerNorm(3),
        normalization.GroupNorm(1, 3),
        normalization.BatchNorm2d(3),
        normalization.InstanceNorm1d(3, affine=True),
    ):
        np.testing.assert_array_equal(layer.weight, 1)
        np.testing.assert_array_equal(layer.bias, 0)
    np.testing.assert_array_equal(normalization.BatchNorm1d(3).running_var, 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype: torch.dtype) -> None:
    x = torch.randn(4, 6).to(dtype)
    array = jnp.asarray(x.float().numpy()).astype(str(dtype).removeprefix("torch."))
    for name, arguments in (("layer_norm", (6,)), ("rms_norm", (6,)), ("group_norm", (2,))):
        shape: Any = [6] if name != "group_norm" else arguments[0]
        expected = getattr(torch.nn.functional, name)(x, shape)
        actual = getattr(normalization, name)(array, arguments[0])
        assert str(actual.dtype) == str(dtype).removeprefix("torch.")
        np.testing.assert_allclose(actual.astype(jnp.float32), expected.float(), atol=0.02)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_local_response_norm(size: int) -> None:
    theirs = torch.nn.LocalResponseNorm(size, alpha=0.1, k=2.0)
    compare_modules(theirs, normalization.LocalResponseNorm(size, alpha=0.1, k=2.0), torch.randn(2, 6, 3, 3))


def test_functions() -> None:
    x, weight, bias = torch.randn(3, 4, 5), torch.randn(4), torch.randn(4)
    mean, variance = torch.randn(4), torch.rand(4) + 0.5
    functional = torch.nn.functional
    compare_calls(
        lambda x, w, b: functional.batch_norm(x, mean, variance, w, b),
        lambda x, w, b: normalization.batch_norm(x, to_jax(mean), to_jax(variance), w, b),
        x,
        weight,
        bias,
    )
    compare_calls(functional.batch_norm, normalization.batch_norm, x, None, None, weight, bias, training=True)
    compare_calls(functional.instance_norm, normalization.instance_norm, x, None, None, weight, bias)
    compare_calls(functional.group_norm, normalization.group_norm, x, 2, weight, bias)
    with pytest.raises(TypeError, match="in place"):
        normalization.batch_norm(jnp.ones((2, 1)), jnp.zeros(1), jnp.ones(1), training=True)
