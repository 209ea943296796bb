"""Bessel functions, by the rational and Chebyshev approximations of Cephes that torch uses too.

Each of them is accurate to a few units of float32 rounding; the coefficients are given for the highest power first.
"""

import jax
import jax.numpy as jnp

TWO_OVER_PI = 0.6366197723675814
ROOT_TWO_OVER_PI = 0.7978845608028654
# Far from the origin: the slowly changing factors of cosine and sine, as fractions in 25 / x^2.
J0_COSINE_TOP = (
    0.0007969367292973471,
    0.08283523921074408,
    1.239533716464143,
    5.447250030587687,
    8.74716500199817,
    5.303240382353949,
    1.0,
)
J0_COSINE_BOTTOM = (
    0.0009244088105588637,
    0.08562884743544745,
    1.2535274390105895,
    5.470977403304171,
    8.761908832370695,
    5.306052882353947,
    1.0,
)
J0_SINE_TOP = (
    -0.011366383889846916,
    -1.2825271867050931,
    -19.553954425773597,
    -93.20601521237683,
    -177.68116798048806,
    -147.07750515495118,
    -51.41053267665993,
    -6.050143506007285,
)
J0_SINE_BOTTOM = (
    64.3178256118178,
    856.4300259769806,
    3882.4018360540163,
    7240.467741956525,
    5930.727011873169,
    2062.0933166032783,
    242.0057402402914,
)
J1_COSINE_TOP = (
    0.0007621256162081731,
    0.07313970569409176,
    1.1271960812968493,
    5.112079511468076,
    8.424045901417724,
    5.214515986823615,
    1.0,
)
J1_COSINE_BOTTOM = (
    0.0005713231280725487,
    0.06884559087544954,
    1.105142326340617,
    5.073863861286015,
    8.399855543276042,
    5.209828486823619,
    1.0,
)
J1_SINE_TOP = (
    0.05108625947501766,
    4.982138729512334,
    75.82382841325453,
    366.7796093601508,
    710.8563049989261,
    597.4896124006136,
    211.68875710057213,
    25.207020585802372,
)
J1_SINE_BOTTOM = (
    74.23732770356752,
    1056.4488603826283,
    4986.410583376536,
    9562.318924047562,
    7997.041604473507,
    2826.1927851763908,
    336.0936078106983,
)
# Near the origin: fractions in x^2, less the first zeros of J.
J0_NEAR_TOP = (-4794432209.782018, 1956174919465.5657, -249248344360967.72, 9708622510473064.0)
J0_NEAR_BOTTOM = (
    499.563147152651,
    173785.4016763747,
    48440965.83399621,
    11185553704.535683,
    2112775201154.892,
    310518229857422.56,
    3.1812195594320496e16,
    1.7108629408104315e18,
)
J1_NEAR_TOP = (-899971225.7055594, 452228297998.19403, -72749424522181.83, 3682957328638529.0)
J1_NEAR_BOTTOM = (
    620.8364781180543,
    256987.25675774884,
    83514679.14319493,
    22151159547.97925,
    4749141220799.914,
    784369607876235.9,
    8.952223361846274e16,
    5.322786203326801e18,
)
Y0_NEAR_TOP = (
    15592.436785523574,
    -14663929.59039716,
    5435264770.518765,
    -982136065717.9115,
    87590639439536.7,
    -3466283033847297.0,
    4.4273326857256984e16,
    -1.8495080043698668e16,
)
Y0_NEAR_BOTTOM = (
    1041.2835366425984,
    626107.330137135,
    268919633.39381415,
    86400248710.3935,
    20297961275010.555,
    3171577528429750.5,
    2.5059625617265306e17,
)
Y1_NEAR_TOP = (
    1263204747.9017804,
    -647355876379.1603,
    114509511541823.73,
    -8127702555013251.0,
    2.024394757135949e17,
    -7.788771962659501e17,
)
Y1_NEAR_BOTTOM = (
    594.3015923461282,
    235564.09294306856,
    73481194.44597217,
    18760131610.870617,
    3882312774962.3857,
    620557727146953.8,
    6.871410873553005e16,
    3.9727060811656064e18,
)
# Modified functions: Chebyshev series up to 2 and beyond.
K0_NEAR = (
    1.374465435613523e-16,
    4.25981614279661e-14,
    1.0349695257633842e-11,
    1.904516377220209e-09,
    2.5347910790261494e-07,
    2.286212103119452e-05,
    0.001264615411446926,
    0.0359799365153615,
    0.3442898999246285,
    -0.5353273932339028,
)
K0_FAR = (
    5.300433772686263e-18,
    -1.6475804301524212e-17,
    5.2103915050390274e-17,
    -1.678231096805412e-16,
    5.512055978524319e-16,
    -1.848593377343779e-15,
    6.3400764774050706e-15,
    -2.2275133269916698e-14,
    8.032890775363575e-14,
    -2.9800969231727303e-13,
    1.140340588208475e-12,
    -4.514597883373944e-12,
    1.8559491149547177e-11,
    -7.957489244477107e-11,
    3.577397281400301e-10,
    -1.69753450938906e-09,
    8.574034017414225e-09,
    -4.660489897687948e-08,
    2.766813639445015e-07,
    -1.8317555227191195e-06,
    1.39498137188765e-05,
    -0.00012849549581627802,
    0.0015698838857300533,
    -0.0314481013119645,
    2.4403030820659555,
)
K1_NEAR = (
    -7.023863479386288e-18,
    -2.427449850519366e-15,
    -6.666901694199329e-13,
    -1.4114883926335278e-10,
    -2.213387630734726e-08,
    -2.4334061415659684e-06,
    -0.0001730288957513052,
    -0.006975723859639864,
    -0.12261118082265715,
    -0.3531559607765449,
    1.5253002273389478,
)
K1_FAR = (
    -5.756744483665017e-18,
    1.7940508731475592e-17,
    -5.689462558442859e-17,
    1.838093544366639e-16,
    -6.057047248373319e-16,
    2.038703165624334e-15,
    -7.019837090418314e-15,
    2.4771544244813043e-14,
    -8.976705182324994e-14,
    3.3484196660784293e-13,
    -1.2891739609510289e-12,
    5.13963967348173e-12,
    -2.1299678384275683e-11,
    9.218315187605006e-11,
    -4.1903547593418965e-10,
    2.015049755197033e-09,
    -1.0345762465678097e-08,
    5.7410841254500495e-08,
    -3.5019606030878126e-07,
    2.406484947837217e-06,
    -1.936197974166083e-05,
    0.00019521551847135162,
    -0.002857816859622779,
    0.10392373657681724,
    2.7206261904844427,
)


def floating(x) -> jax.Array:
    """`x` as floats; integers become float32."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float32)


def polynomial(x: jax.Array, coefficients: tuple[float, ...]) -> jax.Array:
    """The polynomial with these coefficients, that of the highest power first, at every entry of `x`."""
    return jnp.polyval(jnp.array(coefficients, x.dtype), x, unroll=16)


def fraction(x: jax.Array, top: tuple[float, ...], bottom: tuple[float, ...]) -> jax.Array:
    """One polynomial divided by another."""
    return polynomial(x, top) / polynomial(x, bottom)


def chebyshev_series(x: jax.Array, coefficients: tuple[float, ...]) -> jax.Array:
    """The Chebyshev series in `x / 2`, `x` in -2..2, the constant term last and halved."""

    def step(state: tuple, coefficient: jax.Array) -> tuple:
        newest, newer, _ = state
        return (x * newest - newer + coefficient, newest, newer), None

    zero = jnp.zeros_like(x)
    newest, _, oldest = jax.lax.scan(step, (zero, zero, zero), jnp.array(coefficients, x.dtype))[0]
    return (newest - oldest) / 2


def far_factors(x: jax.Array, order: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """What multiplies cosine and sine of the angle in J and Y of order 0 or 1 beyond 5, and the angle."""
    square = 25 / (x * x)
    tables = (
        (J0_COSINE_TOP, J0_COSINE_BOTTOM, J0_SINE_TOP, J0_SINE_BOTTOM),
        (J1_COSINE_TOP, J1_COSINE_BOTTOM, J1_SINE_TOP, J1_SINE_BOTTOM),
    )[order]
    scale = ROOT_TWO_OVER_PI / jnp.sqrt(x)
    cosine = fraction(square, *tables[:2]) * scale
    sine = 5 / x * fraction(square, *tables[2:]) * scale
    return cosine, sine, x - (0.25 + 0.5 * order) * jnp.pi


def bessel_j0(x) -> jax.Array:
    """The Bessel function of the first kind of order 0."""
    x = jnp.abs(floating(x))
    square = x * x
    near = (square - 5.783185962946785) * (square - 30.471262343662087) * fraction(square, J0_NEAR_TOP, J0_NEAR_BOTTOM)
    cosine, sine, angle = far_factors(x, 0)
    far = cosine * jnp.cos(angle) - sine * jnp.sin(angle)
    return jnp.where(x <= 5, jnp.where(x < 1e-5, 1 - square / 4, near), far)


def bessel_j1(x) -> jax.Array:
    """The Bessel function of the first kind of order 1."""
    x = floating(x)
    size, square = jnp.abs(x), x * x
    near = fraction(square, J1_NEAR_TOP, J1_NEAR_BOTTOM) * size
    near = near * (square - 14.681970642123893) * (square - 49.21845632169460)
    cosine, sine, angle = far_factors(size, 1)
    far = cosine * jnp.cos(angle) - sine * jnp.sin(angle)
    return jnp.sign(x) * jnp.where(size <= 5, near, far)


def bessel_y0(x) -> jax.Array:
    """The Bessel function of the second kind of order 0; NaN for negative numbers."""
    x = floating(x)
    near = fraction(x * x, Y0_NEAR_TOP, Y0_NEAR_BOTTOM) + TWO_OVER_PI * jnp.log(x) * bessel_j0(x)
    cosine, sine, angle = far_factors(x, 0)
    far = cosine * jnp.sin(angle) + sine * jnp.cos(angle)
    return jnp.where(x <= 5, jnp.where(x == 0, -jnp.inf, near), far)


def bessel_y1(x) -> jax.Array:
    """The Bessel function of the second kind of order 1; NaN for negative numbers."""
    x = floating(x)
    near = x * fraction(x * x, Y1_NEAR_TOP, Y1_NEAR_BOTTOM)
    near = near + TWO_OVER_PI * (bessel_j1(x) * jnp.log(x) - 1 / x)
    cosine, sine, angle = far_factors(x, 1)
    far = cosine * jnp.sin(angle) + sine * jnp.cos(angle)
    return jnp.where(x <= 5, jnp.where(x == 0, -jnp.inf, near), far)


def scaled_bessel_k0(x) -> jax.Array:
    """`exp(x)` times the modified Bessel function of the second kind of order 0; NaN for negative numbers."""
    x = floating(x)
    near = chebyshev_series(x * x - 2, K0_NEAR) - jnp.log(0.5 * x) * jax.scipy.special.i0(x)
    far = chebyshev_series(8 / x - 2, K0_FAR) / jnp.sqrt(x)
    return jnp.where(x == 0, jnp.inf, jnp.where(x <= 2, near * jnp.exp(x), far))


def scaled_bessel_k1(x) -> jax.Array:
    """`exp(x)` times the modified Bessel function of the second kind of order 1; NaN for negative numbers."""
    x = floating(x)
    near = chebyshev_series(x * x - 2, K1_NEAR) / x + jnp.log(0.5 * x) * jax.scipy.special.i1(x)
    far = chebyshev_series(8 / x - 2, K1_FAR) / jnp.sqrt(x)
    return jnp.where(x == 0, jnp.inf, jnp.where(x <= 2, near * jnp.exp(x), far))


def bessel_k0(x) -> jax.Array:
    """The modified Bessel function of the second kind of order 0; NaN for negative numbers."""
    return scaled_bessel_k0(x) * jnp.exp(-floating(x))


def bessel_k1(x) -> jax.Array:
    """The modified Bessel function of the second kind of order 1; NaN for negative numbers."""
    return scaled_bessel_k1(x) * jnp.exp(-floating(x))


def spherical_bessel_j0(x) -> jax.Array:
    """`sin(x) / x`; 1 at zero and 0 at infinity."""
    x = floating(x)
    regular = (x != 0) & ~jnp.isinf(x)
    value = jnp.where(regular, x, 1)
    return jnp.where(regular, jnp.sin(value) / value, jnp.where(x == 0, 1, 0))
