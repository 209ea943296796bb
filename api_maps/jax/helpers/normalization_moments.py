"""Normalisation that also gives the moments it used."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from .normalization import accumulation_type, group_norm, layer_norm, trailing_axes


def native_layer_norm(
    x: jax.Array,
    normalized_shape: Sequence[int],
    weight: jax.Array | None,
    bias: jax.Array | None,
    eps: float,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`layer_norm` with the mean and the reciprocal of the deviation, [..., 1] for each normalised axis.

    As in torch the two moments carry no gradient, other than those of `native_group_norm`.
    """
    x = jnp.asarray(x)
    values, axes = accumulation_type(jax.lax.stop_gradient(x)), trailing_axes(x, normalized_shape)
    mean, variance = jnp.mean(values, axes, keepdims=True), jnp.var(values, axes, keepdims=True)
    return layer_norm(x, normalized_shape, weight, bias, eps), mean, jax.lax.rsqrt(variance + eps)


def native_group_norm(
    x: jax.Array, num_groups: int, weight: jax.Array | None, bias: jax.Array | None, eps: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`group_norm` with the mean and the reciprocal of the deviation, [N, num_groups]."""
    x = jnp.asarray(x)
    values = accumulation_type(x).reshape(x.shape[0], num_groups, math.prod(x.shape[1:]) // num_groups)
    mean, variance = jnp.mean(values, 2), jnp.var(values, 2)
    return group_norm(x, num_groups, weight, bias, eps), mean, jax.lax.rsqrt(variance + eps)
