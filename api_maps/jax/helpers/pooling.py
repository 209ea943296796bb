"""Max, average and adaptive pooling over the last one, two or three axes, as torch defines them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .convolution import per_dimension


def pooled_size(
    size: int, kernel_size: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> int:
    """The number of windows along an axis; with `ceil_mode` a window must start inside the data or low padding."""
    if padding > kernel_size // 2:
        raise ValueError(
            f"padding should be at most half of the kernel size, got {padding} and {kernel_size}"
        )
    span = size + 2 * padding - dilation * (kernel_size - 1) - 1
    count = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    if count < 1:
        raise ValueError(f"pooling of size {size} with kernel {kernel_size} gives an empty output")
    return count


def pooling_pairs(
    sizes: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
) -> list[tuple[int, int]]:
    """(low, high) padding per axis that gives torch's number of windows."""
    pairs = []
    for size, k, s, p, d in zip(sizes, kernel_size, stride, padding, dilation):
        count = pooled_size(size, k, s, p, d, ceil_mode)
        pairs.append((p, max(p, (count - 1) * s + d * (k - 1) + 1 - size - p)))
    return pairs


def lowest(dtype: Any) -> Any:
    """The identity of the maximum in `dtype`."""
    return -np.inf if jnp.issubdtype(dtype, jnp.floating) else jnp.iinfo(dtype).min


def first_maximum(windows: jax.Array) -> jax.Array:
    """The maximum over the last axis; of equal elements the first one gets the gradient, as in torch."""
    position = jnp.argmax(jax.lax.stop_gradient(windows), axis=-1, keepdims=True)
    return jnp.take_along_axis(windows, position, axis=-1)[..., 0]


def gather_windows(x: jax.Array, positions: Sequence[np.ndarray]) -> jax.Array:
    """x [..., *spatial] and index arrays [out, k] per axis to windows [..., *out, product of k]."""
    leading = x.ndim - len(positions)
    for axis, indices in enumerate(positions):
        # Every step turns one spatial axis into [out, k]; the k axes of earlier steps lie behind it.
        x = jnp.take(x, jnp.asarray(indices), axis=leading + axis)
        x = jnp.moveaxis(x, leading + axis + 1, -1)
    return x.reshape(*x.shape[: leading + len(positions)], math.prod(indices.shape[1] for indices in positions))


def max_pool(
    x: jax.Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    *,
    dimensions: int,
) -> jax.Array:
    """Maximum over windows of the last `dimensions` axes; `stride` defaults to the kernel size."""
    x = jnp.asarray(x)
    kernel = per_dimension(kernel_size, dimensions)
    steps = kernel if stride is None or stride == () else per_dimension(stride, dimensions)
    spread = per_dimension(dilation, dimensions)
    pairs = pooling_pairs(
        x.shape[-dimensions:], kernel, steps, per_dimension(padding, dimensions), spread, ceil_mode
    )
    leading = x.ndim - dimensions
    if any(d != 1 for d in spread):
        # XLA has no gradient for dilated windows.
        padded = jnp.pad(x, [(0, 0)] * leading + pairs, constant_values=lowest(x.dtype))
        positions = [
            np.arange(0, size - d * (k - 1), s)[:, None] + d * np.arange(k)
            for size, k, s, d in zip(padded.shape[leading:], kernel, steps, spread)
        ]
        return first_maximum(gather_windows(padded, positions))
    ones = (1,) * leading
    initial = np.asarray(lowest(x.dtype), x.dtype)
    return jax.lax.reduce_window(
        x, initial, jax.lax.max, ones + kernel, ones + steps, [(0, 0)] * leading + pairs
    )


def avg_pool(
    x: jax.Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    dimensions: int,
) -> jax.Array:
    """Mean over windows of the last `dimensions` axes; `stride` defaults to the kernel size."""
    x = jnp.asarray(x)
    kernel = per_dimension(kernel_size, dimensions)
    steps = kernel if stride is None or stride == () else per_dimension(stride, dimensions)
    border = per_dimension(padding, dimensions)
    sizes = x.shape[-dimensions:]
    pairs = pooling_pairs(sizes, kernel, steps, border, (1,) * dimensions, ceil_mode)
    leading = x.ndim - dimensions
    total = jax.lax.reduce_window(
        x,
        np.zeros((), x.dtype),
        jax.lax.add,
        (1,) * leading + kernel,
        (1,) * leading + steps,
        [(0, 0)] * leading + pairs,
    )
    if divisor_override is not None:
        if divisor_override == 0:
            raise ValueError("divisor must be not zero")
        return divided(total, jnp.asarray(divisor_override, total.dtype))
    counts = np.ones((1,) * dimensions)
    for axis, (size, k, s, p) in enumerate(zip(sizes, kernel, steps, border)):
        start = np.arange(total.shape[leading + axis]) * s - p
        # Windows that `ceil_mode` adds reach beyond the padding; what lies there never counts.
        low, high = (start, size + p) if count_include_pad else (np.maximum(start, 0), size)
        width = np.minimum(start + k, high) - low
        counts = counts * width.reshape((-1,) + (1,) * (dimensions - 1 - axis))
    return divided(total, jnp.asarray(counts, total.dtype))


def divided(total: jax.Array, count: jax.Array) -> jax.Array:
    """`total / count`, rounded towards zero for integers."""
    if jnp.issubdtype(total.dtype, jnp.integer):
        return jax.lax.div(*jnp.broadcast_arrays(total, count))
    return total / count


def adaptive_windows(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last element of each of `count` windows over `size` elements."""
    index = np.arange(count)
    return index * size // count, -(-(index + 1) * size // count)


def adaptive_sizes(
    x: jax.Array, output_size: int | Sequence[int | None] | None, dimensions: int
) -> tuple[int, ...]:
    """`output_size` per axis; None keeps the axis."""
    given = output_size if isinstance(output_size, Sequence) else (output_size,) * dimensions
    if len(given) != dimensions:
        raise ValueError(f"expected an int or {dimensions} ints for output_size, got {output_size}")
    return tuple(size if n is None else n for n, size in zip(given, x.shape[-dimensions:]))


def adaptive_avg_pool(
    x: jax.Array, output_size: int | Sequence[int | None] | None, *, dimensions: int
) -> jax.Array:
    """Mean over windows that divide the last `dimensions` axes into `output_size` parts."""
    x = jnp.asarray(x)
    sizes = adaptive_sizes(x, output_size, dimensions)
    if all(n == 1 for n in sizes):
        return jnp.mean(x, tuple(range(-dimensions, 0)), keepdims=True)
    for axis, count in zip(range(x.ndim - dimensions, x.ndim), sizes):
        size = x.shape[axis]
        if count == size:
            continue
        if count and size % count == 0:
            split = (*x.shape[:axis], count, size // count, *x.shape[axis + 1 :])
            x = jnp.mean(x.reshape(split), axis + 1)
            continue
        start, stop = adaptive_windows(size, count)
        inside = (np.arange(size) >= start[:, None]) & (np.arange(size) < stop[:, None])
        matrix = jnp.asarray(inside / (stop - start)[:, None], x.dtype)
        y = jnp.tensordot(x, matrix, axes=(axis, 1), precision=jax.lax.Precision.HIGHEST)
        x = jnp.moveaxis(y, -1, axis)
    return x


def adaptive_max_pool(
    x: jax.Array, output_size: int | Sequence[int | None] | None, *, dimensions: int
) -> jax.Array:
    """Maximum over windows that divide the last `dimensions` axes into `output_size` parts."""
    x = jnp.asarray(x)
    positions = []
    for size, count in zip(x.shape[-dimensions:], adaptive_sizes(x, output_size, dimensions)):
        start, stop = adaptive_windows(size, count)
        longest = int((stop - start).max(initial=1))
        # Shorter windows repeat their last element: the first maximum stays the same.
        positions.append(np.minimum(start[:, None] + np.arange(longest), (stop - 1)[:, None]))
    return first_maximum(gather_windows(x, positions))


def lp_pool(
    x: jax.Array,
    norm_type: float,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    ceil_mode: bool = False,
    *,
    dimensions: int,
) -> jax.Array:
    """The norms of windows of the last `dimensions` axes: the sum of `x ** norm_type`, to the power `1 / norm_type`."""
    if norm_type == math.inf:
        return max_pool(jnp.abs(x), kernel_size, stride, ceil_mode=ceil_mode, dimensions=dimensions)
    if norm_type == -math.inf:
        return -max_pool(-jnp.abs(x), kernel_size, stride, ceil_mode=ceil_mode, dimensions=dimensions)
    mean = avg_pool(jnp.power(x, norm_type), kernel_size, stride, ceil_mode=ceil_mode, dimensions=dimensions)
    total = jnp.sign(mean) * jax.nn.relu(jnp.abs(mean)) * math.prod(per_dimension(kernel_size, dimensions))
    return jnp.power(total, 1 / norm_type)
