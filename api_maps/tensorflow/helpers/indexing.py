"""Reading and writing along indices, and orders, as torch defines them."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf


def gather(x: tf.Tensor, axis: int, index: tf.Tensor) -> tf.Tensor:
    """x[i, index[i, j], ...] along `axis`; index [...] may be shorter than x along the other axes."""
    axis %= x.shape.rank
    places = tf.meshgrid(*(tf.range(length, dtype=index.dtype) for length in index.shape), indexing="ij")
    places[axis] = index
    return tf.gather_nd(x, tf.stack(places, -1))


def masked_fill(x: tf.Tensor, mask: tf.Tensor, value: Any) -> tf.Tensor:
    """x with `value` where the mask, which broadcasts to x, is true."""
    return tf.where(mask, tf.cast(value, x.dtype), x)


def one_hot(x: tf.Tensor, num_classes: int = -1) -> tf.Tensor:
    """x [...] of class numbers to int64 [..., num_classes]; -1 takes the largest number and one."""
    depth = int(tf.reduce_max(x)) + 1 if num_classes == -1 else num_classes
    return tf.one_hot(x, depth, dtype=tf.int64)


def narrow(x: tf.Tensor, axis: int, start: int, length: int) -> tf.Tensor:
    """`length` elements along an axis, from `start` on (negative ones count from the end)."""
    start = start + x.shape[axis] if start < 0 else start
    return tf.gather(x, tf.range(start, start + length), axis=axis)


class Sorted(NamedTuple):
    """Sorted values and where they came from."""

    values: tf.Tensor
    indices: tf.Tensor


def topk(x: tf.Tensor, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> Sorted:
    """The k largest (or smallest) elements along an axis and their int64 indices, in order."""
    order = argsort(x, axis, descending=largest)
    indices = narrow(order, axis, 0, k)
    return Sorted(gather(x, axis, indices), indices)


def sort(x: tf.Tensor, axis: int = -1, descending: bool = False, stable: bool = False) -> Sorted:
    """Sorted elements along an axis and their int64 indices; NaN counts as largest."""
    indices = argsort(x, axis, descending)
    return Sorted(gather(x, axis, indices), indices)


def argsort(x: tf.Tensor, axis: int = -1, descending: bool = False, stable: bool = False) -> tf.Tensor:
    """The int64 indices that sort along an axis, stably; NaN counts as largest."""
    if x.dtype.is_floating:
        missing = tf.math.is_nan(x)
        first = tf.argsort(tf.where(missing, tf.zeros_like(x), x), axis, "DESCENDING" if descending else "ASCENDING", True)
        order = tf.cast(first, tf.int64)
        then = tf.argsort(tf.cast(gather(missing, axis, order), tf.int32), axis, "DESCENDING" if descending else "ASCENDING", True)
        return gather(order, axis, tf.cast(then, tf.int64))
    return tf.cast(tf.argsort(x, axis, "DESCENDING" if descending else "ASCENDING", True), tf.int64)


def scatter_add(x: tf.Tensor, axis: int, index: tf.Tensor, src: tf.Tensor) -> tf.Tensor:
    """x with src[i, j] added at x[i, index[i, j], ...] along `axis`; src may be larger than index."""
    axis %= x.shape.rank
    places = tf.meshgrid(*(tf.range(length, dtype=index.dtype) for length in index.shape), indexing="ij")
    places[axis] = index
    used = src[tuple(slice(length) for length in index.shape)]
    return tf.tensor_scatter_nd_add(x, tf.stack(places, -1), used)


def index_add(x: tf.Tensor, axis: int, index: tf.Tensor, source: tf.Tensor, alpha: Any = 1) -> tf.Tensor:
    """x with alpha * source[i] added at position index[i] of `axis`."""
    axis %= x.shape.rank
    order = [axis, *(each for each in range(x.shape.rank) if each != axis)]
    back = [order.index(each) for each in range(x.shape.rank)]
    added = tf.cast(alpha, source.dtype) * source
    result = tf.tensor_scatter_nd_add(tf.transpose(x, order), index[:, None], tf.transpose(added, order))
    return tf.transpose(result, back)
