"""Splitting and reshaping with torch's meaning of the arguments."""

from collections.abc import Sequence

import numpy as np


def flatten(x, start_axis: int = 0, end_axis: int = -1) -> np.ndarray:
    """`x` with the axes `start_axis` to `end_axis` (inclusive) merged into one; 0-d becomes `[1]`."""
    x = np.asarray(x)
    if x.ndim == 0:
        return x.reshape(1)
    start, end = start_axis % x.ndim, end_axis % x.ndim
    merged = int(np.prod(x.shape[start : end + 1]))
    return x.reshape(*x.shape[:start], merged, *x.shape[end + 1 :])


def unflatten(x, axis: int, shape: Sequence[int]) -> np.ndarray:
    """`x` with `axis` divided into axes of the sizes `shape`, one of which may be -1."""
    x = np.asarray(x)
    axis %= x.ndim
    return x.reshape(*x.shape[:axis], *np.empty(x.shape[axis]).reshape(shape).shape, *x.shape[axis + 1 :])


def expand(x, shape: Sequence[int]) -> np.ndarray:
    """`x` broadcast to `shape`; -1 keeps the size of an axis."""
    x = np.asarray(x)
    own = [1] * (len(shape) - x.ndim) + list(x.shape)
    return np.broadcast_to(x, [n if size == -1 else size for size, n in zip(shape, own, strict=True)])


def split(x, sizes: int | Sequence[int], axis: int = 0) -> list[np.ndarray]:
    """Pieces of `x` along `axis`: of the given **size** (the last may be smaller), or of the listed sizes."""
    if isinstance(sizes, int):
        return np.split(x, range(sizes, x.shape[axis], sizes), axis)
    return np.split(x, np.cumsum(sizes)[:-1], axis)


def chunk(x, chunks: int, axis: int = 0) -> list[np.ndarray]:
    """At most `chunks` pieces of `x` along `axis`, all of size `ceil(n / chunks)` but the last; possibly fewer."""
    return split(x, max(1, -(-x.shape[axis] // chunks)), axis)


def squeeze(x, axis=None) -> np.ndarray:
    """`x` without those axes in `axis` (int or sequence; None: all) whose size is 1; others are left."""
    x = np.asarray(x)
    axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    return np.squeeze(x, tuple(a for a in axes if x.ndim and x.shape[a] == 1))
