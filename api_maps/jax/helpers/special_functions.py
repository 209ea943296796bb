"""Elementwise functions with torch's gradient at zero, and complex numbers as pairs of reals."""

import jax
import jax.numpy as jnp


def xlogy(x1, x2) -> jax.Array:
    """`x1 * log(x2)`, with value and gradient 0 where `x1` is 0 and `x2` is not positive."""
    zero = jnp.equal(x1, 0) & jnp.less_equal(x2, 0)
    return x1 * jnp.log(jnp.where(zero, 1, x2))


def view_as_real(x) -> jax.Array:
    """Real and imaginary parts along a new last axis: `[...]` → `[..., 2]`."""
    return jnp.stack([jnp.real(x), jnp.imag(x)], axis=-1)


def view_as_complex(x) -> jax.Array:
    """Complex numbers from pairs along the last axis: `[..., 2]` → `[...]`."""
    x = jnp.asarray(x)
    return jax.lax.complex(x[..., 0], x[..., 1])
