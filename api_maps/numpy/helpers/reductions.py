"""Reductions with torch's choice of value and index."""

from typing import NamedTuple

import numpy as np
import scipy.special

from .sorting import ValuesIndices


class MinMax(NamedTuple):
    """Smallest and largest values."""

    min: np.ndarray
    max: np.ndarray


def max_with_indices(x, axis: int, keepdims: bool = False) -> ValuesIndices:
    """Largest values along `axis` and where the first of them stands."""
    return ValuesIndices(np.max(x, axis, keepdims=keepdims), np.argmax(x, axis, keepdims=keepdims))


def min_with_indices(x, axis: int, keepdims: bool = False) -> ValuesIndices:
    """Smallest values along `axis` and where the first of them stands."""
    return ValuesIndices(np.min(x, axis, keepdims=keepdims), np.argmin(x, axis, keepdims=keepdims))


def aminmax(x, axis: int | None = None, keepdims: bool = False) -> MinMax:
    """Smallest and largest values."""
    return MinMax(np.min(x, axis, keepdims=keepdims), np.max(x, axis, keepdims=keepdims))


def std_mean(x, axis=None, correction=0, keepdims: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Standard deviation, divided by `n - correction`, and mean."""
    return np.std(x, axis, ddof=correction, keepdims=keepdims), np.mean(x, axis, keepdims=keepdims)


def var_mean(x, axis=None, correction=0, keepdims: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Variance, divided by `n - correction`, and mean."""
    return np.var(x, axis, ddof=correction, keepdims=keepdims), np.mean(x, axis, keepdims=keepdims)


def median(x) -> np.ndarray:
    """The median, the **lower** of the two middle values for an even number."""
    x = np.asarray(x)
    return np.sort(x, axis=None)[(x.size - 1) // 2]


def logsumexp(x, axis, keepdims: bool = False) -> np.ndarray:
    """`log(sum(exp(x)))` along axes, without overflow."""
    x = np.asarray(x)
    if x.ndim == 0:
        return x.astype(np.result_type(x, np.float32))
    return scipy.special.logsumexp(x, axis, keepdims=keepdims)


def logcumsumexp(x, axis: int) -> np.ndarray:
    """`log(cumsum(exp(x)))` along `axis`, without overflow."""
    x = np.asarray(x)
    if np.iscomplexobj(x) and x.ndim and x.size:
        largest = np.max(x.real)
        return np.log(np.cumsum(np.exp(x - largest), axis)) + largest
    return np.logaddexp.accumulate(x, axis) if x.ndim else x.copy()


def cov(x, correction: int = 1, fweights=None, aweights=None) -> np.ndarray:
    """The covariances of the rows of `x` `[variables, samples]`, in its precision.

    fweights: how often each sample counts; aweights: how important each is, both `[samples]`.
    """
    dtype = np.result_type(x, np.float32)
    return np.cov(x, ddof=correction, fweights=fweights, aweights=aweights, dtype=dtype)


def corrcoef(x) -> np.ndarray:
    """The correlations of the rows of `x` `[variables, samples]`, in its precision."""
    return np.corrcoef(x, dtype=np.result_type(x, np.float32))
