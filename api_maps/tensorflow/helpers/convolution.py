"""Convolution and pooling in torch's layout [N, C, ...]: TensorFlow's kernels for the CPU know only channels last."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from .linear import fan_in_bound, uniform_parameter
from .modules import Module


def as_pair(value: Any) -> tuple[int, int]:
    """A number for both axes, or one for each."""
    return (value, value) if isinstance(value, int) else tuple(value)


def channels_last(x: tf.Tensor) -> tf.Tensor:
    """[N, C, H, W] to [N, H, W, C]."""
    return tf.transpose(x, [0, 2, 3, 1])


def channels_first(x: tf.Tensor) -> tf.Tensor:
    """[N, H, W, C] to [N, C, H, W]."""
    return tf.transpose(x, [0, 3, 1, 2])


def padded(x: tf.Tensor, padding: tuple[int, int], mode: str = "zeros", value: float = 0.0) -> tf.Tensor:
    """x [N, C, H, W] with a border."""
    border = [[0, 0], [0, 0], [padding[0]] * 2, [padding[1]] * 2]
    if mode == "zeros":
        return tf.pad(x, border, constant_values=tf.cast(value, x.dtype))
    return tf.pad(x, border, {"reflect": "REFLECT", "symmetric": "SYMMETRIC"}[mode])


def dilated(kernel: tf.Tensor, dilation: tuple[int, int]) -> tf.Tensor:
    """The kernel [h, w, in, out] with zeros between its taps: the CPU has no gradient of dilated convolutions."""
    if dilation == (1, 1):
        return kernel
    height, width, *channels = kernel.shape
    spread = tf.reshape(kernel, [height, 1, width, 1, *channels])
    spread = tf.pad(spread, [[0, 0], [0, dilation[0] - 1], [0, 0], [0, dilation[1] - 1], [0, 0], [0, 0]])
    spread = tf.reshape(spread, [height * dilation[0], width * dilation[1], *channels])
    return spread[: (height - 1) * dilation[0] + 1, : (width - 1) * dilation[1] + 1]


def conv2d(
    x: tf.Tensor, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> tf.Tensor:
    """x [N, C, H, W] (or without N), weight [out, C/groups, h, w], bias [out]; zero padding; to [N, out, H', W'].

    padding: a number for each axis, or "valid" or "same".
    """
    if x.shape.rank == 3:
        return conv2d(x[None], weight, bias, stride, padding, dilation, groups)[0]
    border: Any = padding.upper() if isinstance(padding, str) else [[0, 0], *([p, p] for p in as_pair(padding)), [0, 0]]
    kernel = dilated(tf.transpose(weight, [2, 3, 1, 0]), as_pair(dilation))
    pairs = [(channels_last(x), kernel)]
    if groups > 1:  # TensorFlow has no gradient of grouped convolutions on the CPU.
        pairs = list(zip(tf.split(pairs[0][0], groups, 3), tf.split(kernel, groups, 3), strict=True))
    parts = [tf.nn.conv2d(part, own, as_pair(stride), border) for part, own in pairs]
    y = channels_first(parts[0] if groups == 1 else tf.concat(parts, 3))
    return y if bias is None else y + tf.reshape(bias, [-1, 1, 1])


class Conv2d(Module):
    """x [N, in, H, W] to [N, out, H', W']; weight [out, in/groups, h, w], bias [out]."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros",
    ):  # fmt: skip
        super().__init__()
        if padding_mode not in ("zeros", "reflect"):
            raise ValueError(f"padding_mode {padding_mode!r}: this layer knows 'zeros' and 'reflect'")
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, as_pair(kernel_size)
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.groups, self.padding_mode = groups, padding_mode
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        bound = fan_in_bound(math.prod(shape[1:]))
        self.weight = uniform_parameter(shape, bound)
        self.bias = uniform_parameter((out_channels,), bound) if bias else None

    def call(self, x: tf.Tensor) -> tf.Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            x, padding = padded(x, as_pair(padding), self.padding_mode), 0
        return conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


def window_counts(lengths: Any, kernel: Any, stride: Any, padding: Any, ceil_mode: bool) -> list[tuple[int, int]]:
    """For each axis the number of windows, and how much border they need behind the padding."""
    found = []
    for length, k, s, p in zip(lengths, kernel, stride, padding, strict=True):
        rest = length + 2 * p - k
        count = (-(-rest // s) if ceil_mode else rest // s) + 1
        if ceil_mode and (count - 1) * s >= length + p:
            count -= 1
        found.append((count, max(0, (count - 1) * s + k - length - 2 * p)))
    return found


def max_pool2d(
    x: tf.Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
) -> tf.Tensor:
    """The largest element of each window of x [N, C, H, W] (or without N); the gradient goes to one of them."""
    if x.shape.rank == 3:
        return max_pool2d(x[None], kernel_size, stride, padding, dilation, ceil_mode)[0]
    kernel, border = as_pair(kernel_size), as_pair(padding)
    steps = as_pair(kernel if stride is None else stride)
    spread = [(k - 1) * d + 1 for k, d in zip(kernel, as_pair(dilation), strict=True)]
    extra = [more for _, more in window_counts(x.shape[2:], spread, steps, border, ceil_mode)]
    edges = [[0, 0], [0, 0], [border[0], border[0] + extra[0]], [border[1], border[1] + extra[1]]]
    x = tf.pad(x, edges, constant_values=x.dtype.min)
    if as_pair(dilation) == (1, 1):
        return channels_first(tf.nn.max_pool2d(channels_last(x), kernel, steps, "VALID"))
    pooled = tf.nn.pool(channels_last(x), kernel, "MAX", dilations=as_pair(dilation), padding="VALID")
    return channels_first(pooled)[:, :, :: steps[0], :: steps[1]]


def avg_pool2d(
    x: tf.Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> tf.Tensor:  # fmt: skip
    """The mean of each window of x [N, C, H, W] (or without N)."""
    if x.shape.rank == 3:
        return avg_pool2d(x[None], kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)[0]
    kernel, border = as_pair(kernel_size), as_pair(padding)
    steps = as_pair(kernel if stride is None else stride)
    extra = [more for _, more in window_counts(x.shape[2:], kernel, steps, border, ceil_mode)]
    inner = [[0, 0], [0, 0], [border[0]] * 2, [border[1]] * 2]
    outer = [[0, 0], [0, 0], [0, extra[0]], [0, extra[1]]]
    counted = tf.ones_like(x[:1, :1])
    counted = tf.pad(tf.pad(counted, inner, constant_values=float(count_include_pad)), outer)
    total, count = (
        channels_first(tf.nn.avg_pool2d(channels_last(each), kernel, steps, "VALID")) * math.prod(kernel)
        for each in (tf.pad(tf.pad(x, inner), outer), counted)
    )
    return total / (count if divisor_override is None else tf.cast(divisor_override, x.dtype))


def adaptive_matrix(length: int, parts: int, dtype: Any) -> tf.Tensor:
    """The matrix [parts, length] that averages from floor(i n/parts) to ceil((i+1) n/parts)."""
    starts = [index * length // parts for index in range(parts)]
    ends = [-(-(index + 1) * length // parts) for index in range(parts)]
    rows = [[float(start <= at < end) / (end - start) for at in range(length)] for start, end in zip(starts, ends, strict=True)]
    return tf.constant(rows, dtype)


def adaptive_avg_pool2d(x: tf.Tensor, output_size: Any) -> tf.Tensor:
    """x [..., H, W] averaged to [..., h, w]; None keeps an axis."""
    wanted = (output_size, output_size) if not isinstance(output_size, (tuple, list)) else output_size
    height, width = (own if size is None else size for size, own in zip(wanted, x.shape[-2:], strict=True))
    rows = adaptive_matrix(x.shape[-2], height, x.dtype)
    columns = adaptive_matrix(x.shape[-1], width, x.dtype)
    return tf.einsum("ih,...hw,jw->...ij", rows, x, columns)


class MaxPool2d(Module):
    """The largest element of each window of x [N, C, H, W]."""

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False
    ):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.ceil_mode = dilation, ceil_mode

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)


class AvgPool2d(Module):
    """The mean of each window of x [N, C, H, W]."""

    def __init__(
        self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ):  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride, self.padding, self.ceil_mode = kernel_size, stride, padding, ceil_mode
        self.count_include_pad, self.divisor_override = count_include_pad, divisor_override

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return avg_pool2d(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override
        )


class AdaptiveAvgPool2d(Module):
    """x [..., H, W] averaged to [..., h, w]."""

    def __init__(self, output_size: Any):
        super().__init__()
        self.output_size = output_size

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return adaptive_avg_pool2d(x, self.output_size)


