"""Orthogonal polynomials by their recurrences: `f(x, n)` for every entry, degrees rounded towards zero; 0 for n < 0."""

from collections.abc import Callable

import jax
import jax.numpy as jnp


def by_recurrence(x, n, first: Callable, following: Callable) -> jax.Array:
    """The polynomial of degree `n` at `x`, broadcast: 1, `first(x)`, then `following(k, x, p_k, p_{k-1})` is p_{k+1}.

    If `n` is one int it can be differentiated in both modes; an array of degrees needs as many steps as the largest.
    """
    dtype = jnp.result_type(x, n)
    dtype = dtype if jnp.issubdtype(dtype, jnp.floating) else jnp.float32
    x = jnp.asarray(x, dtype)
    degrees = jnp.trunc(n).astype(jnp.int32)
    x, degrees = jnp.broadcast_arrays(x, degrees)
    last = max(n, 1) if isinstance(n, int) else jnp.max(degrees, initial=1)

    def step(k: jax.Array, state: tuple) -> tuple:
        before, current, result = state
        after = following(jnp.asarray(k, dtype), x, current, before)
        return current, after, jnp.where(degrees == k + 1, after, result)

    one = jnp.ones_like(x)
    start = jnp.where(degrees == 0, one, jnp.where(degrees == 1, first(x), 0))
    return jax.lax.fori_loop(1, last, step, (one, first(x), start))[2]


def doubling(k: jax.Array, x: jax.Array, current: jax.Array, before: jax.Array) -> jax.Array:
    """The recurrence that all four kinds of Chebyshev polynomials share."""
    return 2 * x * current - before


def chebyshev_polynomial_t(x, n) -> jax.Array:
    """The Chebyshev polynomial of the first kind."""
    return by_recurrence(x, n, lambda x: x, doubling)


def chebyshev_polynomial_u(x, n) -> jax.Array:
    """The Chebyshev polynomial of the second kind."""
    return by_recurrence(x, n, lambda x: 2 * x, doubling)


def chebyshev_polynomial_v(x, n) -> jax.Array:
    """The Chebyshev polynomial of the third kind."""
    return by_recurrence(x, n, lambda x: 2 * x - 1, doubling)


def chebyshev_polynomial_w(x, n) -> jax.Array:
    """The Chebyshev polynomial of the fourth kind."""
    return by_recurrence(x, n, lambda x: 2 * x + 1, doubling)


def hermite_polynomial_h(x, n) -> jax.Array:
    """The physicist's Hermite polynomial."""
    return by_recurrence(x, n, lambda x: 2 * x, lambda k, x, current, before: 2 * (x * current - k * before))


def hermite_polynomial_he(x, n) -> jax.Array:
    """The probabilist's Hermite polynomial."""
    return by_recurrence(x, n, lambda x: x, lambda k, x, current, before: x * current - k * before)


def laguerre_polynomial_l(x, n) -> jax.Array:
    """The Laguerre polynomial."""
    return by_recurrence(
        x, n, lambda x: 1 - x, lambda k, x, current, before: ((2 * k + 1 - x) * current - k * before) / (k + 1)
    )


def legendre_polynomial_p(x, n) -> jax.Array:
    """The Legendre polynomial."""
    return by_recurrence(
        x, n, lambda x: x, lambda k, x, current, before: ((2 * k + 1) * x * current - k * before) / (k + 1)
    )
