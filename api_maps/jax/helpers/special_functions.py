"""Elementwise functions with torch's gradient at zero, and complex numbers as pairs of reals."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .elementwise import absolute


def xlogy(x1, x2) -> jax.Array:
    """`x1 * log(x2)`, with value and gradient 0 where `x1` is 0 and `x2` is not positive."""
    zero = jnp.equal(x1, 0) & jnp.less_equal(x2, 0)
    return x1 * jnp.log(jnp.where(zero, 1, x2))


def i0(x) -> jax.Array:
    """The modified Bessel function of order 0; its gradient at 0 is 0 (that of `jax.scipy.special.i0` is 1)."""
    return jnp.exp(absolute(x)) * jax.scipy.special.i0e(x)


def digamma(x) -> jax.Array:
    """The derivative of `log(gamma(x))`, infinite at 0; its own derivative holds for negative `x` too."""
    function = jax.custom_jvp(digamma_value)
    function.defjvps(lambda tangent, out, x: tangent * trigamma(x))
    x = jnp.asarray(x)
    return function(x.astype(jnp.promote_types(x.dtype, jnp.float32)))


def digamma_value(x: jax.Array) -> jax.Array:
    """`digamma` of floats, without torch's derivative."""
    return jnp.where(x == 0, jnp.copysign(jnp.inf, -x), jax.scipy.special.digamma(x))


def trigamma(x: jax.Array) -> jax.Array:
    """The derivative of `digamma`; negative numbers are reflected at 1/2."""
    positive = x > 0
    value = jax.scipy.special.polygamma(1, jnp.where(positive, x, 1 - x))
    return jnp.where(positive, value, (jnp.pi / jnp.sin(jnp.pi * x)) ** 2 - value)


def polygamma(n: int, x) -> jax.Array:
    """The derivative of order `n` (static) of `digamma`; `jax.scipy.special.polygamma` holds for positive `x` only."""
    x = jnp.asarray(x)
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    if n == 0:
        return digamma(x)
    positive = jax.scipy.special.polygamma(n, jnp.where(x > 0, x, 1))
    negative = negative_zeta(n + 1, jnp.where(x > 0, -0.5, x))
    return jnp.where(x > 0, positive, (-1) ** (n + 1) * math.factorial(n) * negative)


def negative_zeta(s: int, x: jax.Array) -> jax.Array:
    """Hurwitz's zeta function of a whole `s` for `x <= 0`: the sum of `(x + k) ** -s` over k from 0.

    The terms below zero are a part of another such series, that of the distances from zero.
    """
    fraction = x - jnp.floor(x)
    below = jax.scipy.special.zeta(s, 1 - fraction) - jax.scipy.special.zeta(s, 1 - x)
    return jax.scipy.special.zeta(s, fraction) + (-1) ** s * below


def view_as_real(x) -> jax.Array:
    """Real and imaginary parts along a new last axis: `[...]` → `[..., 2]`."""
    return jnp.stack([jnp.real(x), jnp.imag(x)], axis=-1)


def view_as_complex(x) -> jax.Array:
    """Complex numbers from pairs along the last axis: `[..., 2]` → `[...]`."""
    x = jnp.asarray(x)
    return jax.lax.complex(x[..., 0], x[..., 1])


class MantissaExponent(NamedTuple):
    """`mantissa * 2**exponent`, the mantissa from 0.5 to 1 in size, or 0."""

    mantissa: jax.Array
    exponent: jax.Array


def frexp(x) -> MantissaExponent:
    """Mantissa and exponent of floats; the mantissa's gradient is that of a division by the power of two."""
    x = jnp.asarray(x)
    mantissa, exponent = jnp.frexp(jax.lax.stop_gradient(x))
    change = (x - jax.lax.stop_gradient(x)) * jnp.exp2(-exponent.astype(x.dtype))
    return MantissaExponent(jnp.where(jnp.isfinite(x), mantissa + change, mantissa), exponent)
