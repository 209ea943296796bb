"""Elementwise functions where `jax.numpy` has another value, or another gradient, than torch."""

import jax
import jax.numpy as jnp


def integer_power(x1, x2) -> jax.Array:
    """`x1 ** x2` of integers; a negative power is rounded towards zero, which leaves 1, -1 or 0."""
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    if not jnp.issubdtype(jnp.result_type(x1, x2), jnp.integer):
        return jnp.power(x1, x2)
    return jnp.where((x2 < 0) & (jnp.abs(x1) != 1), 0, jnp.power(x1, jnp.abs(x2)))


def clamp(x, min=None, max=None) -> jax.Array:
    """`x` limited to `[min, max]`; the gradient at a bound is 1 (that of `jnp.clip` is 1/2).

    Either bound may be None, a number or an array. If `min > max` the result is `max`.
    """
    x = jnp.asarray(x)
    if min is not None:
        x = jnp.where((x < min) | jnp.isnan(min), min, x)
    if max is not None:
        x = jnp.where((x > max) | jnp.isnan(max), max, x)
    return x


def absolute(x) -> jax.Array:
    """`|x|` with gradient 0 at 0 (that of `jnp.abs` is 1)."""
    x = jnp.asarray(x)
    zero = x == 0
    return jnp.where(zero, jnp.abs(jax.lax.stop_gradient(x)), jnp.abs(jnp.where(zero, 1, x)))


def sgn(x) -> jax.Array:
    """`x / |x|`, 0 at 0; truth values stay as they are. The gradient is that of the angle (`jnp.sign` has none)."""
    x = jnp.asarray(x)
    if not jnp.iscomplexobj(x):
        return x if x.dtype == jnp.bool_ else jnp.sign(x)
    zero = x == 0
    return jnp.where(zero, 0, x / jnp.abs(jnp.where(zero, 1, x)))


def power(x1, x2) -> jax.Array:
    """`x1 ** x2`; the gradient with respect to `x1` is 0 where `x2` is 0 (that of `jnp.power` is NaN at `x1 = 0`)."""
    zero = jnp.equal(x2, 0)
    return jnp.where(zero, jnp.ones_like(x1), jnp.power(jnp.where(zero, 1, x1), x2))


def atan2(x1, x2) -> jax.Array:
    """The angle of the point (`x2`, `x1`); both gradients are 0 at the origin (those of `jnp.arctan2` are NaN)."""
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    origin = (x1 == 0) & (x2 == 0)
    at_origin = jnp.arctan2(jax.lax.stop_gradient(x1), jax.lax.stop_gradient(x2))
    return jnp.where(origin, at_origin, jnp.arctan2(x1, jnp.where(origin, 1, x2)))


def heaviside(x1, x2) -> jax.Array:
    """0 where `x1` is negative or NaN, `x2` where it is 0, 1 where it is positive; integers stay integers."""
    return jnp.where(jnp.equal(x1, 0), x2, jnp.greater(x1, 0))


def div_rounding(x1, x2, rounding_mode: str | None = None) -> jax.Array:
    """`x1 / x2`, with `rounding_mode` 'trunc' rounded towards zero, with 'floor' downwards; integers stay integers."""
    if rounding_mode is None:
        return jnp.true_divide(x1, x2)
    if rounding_mode == "floor":
        return jnp.floor_divide(x1, x2)
    if rounding_mode != "trunc":
        raise ValueError(f"div_rounding: rounding_mode must be None, 'trunc' or 'floor', not {rounding_mode!r}")
    if jnp.issubdtype(jnp.result_type(x1, x2), jnp.integer):
        return jax.lax.div(*jnp.broadcast_arrays(*promoted(x1, x2)))
    return jnp.trunc(jnp.true_divide(x1, x2))


def promoted(x1, x2) -> tuple[jax.Array, jax.Array]:
    """Both operands in their common dtype."""
    dtype = jnp.result_type(x1, x2)
    return jnp.asarray(x1, dtype), jnp.asarray(x2, dtype)


def lerp(x1, x2, weight) -> jax.Array:
    """`x1 + weight * (x2 - x1)`, computed from the nearer end, so that weight 1 gives `x2` exactly."""
    difference = jnp.subtract(x2, x1)
    return jnp.where(jnp.abs(weight) < 0.5, x1 + weight * difference, x2 - difference * (1 - weight))
