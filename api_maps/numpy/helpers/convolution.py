"""Convolution functions over NC[D][H]W data with torch's weight layout."""

from collections.abc import Sequence

import numpy as np

from .padding import cropped, padded


def per_dimension(value: int | Sequence[int], dimensions: int) -> tuple[int, ...]:
    """An int or a sequence of one or `dimensions` ints as a tuple of `dimensions` ints."""
    values = tuple(value) if isinstance(value, Sequence) else (value,)
    if len(values) == 1:
        return values * dimensions
    if len(values) != dimensions:
        raise ValueError(f"expected one int or {dimensions} ints, got {value}")
    return values


def sliding_windows(
    x: np.ndarray, kernel_size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> np.ndarray:
    """Windows over the last axes of x [..., *spatial], a view [..., *out, *kernel_size]."""
    dimensions = len(kernel_size)
    extents = tuple(d * (k - 1) + 1 for k, d in zip(kernel_size, dilation, strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(x, extents, tuple(range(-dimensions, 0)))
    steps = [slice(None, None, s) for s in stride]
    return windows[(..., *steps, *(slice(None, None, d) for d in dilation))]


def convolution_padding(
    padding: int | Sequence[int] | str, kernel_size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[tuple[int, int]]:
    """Torch's `padding` as (low, high) pairs; 'same' puts the odd element on the high side."""
    if padding == "valid":
        return [(0, 0)] * len(kernel_size)
    if padding == "same":
        if any(step != 1 for step in stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
        totals = [d * (k - 1) for k, d in zip(kernel_size, dilation, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    if isinstance(padding, str):
        raise TypeError(f"padding must be ints, 'same' or 'valid', got {padding!r}")
    return [(p, p) for p in per_dimension(padding, len(kernel_size))]


def correlate(
    x: np.ndarray, weight: np.ndarray, stride: Sequence[int], dilation: Sequence[int], groups: int
) -> np.ndarray:
    """Cross-correlation of x [N, C, *spatial] with weight [out, C / groups, *kernel], as one matrix product."""
    dimensions = weight.ndim - 2
    windows = sliding_windows(x, weight.shape[2:], stride, dilation)
    batch, channels = windows.shape[:2]
    out = windows.shape[2 : 2 + dimensions]
    # [N, groups, positions, channels * kernel] @ [groups, channels * kernel, out channels]
    grouped = windows.reshape(batch, groups, channels // groups, *windows.shape[2:])
    columns = np.moveaxis(grouped, 2, 2 + dimensions).reshape(batch, groups, int(np.prod(out)), -1)
    matrix = weight.reshape(groups, weight.shape[0] // groups, -1).swapaxes(1, 2)
    return (columns @ matrix).swapaxes(2, 3).reshape(batch, weight.shape[0], *out)


def finished(y: np.ndarray, bias, dimensions: int, batched: bool) -> np.ndarray:
    """y [N, out, *spatial] with the bias added, without the batch axis if the input had none."""
    if bias is not None:
        y = y + np.reshape(bias, (-1,) + (1,) * dimensions)
    return y if batched else y[0]


def conv(x, weight, bias=None, stride=1, padding=0, dilation=1, groups: int = 1) -> np.ndarray:
    """Cross-correlation of x [N, C, *spatial] or [C, *spatial] with weight [out, C / groups, *kernel].

    `padding` is also 'same' or 'valid'. Returns [N, out, *spatial] (without N if x had none).
    """
    x, weight = np.asarray(x), np.asarray(weight)
    dimensions = weight.ndim - 2
    stride, dilation = per_dimension(stride, dimensions), per_dimension(dilation, dimensions)
    pairs = convolution_padding(padding, weight.shape[2:], stride, dilation)
    batched = x.ndim == weight.ndim
    x = padded(x if batched else x[None], [(0, 0), (0, 0), *pairs])
    return finished(correlate(x, weight, stride, dilation, groups), bias, dimensions, batched)


def conv_transpose(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups: int = 1, dilation=1
) -> np.ndarray:
    """The gradient of a convolution: x [N, C, *spatial] or [C, *spatial], weight [C, out / groups, *kernel].

    Returns [N, out, *spatial] with (size - 1) * stride - 2 * padding + dilation * (kernel - 1)
    + output_padding + 1 elements along each spatial axis (without N if x had none).
    """
    x, weight = np.asarray(x), np.asarray(weight)
    dimensions = weight.ndim - 2
    stride, dilation = per_dimension(stride, dimensions), per_dimension(dilation, dimensions)
    padding, output_padding = per_dimension(padding, dimensions), per_dimension(output_padding, dimensions)
    batched = x.ndim == weight.ndim
    x = x if batched else x[None]
    sizes = [(n - 1) * s + 1 for n, s in zip(x.shape[2:], stride, strict=True)]
    spread = np.zeros((*x.shape[:2], *sizes), x.dtype)
    spread[(..., *(slice(None, None, s) for s in stride))] = x
    extents = [d * (k - 1) for k, d in zip(weight.shape[2:], dilation, strict=True)]
    pairs = [(e - p, e - p + extra) for e, p, extra in zip(extents, padding, output_padding, strict=True)]
    widths = [(0, 0), (0, 0), *pairs]
    channels, out_per_group, *kernel_size = weight.shape
    kernel = weight.reshape(groups, channels // groups, out_per_group, *kernel_size)
    kernel = kernel.swapaxes(1, 2).reshape(groups * out_per_group, channels // groups, *kernel_size)
    kernel = np.flip(kernel, tuple(range(2, kernel.ndim)))
    spread = cropped(padded(spread, widths), widths)
    return finished(correlate(spread, kernel, (1,) * dimensions, dilation, groups), bias, dimensions, batched)


def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups: int = 1) -> np.ndarray:
    """Convolution of x [N, C, L] or [C, L] with weight [out, C / groups, *kernel]; see `conv`."""
    return conv(x, weight, bias, stride, padding, dilation, groups)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups: int = 1) -> np.ndarray:
    """Convolution of x [N, C, H, W] or [C, H, W] with weight [out, C / groups, *kernel]; see `conv`."""
    return conv(x, weight, bias, stride, padding, dilation, groups)


def conv3d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups: int = 1) -> np.ndarray:
    """Convolution of x [N, C, D, H, W] or [C, D, H, W] with weight [out, C / groups, *kernel]; see `conv`."""
    return conv(x, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups: int = 1, dilation=1
) -> np.ndarray:
    """Transposed convolution of x [N, C, L] or [C, L] with weight [C, out / groups, *kernel]."""
    return conv_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups: int = 1, dilation=1
) -> np.ndarray:
    """Transposed convolution of x [N, C, H, W] or [C, H, W] with weight [C, out / groups, *kernel]."""
    return conv_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x, weight, bias=None, stride=1, padding=0, output_padding=0, groups: int = 1, dilation=1
) -> np.ndarray:
    """Transposed convolution of x [N, C, D, H, W] or [C, D, H, W] with weight [C, out / groups, *kernel]."""
    return conv_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation)
