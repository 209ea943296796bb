"""Stores that JAX's own indexed updates cannot express under jit."""

import jax
import jax.numpy as jnp


def store_where(x: jax.Array, mask: jax.Array, value) -> jax.Array:
    """`x` with `value` where `mask` is True, as `x[mask] = value` stores it; the result has the type of `x`.

    mask: its shape is that of the leading axes of `x`. value: a number, or an array of the shape of `x`.
    """
    mask = mask.reshape(mask.shape + (1,) * (jnp.ndim(x) - jnp.ndim(mask)))
    return jnp.where(mask, jnp.asarray(value).astype(x.dtype), x)


def with_gradient_of(old: jax.Array, new: jax.Array) -> jax.Array:
    """`new` in the shape and element type of `old`; its gradient is that of `old`, as far as that is finite.

    torch's parameter stays the same leaf when its values are replaced during a forward pass.
    """
    new = jnp.broadcast_to(jnp.asarray(new, old.dtype), old.shape)
    zero = jnp.where(jnp.isfinite(old), old - jax.lax.stop_gradient(old), 0)
    return jax.lax.stop_gradient(new) + zero
