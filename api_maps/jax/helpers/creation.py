"""Windows and grids that `jax.numpy` has not, or has in another form than torch."""

import jax
import jax.numpy as jnp


def cosine_window(n: int, periodic: bool, coefficients: tuple[float, ...], dtype=None) -> jax.Array:
    """`sum_k (-1)^k a_k cos(2 pi k i / m)` for i in 0..n-1, with m = n if periodic, else n - 1; `[n]`."""
    dtype = jnp.float32 if dtype is None else dtype
    if n == 1:
        return jnp.ones(1, dtype)
    angle = 2 * jnp.pi * jnp.arange(n) / (n if periodic else n - 1)
    window = sum((-1) ** k * a * jnp.cos(k * angle) for k, a in enumerate(coefficients))
    return jnp.asarray(window, dtype)


def hann_window(n: int, periodic: bool = True, dtype=None) -> jax.Array:
    """The Hann window of `n` samples."""
    return cosine_window(n, periodic, (0.5, 0.5), dtype)


def hamming_window(n: int, periodic: bool = True, dtype=None) -> jax.Array:
    """The Hamming window of `n` samples."""
    return cosine_window(n, periodic, (0.54, 0.46), dtype)


def blackman_window(n: int, periodic: bool = True, dtype=None) -> jax.Array:
    """The Blackman window of `n` samples."""
    return cosine_window(n, periodic, (0.42, 0.5, 0.08), dtype)


def bartlett_window(n: int, periodic: bool = True, dtype=None) -> jax.Array:
    """The triangular window of `n` samples."""
    dtype = jnp.float32 if dtype is None else dtype
    if n == 1:
        return jnp.ones(1, dtype)
    position = 2 * jnp.arange(n) / (n if periodic else n - 1)
    return jnp.asarray(jnp.where(position <= 1, position, 2 - position), dtype)


def cartesian_prod(*arrays) -> jax.Array:
    """Every combination of the entries of 1-D arrays, the last varying fastest; `[product of sizes, arrays]`."""
    if len(arrays) == 1:
        return jnp.asarray(arrays[0])
    return jnp.stack([grid.ravel() for grid in jnp.meshgrid(*arrays, indexing="ij")], axis=-1)


def general_cosine_window(n: int, coefficients, periodic: bool = True, dtype=None) -> jax.Array:
    """The window of `n` samples that is a sum of cosines with these coefficients, signs alternating."""
    return cosine_window(n, periodic, tuple(coefficients), dtype)


def general_hamming_window(n: int, alpha: float = 0.54, periodic: bool = True, dtype=None) -> jax.Array:
    """The Hamming window of `n` samples with another share `alpha` of the constant."""
    return cosine_window(n, periodic, (alpha, 1 - alpha), dtype)


def nuttall_window(n: int, periodic: bool = True, dtype=None) -> jax.Array:
    """The minimum 4-term Blackman-Harris window, after Nuttall, of `n` samples."""
    return cosine_window(n, periodic, (0.3635819, 0.4891775, 0.1365995, 0.0106411), dtype)


def sine_window(n: int, periodic: bool = True, dtype=None) -> jax.Array:
    """Half a period of a sine: `n` samples."""
    length = n + 1 if periodic and n > 1 else n
    return jnp.asarray(jnp.sin((jnp.arange(n) + 0.5) * jnp.pi / length), dtype or jnp.float32)


def gaussian_window(n: int, std: float = 1.0, periodic: bool = True, dtype=None) -> jax.Array:
    """The Gaussian window of `n` samples with standard deviation `std`."""
    middle = (n if periodic and n > 1 else n - 1) / 2
    return jnp.asarray(jnp.exp(-(((jnp.arange(n) - middle) / std) ** 2) / 2), dtype or jnp.float32)


def exponential_window(n: int, center=None, tau: float = 1.0, periodic: bool = True, dtype=None) -> jax.Array:
    """The window of `n` samples that decays from `center` (None: the middle) by a factor e every `tau` samples."""
    middle = (n if periodic and n > 1 else n - 1) / 2 if center is None else center
    return jnp.asarray(jnp.exp(-jnp.abs(jnp.arange(n) - middle) / tau), dtype or jnp.float32)


def kaiser_window(n: int, periodic: bool = True, beta: float = 12.0, dtype=None) -> jax.Array:
    """The Kaiser window of `n` samples with shape `beta`."""
    dtype = dtype or jnp.float32
    if n <= 1:
        return jnp.ones(n, dtype)
    position = 2 * jnp.arange(n) / (n if periodic else n - 1) - 1
    arch = jax.scipy.special.i0(beta * jnp.sqrt(jnp.clip(1 - position**2, 0)))
    return jnp.asarray(arch / jax.scipy.special.i0(float(beta)), dtype)
