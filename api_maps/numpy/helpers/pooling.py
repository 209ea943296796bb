"""Max, average and adaptive pooling over the last one, two or three axes, as torch defines them."""

from collections.abc import Sequence

import numpy as np

from .convolution import per_dimension, sliding_windows
from .padding import padded
from .scatter import extreme_value


def pooled_size(size: int, kernel_size: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """The number of windows along an axis; with `ceil_mode` a window must start inside the data or low padding."""
    if padding > (dilation * (kernel_size - 1) + 1) // 2:
        raise ValueError(f"padding should be at most half of the kernel size, got {padding} and {kernel_size}")
    span = size + 2 * padding - dilation * (kernel_size - 1) - 1
    count = (-(-span // stride) if ceil_mode else span // stride) + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    if count < 1:
        raise ValueError(f"pooling of size {size} with kernel {kernel_size} gives an empty output")
    return count


def pooling_pairs(sizes, kernel_size, stride, padding, dilation, ceil_mode: bool) -> list[tuple[int, int]]:
    """(low, high) padding per axis that gives torch's number of windows; all arguments hold one int per axis."""
    pairs = []
    for size, k, s, p, d in zip(sizes, kernel_size, stride, padding, dilation, strict=True):
        count = pooled_size(size, k, s, p, d, ceil_mode)
        pairs.append((p, max(p, (count - 1) * s + d * (k - 1) + 1 - size - p)))
    return pairs


def pooling_windows(
    x: np.ndarray, kernel_size, stride, padding, dilation, ceil_mode: bool, dimensions: int, fill
) -> np.ndarray:
    """Windows [..., *out, *kernel] of x [..., *spatial] with `fill` around it; `stride` None is the kernel size."""
    kernel = per_dimension(kernel_size, dimensions)
    steps = kernel if stride is None or len(np.atleast_1d(stride)) == 0 else per_dimension(stride, dimensions)
    spread, border = per_dimension(dilation, dimensions), per_dimension(padding, dimensions)
    pairs = pooling_pairs(x.shape[-dimensions:], kernel, steps, border, spread, ceil_mode)
    grown = padded(x, [(0, 0)] * (x.ndim - dimensions) + pairs, fill)
    return sliding_windows(grown, kernel, steps, spread)


def max_pool(x, kernel_size, stride, padding, dilation, ceil_mode: bool, dimensions: int) -> np.ndarray:
    """Maximum over windows of the last `dimensions` axes."""
    x = np.asarray(x)
    lowest = extreme_value(x.dtype, False)
    windows = pooling_windows(x, kernel_size, stride, padding, dilation, ceil_mode, dimensions, lowest)
    return windows.max(tuple(range(-dimensions, 0)))


def max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode: bool = False) -> np.ndarray:
    """Maximum over windows of x [..., L]; `stride` defaults to the kernel size."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, 1)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode: bool = False) -> np.ndarray:
    """Maximum over windows of x [..., H, W]; `stride` defaults to the kernel size."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, 2)


def max_pool3d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode: bool = False) -> np.ndarray:
    """Maximum over windows of x [..., D, H, W]; `stride` defaults to the kernel size."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, 3)


def avg_pool(
    x, kernel_size, stride, padding, ceil_mode: bool, count_include_pad: bool, divisor_override, dimensions: int
) -> np.ndarray:
    """Mean over windows of the last `dimensions` axes."""
    x = np.asarray(x)
    windows = pooling_windows(x, kernel_size, stride, padding, 1, ceil_mode, dimensions, 0)
    total = windows.sum(tuple(range(-dimensions, 0)), dtype=x.dtype)
    if divisor_override is not None:
        return averaged(total, divisor_override)
    sizes, kernel = x.shape[-dimensions:], windows.shape[-dimensions:]
    steps = kernel if stride is None or len(np.atleast_1d(stride)) == 0 else per_dimension(stride, dimensions)
    counts = np.ones((1,) * dimensions, np.int64)
    for axis, (size, k, s, p) in enumerate(zip(sizes, kernel, steps, per_dimension(padding, dimensions), strict=True)):
        start = np.arange(total.shape[axis - dimensions]) * s - p
        # Windows that `ceil_mode` adds reach beyond the padding; what lies there never counts.
        low, high = (start, size + p) if count_include_pad else (np.maximum(start, 0), size)
        width = np.minimum(start + k, high) - low
        counts = counts * width.reshape((-1,) + (1,) * (dimensions - 1 - axis))
    return averaged(total, counts)


def averaged(total: np.ndarray, count) -> np.ndarray:
    """`total / count` in the dtype of `total`; integers are rounded towards zero."""
    return np.trunc(total / count).astype(total.dtype) if total.dtype.kind in "iu" else (total / count).astype(total.dtype)


def avg_pool1d(
    x, kernel_size, stride=None, padding=0, ceil_mode: bool = False, count_include_pad: bool = True
) -> np.ndarray:
    """Mean over windows of x [..., L]; `stride` defaults to the kernel size."""
    return avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad, None, 1)


def avg_pool2d(
    x, kernel_size, stride=None, padding=0, ceil_mode: bool = False, count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:  # fmt: skip
    """Mean over windows of x [..., H, W]; `stride` defaults to the kernel size."""
    return avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, 2)


def avg_pool3d(
    x, kernel_size, stride=None, padding=0, ceil_mode: bool = False, count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> np.ndarray:  # fmt: skip
    """Mean over windows of x [..., D, H, W]; `stride` defaults to the kernel size."""
    return avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, 3)


def adaptive_windows(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First and one past the last element of each of `count` windows over `size` elements."""
    index = np.arange(count)
    return index * size // max(count, 1), -(-(index + 1) * size // max(count, 1))


def adaptive_sizes(x: np.ndarray, output_size, dimensions: int) -> tuple[int, ...]:
    """`output_size` per axis; None keeps the axis."""
    given = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * dimensions
    if len(given) != dimensions:
        raise ValueError(f"expected an int or {dimensions} ints for output_size, got {output_size}")
    return tuple(size if n is None else n for n, size in zip(given, x.shape[-dimensions:], strict=True))


def adaptive_avg_pool(x, output_size, dimensions: int) -> np.ndarray:
    """Mean over windows that divide the last `dimensions` axes into `output_size` parts."""
    x = np.asarray(x)
    for axis, count in zip(range(-dimensions, 0), adaptive_sizes(x, output_size, dimensions), strict=True):
        start, stop = adaptive_windows(x.shape[axis], count)
        position = np.arange(x.shape[axis])
        inside = (position >= start[:, None]) & (position < stop[:, None])
        matrix = (inside / (stop - start)[:, None]).astype(x.dtype)
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T, -1, axis)
    return x


def adaptive_max_pool(x, output_size, dimensions: int) -> np.ndarray:
    """Maximum over windows that divide the last `dimensions` axes into `output_size` parts."""
    x = np.asarray(x)
    for axis, count in zip(range(-dimensions, 0), adaptive_sizes(x, output_size, dimensions), strict=True):
        start, stop = adaptive_windows(x.shape[axis], count)
        # Shorter windows repeat their last element: the maximum stays the same.
        longest = int((stop - start).max(initial=1))
        positions = np.minimum(start[:, None] + np.arange(longest), (stop - 1)[:, None])
        x = np.take(x, positions, axis).max(axis)
    return x


def adaptive_avg_pool1d(x, output_size) -> np.ndarray:
    """x [..., L] to [..., output_size]: means over even parts."""
    return adaptive_avg_pool(x, output_size, 1)


def adaptive_avg_pool2d(x, output_size) -> np.ndarray:
    """x [..., H, W] to [..., *output_size]: means over even parts."""
    return adaptive_avg_pool(x, output_size, 2)


def adaptive_avg_pool3d(x, output_size) -> np.ndarray:
    """x [..., D, H, W] to [..., *output_size]: means over even parts."""
    return adaptive_avg_pool(x, output_size, 3)


def adaptive_max_pool1d(x, output_size) -> np.ndarray:
    """x [..., L] to [..., output_size]: maxima over even parts."""
    return adaptive_max_pool(x, output_size, 1)


def adaptive_max_pool2d(x, output_size) -> np.ndarray:
    """x [..., H, W] to [..., *output_size]: maxima over even parts."""
    return adaptive_max_pool(x, output_size, 2)


def adaptive_max_pool3d(x, output_size) -> np.ndarray:
    """x [..., D, H, W] to [..., *output_size]: maxima over even parts."""
    return adaptive_max_pool(x, output_size, 3)
