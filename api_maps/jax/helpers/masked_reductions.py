"""Reductions and normalisations over the entries where a boolean mask holds, as `torch.masked` defines them.

`mask` broadcasts to `x`; None means that all entries take part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from .reductions import nanmedian, norm
from .scatter import extreme_value


def masked_values(x, mask, value) -> jax.Array:
    """`x` with `value` where `mask` does not hold."""
    x = jnp.asarray(x)
    return x if mask is None else jnp.where(mask, x, jnp.asarray(value).astype(x.dtype))


def masked_axes(x, axis: int | Sequence[int] | None) -> int | tuple[int, ...] | None:
    """An empty sequence of axes means all of them, as in torch; a 0-d array has none to name."""
    if axis is None or jnp.ndim(x) == 0:
        return None
    return axis if isinstance(axis, int) else tuple(axis) or None


def over_one_axis(function: Callable[..., jax.Array], x: jax.Array, axis: int) -> jax.Array:
    """`function(x, axis)`; a 0-d array counts as one entry."""
    return function(jnp.atleast_1d(x), axis).reshape(x.shape)


def masked_sum(x, axis=None, keepdims: bool = False, dtype=None, mask=None) -> jax.Array:
    """The sum of the entries that take part."""
    return jnp.sum(masked_values(x, mask, 0), masked_axes(x, axis), dtype=dtype, keepdims=keepdims)


def masked_prod(x, axis=None, keepdims: bool = False, dtype=None, mask=None) -> jax.Array:
    """The product of the entries that take part."""
    return jnp.prod(masked_values(x, mask, 1), masked_axes(x, axis), dtype=dtype, keepdims=keepdims)


def masked_cumsum(x, axis: int, dtype=None, mask=None) -> jax.Array:
    """The running sum; entries that take no part count as 0."""
    return over_one_axis(jnp.cumsum, masked_values(jnp.asarray(x, dtype), mask, 0), axis)


def masked_cumprod(x, axis: int, dtype=None, mask=None) -> jax.Array:
    """The running product; entries that take no part count as 1."""
    return over_one_axis(jnp.cumprod, masked_values(jnp.asarray(x, dtype), mask, 1), axis)


def masked_amax(x, axis=None, keepdims: bool = False, mask=None) -> jax.Array:
    """The largest entry that takes part; where none does, the smallest value of the element type."""
    return jnp.max(
        masked_values(x, mask, extreme_value(jnp.result_type(x), False)), masked_axes(x, axis), keepdims=keepdims
    )


def masked_amin(x, axis=None, keepdims: bool = False, mask=None) -> jax.Array:
    """The smallest entry that takes part; where none does, the largest value of the element type."""
    return jnp.min(
        masked_values(x, mask, extreme_value(jnp.result_type(x), True)), masked_axes(x, axis), keepdims=keepdims
    )


def masked_argmax(x, axis: int | None = None, keepdims: bool = False, mask=None) -> jax.Array:
    """Where the largest entry is that takes part. As in torch the index has the element type of `x`."""
    values = masked_values(x, mask, extreme_value(jnp.result_type(x), False))
    return jnp.argmax(values, masked_axes(x, axis), keepdims=keepdims).astype(values.dtype)


def masked_argmin(x, axis: int | None = None, keepdims: bool = False, mask=None) -> jax.Array:
    """Where the smallest entry is that takes part. As in torch the index has the element type of `x`."""
    values = masked_values(x, mask, extreme_value(jnp.result_type(x), True))
    return jnp.argmin(values, masked_axes(x, axis), keepdims=keepdims).astype(values.dtype)


def masked_count(x, axis, keepdims: bool, mask) -> jax.Array:
    """How many entries take part."""
    taking_part = jnp.broadcast_to(True if mask is None else mask, jnp.shape(x))
    return jnp.sum(taking_part, masked_axes(x, axis), keepdims=keepdims)


def masked_mean(x, axis=None, keepdims: bool = False, dtype=None, mask=None) -> jax.Array:
    """The mean of the entries that take part; NaN where there are none."""
    return masked_sum(x, axis, keepdims, dtype, mask) / masked_count(x, axis, keepdims, mask)


def masked_var(x, axis=None, unbiased: bool | None = None, *, correction=None, keepdims: bool = False, dtype=None, mask=None) -> jax.Array:  # fmt: skip
    """The variance of the entries that take part, divided by their number less `correction` (1 by default)."""
    if correction is None:
        correction = 0 if unbiased is False else 1
    x = jnp.asarray(x)
    values = x.astype(dtype or jnp.promote_types(x.dtype, jnp.float32))
    difference = values - masked_mean(values, axis, True, mask=mask)
    total = masked_sum(difference * difference.conj(), axis, keepdims, mask=mask)
    return total / jnp.maximum(masked_count(x, axis, keepdims, mask) - correction, 0).astype(total.real.dtype)


def masked_std(x, axis=None, unbiased: bool | None = None, *, correction=None, keepdims: bool = False, dtype=None, mask=None) -> jax.Array:  # fmt: skip
    """The standard deviation of the entries that take part."""
    return jnp.sqrt(masked_var(x, axis, unbiased, correction=correction, keepdims=keepdims, dtype=dtype, mask=mask))


def masked_median(x, axis: int = -1, keepdims: bool = False, mask=None) -> jax.Array:
    """The lower median of the entries that take part; NaN where there are none, so that integers become floats."""
    x = jnp.asarray(x)
    values = masked_values(x.astype(jnp.promote_types(x.dtype, jnp.float32)), mask, jnp.nan)
    return nanmedian(values, axis, keepdims)[0].astype(x.dtype)


def masked_norm(x, ord=2.0, axis=None, keepdims: bool = False, dtype=None, mask=None) -> jax.Array:
    """The `ord`-norm of the entries that take part."""
    values = masked_values(jnp.asarray(x, dtype), mask, jnp.inf if ord == -jnp.inf else 0)
    return norm(values, ord, masked_axes(x, axis), keepdims)


def masked_logsumexp(x, axis=None, keepdims: bool = False, mask=None) -> jax.Array:
    """`log(sum(exp(x)))` of the entries that take part, in the element type of `x`."""
    values = masked_values(x, mask, extreme_value(jnp.result_type(x), False))
    return jax.nn.logsumexp(values, masked_axes(x, axis), keepdims=keepdims).astype(values.dtype)


def masked_logaddexp(x1, x2, mask1=None, mask2=None) -> jax.Array:
    """`log(exp(x1) + exp(x2))`, each where its mask holds."""
    return jnp.logaddexp(masked_values(x1, mask1, -jnp.inf), masked_values(x2, mask2, -jnp.inf))


def masked_softmax(x, axis: int, dtype=None, mask=None) -> jax.Array:
    """The softmax over the entries that take part, 0 elsewhere; NaN where there are none."""
    return over_one_axis(jax.nn.softmax, masked_values(jnp.asarray(x, dtype), mask, -jnp.inf), axis)


def masked_log_softmax(x, axis: int, dtype=None, mask=None) -> jax.Array:
    """The logarithm of `masked_softmax`."""
    return over_one_axis(jax.nn.log_softmax, masked_values(jnp.asarray(x, dtype), mask, -jnp.inf), axis)


def masked_softmin(x, axis: int, dtype=None, mask=None) -> jax.Array:
    """The softmax of `-x` over the entries that take part."""
    return over_one_axis(jax.nn.softmax, -masked_values(jnp.asarray(x, dtype), mask, jnp.inf), axis)


def masked_normalize(x, ord, axis: int, eps: float = 1e-12, dtype=None, mask=None) -> jax.Array:
    """The entries that take part divided by their `ord`-norm along `axis`, or by `eps` where that is smaller."""
    length = masked_norm(x, ord, axis, True, dtype, mask)
    return masked_values(x, mask, 0) / jnp.maximum(length, eps)
