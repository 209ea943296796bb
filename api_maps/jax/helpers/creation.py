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
