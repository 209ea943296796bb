"""Stores that JAX's own indexed updates cannot express under jit."""

import jax
import jax.numpy as jnp


def store_where(x: jax.Array, mask: jax.Array, value) -> jax.Array:
    """`x` with `value` where `mask` is True, as `x[mask] = value` stores it; the result has the type of `x`.

    mask: its shape is that of the leading axes of `x`. value: a number, or an array of the shape of `x`.
    """
    mask = mask.reshape(mask.shape + (1,) * (jnp.ndim(x) - jnp.ndim(mask)))
    return jnp.where(mask, jnp.asarray(value).astype(x.dtype), x)
