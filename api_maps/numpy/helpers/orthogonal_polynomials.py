"""Orthogonal polynomials by their recurrences: `f(x, n)` for every entry, degrees rounded towards zero; 0 for n < 0."""

from collections.abc import Callable

import numpy as np


def by_recurrence(x, n, first: Callable, following: Callable) -> np.ndarray:
    """The polynomial of degree `n` at `x`, broadcast: 1, `first(x)`, then `following(k, x, p_k, p_{k-1})` is p_{k+1}.

    There are as many steps as the largest degree, each for all entries at once.
    """
    dtype = np.result_type(x, n)
    dtype = dtype if np.issubdtype(dtype, np.floating) else np.dtype(np.float32)
    x, degrees = np.broadcast_arrays(np.asarray(x, dtype), np.trunc(n).astype(np.int64))
    before, current = np.ones_like(x), first(x)
    result = np.where(degrees == 0, before, np.where(degrees == 1, current, 0)).astype(dtype)
    for k in range(1, int(degrees.max(initial=1))):
        before, current = current, following(k, x, current, before)
        result = np.where(degrees == k + 1, current, result)
    return result


def doubling(k: int, x: np.ndarray, current: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The recurrence that all four kinds of Chebyshev polynomials share."""
    return 2 * x * current - before


def chebyshev_polynomial_t(x, n) -> np.ndarray:
    """The Chebyshev polynomial of the first kind."""
    return by_recurrence(x, n, lambda x: x, doubling)


def chebyshev_polynomial_u(x, n) -> np.ndarray:
    """The Chebyshev polynomial of the second kind."""
    return by_recurrence(x, n, lambda x: 2 * x, doubling)


def chebyshev_polynomial_v(x, n) -> np.ndarray:
    """The Chebyshev polynomial of the third kind."""
    return by_recurrence(x, n, lambda x: 2 * x - 1, doubling)


def chebyshev_polynomial_w(x, n) -> np.ndarray:
    """The Chebyshev polynomial of the fourth kind."""
    return by_recurrence(x, n, lambda x: 2 * x + 1, doubling)


def hermite_polynomial_h(x, n) -> np.ndarray:
    """The physicist's Hermite polynomial."""
    return by_recurrence(x, n, lambda x: 2 * x, lambda k, x, current, before: 2 * (x * current - k * before))


def hermite_polynomial_he(x, n) -> np.ndarray:
    """The probabilist's Hermite polynomial."""
    return by_recurrence(x, n, lambda x: x, lambda k, x, current, before: x * current - k * before)


def laguerre_polynomial_l(x, n) -> np.ndarray:
    """The Laguerre polynomial."""
    return by_recurrence(
        x, n, lambda x: 1 - x, lambda k, x, current, before: ((2 * k + 1 - x) * current - k * before) / (k + 1)
    )


def legendre_polynomial_p(x, n) -> np.ndarray:
    """The Legendre polynomial."""
    return by_recurrence(
        x, n, lambda x: x, lambda k, x, current, before: ((2 * k + 1) * x * current - k * before) / (k + 1)
    )
