"""Reading along indices, with torch's meaning of the index. Scattering into an array is in `scatter.py`."""

import numpy as np


def gather(x, axis: int, index) -> np.ndarray:
    """`out[i][j][k] = x[i][index[i][j][k]][k]` for `axis=1`; the result has the shape of `index`.

    `index` has as many axes as `x` and may be smaller than `x` along the other axes, where it selects the
    leading part (`np.take_along_axis` would broadcast it).
    """
    x, index = np.asarray(x), np.asarray(index)
    if x.ndim == 0 or index.ndim == 0:
        return np.reshape(np.atleast_1d(x)[np.atleast_1d(index)], index.shape)
    axis %= x.ndim
    leading = tuple(slice(None) if a == axis else slice(n) for a, n in enumerate(index.shape))
    if index.size == 0:
        return np.zeros(index.shape, x.dtype)
    return np.take_along_axis(x[leading], index, axis)


def index_select(x, axis: int, index) -> np.ndarray:
    """The entries of `x` at the 1-D (or 0-d) `index` along `axis`, which is kept."""
    x = np.asarray(x)
    return x.copy() if x.ndim == 0 else np.take(x, np.atleast_1d(index), axis)


def take_along_axis(x, indices, axis: int | None = None) -> np.ndarray:
    """Entries of `x` at `indices` along `axis`, the other axes broadcast; of the flattened `x` without an axis."""
    x, indices = np.asarray(x), np.asarray(indices)
    if axis is None:
        return np.ravel(x)[np.ravel(indices)]
    return np.take_along_axis(x, indices, axis) if x.ndim else x.copy()


def narrow(x, axis: int, start, length: int) -> np.ndarray:
    """`x[start:start + length]` along `axis`, as a slice that must fit; a negative `start` counts from the end."""
    x = np.asarray(x)
    begin = int(start) + x.shape[axis] if start < 0 else int(start)
    if length < 0 or begin < 0 or begin + length > x.shape[axis]:
        raise IndexError(f"narrow: start ({start}) + length ({length}) exceeds size ({x.shape[axis]})")
    return x[(*(slice(None),) * (axis % x.ndim), slice(begin, begin + length))]


def select(x, axis: int, index: int) -> np.ndarray:
    """`x[index]` along `axis`: a view without that axis."""
    x = np.asarray(x)
    return x[(*(slice(None),) * (axis % x.ndim), index, ...)]


def unfold_axis(x, axis: int, size: int, step: int) -> np.ndarray:
    """Windows of `size` every `step` entries along `axis`, a view; the window becomes a new last axis.

    `axis` gets length `(n - size) // step + 1`.
    """
    x = np.asarray(x)
    if x.ndim == 0:
        return x.reshape(1)[:size]
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis, writeable=True)
    return windows[(*(slice(None),) * (axis % x.ndim), slice(None, None, step))]


def diag_embed(x, offset: int = 0, axis1: int = -2, axis2: int = -1) -> np.ndarray:
    """Matrices with the last axis of `x` on the diagonal `offset`, their axes placed at `axis1`, `axis2`."""
    x = np.asarray(x)
    length = x.shape[-1]
    size = length + abs(offset)
    axis1, axis2 = axis1 % (x.ndim + 1), axis2 % (x.ndim + 1)
    if axis1 > axis2:
        axis1, axis2, offset = axis2, axis1, -offset
    matrices = np.zeros((*x.shape[:-1], size, size), x.dtype)
    matrices[..., np.arange(length) + max(-offset, 0), np.arange(length) + max(offset, 0)] = x
    return np.moveaxis(matrices, (-2, -1), (axis1, axis2))


def tril_indices(row: int, col: int, offset: int = 0) -> np.ndarray:
    """Row and column numbers of the lower triangle of a `row` x `col` matrix, shape `[2, n]`."""
    return np.stack(np.tril_indices(row, offset, col))


def triu_indices(row: int, col: int, offset: int = 0) -> np.ndarray:
    """Row and column numbers of the upper triangle of a `row` x `col` matrix, shape `[2, n]`."""
    return np.stack(np.triu_indices(row, offset, col))


def masked_select(x, mask) -> np.ndarray:
    """The entries of `x` where `mask` holds, both broadcast; 1-D."""
    x, mask = np.broadcast_arrays(x, mask)
    return x[mask]


def masked_fill(x, mask, value) -> np.ndarray:
    """`x` with `value` where `mask` holds, in the dtype of `x`; `mask` broadcasts, and so may `x`."""
    x, mask = np.asarray(x), np.asarray(mask)
    filled = np.array(np.broadcast_to(x, np.broadcast_shapes(x.shape, mask.shape)))
    np.copyto(filled, value, where=mask, casting="unsafe")
    return filled


def nonzero(x, as_tuple: bool = False):
    """Where `x` is not zero: `[n, axes]`, or with `as_tuple` one index array per axis."""
    return np.nonzero(np.atleast_1d(x)) if as_tuple else np.argwhere(x)


def one_hot(x, num_classes: int = -1) -> np.ndarray:
    """Integers `x` as rows of 0 and 1 with a new last axis of `num_classes` (-1: `x.max() + 1`)."""
    x = np.asarray(x)
    if num_classes == -1:
        num_classes = int(x.max()) + 1
    if x.size and (x.min() < 0 or x.max() >= num_classes):
        raise ValueError(f"one_hot: class values must lie in 0..{num_classes - 1}")
    return (x[..., None] == np.arange(num_classes)).astype(np.int64)


def bucketize(x, boundaries, right: bool = False) -> np.ndarray:
    """The bucket of each `x` among the sorted 1-D `boundaries`.

    `right=False`: `boundaries[i-1] < x <= boundaries[i]`; `right=True`: `boundaries[i-1] <= x < boundaries[i]`.
    """
    return np.searchsorted(boundaries, x, side="right" if right else "left")


def searchsorted(sorted_sequence, values, right: bool = False, side: str | None = None, sorter=None) -> np.ndarray:
    """Where `values` would be inserted along the last axis of `sorted_sequence`.

    A sequence `[..., n]` is searched row by row for values `[..., m]`. NaN counts as largest.
    """
    sequence, values = np.asarray(sorted_sequence), np.asarray(values)
    if sorter is not None:
        sequence = np.take_along_axis(sequence, np.asarray(sorter), -1)
    side = side or ("right" if right else "left")
    if sequence.ndim == 1:
        return np.searchsorted(sequence, values, side=side)
    # Stably sorted together, a value stands behind what is smaller; equal ones keep the order in which they are joined.
    length, count = sequence.shape[-1], values.shape[-1]
    parts = [values, sequence] if side == "left" else [sequence, values]
    order = np.argsort(np.concatenate(parts, -1), -1, kind="stable")
    is_value = order < count if side == "left" else order >= length
    which = order if side == "left" else order - length
    before = np.cumsum(~is_value, -1)
    found = np.zeros(values.shape, np.int64)
    rows = np.nonzero(is_value)[:-1]
    found[(*rows, which[is_value])] = before[is_value]
    return found


def unique(x, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, axis: int | None = None):
    """Distinct values in rising order (slices along `axis` if given), then inverse and counts if asked for.

    NaNs are all distinct, as in torch.
    """
    x = np.asarray(x)
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    inverse = inverse.reshape(x.shape if axis is None else (x.shape[axis],))
    extras = ([inverse] if return_inverse else []) + ([counts] if return_counts else [])
    return (values, *extras) if extras else values


def unique_consecutive(x, return_inverse: bool = False, return_counts: bool = False, axis: int | None = None):
    """The first of each run of equal values (slices along `axis` if given), then inverse and counts if asked for."""
    x = np.asarray(x)
    slices = np.ravel(x) if axis is None else np.moveaxis(x, axis, 0)
    length = slices.shape[0]
    differs = (slices[1:] != slices[:-1]).any(axis=tuple(range(1, slices.ndim)))
    is_start = np.concatenate([np.ones(min(length, 1), bool), differs])
    starts = np.nonzero(is_start)[0]
    values = slices[starts]
    inverse = np.cumsum(is_start) - 1
    counts = np.diff(np.append(starts, length))
    if axis is not None:
        values = np.moveaxis(values, 0, axis)
    else:
        inverse = inverse.reshape(x.shape)
    extras = ([inverse] if return_inverse else []) + ([counts] if return_counts else [])
    return (values, *extras) if extras else values


def slice_along(x, axis: int = 0, start: int | None = None, stop: int | None = None, step: int = 1) -> np.ndarray:
    """`x[start:stop:step]` along `axis`."""
    x = np.asarray(x)
    return x[(slice(None),) * (axis % x.ndim) + (slice(start, stop, step),)]


def nonzero_static(x, size: int, fill_value: int = -1) -> np.ndarray:
    """The first `size` positions where `x` is not zero, `[size, axes]`; rows that are missing hold `fill_value`."""
    found = np.argwhere(x)[:size]
    filled = np.full((size, np.ndim(x)), fill_value)
    filled[: len(found)] = found
    return filled
