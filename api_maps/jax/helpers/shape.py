"""Splitting and reshaping with torch's meaning of the arguments."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp


def split(x, split_size_or_sections: int | Sequence[int], axis: int = 0) -> tuple[jax.Array, ...]:
    """Pieces of `x` along `axis`: of the given **size** (the last may be smaller), or of the listed sizes."""
    x = jnp.asarray(x)
    length = x.shape[axis]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size < 0 or (size == 0 and length > 0):
            raise ValueError(f"split: the size of a piece must be positive, not {size}")
        ends = list(range(size, length, size)) if length else []
    else:
        sizes = [int(n) for n in split_size_or_sections]
        if sum(sizes) != length:
            raise ValueError(f"split: sizes {sizes} do not add up to {length}, the size of axis {axis}")
        if not sizes:
            return ()
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes) - 1)]
    return tuple(jnp.split(x, ends, axis))


def chunk(x, chunks: int, axis: int = 0) -> tuple[jax.Array, ...]:
    """At most `chunks` pieces of `x` along `axis`, all of size `ceil(n / chunks)` but the last; possibly fewer."""
    x = jnp.asarray(x)
    if chunks <= 0:
        raise ValueError(f"chunk: the number of pieces must be positive, not {chunks}")
    if x.shape[axis] == 0:
        return (x,) * chunks
    return split(x, -(-x.shape[axis] // chunks), axis)


def tensor_split(x, indices_or_sections, axis: int = 0) -> tuple[jax.Array, ...]:
    """Pieces of `x` along `axis`: as even a division into n as possible, or cut before each listed index."""
    if isinstance(indices_or_sections, int):
        return tuple(jnp.array_split(x, indices_or_sections, axis))
    x = jnp.asarray(x)
    cuts = [int(i) for i in indices_or_sections]
    before = (slice(None),) * (axis % x.ndim)
    return tuple(x[(*before, slice(a, b))] for a, b in zip([0, *cuts], [*cuts, x.shape[axis]], strict=True))


def flatten(x, start_axis: int = 0, end_axis: int = -1) -> jax.Array:
    """`x` with the axes `start_axis` to `end_axis` (inclusive) merged into one; 0-d becomes `[1]`."""
    x = jnp.asarray(x)
    if x.ndim == 0:
        return x.reshape(1)
    start, end = start_axis % x.ndim, end_axis % x.ndim
    if start > end:
        raise ValueError(f"flatten: start_axis {start_axis} comes after end_axis {end_axis}")
    merged = 1
    for n in x.shape[start : end + 1]:
        merged *= n
    return x.reshape(*x.shape[:start], merged, *x.shape[end + 1 :])


def unflatten(x, axis: int, sizes: Sequence[int]) -> jax.Array:
    """`x` with `axis` divided into axes of the given `sizes`, one of which may be -1."""
    x = jnp.asarray(x)
    axis %= x.ndim
    sizes = [int(n) for n in sizes]
    if -1 in sizes:
        known = 1
        for n in sizes:
            known *= n if n != -1 else 1
        sizes[sizes.index(-1)] = x.shape[axis] // known
    return x.reshape(*x.shape[:axis], *sizes, *x.shape[axis + 1 :])


def expand(x, *shape) -> jax.Array:
    """`x` broadcast to `shape` (numbers or one sequence); -1 keeps the size of an axis."""
    x = jnp.asarray(x)
    wanted = list(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else list(shape)
    own = [-1] * (len(wanted) - x.ndim) + list(x.shape)
    return jnp.broadcast_to(x, [n if size == -1 else size for size, n in zip(wanted, own, strict=True)])


def repeat(x, *repeats) -> jax.Array:
    """`x` tiled along each axis (numbers or one sequence); more numbers than axes add axes in front."""
    counts = list(repeats[0]) if len(repeats) == 1 and not isinstance(repeats[0], int) else list(repeats)
    if len(counts) < jnp.ndim(x):
        raise ValueError(f"repeat: {len(counts)} numbers for {jnp.ndim(x)} axes")
    return jnp.tile(x, counts)


def squeeze(x, axis=None) -> jax.Array:
    """`x` without those axes in `axis` (int or sequence; None: all) whose size is 1; others are left."""
    x = jnp.asarray(x)
    if x.ndim == 0:
        return x
    axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    return jnp.squeeze(x, tuple(a for a in axes if x.shape[a] == 1))


def meshgrid(*arrays, indexing: str = "ij") -> tuple[jax.Array, ...]:
    """Coordinate grids of 1-D arrays, or of one sequence of them; with 'ij' the first varies along axis 0."""
    if len(arrays) == 1 and isinstance(arrays[0], (list, tuple)):
        arrays = tuple(arrays[0])
    return tuple(jnp.meshgrid(*[jnp.atleast_1d(a) for a in arrays], indexing=indexing))


def sum_to_shape(x, *shape) -> jax.Array:
    """`x` summed over the axes that broadcasting `shape` (numbers or one sequence) to `x.shape` would repeat."""
    x = jnp.asarray(x)
    sizes = tuple(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else shape
    added = x.ndim - len(sizes)
    if added < 0 or any(n not in (1, own) for n, own in zip(sizes, x.shape[added:])):
        raise ValueError(f"sum_to_shape: {sizes} does not broadcast to {x.shape}")
    repeated = [added + i for i, n in enumerate(sizes) if n == 1 and x.shape[added + i] != 1]
    axes = (*range(added), *repeated)
    return jnp.sum(x, axes).reshape(sizes) if axes or not sizes else x


def strided_positions(size: Sequence[int], stride: Sequence[int], offset: int | None) -> jax.Array:
    """The flat position of every entry of an array of shape `size` whose axes advance by `stride`."""
    positions = jnp.full(size, offset or 0)
    for axis, (n, step) in enumerate(zip(size, stride, strict=True)):
        positions = positions + step * jnp.arange(n).reshape([-1] + [1] * (len(size) - 1 - axis))
    return positions


def as_strided(x, size: Sequence[int], stride: Sequence[int], offset: int | None = None) -> jax.Array:
    """Entries of the flattened `x`, as an array of shape `size` whose axes advance by `stride` from `offset`."""
    return jnp.ravel(x)[strided_positions(size, stride, offset)]


def as_strided_scatter(
    x, src, size: Sequence[int], stride: Sequence[int], offset: int | None = None
) -> jax.Array:
    """`x` with the entries that `as_strided` would read replaced by those of `src`, of shape `size`."""
    x = jnp.asarray(x)
    positions = strided_positions(size, stride, offset)
    return x.ravel().at[positions].set(jnp.asarray(src, x.dtype)).reshape(x.shape)


def ntuple(x: Any, n: int) -> tuple[Any, ...]:
    """The items of `x`, or `n` times `x` where it has none."""
    return tuple(x) if isinstance(x, Iterable) else (x,) * n
