"""Reductions with torch's result types and statistics."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf


class ValuesAndIndices(NamedTuple):
    """Two results, as torch names them."""

    values: tf.Tensor
    indices: tf.Tensor


def argmax(x: tf.Tensor, axis: int | None = None, keepdims: bool = False) -> tf.Tensor:
    """Index (int64) of the first largest element, along an axis or in the flattened tensor; NaN counts as largest."""
    return arg_extreme(x, axis, keepdims, tf.argmax, 1)


def argmin(x: tf.Tensor, axis: int | None = None, keepdims: bool = False) -> tf.Tensor:
    """Index (int64) of the first smallest element, along an axis or in the flattened tensor; NaN counts as smallest."""
    return arg_extreme(x, axis, keepdims, tf.argmin, -1)


def arg_extreme(x: tf.Tensor, axis: int | None, keepdims: bool, function: Any, sign: int) -> tf.Tensor:
    """`function` with NaN as the most extreme value, and keepdims."""
    rank = x.shape.rank
    if axis is None or rank == 0:
        flat = tf.reshape(x, [-1])
        index = arg_extreme(flat, 0, False, function, sign)
        return tf.reshape(index, [1] * rank) if keepdims else index
    if x.dtype.is_floating:
        missing = tf.math.is_nan(x)
        x = tf.where(tf.reduce_any(missing, axis, keepdims=True), tf.cast(missing, x.dtype) * sign, x)
    index = function(x, axis, output_type=tf.int64)
    return tf.expand_dims(index, axis) if keepdims else index


def max_with_indices(x: tf.Tensor, axis: int, keepdims: bool = False) -> ValuesAndIndices:
    """The largest elements along an axis and their indices; the gradient goes to the element at the index."""
    return picked(x, argmax(x, axis), axis, keepdims)


def min_with_indices(x: tf.Tensor, axis: int, keepdims: bool = False) -> ValuesAndIndices:
    """The smallest elements along an axis and their indices; the gradient goes to the element at the index."""
    return picked(x, argmin(x, axis), axis, keepdims)


def picked(x: tf.Tensor, index: tf.Tensor, axis: int, keepdims: bool) -> ValuesAndIndices:
    """The elements at `index` (x's shape without `axis`)."""
    if x.shape.rank == 0:
        return ValuesAndIndices(x, index)
    values = tf.gather(x, index, axis=axis, batch_dims=0) if x.shape.rank == 1 else pick_along(x, index, axis)
    return ValuesAndIndices(*(tf.expand_dims(part, axis) if keepdims else part for part in (values, index)))


def pick_along(x: tf.Tensor, index: tf.Tensor, axis: int) -> tf.Tensor:
    """One element along `axis` for each place of the other axes."""
    rank = x.shape.rank
    order = [each for each in range(rank) if each != axis % rank] + [axis % rank]
    return tf.gather(tf.transpose(x, order), index, batch_dims=rank - 1)


def all_true(x: tf.Tensor, axis: Any = None, keepdims: bool = False) -> tf.Tensor:
    """Whether all elements differ from zero."""
    x = tf.convert_to_tensor(x)
    return tf.reduce_all(x if x.dtype == tf.bool else tf.not_equal(x, tf.zeros((), x.dtype)), axis, keepdims)


def any_true(x: tf.Tensor, axis: Any = None, keepdims: bool = False) -> tf.Tensor:
    """Whether some element differs from zero."""
    x = tf.convert_to_tensor(x)
    return tf.reduce_any(x if x.dtype == tf.bool else tf.not_equal(x, tf.zeros((), x.dtype)), axis, keepdims)


def var(x: tf.Tensor, axis: Any = None, correction: float = 1, keepdims: bool = False) -> tf.Tensor:
    """Sum of squared deviations divided by n - correction."""
    deviation = x - tf.reduce_mean(x, axis, keepdims=True)
    total = tf.reduce_sum(tf.square(deviation), axis, keepdims=keepdims)
    count = tf.cast(tf.size(x), x.dtype) / tf.cast(tf.size(total), x.dtype)
    return total / tf.maximum(count - tf.cast(correction, x.dtype), tf.zeros((), x.dtype))


def std(x: tf.Tensor, axis: Any = None, correction: float = 1, keepdims: bool = False) -> tf.Tensor:
    """Square root of `var`; its gradient is 0 where the deviation is 0."""
    return safe_sqrt(var(x, axis, correction, keepdims))


def safe_sqrt(x: tf.Tensor) -> tf.Tensor:
    """Square root with the gradient 0 at 0."""
    positive = x != 0
    return tf.where(positive, tf.sqrt(tf.where(positive, x, tf.ones_like(x))), tf.zeros_like(x))


def cumulative_sum(x: tf.Tensor, axis: int, dtype: Any = None) -> tf.Tensor:
    """Running sum along an axis; booleans and small integers become int64."""
    return tf.cumsum(running_type(x, dtype), axis)


def cumulative_prod(x: tf.Tensor, axis: int, dtype: Any = None) -> tf.Tensor:
    """Running product along an axis; booleans and small integers become int64."""
    return tf.math.cumprod(running_type(x, dtype), axis)


def running_type(x: tf.Tensor, dtype: Any) -> tf.Tensor:
    """x in the type in which torch accumulates."""
    if dtype is None:
        dtype = x.dtype if x.dtype.is_floating or x.dtype.is_complex else tf.int64
    return tf.cast(x, dtype)


def norm(x: tf.Tensor, ord: Any = "fro", axis: Any = None, keepdims: bool = False) -> tf.Tensor:
    """Vector norm over an axis (or over all elements), of order 2 ('fro'), 1 or infinity; gradient 0 at zero."""
    return vector_norm(x, 2 if ord in ("fro", None) else ord, axis, keepdims)


def vector_norm(x: tf.Tensor, ord: Any = 2, axis: Any = None, keepdims: bool = False) -> tf.Tensor:
    """The norm of order `ord` of the elements along an axis; gradient 0 at a zero vector for order 2."""
    if ord == 2:
        return safe_sqrt(tf.reduce_sum(tf.square(x), axis, keepdims))
    if ord == 1:
        return tf.reduce_sum(tf.abs(x), axis, keepdims)
    if ord == float("inf"):
        return tf.reduce_max(tf.abs(x), axis, keepdims)
    if ord == float("-inf"):
        return tf.reduce_min(tf.abs(x), axis, keepdims)
    if ord == 0:
        return tf.cast(tf.math.count_nonzero(x, axis, keepdims), x.dtype)
    return tf.pow(tf.reduce_sum(tf.pow(tf.abs(x), ord), axis, keepdims), 1.0 / ord)
