"""Shapes as torch and NumPy count them: negative axes, joining of mixed element types, views written as copies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import tensorflow as tf


def size(x: tf.Tensor) -> int:
    """The number of elements."""
    return math.prod(x.shape)


def flatten(x: tf.Tensor, start_axis: int = 0, end_axis: int = -1) -> tf.Tensor:
    """Join the axes from start_axis to end_axis."""
    if x.shape.rank == 0:
        return tf.reshape(x, [1])
    start, end = start_axis % x.shape.rank, end_axis % x.shape.rank
    return tf.reshape(x, [*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]])


def unflatten(x: tf.Tensor, axis: int, shape: Any) -> tf.Tensor:
    """Split an axis into several; one of the new lengths may be -1."""
    axis %= x.shape.rank
    known = math.prod(length for length in shape if length != -1)
    lengths = [x.shape[axis] // known if length == -1 else length for length in shape]
    return tf.reshape(x, [*x.shape[:axis], *lengths, *x.shape[axis + 1 :]])


def squeeze(x: tf.Tensor, axis: Any = None) -> tf.Tensor:
    """Drop axes of length 1: all, or those named that are."""
    if axis is None:
        return tf.squeeze(x)
    axes = [axis] if isinstance(axis, int) else list(axis)
    dropped = [each for each in axes if x.shape[each] == 1]
    return tf.squeeze(x, dropped) if dropped else x


def permute_dims(x: tf.Tensor, axes: Any) -> tf.Tensor:
    """Axes in a new order; negative ones count from the end."""
    return tf.transpose(x, [axis % x.shape.rank for axis in axes])


def swapaxes(x: tf.Tensor, axis1: int, axis2: int) -> tf.Tensor:
    """Exchange two axes."""
    order = list(range(x.shape.rank))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return tf.transpose(x, order)


def moveaxis(x: tf.Tensor, source: Any, destination: Any) -> tf.Tensor:
    """Move axes to new places; the others keep their order."""
    sources, destinations = ([each] if isinstance(each, int) else list(each) for each in (source, destination))
    rank = x.shape.rank
    order = [axis for axis in range(rank) if axis not in {each % rank for each in sources}]
    for place, axis in sorted((place % rank, axis % rank) for axis, place in zip(sources, destinations, strict=True)):
        order.insert(place, axis)
    return tf.transpose(x, order)


def expand(x: tf.Tensor, *shape: Any) -> tf.Tensor:
    """Repeat axes of length 1, and add axes in front; -1 keeps the length."""
    lengths = list(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else list(shape)
    new = len(lengths) - x.shape.rank
    return tf.broadcast_to(x, [x.shape[i - new] if length == -1 else length for i, length in enumerate(lengths)])


def broadcast_arrays(*arrays: tf.Tensor) -> list[tf.Tensor]:
    """All arrays in their common shape."""
    shape = np.broadcast_shapes(*(tuple(array.shape) for array in arrays))
    return [tf.broadcast_to(array, shape) for array in arrays]


def tile(x: tf.Tensor, repetitions: Any) -> tf.Tensor:
    """Repeat the whole tensor along its last axes, or along new ones in front."""
    counts = [repetitions] if isinstance(repetitions, int) else list(repetitions)
    rank = max(len(counts), x.shape.rank)
    x = tf.reshape(x, [1] * (rank - x.shape.rank) + list(x.shape))
    return tf.tile(x, [1] * (rank - len(counts)) + counts)


def flip(x: tf.Tensor, axis: Any) -> tf.Tensor:
    """Reverse the order along axes."""
    return tf.reverse(x, [axis] if isinstance(axis, int) else list(axis))


def roll(x: tf.Tensor, shift: Any, axis: Any = None) -> tf.Tensor:
    """Shift elements along axes, those pushed out coming in at the other end; without an axis in the flat tensor."""
    if axis is None:
        return tf.reshape(tf.roll(tf.reshape(x, [-1]), shift, 0), x.shape)
    return tf.roll(x, shift, axis)


def concat(arrays: Any, axis: int = 0) -> tf.Tensor:
    """Join along an axis; arrays of several element types take NumPy's common one."""
    arrays = [tf.convert_to_tensor(array) for array in arrays]
    if len({array.dtype for array in arrays}) > 1:
        common = tf.as_dtype(common_type(arrays))
        arrays = [tf.cast(array, common) for array in arrays]
    return tf.concat(arrays, axis)


def common_type(arrays: list[tf.Tensor]) -> np.dtype:
    """The element type that holds all arrays: floats win over integers whatever their size, as in torch."""
    floating = [array.dtype.as_numpy_dtype for array in arrays if array.dtype.is_floating or array.dtype.is_complex]
    return np.result_type(*(floating or [array.dtype.as_numpy_dtype for array in arrays]))


def split(x: tf.Tensor, split_size_or_sections: Any, axis: int = 0) -> list[tf.Tensor]:
    """Parts of a length (the last may be shorter), or of the lengths given."""
    length = x.shape[axis]
    if isinstance(split_size_or_sections, int):
        part = split_size_or_sections
        sections = [min(part, length - start) for start in range(0, length, part)] or [0]
    else:
        sections = list(split_size_or_sections)
    return tf.split(x, sections, axis)


def chunk(x: tf.Tensor, chunks: int, axis: int = 0) -> list[tf.Tensor]:
    """At most `chunks` parts of equal length, the last possibly shorter."""
    return split(x, max(1, -(-x.shape[axis] // chunks)), axis)


def where(condition: tf.Tensor, x1: Any, x2: Any) -> tf.Tensor:
    """x1 where the condition holds, else x2; a Python number takes the tensor's element type."""
    if tf.is_tensor(x1) and not tf.is_tensor(x2):
        x2 = tf.cast(x2, x1.dtype)
    elif tf.is_tensor(x2) and not tf.is_tensor(x1):
        x1 = tf.cast(x1, x2.dtype)
    return tf.where(tf.cast(condition, tf.bool), x1, x2)


def full_like(x: tf.Tensor, fill_value: Any, dtype: Any = None) -> tf.Tensor:
    """A tensor of x's shape, filled; of x's element type unless one is given."""
    return tf.cast(tf.fill(x.shape, fill_value), dtype or x.dtype)


def tril(x: tf.Tensor, k: int = 0) -> tf.Tensor:
    """The elements on and below the k-th diagonal of the last two axes, zeros above."""
    return tf.where(band(x, k), x, tf.zeros_like(x))


def triu(x: tf.Tensor, k: int = 0) -> tf.Tensor:
    """The elements on and above the k-th diagonal of the last two axes, zeros below."""
    return tf.where(band(x, k - 1), tf.zeros_like(x), x)


def band(x: tf.Tensor, k: int) -> tf.Tensor:
    """Whether an element of the last two axes lies on or below the k-th diagonal."""
    return tf.range(x.shape[-1])[None, :] <= tf.range(x.shape[-2])[:, None] + k
