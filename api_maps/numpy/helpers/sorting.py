"""Orders, ranks and running extremes, with values and indices together; NaN counts as largest, as in torch."""

from typing import NamedTuple

import numpy as np


class ValuesIndices(NamedTuple):
    """Values along an axis and where they stand."""

    values: np.ndarray
    indices: np.ndarray


def pick(x: np.ndarray, indices: np.ndarray, axis: int, keepdims: bool) -> ValuesIndices:
    """The entry of `x` at `indices` along `axis`, where `indices` has length 1."""
    values = np.take_along_axis(x, indices, axis)
    if keepdims:
        return ValuesIndices(values, indices)
    return ValuesIndices(values.squeeze(axis), indices.squeeze(axis))


def scalar_pick(x: np.ndarray) -> ValuesIndices:
    """The only entry of a 0-d array."""
    return ValuesIndices(x.copy(), np.zeros((), np.int64))


def rising_order(x: np.ndarray, axis: int, descending: bool = False) -> np.ndarray:
    """The indices of a stable sort along `axis`; equal entries keep their order also when descending."""
    if not descending:
        return np.argsort(x, axis, kind="stable")
    order = np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
    return x.shape[axis] - 1 - order


def sort(x, axis: int = -1, descending: bool = False, stable: bool = False) -> ValuesIndices:
    """Sorted values along `axis` and the indices they had; the order is always stable."""
    x = np.asarray(x)
    if x.ndim == 0:
        return scalar_pick(x)
    indices = rising_order(x, axis, descending)
    return ValuesIndices(np.take_along_axis(x, indices, axis), indices)


def argsort(x, axis: int = -1, descending: bool = False, stable: bool = False) -> np.ndarray:
    """The indices that sort `x` along `axis`; the order is always stable."""
    return sort(x, axis, descending).indices


def topk(x, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The `k` largest (or smallest) entries along `axis`, best first, and their indices.

    The result is in order whatever `sorted` says.
    """
    x = np.asarray(x)
    if x.ndim == 0:
        return ValuesIndices(x.copy(), np.zeros((), np.int64)) if k else ValuesIndices(x[None][:0], np.zeros(0, np.int64))
    if not 0 <= k <= x.shape[axis]:
        raise ValueError(f"topk: k is {k}, the axis has {x.shape[axis]} entries")
    indices = np.take(rising_order(x, axis, largest), np.arange(k), axis)
    return ValuesIndices(np.take_along_axis(x, indices, axis), indices)


def kthvalue(x, k: int, axis: int = -1, keepdims: bool = False) -> ValuesIndices:
    """The `k`-th smallest value along `axis`, counted from 1, and its index."""
    x = np.asarray(x)
    if x.ndim == 0:
        return scalar_pick(x)
    if not 1 <= k <= x.shape[axis]:
        raise ValueError(f"kthvalue: k is {k}, the axis has {x.shape[axis]} entries")
    return pick(x, np.take(rising_order(x, axis), [k - 1], axis), axis, keepdims)


def mode(x, axis: int = -1, keepdims: bool = False) -> ValuesIndices:
    """The most frequent value along `axis`, the smallest of several, and the index of its last occurrence."""
    x = np.asarray(x)
    if x.ndim == 0:
        return scalar_pick(x)
    moved = np.moveaxis(x, axis, -1)
    order = np.argsort(moved, -1, kind="stable")
    ranked = np.take_along_axis(moved, order, -1)
    position = np.broadcast_to(np.arange(x.shape[axis]), ranked.shape)
    starts = np.concatenate([np.ones_like(ranked[..., :1], bool), ranked[..., 1:] != ranked[..., :-1]], -1)
    run_start = np.maximum.accumulate(np.where(starts, position, 0), -1)
    longest = np.argmax(position - run_start, -1, keepdims=True)
    return pick(x, np.moveaxis(np.take_along_axis(order, longest, -1), -1, axis), axis, keepdims)


def running_extreme(x, axis: int, largest: bool) -> ValuesIndices:
    """Largest or smallest entry so far along `axis` and its last index; a NaN stays from where it occurs."""
    x = np.asarray(x)
    if x.ndim == 0:
        return scalar_pick(x)
    values = (np.maximum if largest else np.minimum).accumulate(x, axis)
    position = np.arange(x.shape[axis]).reshape([-1 if a == axis % x.ndim else 1 for a in range(x.ndim)])
    reached = (x == values) | (x != x)
    return ValuesIndices(values, np.maximum.accumulate(np.where(reached, position, 0), axis))


def cummax(x, axis: int) -> ValuesIndices:
    """The largest entry so far along `axis` and its index."""
    return running_extreme(x, axis, True)


def cummin(x, axis: int) -> ValuesIndices:
    """The smallest entry so far along `axis` and its index."""
    return running_extreme(x, axis, False)


def median_with_indices(x, axis: int, keepdims: bool = False) -> ValuesIndices:
    """The **lower** of the two middle values along `axis` and its index; the first NaN if there is one."""
    x = np.asarray(x)
    if x.ndim == 0:
        return scalar_pick(x)
    indices = np.take(rising_order(x, axis), [(x.shape[axis] - 1) // 2], axis)
    missing = x != x
    first = np.argmax(missing, axis, keepdims=True)
    return pick(x, np.where(missing.any(axis, keepdims=True), first, indices), axis, keepdims)


def nanmedian(x) -> np.ndarray:
    """The **lower** of the two middle values of the entries that are not NaN; NaN if there are none."""
    ranked = np.sort(x, axis=None)
    if ranked.size == 0:
        return np.array(np.nan, ranked.dtype)
    count = np.count_nonzero(ranked == ranked)
    return ranked[max(count - 1, 0) // 2]


def nanmedian_with_indices(x, axis: int, keepdims: bool = False) -> ValuesIndices:
    """As `median_with_indices`, of the entries that are not NaN."""
    x = np.asarray(x)
    if x.ndim == 0:
        return scalar_pick(x)
    count = np.count_nonzero(x == x, axis=axis, keepdims=True)
    indices = np.take_along_axis(rising_order(x, axis), np.maximum(count - 1, 0) // 2, axis)
    return pick(x, indices, axis, keepdims)
