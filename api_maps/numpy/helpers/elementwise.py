"""Elementwise functions where NumPy has another value than torch."""

import math

import numpy as np
import scipy.special


def lerp(x1, x2, weight) -> np.ndarray:
    """`x1 + weight * (x2 - x1)`, computed from the nearer end, so that weight 1 gives `x2` exactly."""
    difference = np.subtract(x2, x1)
    return np.where(np.abs(weight) < 0.5, x1 + weight * difference, x2 - difference * (1 - weight))


def divide_rounding(x1, x2, rounding_mode: str | None = None) -> np.ndarray:
    """`x1 / x2`, with `rounding_mode` 'trunc' rounded towards zero, with 'floor' downwards; integers stay integers."""
    if rounding_mode is None:
        return np.divide(x1, x2)
    if rounding_mode == "floor":
        return np.floor_divide(x1, x2)
    if rounding_mode != "trunc":
        raise ValueError(f"divide_rounding: rounding_mode must be None, 'trunc' or 'floor', not {rounding_mode!r}")
    if np.result_type(x1, x2).kind in "iu":
        quotient = np.floor_divide(x1, x2)
        return quotient + ((np.remainder(x1, x2) != 0) & (quotient < 0))
    return np.trunc(np.divide(x1, x2))


def ldexp(x1, x2) -> np.ndarray:
    """`x1 * 2 ** x2`; unlike `np.ldexp` also for exponents that are no integers."""
    x2 = np.asarray(x2)
    return np.ldexp(x1, x2) if x2.dtype.kind in "iub" else np.multiply(x1, np.exp2(x2))


def heaviside(x1, x2) -> np.ndarray:
    """0 below zero, `x2` at zero, 1 above; in the dtype of the arguments, integers too."""
    return np.heaviside(x1, x2).astype(np.result_type(x1, x2))


def multigammaln(x, p: int) -> np.ndarray:
    """The logarithm of the multivariate gamma function of dimension `p`."""
    x = np.asarray(x)
    terms = scipy.special.gammaln(x[..., None] - np.arange(p, dtype=np.float32) / 2)
    return terms.sum(-1) + p * (p - 1) / 4 * math.log(math.pi)


def integer_power(x1, x2) -> np.ndarray:
    """`x1 ** x2` of integers; a negative power is rounded towards zero, which leaves 1, -1 or 0."""
    x1, x2 = np.asarray(x1), np.asarray(x2)
    if not np.issubdtype(np.result_type(x1, x2), np.integer):
        return np.power(x1, x2)
    return np.where((x2 < 0) & (np.abs(x1) != 1), 0, np.power(x1, np.abs(x2)))
