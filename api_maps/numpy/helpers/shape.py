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


def sum_to_shape(x, *shape) -> np.ndarray:
    """`x` summed over the axes that broadcasting `shape` (numbers or one sequence) to `x.shape` would repeat."""
    x = np.asarray(x)
    sizes = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
    if not sizes:
        return np.sum(x)
    added = x.ndim - len(sizes)
    if added < 0 or any(n not in (1, own) for n, own in zip(sizes, x.shape[added:])):
        raise ValueError(f"sum_to_shape: {sizes} does not broadcast to {x.shape}")
    repeated = [added + i for i, n in enumerate(sizes) if n == 1 and x.shape[added + i] != 1]
    axes = (*range(added), *repeated)
    return np.sum(x, axes).reshape(sizes) if axes else x


def strided_positions(size: Sequence[int], stride: Sequence[int], offset: int | None) -> np.ndarray:
    """The flat position of every entry of an array of shape `size` whose axes advance by `stride`."""
    positions = np.full(size, offset or 0)
    for axis, (n, step) in enumerate(zip(size, stride, strict=True)):
        positions = positions + step * np.arange(n).reshape([-1] + [1] * (len(size) - 1 - axis))
    return positions


def as_strided(x, size: Sequence[int], stride: Sequence[int], offset: int | None = None) -> np.ndarray:
    """Entries of the flattened `x`, as an array of shape `size` whose axes advance by `stride` from `offset`."""
    return np.ravel(x)[strided_positions(size, stride, offset)]


def as_strided_scatter(x, src, size: Sequence[int], stride: Sequence[int], offset: int | None = None) -> np.ndarray:
    """`x` with the entries that `as_strided` would read replaced by those of `src`, of shape `size`."""
    x = np.asarray(x)
    flat = x.flatten()
    flat[strided_positions(size, stride, offset)] = src
    return flat.reshape(x.shape)
