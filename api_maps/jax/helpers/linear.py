"""Linear layers with torch's axis layout and initial distribution, and the identity layer."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


def uniform_parameter(rngs: nnx.Rngs, shape: tuple[int, ...], bound: float) -> nnx.Param:
    """A float32 parameter drawn uniformly from [-bound, bound)."""
    return nnx.Param(jax.random.uniform(rngs.params(), shape, jnp.float32, -bound, bound))


def fan_in_bound(fan_in: int) -> float:
    """1/sqrt(fan_in): the bound of torch's default weights and biases (0 for a layer without inputs)."""
    return 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0


class Linear(nnx.Module):
    """x [..., in_features] to [..., out_features]; weight [out_features, in_features], bias [out_features]."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, rngs: nnx.Rngs):
        self.in_features = in_features
        self.out_features = out_features
        bound = fan_in_bound(in_features)
        self.weight = uniform_parameter(rngs, (out_features, in_features), bound)
        self.bias = uniform_parameter(rngs, (out_features,), bound) if bias else nnx.data(None)

    def __call__(self, x: jax.Array) -> jax.Array:
        y = jnp.matmul(x, self.weight.T)
        return y if self.bias is None else y + self.bias


class Bilinear(nnx.Module):
    """x1 [..., in1], x2 [..., in2] to x1ᵀ W x2 + b [..., out]; weight [out, in1, in2]."""

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, *, rngs: nnx.Rngs
    ):
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        bound = fan_in_bound(in1_features)
        self.weight = uniform_parameter(rngs, (out_features, in1_features, in2_features), bound)
        self.bias = uniform_parameter(rngs, (out_features,), bound) if bias else nnx.data(None)

    def __call__(self, x1: jax.Array, x2: jax.Array) -> jax.Array:
        return bilinear(x1, x2, self.weight, self.bias)


class Identity(nnx.Module):
    """Returns its input; constructor arguments are ignored, as in torch."""

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def __call__(self, x: Any) -> Any:
        return x


def bilinear(x1: jax.Array, x2: jax.Array, weight: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """x1 [..., in1], x2 [..., in2], weight [out, in1, in2] to [..., out]."""
    y = jnp.einsum("...i,oij,...j->...o", x1, weight, x2)
    return y if bias is None else y + bias


def linear(x: jax.Array, weight: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """x [..., in], weight [out, in] or [in], bias [out] or [] to [..., out]."""
    y = jnp.matmul(x, jnp.asarray(weight).T)
    return y if bias is None else y + bias
