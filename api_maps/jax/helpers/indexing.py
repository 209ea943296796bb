"""Reading along indices, with torch's meaning of the index. Scattering into an array is in `scatter.py`."""

import math

import jax
import jax.numpy as jnp


def gather(x, axis: int, index) -> jax.Array:
    """`out[i][j][k] = x[i][index[i][j][k]][k]` for `axis=1`; the result has the shape of `index`.

    `index` has as many axes as `x` and may be smaller than `x` along the other axes, where it selects the
    leading part. Indices must lie in `[0, x.shape[axis])`.
    """
    x, index = jnp.asarray(x), jnp.asarray(index)
    if x.ndim == 0:
        return jnp.take(x.reshape(1), index)
    if index.size == 0:
        return jnp.zeros(index.shape, x.dtype)
    if index.ndim != x.ndim:
        raise ValueError(f"gather: index has {index.ndim} axes, x has {x.ndim}")
    axis %= x.ndim
    leading = tuple(slice(None) if a == axis else slice(n) for a, n in enumerate(index.shape))
    return jnp.take_along_axis(x[leading], index, axis)


def masked_fill(x, mask, value) -> jax.Array:
    """`x` with `value`, in the element type of `x`, where `mask` (broadcast to `x`) is true."""
    return jnp.where(mask, value, x).astype(jnp.asarray(x).dtype)


def index_select(x, axis: int, index) -> jax.Array:
    """The entries of `x` at the 1-D (or 0-d) `index` along `axis`, which is kept."""
    x = jnp.asarray(x)
    if x.ndim == 0:
        return x
    return jnp.take(x, jnp.atleast_1d(jnp.asarray(index)), axis)


def take(x, index) -> jax.Array:
    """Entries of the flattened `x`; negative indices count from the end."""
    return jnp.take(jnp.ravel(x), jnp.asarray(index))


def narrow(x, axis: int, start, length: int) -> jax.Array:
    """`x[start:start + length]` along `axis`, as a slice that must fit.

    `start` is an int, negative from the end, or a 0-d integer array; `length` is static.
    """
    x = jnp.asarray(x)
    axis %= x.ndim
    if not isinstance(start, int):
        return jax.lax.dynamic_slice_in_dim(x, start, length, axis)
    begin = start + x.shape[axis] if start < 0 else start
    if length < 0 or begin < 0 or begin + length > x.shape[axis]:
        raise IndexError(f"narrow: start ({start}) + length ({length}) exceeds size ({x.shape[axis]})")
    return jax.lax.slice_in_dim(x, begin, begin + length, axis=axis)


def unfold_axis(x, axis: int, size: int, step: int) -> jax.Array:
    """Windows of `size` every `step` entries along `axis`; the window becomes a new last axis.

    `axis` gets length `(n - size) // step + 1`. Unlike torch's view, the result is a copy.
    """
    x = jnp.asarray(x)
    if x.ndim == 0:
        return x.reshape(1)[:size]
    axis %= x.ndim
    if size > x.shape[axis]:
        raise ValueError(f"unfold_axis: size {size} is larger than the axis ({x.shape[axis]})")
    starts = jnp.arange((x.shape[axis] - size) // step + 1) * step
    windows = jnp.take(x, starts[:, None] + jnp.arange(size), axis)
    return jnp.moveaxis(windows, axis + 1, -1)


def diag_embed(x, offset: int = 0, axis1: int = -2, axis2: int = -1) -> jax.Array:
    """Matrices with the last axis of `x` on the diagonal `offset`, their axes placed at `axis1`, `axis2`."""
    x = jnp.asarray(x)
    length = x.shape[-1]
    size = length + abs(offset)
    axis1, axis2 = axis1 % (x.ndim + 1), axis2 % (x.ndim + 1)
    if axis1 > axis2:
        axis1, axis2, offset = axis2, axis1, -offset
    rows = jnp.arange(length) + max(-offset, 0)
    columns = jnp.arange(length) + max(offset, 0)
    matrices = jnp.zeros((*x.shape[:-1], size, size), x.dtype).at[..., rows, columns].set(x)
    return jnp.moveaxis(matrices, (-2, -1), (axis1, axis2))


def tril_indices(row: int, col: int, offset: int = 0) -> jax.Array:
    """Row and column numbers of the lower triangle of a `row` x `col` matrix, shape `[2, n]`."""
    return jnp.stack(jnp.tril_indices(row, offset, col))


def triu_indices(row: int, col: int, offset: int = 0) -> jax.Array:
    """Row and column numbers of the upper triangle of a `row` x `col` matrix, shape `[2, n]`."""
    return jnp.stack(jnp.triu_indices(row, offset, col))


def masked_select(x, mask) -> jax.Array:
    """The entries of `x` where `mask` holds, 1-D. Only outside jit: the length depends on the data."""
    x, mask = jnp.broadcast_arrays(x, mask)
    return x[mask]


def nonzero(x, as_tuple: bool = False):
    """Where `x` is not zero: `[n, axes]`, or with `as_tuple` one index array per axis. Only outside jit."""
    return jnp.nonzero(x) if as_tuple else jnp.argwhere(x)


def one_hot(x, num_classes: int = -1) -> jax.Array:
    """Integers `x` as rows of 0 and 1 with a new last axis of `num_classes`.

    With `num_classes=-1` the number is `x.max() + 1`, which only works outside jit.
    """
    x = jnp.asarray(x)
    if num_classes == -1:
        if x.size == 0:
            raise ValueError("one_hot: cannot infer num_classes from an empty array")
        num_classes = int(x.max()) + 1
    return jax.nn.one_hot(x, num_classes, dtype=int)


def bucketize(x, boundaries, right: bool = False) -> jax.Array:
    """The bucket of each `x` among the sorted 1-D `boundaries`.

    `right=False`: `boundaries[i-1] < x <= boundaries[i]`; `right=True`: `boundaries[i-1] <= x < boundaries[i]`.
    """
    return jnp.searchsorted(jnp.asarray(boundaries), jnp.asarray(x), side="right" if right else "left")


def searchsorted(sorted_sequence, values, right: bool = False, side: str | None = None, sorter=None) -> jax.Array:
    """Where `values` would be inserted along the last axis of `sorted_sequence`.

    A sequence with several axes is searched row by row: `values` then has the same leading axes.
    """
    sorted_sequence, values = jnp.asarray(sorted_sequence), jnp.asarray(values)
    if sorter is not None:
        sorted_sequence = jnp.take_along_axis(sorted_sequence, jnp.asarray(sorter), -1)
    side = side or ("right" if right else "left")
    if sorted_sequence.ndim == 1:
        return jnp.searchsorted(sorted_sequence, values, side=side)
    rows = sorted_sequence.reshape(math.prod(sorted_sequence.shape[:-1]), sorted_sequence.shape[-1])
    wanted = values.reshape(rows.shape[0], values.shape[-1])
    found = jax.vmap(lambda row, value: jnp.searchsorted(row, value, side=side))(rows, wanted)
    return found.reshape(values.shape)


def unique(x, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False, axis: int | None = None):
    """Distinct values in rising order (slices along `axis` if given), then inverse and counts if asked for.

    Only outside jit: the length depends on the data. NaNs are all distinct, as in torch.
    """
    x = jnp.asarray(x)
    values, inverse, counts = jnp.unique(x, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    inverse = inverse.reshape(x.shape if axis is None else (x.shape[axis],))
    extras = ([inverse] if return_inverse else []) + ([counts] if return_counts else [])
    return (values, *extras) if extras else values


def unique_consecutive(x, return_inverse: bool = False, return_counts: bool = False, axis: int | None = None):
    """The first of each run of equal values (slices along `axis` if given), then inverse and counts if asked for.

    Only outside jit: the length depends on the data.
    """
    x = jnp.asarray(x)
    slices = jnp.ravel(x) if axis is None else jnp.moveaxis(x, axis, 0)
    length = slices.shape[0]
    differs = (slices[1:] != slices[:-1]).any(axis=tuple(range(1, slices.ndim)))
    is_start = jnp.concatenate([jnp.ones(min(length, 1), bool), differs])
    starts = jnp.nonzero(is_start)[0]
    values = slices[starts]
    inverse = jnp.cumsum(is_start) - 1
    counts = jnp.diff(jnp.append(starts, length))
    if axis is not None:
        values = jnp.moveaxis(values, 0, axis)
    else:
        inverse = inverse.reshape(x.shape)
    extras = ([inverse] if return_inverse else []) + ([counts] if return_counts else [])
    return (values, *extras) if extras else values


def slice_along(x, axis: int = 0, start: int | None = None, stop: int | None = None, step: int = 1) -> jax.Array:
    """`x[start:stop:step]` along `axis`."""
    x = jnp.asarray(x)
    return x[(slice(None),) * (axis % x.ndim) + (slice(start, stop, step),)]


def nonzero_static(x, size: int, fill_value: int = -1) -> jax.Array:
    """The first `size` positions where `x` is not zero, `[size, axes]`; rows that are missing hold `fill_value`."""
    x = jnp.asarray(x)
    if x.size == 0:
        return jnp.full((size, x.ndim), fill_value)
    return jnp.argwhere(x, size=size, fill_value=fill_value)
