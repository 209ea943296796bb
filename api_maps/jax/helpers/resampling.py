"""Resizing and rearranging images: interpolation, pixel shuffling, sliding windows."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from .convolution import per_dimension
from .pooling import adaptive_avg_pool, gather_windows

LINEAR_MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def interpolate(
    x: jax.Array,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> jax.Array:
    """Resize the axes after the first two of x [N, C, *spatial] to `size`, or by `scale_factor`.

    mode: nearest, nearest-exact, linear, bilinear, bicubic, trilinear or area. As in torch a `scale_factor`
    is used as given, also where it does not divide the size, unless `recompute_scale_factor` is set.
    """
    x = jnp.asarray(x)
    dimensions = x.ndim - 2
    sizes, factors = resized(x.shape[2:], size, scale_factor)
    if recompute_scale_factor:
        factors = (None,) * dimensions
    if mode == "area":
        return adaptive_avg_pool(x, sizes, dimensions=dimensions)
    if mode not in ("nearest", "nearest-exact", "bicubic", LINEAR_MODES[dimensions]):
        raise ValueError(f"mode {mode!r} does not apply to {dimensions} spatial axes")
    if (mode == "bicubic" and dimensions != 2) or (antialias and mode not in ("bilinear", "bicubic")):
        raise ValueError(f"mode {mode!r} with antialias={antialias} needs two spatial axes")
    for axis, (out, factor) in enumerate(zip(sizes, factors, strict=True), start=2):
        if mode.startswith("nearest"):
            indices = nearest_indices(x.shape[axis], out, factor, 0.5 if mode == "nearest-exact" else 0.0)
            x = jnp.take(x, jnp.asarray(indices), axis=axis)
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
    x: jax.Array, axis: int, out: int, factor: float | None, mode: str, align_corners: bool
) -> jax.Array:
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
    total = jnp.zeros((), x.dtype)
    for indices, weights in taps:
        neighbours = jnp.take(x, jnp.asarray(np.clip(indices, 0, size - 1)), axis=axis)
        total = total + neighbours * jnp.asarray(weights.reshape(shape), x.dtype)
    return total


def cubic_weight(distance: np.ndarray, a: float) -> np.ndarray:
    """The cubic convolution kernel with parameter `a` at a distance."""
    t = np.abs(distance)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


def resize_antialiased(
    x: jax.Array, axis: int, out: int, factor: float | None, mode: str, align_corners: bool
) -> jax.Array:
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
    matrix = jnp.asarray(kernel / kernel.sum(1, keepdims=True), x.dtype)
    y = jnp.tensordot(x, matrix, axes=(axis, 1), precision=jax.lax.Precision.HIGHEST)
    return jnp.moveaxis(y, -1, axis)


def pixel_shuffle(x: jax.Array, upscale_factor: int) -> jax.Array:
    """[..., C * r², H, W] to [..., C, H * r, W * r]."""
    x, r = jnp.asarray(x), upscale_factor
    *leading, channels, height, width = x.shape
    x = x.reshape(*leading, channels // r**2, r, r, height, width)
    n = len(leading)
    x = jnp.transpose(x, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return x.reshape(*leading, channels // r**2, height * r, width * r)


def pixel_unshuffle(x: jax.Array, downscale_factor: int) -> jax.Array:
    """[..., C, H * r, W * r] to [..., C * r², H, W]."""
    x, r = jnp.asarray(x), downscale_factor
    *leading, channels, height, width = x.shape
    x = x.reshape(*leading, channels, height // r, r, width // r, r)
    n = len(leading)
    x = jnp.transpose(x, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return x.reshape(*leading, channels * r**2, height // r, width // r)


def channel_shuffle(x: jax.Array, groups: int) -> jax.Array:
    """Interleave the channels of `groups` groups; x [N, C, ...]."""
    x = jnp.asarray(x)
    split = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    return jnp.swapaxes(split, 1, 2).reshape(x.shape)


def unfold(
    x: jax.Array,
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> jax.Array:
    """Sliding blocks of x [N, C, H, W] or [C, H, W] as columns [N, C * kernel elements, blocks]."""
    x = jnp.asarray(x)
    kernel, steps = per_dimension(kernel_size, 2), per_dimension(stride, 2)
    spread, border = per_dimension(dilation, 2), per_dimension(padding, 2)
    padded = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(p, p) for p in border])
    positions = [
        np.arange(0, size - d * (k - 1), s)[:, None] + d * np.arange(k)
        for size, k, s, d in zip(padded.shape[-2:], kernel, steps, spread, strict=True)
    ]
    windows = jnp.moveaxis(gather_windows(padded, positions), -1, -3)
    *leading, channels, elements, rows, columns = windows.shape
    return windows.reshape(*leading, channels * elements, rows * columns)


def fold(
    x: jax.Array,
    output_size: int | Sequence[int],
    kernel_size: int | Sequence[int],
    dilation: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
) -> jax.Array:
    """Columns [N, C * kernel elements, blocks] summed into images [N, C, *output_size]: the adjoint of unfold."""
    x = jnp.asarray(x)
    rows, columns = per_dimension(kernel_size, 2)
    channels = x.shape[-2] // (rows * columns)
    image = jax.ShapeDtypeStruct((*x.shape[:-2], channels, *per_dimension(output_size, 2)), x.dtype)

    def blocks(y: jax.Array) -> jax.Array:
        return unfold(y, kernel_size, dilation, padding, stride)

    return jax.linear_transpose(blocks, image)(x)[0]
