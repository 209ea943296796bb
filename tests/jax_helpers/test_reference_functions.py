"""Helpers whose arguments depend on each other, so that no sample of a row can draw them: against torch."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ivy_convert.api_maps.jax.helpers.attention_functions import multi_head_attention_forward
from ivy_convert.api_maps.jax.helpers.normalization_moments import native_group_norm
from ivy_convert.api_maps.jax.helpers.pooling_indices import fractional_max_pool_with_indices
from ivy_convert.api_maps.jax.helpers.scatter import segment_reduce


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "min", "prod"])
@pytest.mark.parametrize("initial", [None, 1.0])
def test_segments(reduce: str, initial: float | None) -> None:
    x, lengths = normal(6, 2), np.array([2, 0, 1, 3])
    source = torch.tensor(x, requires_grad=True)
    expected = torch.segment_reduce(source, reduce, lengths=torch.tensor(lengths), initial=initial, axis=0)
    finite = torch.isfinite(expected)
    expected[finite].sum().backward()

    def total(values: jax.Array) -> jax.Array:
        result = segment_reduce(values, reduce, lengths=jnp.asarray(lengths), initial=initial)
        return jnp.where(jnp.asarray(finite.numpy()), result, 0).sum()

    actual = segment_reduce(jnp.asarray(x), reduce, offsets=jnp.array([0, 2, 2, 3, 6]), initial=initial)
    np.testing.assert_allclose(actual, expected.detach().numpy(), rtol=1e-6)
    assert source.grad is not None
    np.testing.assert_allclose(jax.grad(total)(jnp.asarray(x)), source.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("added", [True, False])
def test_attention_of_given_weights(need_weights: bool, added: bool) -> None:
    query, memory = normal(3, 2, 4), normal(5, 2, 4)
    weight, bias, out, out_bias = normal(12, 4), normal(12), normal(4, 4), normal(4)
    more = (normal(1, 1, 4), normal(1, 1, 4)) if added else (None, None)
    blocked = np.array([[False, False, True, False, False], [False, False, False, False, True]])
    mask = normal(4, 3, 5)

    def tensors(*values: np.ndarray | None) -> list[torch.Tensor | None]:
        return [None if value is None else torch.tensor(value) for value in values]

    expected = F.multi_head_attention_forward(
        *tensors(query, memory, memory), 4, 2, *tensors(weight, bias, *more), added, 0.0, *tensors(out, out_bias),  # type: ignore[arg-type]
        key_padding_mask=torch.tensor(np.where(blocked, -np.inf, 0).astype(np.float32)), need_weights=need_weights,
        attn_mask=torch.tensor(mask))  # fmt: skip
    actual = multi_head_attention_forward(
        query, memory, memory, 2, weight, bias, *more, added, 0.0, out, out_bias,  # type: ignore[arg-type]
        key_padding_mask=jnp.asarray(blocked), need_weights=need_weights, attn_mask=jnp.asarray(mask))  # fmt: skip
    np.testing.assert_allclose(actual[0], expected[0].numpy(), atol=1e-5)
    if need_weights:
        np.testing.assert_allclose(actual[1], expected[1].numpy(), atol=1e-6)
    else:
        assert actual[1] is None


def test_group_norm_with_moments() -> None:
    x, weight, bias = normal(2, 6, 3), normal(6), normal(6)
    expected = torch.native_group_norm(*map(torch.tensor, (x, weight, bias)), 2, 6, 3, 3, 1e-5)
    for one, other in zip(native_group_norm(x, 3, weight, bias, 1e-5), expected, strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-5)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_fractional_pooling_of_given_samples(dimensions: int) -> None:
    x = normal(2, 3, 9, 8, 7)[..., : 7 if dimensions == 3 else 1].reshape(2, 3, 9, 8, *[7] * (dimensions - 2))
    samples = np.random.default_rng(0).random((2, 3, dimensions)).astype(np.float32)
    size = (4, 3, 5)[:dimensions]
    pool = F.fractional_max_pool2d if dimensions == 2 else F.fractional_max_pool3d
    expected = pool(torch.tensor(x), 2, output_size=size, return_indices=True, _random_samples=torch.tensor(samples))
    actual = fractional_max_pool_with_indices(
        x, 2, size, random_samples=jnp.asarray(samples), key=jax.random.key(0), dimensions=dimensions
    )
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other.numpy())
