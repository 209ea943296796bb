"""The Airy function, by the rational approximations of Cephes that torch uses too."""

import jax
import jax.numpy as jnp

from .bessel import floating, fraction

# The Airy function: fractions in 1 / zeta to the right, in its square to the left.
AIRY_RIGHT_TOP = (
    0.346538101525629,
    12.007595273964581,
    76.27960536152345,
    168.08922493463058,
    159.75639135016442,
    70.53609068404442,
    14.026469116338967,
    1.0,
)
AIRY_RIGHT_BOTTOM = (
    0.5675945326387702,
    14.75625625848472,
    84.51389701414746,
    177.31808814540045,
    164.2346928715297,
    71.47784008255756,
    14.095913560783403,
    1.0,
)
AIRY_LEFT_SINE_TOP = (
    -0.1316963234183318,
    -0.6264565444319123,
    -0.6931580360369335,
    -0.2797799815451191,
    -0.04919001326095003,
    -0.004062659235948854,
    -0.0001592764962392621,
    -2.776491081552329e-06,
    -1.6778769848911465e-08,
)
AIRY_LEFT_SINE_BOTTOM = (
    13.356042070655324,
    32.682503279522464,
    26.736704094149957,
    9.187074029072596,
    1.4752914677166642,
    0.11568717379518804,
    0.004402916416152112,
    7.547203482874142e-05,
    4.5185009297058035e-07,
)
AIRY_LEFT_COSINE_TOP = (
    0.01973399320916857,
    0.39110302961568827,
    1.0657989759959559,
    0.9391692298166502,
    0.35146565610554764,
    0.06338889196289255,
    0.005858041130483885,
    0.000282851600836737,
    6.98793669997261e-06,
    8.117892395543892e-08,
    3.415517847659236e-10,
)
AIRY_LEFT_COSINE_BOTTOM = (
    9.30892908077442,
    19.835292871831214,
    15.564662893286462,
    5.476860694229755,
    0.9542936116189619,
    0.08645808263523921,
    0.004126565238242226,
    0.00010125908511650914,
    1.1716673321441352e-06,
    4.9183457006293e-09,
)


def airy_ai(x) -> jax.Array:
    """The Airy function Ai; NaN at infinity."""
    x = floating(x)
    size = jnp.abs(x)
    root = jnp.sqrt(size)
    zeta = 2 * size * root / 3
    scale = 0.5641895835477563 / jnp.sqrt(root)
    right = scale * fraction(1 / zeta, AIRY_RIGHT_TOP, AIRY_RIGHT_BOTTOM) / (2 * jnp.exp(zeta))
    inverse = 1 / zeta
    sine = 1 + inverse**2 * fraction(inverse**2, AIRY_LEFT_SINE_TOP, AIRY_LEFT_SINE_BOTTOM)
    cosine = inverse * fraction(inverse**2, AIRY_LEFT_COSINE_TOP, AIRY_LEFT_COSINE_BOTTOM)
    angle = zeta + jnp.pi / 4
    left = scale * (sine * jnp.sin(angle) - cosine * jnp.cos(angle))
    # The power series around zero: each term is the last one times x^3 and divided by two numbers.
    terms = jnp.arange(1, 13, dtype=x.dtype) * 3
    cube = x[..., None] ** 3
    even = 1 + jnp.cumprod(cube / ((terms - 1) * terms), -1).sum(-1)
    odd = x * (1 + jnp.cumprod(cube / (terms * (terms + 1)), -1).sum(-1))
    near = 0.3550280538878172 * even - 0.2588194037928068 * odd
    result = jnp.where(x >= 2.09, jnp.where(x > 103.892, 0, right), jnp.where(x < -2.09, left, near))
    return jnp.where(jnp.isinf(x), jnp.nan, result)
