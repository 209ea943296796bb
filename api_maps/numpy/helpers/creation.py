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


def general_cosine_window(n: int, coefficients, periodic: bool = True, dtype=None) -> np.ndarray:
    """The window of `n` samples that is a sum of cosines with these coefficients, signs alternating."""
    return cosine_window(n, periodic, tuple(coefficients), dtype)


def general_hamming_window(n: int, alpha: float = 0.54, periodic: bool = True, dtype=None) -> np.ndarray:
    """The Hamming window of `n` samples with another share `alpha` of the constant."""
    return cosine_window(n, periodic, (alpha, 1 - alpha), dtype)


def nuttall_window(n: int, periodic: bool = True, dtype=None) -> np.ndarray:
    """The minimum 4-term Blackman-Harris window, after Nuttall, of `n` samples."""
    return cosine_window(n, periodic, (0.3635819, 0.4891775, 0.1365995, 0.0106411), dtype)


def sine_window(n: int, periodic: bool = True, dtype=None) -> np.ndarray:
    """Half a period of a sine: `n` samples."""
    length = n + 1 if periodic and n > 1 else n
    return np.asarray(np.sin((np.arange(n) + 0.5) * np.pi / length), dtype or np.float32)


def gaussian_window(n: int, std: float = 1.0, periodic: bool = True, dtype=None) -> np.ndarray:
    """The Gaussian window of `n` samples with standard deviation `std`."""
    middle = (n if periodic and n > 1 else n - 1) / 2
    return np.asarray(np.exp(-(((np.arange(n) - middle) / std) ** 2) / 2), dtype or np.float32)


def exponential_window(n: int, center=None, tau: float = 1.0, periodic: bool = True, dtype=None) -> np.ndarray:
    """The window of `n` samples that decays from `center` (None: the middle) by a factor e every `tau` samples."""
    middle = (n if periodic and n > 1 else n - 1) / 2 if center is None else center
    return np.asarray(np.exp(-np.abs(np.arange(n) - middle) / tau), dtype or np.float32)


def kaiser_window(n: int, periodic: bool = True, beta: float = 12.0, dtype=None) -> np.ndarray:
    """The Kaiser window of `n` samples with shape `beta`."""
    dtype = dtype or np.float32
    if n <= 1:
        return np.ones(n, dtype)
    position = 2 * np.arange(n) / (n if periodic else n - 1) - 1
    arch = np.i0(beta * np.sqrt(np.maximum(1 - position**2, 0)))
    return np.asarray(arch / np.i0(float(beta)), dtype)
