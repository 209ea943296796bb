"""Max pooling that tells where each maximum was, its inverse, and pooling over random windows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .convolution import per_dimension
from .pooling import adaptive_sizes, adaptive_windows, pooled_size


def gather_windows(x: np.ndarray, positions: Sequence[np.ndarray]) -> np.ndarray:
    """x [..., *spatial] and index arrays [out, k] per axis to windows [..., *out, product of k]."""
    leading = x.ndim - len(positions)
    for axis, indices in enumerate(positions):
        # Every step turns one spatial axis into [out, k]; the k axes of earlier steps lie behind it.
        x = np.moveaxis(np.take(x, indices, axis=leading + axis), leading + axis + 1, -1)
    return x.reshape(*x.shape[: leading + len(positions)], math.prod(p.shape[1] for p in positions))


def first_maximum_with_index(windows: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The maximum over the last axis of windows [..., k], and its entry in positions [..., k]; the first of equals."""
    best = np.argmax(windows, axis=-1, keepdims=True)
    positions = np.broadcast_to(positions, windows.shape)
    return tuple(np.take_along_axis(part, best, axis=-1)[..., 0] for part in (windows, positions))


def flat_positions(sizes: Sequence[int]) -> np.ndarray:
    """The number of every element of an array of shape `sizes`, row by row."""
    return np.arange(math.prod(sizes)).reshape(sizes)


def window_positions(size: int, kernel_size: int, stride: int, padding: int, dilation: int, count: int) -> np.ndarray:
    """Elements [count, kernel_size] of windows along an axis; what lies outside repeats an element of the window."""
    positions = np.arange(count)[:, None] * stride - padding + dilation * np.arange(kernel_size)
    inside = (positions >= 0) & (positions < size)
    first = np.where(inside, positions, size).min(1, keepdims=True)
    return np.clip(positions, first, np.where(inside, positions, -1).max(1, keepdims=True))


def max_pool_with_indices(
    x: np.ndarray,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
    *,
    dimensions: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum over windows of the last `dimensions` axes, and its position in these axes flattened."""
    x = np.asarray(x)
    sizes = x.shape[-dimensions:]
    kernel = per_dimension(kernel_size, dimensions)
    steps = kernel if stride is None or stride == () else per_dimension(stride, dimensions)
    borders, spread = per_dimension(padding, dimensions), per_dimension(dilation, dimensions)
    positions = [
        window_positions(n, k, s, p, d, pooled_size(n, k, s, p, d, ceil_mode))
        for n, k, s, p, d in zip(sizes, kernel, steps, borders, spread, strict=True)
    ]
    return first_maximum_with_index(gather_windows(x, positions), gather_windows(flat_positions(sizes), positions))


def adaptive_max_pool_with_indices(
    x: np.ndarray, output_size: int | Sequence[int | None] | None, *, dimensions: int
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum over windows that divide the last `dimensions` axes into `output_size` parts, and its flat position."""
    x = np.asarray(x)
    sizes = x.shape[-dimensions:]
    positions = []
    for size, count in zip(sizes, adaptive_sizes(x, output_size, dimensions), strict=True):
        start, stop = adaptive_windows(size, count)
        longest = int((stop - start).max(initial=1))
        positions.append(np.minimum(start[:, None] + np.arange(longest), (stop - 1)[:, None]))
    return first_maximum_with_index(gather_windows(x, positions), gather_windows(flat_positions(sizes), positions))


def max_unpool(
    x: np.ndarray,
    indices: np.ndarray,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
    *,
    dimensions: int,
) -> np.ndarray:
    """x [..., *spatial] at the flat positions `indices` of an array of zeros, the inverse of pooling.

    `output_size` (with or without leading axes) tells apart the sizes that pooling brings to the same one.
    """
    x = np.asarray(x)
    leading = x.shape[:-dimensions]
    kernel = per_dimension(kernel_size, dimensions)
    steps = kernel if stride is None else per_dimension(stride, dimensions)
    borders = per_dimension(padding, dimensions)
    sizes = tuple(
        (n - 1) * s + k - 2 * p for n, s, k, p in zip(x.shape[-dimensions:], steps, kernel, borders, strict=True)
    )
    if output_size is not None:
        given = tuple(output_size)[-dimensions:]
        if any(abs(n - default) >= s for n, default, s in zip(given, sizes, steps, strict=True)):
            raise ValueError(f"max_unpool: output_size {given} is not within a stride of {sizes}")
        sizes = given
    rows = math.prod(leading)
    positions = np.reshape(indices, (rows, math.prod(x.shape[-dimensions:])))
    places = np.zeros((rows, math.prod(sizes)), x.dtype)
    places[np.arange(rows)[:, None], positions] = x.reshape(positions.shape)
    return places.reshape(*leading, *sizes)


def fractional_starts(sample: np.ndarray, size: int, kernel_size: int, count: int) -> np.ndarray:
    """First elements [..., count] of windows that advance by steps of random length; sample [...] within 0..1."""
    if count == 1:
        return np.full((*sample.shape, 1), size - kernel_size)
    step = np.float32(size - kernel_size) / np.float32(count - 1)
    index = np.arange(count - 1, dtype=sample.dtype)
    starts = ((index + sample[..., None]) * step).astype(int) - (sample[..., None] * step).astype(int)
    return np.concatenate([starts, np.full((*sample.shape, 1), size - kernel_size)], axis=-1)


def fractional_max_pool_with_indices(
    x: np.ndarray,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    random_samples: np.ndarray | None = None,
    *,
    dimensions: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Maximum over windows at random steps of the last `dimensions` axes of x [N, C, ...], and its flat position.

    random_samples [N, C, dimensions] within 0..1 (for images the last axis first) take the place of random ones.
    """
    x = np.asarray(x)
    if x.ndim == dimensions + 1:
        values, indices = fractional_max_pool_with_indices(
            x[None], kernel_size, output_size, output_ratio, random_samples, dimensions=dimensions
        )
        return values[0], indices[0]
    sizes, kernel = x.shape[-dimensions:], per_dimension(kernel_size, dimensions)
    if output_size is None:
        ratios = output_ratio if isinstance(output_ratio, Sequence) else (output_ratio,) * dimensions
        output_size = tuple(int(n * ratio) for n, ratio in zip(sizes, ratios, strict=True))
    if random_samples is None:
        random_samples = np.random.random((*x.shape[:2], dimensions)).astype(x.dtype)
    samples = random_samples[..., ::-1] if dimensions == 2 else random_samples
    indices: list[np.ndarray] = []
    for axis, (n, k, count) in enumerate(zip(sizes, kernel, per_dimension(output_size, dimensions), strict=True)):
        windows = fractional_starts(samples[..., axis], n, k, count)[..., None] + np.arange(k)
        shape = [1] * (2 * dimensions)
        shape[axis], shape[dimensions + axis] = count, k
        indices.append(windows.reshape(*x.shape[:2], *shape))
    batch = np.arange(x.shape[0]).reshape(-1, *[1] * (2 * dimensions + 1))
    channel = np.arange(x.shape[1]).reshape(-1, *[1] * (2 * dimensions))
    windows = x[(batch, channel, *indices)]
    positions = flat_positions(sizes)[tuple(indices)]
    rows = (*windows.shape[: 2 + dimensions], math.prod(kernel))
    return first_maximum_with_index(windows.reshape(rows), positions.reshape(rows))


def max_pool1d_with_indices(
    x: np.ndarray,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """`max_pool_with_indices` over the last axis."""
    return max_pool_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode, dimensions=1)


def adaptive_max_pool1d_with_indices(
    x: np.ndarray, output_size: int | Sequence[int | None] | None
) -> tuple[np.ndarray, np.ndarray]:
    """`adaptive_max_pool_with_indices` over the last axis."""
    return adaptive_max_pool_with_indices(x, output_size, dimensions=1)


def max_unpool1d(
    x: np.ndarray,
    indices: np.ndarray,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> np.ndarray:
    """`max_unpool` over the last axis."""
    return max_unpool(x, indices, kernel_size, stride, padding, output_size, dimensions=1)


def max_pool2d_with_indices(
    x: np.ndarray,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """`max_pool_with_indices` over the last 2 axes."""
    return max_pool_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode, dimensions=2)


def adaptive_max_pool2d_with_indices(
    x: np.ndarray, output_size: int | Sequence[int | None] | None
) -> tuple[np.ndarray, np.ndarray]:
    """`adaptive_max_pool_with_indices` over the last 2 axes."""
    return adaptive_max_pool_with_indices(x, output_size, dimensions=2)


def max_unpool2d(
    x: np.ndarray,
    indices: np.ndarray,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> np.ndarray:
    """`max_unpool` over the last 2 axes."""
    return max_unpool(x, indices, kernel_size, stride, padding, output_size, dimensions=2)


def max_pool3d_with_indices(
    x: np.ndarray,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """`max_pool_with_indices` over the last 3 axes."""
    return max_pool_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode, dimensions=3)


def adaptive_max_pool3d_with_indices(
    x: np.ndarray, output_size: int | Sequence[int | None] | None
) -> tuple[np.ndarray, np.ndarray]:
    """`adaptive_max_pool_with_indices` over the last 3 axes."""
    return adaptive_max_pool_with_indices(x, output_size, dimensions=3)


def max_unpool3d(
    x: np.ndarray,
    indices: np.ndarray,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    output_size: Sequence[int] | None = None,
) -> np.ndarray:
    """`max_unpool` over the last 3 axes."""
    return max_unpool(x, indices, kernel_size, stride, padding, output_size, dimensions=3)


def fractional_max_pool2d(
    x: np.ndarray,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    random_samples: np.ndarray | None = None,
) -> np.ndarray:
    """Maximum over windows at random steps of the last 2 axes; see `fractional_max_pool_with_indices`."""
    return fractional_max_pool_with_indices(
        x, kernel_size, output_size, output_ratio, random_samples, dimensions=2
    )[0]


def fractional_max_pool2d_with_indices(
    x: np.ndarray,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    random_samples: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """`fractional_max_pool_with_indices` over the last 2 axes."""
    return fractional_max_pool_with_indices(
        x, kernel_size, output_size, output_ratio, random_samples, dimensions=2
    )


def fractional_max_pool3d(
    x: np.ndarray,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    random_samples: np.ndarray | None = None,
) -> np.ndarray:
    """Maximum over windows at random steps of the last 3 axes; see `fractional_max_pool_with_indices`."""
    return fractional_max_pool_with_indices(
        x, kernel_size, output_size, output_ratio, random_samples, dimensions=3
    )[0]


def fractional_max_pool3d_with_indices(
    x: np.ndarray,
    kernel_size: int | Sequence[int],
    output_size: int | Sequence[int] | None = None,
    output_ratio: float | Sequence[float] | None = None,
    random_samples: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """`fractional_max_pool_with_indices` over the last 3 axes."""
    return fractional_max_pool_with_indices(
        x, kernel_size, output_size, output_ratio, random_samples, dimensions=3
    )
