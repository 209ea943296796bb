"""Dropout in torch's forms: elementwise, whole channels, and the self-normalising alpha dropout."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

# The value that SELU saturates to for large negative inputs: -scale * alpha.
SELU_SATURATION = -1.7580993408473766


def keep_mask(shape: tuple[int, ...], p: float, key: jax.Array) -> jax.Array:
    """A boolean array of `shape` whose elements are True with probability 1 - p."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    return jax.random.bernoulli(key, 1 - p, shape)


def masked_scale(x: jax.Array, mask: jax.Array, p: float) -> jax.Array:
    """x / (1 - p) where `mask` (broadcast to x) holds, else 0."""
    return jnp.zeros_like(x) if p == 1 else jnp.where(mask, x / (1 - p), 0)


def masked_alpha(x: jax.Array, mask: jax.Array, p: float) -> jax.Array:
    """x where `mask` holds, else SELU's saturation, rescaled to keep zero mean and unit variance."""
    if p == 1:
        return jnp.zeros_like(x)
    scale = ((1 - p) * (1 + p * SELU_SATURATION**2)) ** -0.5
    return jnp.where(mask, x, SELU_SATURATION) * scale - scale * SELU_SATURATION * p


def dropout(x: jax.Array, p: float = 0.5, training: bool = True, *, key: jax.Array) -> jax.Array:
    """Zero elements of x with probability p and divide the others by 1 - p; x itself when not training."""
    if not training or p == 0:
        return jnp.asarray(x)
    return masked_scale(x, keep_mask(jnp.shape(x), p, key), p)


def feature_dropout(x: jax.Array, p: float = 0.5, training: bool = True, *, key: jax.Array) -> jax.Array:
    """Dropout of whole channels: one decision for each element of the first two axes of x [N, C, ...]."""
    if not training or p == 0:
        return jnp.asarray(x)
    if jnp.ndim(x) < 2:
        raise ValueError("feature dropout needs at least 2 axes")
    return masked_scale(x, keep_mask(jnp.shape(x)[:2] + (1,) * (jnp.ndim(x) - 2), p, key), p)


def dropout1d(x: jax.Array, p: float = 0.5, training: bool = True, *, key: jax.Array) -> jax.Array:
    """Dropout of whole channels of x [N, C, L] or [C, L]."""
    return (
        feature_dropout(x, p, training, key=key)
        if jnp.ndim(x) == 3
        else feature_dropout(jnp.asarray(x)[None], p, training, key=key)[0]
    )


def dropout3d(x: jax.Array, p: float = 0.5, training: bool = True, *, key: jax.Array) -> jax.Array:
    """Dropout of whole channels of x [N, C, D, H, W] or [C, D, H, W]."""
    return (
        feature_dropout(x, p, training, key=key)
        if jnp.ndim(x) == 5
        else feature_dropout(jnp.asarray(x)[None], p, training, key=key)[0]
    )


def alpha_dropout(x: jax.Array, p: float = 0.5, training: bool = False, *, key: jax.Array) -> jax.Array:
    """Dropout that keeps mean 0 and variance 1 behind SELU; x itself when not training."""
    if not training or p == 0:
        return jnp.asarray(x)
    return masked_alpha(x, keep_mask(jnp.shape(x), p, key), p)


def feature_alpha_dropout(
    x: jax.Array, p: float = 0.5, training: bool = False, *, key: jax.Array
) -> jax.Array:
    """Alpha dropout of whole channels of x [N, C, ...]."""
    if not training or p == 0:
        return jnp.asarray(x)
    return masked_alpha(x, keep_mask(jnp.shape(x)[:2] + (1,) * (jnp.ndim(x) - 2), p, key), p)


class DropoutLayer(nnx.Module):
    """Probability, mode and random stream; `model.train()` and `model.eval()` switch `deterministic`."""

    def __init__(self, p: float = 0.5, inplace: bool = False, *, rngs: nnx.Rngs):
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.deterministic = False
        self.rngs = rngs.dropout.fork()

    def next_key(self) -> jax.Array:
        """A fresh key in training, a constant that nothing reads in evaluation."""
        return jax.random.key(0) if self.deterministic or self.p == 0 else self.rngs()


class Dropout(DropoutLayer):
    """Zeroes elements with probability p in training and divides the others by 1 - p."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return dropout(x, self.p, not self.deterministic, key=self.next_key())


class Dropout1d(DropoutLayer):
    """Zeroes whole channels of [N, C, L] or [C, L]."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return dropout1d(x, self.p, not self.deterministic, key=self.next_key())


class Dropout2d(DropoutLayer):
    """Zeroes whole channels of [N, C, ...]; without a batch axis it acts on the first two axes, as in torch."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return feature_dropout(x, self.p, not self.deterministic, key=self.next_key())


class Dropout3d(DropoutLayer):
    """Zeroes whole channels of [N, C, D, H, W] or [C, D, H, W]."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return dropout3d(x, self.p, not self.deterministic, key=self.next_key())


class AlphaDropout(DropoutLayer):
    """Dropout that keeps mean 0 and variance 1 behind SELU."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return alpha_dropout(x, self.p, not self.deterministic, key=self.next_key())


class FeatureAlphaDropout(DropoutLayer):
    """Alpha dropout of whole channels of [N, C, ...]."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return feature_alpha_dropout(x, self.p, not self.deterministic, key=self.next_key())
