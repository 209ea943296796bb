"""Solvers with torch's arguments and its choice between vectors and matrices."""

import jax
import jax.numpy as jnp


def solve(a, b) -> jax.Array:
    """`x` with `a @ x = b`; `b` is a vector, or a batch of vectors, if it has one axis less than `a`."""
    a, b = jnp.asarray(a), jnp.asarray(b)
    if b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]):
        return jnp.linalg.solve(a, b[..., None])[..., 0]
    return jnp.linalg.solve(a, b)


def kron(x1, x2) -> jax.Array:
    """The Kronecker product, of booleans too."""
    if jnp.result_type(x1, x2) == jnp.bool_:
        return jnp.kron(jnp.asarray(x1, int), jnp.asarray(x2, int)).astype(bool)
    return jnp.kron(x1, x2)


def solve_triangular(a, b, upper: bool, unitriangular: bool = False) -> jax.Array:
    """`x` with `t @ x = b`, t being the upper or lower triangle of `a`; leading axes broadcast."""
    a, b = jnp.asarray(a), jnp.asarray(b)
    leading = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return jax.lax.linalg.triangular_solve(
        jnp.broadcast_to(a, leading + a.shape[-2:]),
        jnp.broadcast_to(b, leading + b.shape[-2:]),
        left_side=True,
        lower=not upper,
        unit_diagonal=unitriangular,
    )


def logdet(x) -> jax.Array:
    """The logarithm of the determinant of `[..., n, n]`; NaN where the determinant is negative."""
    sign, magnitude = jnp.linalg.slogdet(x)
    if jnp.iscomplexobj(x):
        return jnp.log(sign) + magnitude
    return jnp.where(sign < 0, jnp.nan, magnitude)
