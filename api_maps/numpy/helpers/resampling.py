"""Resizing and rearranging images: interpolation, pixel shuffling, sliding windows."""

from collections.abc import Sequence

import numpy as np

from .convolution import per_dimension, sliding_windows
from .padding import padded
from .pooling import adaptive_avg_pool

LINEAR_MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def interpolate(
    x,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> np.ndarray:
    """Resize the axes after the first two of x [N, C, *spatial] to `size`, or by `scale_factor`.

    mode: nearest, nearest-exact, linear, bilinear, bicubic, trilinear or area. As in torch a `scale_factor`
    is used as given, also where it does not divide the size, unless `recompute_scale_factor` is set.
    """
    x = np.asarray(x)
    dimensions = x.ndim - 2
    sizes, factors = resized(x.shape[2:], size, scale_factor)
    if recompute_scale_factor:
        factors = (None,) * dimensions
    if mode == "area":
        return adaptive_avg_pool(x, sizes, dimensions)
    if mode not in ("nearest", "nearest-exact", "bicubic", LINEAR_MODES[dimensions]):
        raise ValueError(f"mode {mode!r} does not apply to {dimensions} spatial axes")
    if (mode == "bicubic" and dimensions != 2) or (antialias and mode not in ("bilinear", "bicubic")):
        raise ValueError(f"mode {mode!r} with antialias={antialias} needs two spatial axes")
    for axis, (out, factor) in enumerate(zip(sizes, factors, strict=True), start=2):
        if mode.startswith("nearest"):
            offset = 0.5 if mode == "nearest-exact" else 0.0
            x = np.take(x, nearest_indices(x.shape[axis], out, factor, offset), axis)
        elif antialias:
            x = resize_antialiased(x, axis, out, factor, mode, bool(align_corners))
        else:
            x = resize_axis(x, axis, out, factor, mode, bool(align_corners))
    return x


def resized(
    spatial: Sequence[int], size: int | Sequence[int] | None, scale_factor: float | Sequence[float] | None
) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """The output sizes, and the scale factors as given (None where a size is given)."""
    dimensions = len(spatial)
    if (size is None) == (scale_factor is None):
        raise ValueError("give one of size and scale_factor")
    if size is not None:
        return per_dimension(size, dimensions), (None,) * dimensions
    given = tuple(scale_factor) if isinstance(scale_factor, Sequence) else (scale_factor,) * dimensions
    factors = tuple(float(factor) for factor in given)
    return tuple(int(n * factor) for n, factor in zip(spatial, factors, strict=True)), factors


def sampling_step(size: int, out: int, factor: float | None, align_corners: bool = False) -> np.float32:
    """The distance between samples in input elements, in torch's single precision."""
    if align_corners:
        return np.float32(np.float32(size - 1) / np.float32(out - 1)) if out > 1 else np.float32(0)
    return np.float32(1 / factor) if factor is not None else np.float32(np.float32(size) / np.float32(out))


def nearest_indices(size: int, out: int, factor: float | None, offset: float) -> np.ndarray:
    """The input element of each output element: floor((i + offset) * step)."""
    positions = (np.arange(out, dtype=np.float32) + np.float32(offset)) * sampling_step(size, out, factor)
    return np.minimum(np.floor(positions).astype(np.int32), size - 1)


def resize_axis(
    x: np.ndarray, axis: int, out: int, factor: float | None, mode: str, align_corners: bool
) -> np.ndarray:
    """Linear or cubic interpolation along one axis, from two or four neighbours."""
    size = x.shape[axis]
    step = sampling_step(size, out, factor, align_corners)
    index = np.arange(out, dtype=np.float32)
    positions = index * step if align_corners else step * (index + np.float32(0.5)) - np.float32(0.5)
    if mode != "bicubic":
        positions = np.maximum(positions, 0)
    start = np.floor(positions)
    fraction = positions - start
    first = start.astype(np.int32)
    if mode == "bicubic":
        taps = [(first + k, cubic_weight(fraction - np.float32(k), -0.75)) for k in (-1, 0, 1, 2)]
    else:
        taps = [(first, 1 - fraction), (first + 1, fraction)]
    shape = (-1,) + (1,) * (x.ndim - 1 - axis)
    total = np.zeros((), x.dtype)
    for indices, weights in taps:
        neighbours = np.take(x, np.clip(indices, 0, size - 1), axis)
        total = total + neighbours * weights.reshape(shape).astype(x.dtype)
    return total


def cubic_weight(distance: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel with parameter `a` at a distance."""
    t = np.abs(distance)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


def resize_antialiased(
    x: np.ndarray, axis: int, out: int, factor: float | None, mode: str, align_corners: bool
) -> np.ndarray:
    """Linear or cubic interpolation along one axis with a kernel as wide as the step."""
    size = x.shape[axis]
    step = float(sampling_step(size, out, factor, align_corners))
    width = max(step, 1.0)
    centre = step * (np.arange(out) + 0.5)[:, None]
    support = (2.0 if mode == "bicubic" else 1.0) * width
    element = np.arange(size)
    low = np.maximum((centre - support + 0.5).astype(int), 0)
    high = np.minimum((centre + support + 0.5).astype(int), size)
    distance = (element - centre + 0.5) / width
    kernel = cubic_weight(distance, -0.5) if mode == "bicubic" else np.maximum(1 - np.abs(distance), 0)
    kernel = np.where((element >= low) & (element < high), kernel, 0)
    matrix = (kernel / kernel.sum(1, keepdims=True)).astype(x.dtype)
    return np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T, -1, axis)


def pixel_shuffle(x, upscale_factor: int) -> np.ndarray:
    """[..., C * r², H, W] to [..., C, H * r, W * r]."""
    x, r = np.asarray(x), upscale_factor
    *leading, channels, height, width = x.shape
    x = x.reshape(*leading, channels // r**2, r, r, height, width)
    n = len(leading)
    x = np.transpose(x, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return x.reshape(*leading, channels // r**2, height * r, width * r)


def pixel_unshuffle(x, downscale_factor: int) -> np.ndarray:
    """[..., C, H * r, W * r] to [..., C * r², H, W]."""
    x, r = np.asarray(x), downscale_factor
    *leading, channels, height, width = x.shape
    x = x.reshape(*leading, channels, height // r, r, width // r, r)
    n = len(leading)
    x = np.transpose(x, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return x.reshape(*leading, channels * r**2, height // r, width // r)


def channel_shuffle(x, groups: int) -> np.ndarray:
    """Interleave the channels of `groups` groups; x [N, C, ...]."""
    x = np.asarray(x)
    split = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    return np.swapaxes(split, 1, 2).reshape(x.shape)


def unfold(x, kernel_size, dilation=1, padding=0, stride=1) -> np.ndarray:
    """Sliding blocks of x [N, C, H, W] or [C, H, W] as columns [N, C * kernel elements, blocks]."""
    x = np.asarray(x)
    border = per_dimension(padding, 2)
    grown = padded(x, [(0, 0)] * (x.ndim - 2) + [(p, p) for p in border])
    kernel, steps, spread = (per_dimension(value, 2) for value in (kernel_size, stride, dilation))
    windows = np.moveaxis(sliding_windows(grown, kernel, steps, spread), (-2, -1), (-4, -3))
    *leading, channels, rows, columns, height, width = windows.shape
    return windows.reshape(*leading, channels * rows * columns, height * width)


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1) -> np.ndarray:
    """Columns [N, C * kernel elements, blocks] summed into images [N, C, *output_size]: the adjoint of unfold."""
    x = np.asarray(x)
    kernel, border, shape = (per_dimension(value, 2) for value in (kernel_size, padding, output_size))
    channels = x.shape[-2] // (kernel[0] * kernel[1])
    sizes = [n + 2 * p for n, p in zip(shape, border, strict=True)]
    # The blocks say which element of the image each column entry belongs to.
    element = unfold(np.arange(sizes[0] * sizes[1]).reshape(1, *sizes), kernel, dilation, 0, stride).ravel()
    image = np.zeros((*x.shape[:-2], channels, sizes[0] * sizes[1]), x.dtype)
    np.add.at(image, (..., element), x.reshape(*image.shape[:-1], -1))
    image = image.reshape(*image.shape[:-1], *sizes)
    return image[..., border[0] : border[0] + shape[0], border[1] : border[1] + shape[1]]
