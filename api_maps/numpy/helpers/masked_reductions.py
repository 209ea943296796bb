"""Reductions and normalisations over the entries where a boolean mask holds, as `torch.masked` defines them.

`mask` broadcasts to `x`; None means that all entries take part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.special

from .activations import log_softmax, softmax
from .distances import norm
from .scatter import extreme_value
from .sorting import nanmedian_with_indices


def masked_values(x, mask, value) -> np.ndarray:
    """`x` with `value` where `mask` does not hold."""
    x = np.asarray(x)
    return x if mask is None else np.where(mask, x, np.asarray(value).astype(x.dtype))


def masked_axes(x, axis: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    """An empty sequence of axes means all of them, as in torch; a 0-d array has none to name."""
    if axis is None or np.ndim(x) == 0:
        return None
    return axis if isinstance(axis, int) else tuple(axis) or None


def over_one_axis(function: Callable[..., np.ndarray], x: np.ndarray, axis: int) -> np.ndarray:
    """`function(x, axis)`; a 0-d array counts as one entry."""
    return function(np.atleast_1d(x), axis).reshape(x.shape)


def masked_sum(x, axis=None, keepdims: bool = False, dtype=None, mask=None) -> np.ndarray:
    """The sum of the entries that take part."""
    return np.sum(masked_values(x, mask, 0), masked_axes(x, axis), dtype=dtype, keepdims=keepdims)


def masked_prod(x, axis=None, keepdims: bool = False, dtype=None, mask=None) -> np.ndarray:
    """The product of the entries that take part."""
    return np.prod(masked_values(x, mask, 1), masked_axes(x, axis), dtype=dtype, keepdims=keepdims)


def masked_cumsum(x, axis: int, dtype=None, mask=None) -> np.ndarray:
    """The running sum; entries that take no part count as 0."""
    return over_one_axis(np.cumsum, masked_values(np.asarray(x, dtype), mask, 0), axis)


def masked_cumprod(x, axis: int, dtype=None, mask=None) -> np.ndarray:
    """The running product; entries that take no part count as 1."""
    return over_one_axis(np.cumprod, masked_values(np.asarray(x, dtype), mask, 1), axis)


def masked_amax(x, axis=None, keepdims: bool = False, mask=None) -> np.ndarray:
    """The largest entry that takes part; where none does, the smallest value of the element type."""
    return np.max(
        masked_values(x, mask, extreme_value(np.result_type(x), False)), masked_axes(x, axis), keepdims=keepdims
    )


def masked_amin(x, axis=None, keepdims: bool = False, mask=None) -> np.ndarray:
    """The smallest entry that takes part; where none does, the largest value of the element type."""
    return np.min(
        masked_values(x, mask, extreme_value(np.result_type(x), True)), masked_axes(x, axis), keepdims=keepdims
    )


def masked_argmax(x, axis: int | None = None, keepdims: bool = False, mask=None) -> np.ndarray:
    """Where the largest entry is that takes part. As in torch the index has the element type of `x`."""
    values = masked_values(x, mask, extreme_value(np.result_type(x), False))
    return np.argmax(values, masked_axes(x, axis), keepdims=keepdims).astype(values.dtype)


def masked_argmin(x, axis: int | None = None, keepdims: bool = False, mask=None) -> np.ndarray:
    """Where the smallest entry is that takes part. As in torch the index has the element type of `x`."""
    values = masked_values(x, mask, extreme_value(np.result_type(x), True))
    return np.argmin(values, masked_axes(x, axis), keepdims=keepdims).astype(values.dtype)


def masked_count(x, axis, keepdims: bool, mask) -> np.ndarray:
    """How many entries take part."""
    taking_part = np.broadcast_to(True if mask is None else mask, np.shape(x))
    return np.sum(taking_part, masked_axes(x, axis), keepdims=keepdims)


def masked_mean(x, axis=None, keepdims: bool = False, dtype=None, mask=None) -> np.ndarray:
    """The mean of the entries that take part; NaN where there are none."""
    total = masked_sum(x, axis, keepdims, dtype, mask)
    count = masked_count(x, axis, keepdims, mask)
    return total / (count.astype(total.real.dtype) if total.dtype.kind in "fc" else count)


def masked_var(x, axis=None, unbiased: bool | None = None, *, correction=None, keepdims: bool = False, dtype=None, mask=None) -> np.ndarray:  # fmt: skip
    """The variance of the entries that take part, divided by their number less `correction` (1 by default)."""
    if correction is None:
        correction = 0 if unbiased is False else 1
    x = np.asarray(x)
    values = x.astype(dtype or np.promote_types(x.dtype, np.float32))
    difference = values - masked_mean(values, axis, True, mask=mask)
    total = masked_sum(difference * difference.conj(), axis, keepdims, mask=mask)
    return total / np.maximum(masked_count(x, axis, keepdims, mask) - correction, 0).astype(total.real.dtype)


def masked_std(x, axis=None, unbiased: bool | None = None, *, correction=None, keepdims: bool = False, dtype=None, mask=None) -> np.ndarray:  # fmt: skip
    """The standard deviation of the entries that take part."""
    return np.sqrt(masked_var(x, axis, unbiased, correction=correction, keepdims=keepdims, dtype=dtype, mask=mask))


def masked_median(x, axis: int = -1, keepdims: bool = False, mask=None) -> np.ndarray:
    """The lower median of the entries that take part; NaN where there are none, so that integers become floats."""
    x = np.asarray(x)
    values = masked_values(x.astype(np.promote_types(x.dtype, np.float32)), mask, np.nan)
    return nanmedian_with_indices(values, axis, keepdims).values.astype(x.dtype)


def masked_norm(x, ord=2.0, axis=None, keepdims: bool = False, dtype=None, mask=None) -> np.ndarray:
    """The `ord`-norm of the entries that take part."""
    values = masked_values(np.asarray(x, dtype), mask, np.inf if ord == -np.inf else 0)
    return norm(values, ord, masked_axes(x, axis), keepdims)


def masked_logsumexp(x, axis=None, keepdims: bool = False, mask=None) -> np.ndarray:
    """`log(sum(exp(x)))` of the entries that take part, in the element type of `x`."""
    values = masked_values(x, mask, extreme_value(np.result_type(x), False))
    return scipy.special.logsumexp(values, masked_axes(x, axis), keepdims=keepdims).astype(values.dtype)


def masked_logaddexp(x1, x2, mask1=None, mask2=None) -> np.ndarray:
    """`log(exp(x1) + exp(x2))`, each where its mask holds."""
    return np.logaddexp(masked_values(x1, mask1, -np.inf), masked_values(x2, mask2, -np.inf))


def masked_softmax(x, axis: int, dtype=None, mask=None) -> np.ndarray:
    """The softmax over the entries that take part, 0 elsewhere; NaN where there are none."""
    return over_one_axis(softmax, masked_values(np.asarray(x, dtype), mask, -np.inf), axis)


def masked_log_softmax(x, axis: int, dtype=None, mask=None) -> np.ndarray:
    """The logarithm of `masked_softmax`."""
    return over_one_axis(log_softmax, masked_values(np.asarray(x, dtype), mask, -np.inf), axis)


def masked_softmin(x, axis: int, dtype=None, mask=None) -> np.ndarray:
    """The softmax of `-x` over the entries that take part."""
    return over_one_axis(softmax, -masked_values(np.asarray(x, dtype), mask, np.inf), axis)


def masked_normalize(x, ord, axis: int, eps: float = 1e-12, dtype=None, mask=None) -> np.ndarray:
    """The entries that take part divided by their `ord`-norm along `axis`, or by `eps` where that is smaller."""
    length = masked_norm(x, ord, axis, True, dtype, mask)
    return masked_values(x, mask, 0) / np.maximum(length, eps)
