"""einops' layers as NNX modules; `einops` itself works on JAX arrays."""

from __future__ import annotations

import einops
import jax
import jax.numpy as jnp
from flax import nnx


class Rearrange(nnx.Module):
    """`einops.rearrange(x, pattern, **axes_lengths)` as a layer."""

    def __init__(self, pattern: str, **axes_lengths: int):
        self.pattern = pattern
        self.axes_lengths = tuple(axes_lengths.items())

    def __call__(self, x: jax.Array) -> jax.Array:
        return einops.rearrange(jnp.asarray(x), self.pattern, **dict(self.axes_lengths))


class Reduce(nnx.Module):
    """`einops.reduce(x, pattern, reduction, **axes_lengths)` as a layer."""

    def __init__(self, pattern: str, reduction: str, **axes_lengths: int):
        self.pattern = pattern
        self.reduction = reduction
        self.axes_lengths = tuple(axes_lengths.items())

    def __call__(self, x: jax.Array) -> jax.Array:
        return einops.reduce(jnp.asarray(x), self.pattern, self.reduction, **dict(self.axes_lengths))
