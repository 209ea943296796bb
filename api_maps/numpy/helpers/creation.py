"""Grids that NumPy has in another form than torch."""

import numpy as np


def cartesian_prod(*arrays) -> np.ndarray:
    """Every combination of the entries of 1-D arrays, the last varying fastest; `[product of sizes, arrays]`."""
    if len(arrays) == 1:
        return np.asarray(arrays[0])
    return np.stack([grid.ravel() for grid in np.meshgrid(*arrays, indexing="ij")], axis=-1)


def linspace(start, stop, num: int, dtype=np.float32) -> np.ndarray:
    """`num` numbers from `start` to `stop`; for an integer `dtype` between whole bounds, rounded towards zero."""
    if np.issubdtype(dtype, np.integer):
        start, stop = int(start), int(stop)
    return np.linspace(start, stop, num).astype(dtype)


def vander(x, N: int | None = None, increasing: bool = False) -> np.ndarray:
    """Powers of `x` `[...]` along a new last axis of length `N` (its own last length by default), falling by default."""
    x = np.atleast_1d(x)
    powers = np.arange(x.shape[-1] if N is None else N)
    return x[..., None] ** (powers if increasing else powers[::-1]).astype(x.dtype)


def cosine_window(n: int, periodic: bool, coefficients: tuple[float, ...], dtype=None) -> np.ndarray:
    """`sum_k (-1)^k a_k cos(2 pi k i / m)` for i in 0..n-1, with m = n if periodic, else n - 1; `[n]`."""
    dtype = np.float32 if dtype is None else dtype
    if n == 1:
        return np.ones(1, dtype)
    angle = 2 * np.pi * np.arange(n) / (n if periodic else n - 1)
    window = sum((-1) ** k * a * np.cos(k * angle) for k, a in enumerate(coefficients))
    return np.asarray(window, dtype)


def hann_window(n: int, periodic: bool = True, dtype=None) -> np.ndarray:
    """The Hann window of `n` samples."""
    return cosine_window(n, periodic, (0.5, 0.5), dtype)


def hamming_window(n: int, periodic: bool = True, dtype=None) -> np.ndarray:
    """The Hamming window of `n` samples."""
    return cosine_window(n, periodic, (0.54, 0.46), dtype)


def blackman_window(n: int, periodic: bool = True, dtype=None) -> np.ndarray:
    """The Blackman window of `n` samples."""
    return cosine_window(n, periodic, (0.42, 0.5, 0.08), dtype)


def bartlett_window(n: int, periodic: bool = True, dtype=None) -> np.ndarray:
    """The triangular window of `n` samples."""
    dtype = np.float32 if dtype is None else dtype
    if n == 1:
        return np.ones(1, dtype)
    position = 2 * np.arange(n) / (n if periodic else n - 1)
    return np.asarray(np.where(position <= 1, position, 2 - position), dtype)
