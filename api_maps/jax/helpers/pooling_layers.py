"""The pooling functions and layers for one, two and three spatial axes."""

from __future__ import annotations

from collections.abc import Sequence

import jax
from flax import nnx

from .pooling import adaptive_avg_pool, adaptive_max_pool, avg_pool, max_pool
from .pooling_indices import adaptive_max_pool_with_indices, max_pool_with_indices


def max_pool1d(
    x: jax.Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> jax.Array:
    """Maximum over windows of the last axis; `stride` defaults to the kernel size."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, dimensions=1)


def max_pool2d(
    x: jax.Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> jax.Array:
    """Maximum over windows of the last two axes; `stride` defaults to the kernel size."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, dimensions=2)


def max_pool3d(
    x: jax.Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    ceil_mode: bool = False,
) -> jax.Array:
    """Maximum over windows of the last three axes; `stride` defaults to the kernel size."""
    return max_pool(x, kernel_size, stride, padding, dilation, ceil_mode, dimensions=3)


def avg_pool1d(
    x: jax.Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> jax.Array:
    """Mean over windows of the last axis; `stride` defaults to the kernel size."""
    return avg_pool(x, kernel_size, stride, padding, ceil_mode, count_include_pad, dimensions=1)


def avg_pool2d(
    x: jax.Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> jax.Array:
    """Mean over windows of the last two axes; `stride` defaults to the kernel size."""
    return avg_pool(
        x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, dimensions=2
    )


def avg_pool3d(
    x: jax.Array,
    kernel_size: int | Sequence[int],
    stride: int | Sequence[int] | None = None,
    padding: int | Sequence[int] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> jax.Array:
    """Mean over windows of the last three axes; `stride` defaults to the kernel size."""
    return avg_pool(
        x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, dimensions=3
    )


def adaptive_avg_pool1d(x: jax.Array, output_size: int | Sequence[int | None] | None) -> jax.Array:
    """Mean over windows that divide the last axis into `output_size` parts; None keeps an axis."""
    return adaptive_avg_pool(x, output_size, dimensions=1)


def adaptive_avg_pool2d(x: jax.Array, output_size: int | Sequence[int | None] | None) -> jax.Array:
    """Mean over windows that divide the last two axes into `output_size` parts; None keeps an axis."""
    return adaptive_avg_pool(x, output_size, dimensions=2)


def adaptive_avg_pool3d(x: jax.Array, output_size: int | Sequence[int | None] | None) -> jax.Array:
    """Mean over windows that divide the last three axes into `output_size` parts; None keeps an axis."""
    return adaptive_avg_pool(x, output_size, dimensions=3)


def adaptive_max_pool1d(x: jax.Array, output_size: int | Sequence[int | None] | None) -> jax.Array:
    """Maximum over windows that divide the last axis into `output_size` parts; None keeps an axis."""
    return adaptive_max_pool(x, output_size, dimensions=1)


def adaptive_max_pool2d(x: jax.Array, output_size: int | Sequence[int | None] | None) -> jax.Array:
    """Maximum over windows that divide the last two axes into `output_size` parts; None keeps an axis."""
    return adaptive_max_pool(x, output_size, dimensions=2)


def adaptive_max_pool3d(x: jax.Array, output_size: int | Sequence[int | None] | None) -> jax.Array:
    """Maximum over windows that divide the last three axes into `output_size` parts; None keeps an axis."""
    return adaptive_max_pool(x, output_size, dimensions=3)


class MaxPoolLayer(nnx.Module):
    """The arguments of max pooling; with `return_indices` a call also gives the maxima's places."""

    dimensions = 0

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        self.kernel_size = static_sizes(kernel_size)
        self.stride = self.kernel_size if stride is None else static_sizes(stride)
        self.padding = static_sizes(padding)
        self.dilation = static_sizes(dilation)
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def __call__(self, x: jax.Array) -> jax.Array | tuple[jax.Array, jax.Array]:
        pool = max_pool_with_indices if self.return_indices else max_pool
        return pool(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            dimensions=self.dimensions,
        )


class MaxPool1d(MaxPoolLayer):
    """Max pooling of [N, C, L] or [C, L]."""

    dimensions = 1


class MaxPool2d(MaxPoolLayer):
    """Max pooling of [N, C, H, W] or [C, H, W]."""

    dimensions = 2


class MaxPool3d(MaxPoolLayer):
    """Max pooling of [N, C, D, H, W] or [C, D, H, W]."""

    dimensions = 3


class AvgPoolLayer(nnx.Module):
    """The arguments of average pooling."""

    dimensions = 0

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        self.kernel_size = static_sizes(kernel_size)
        self.stride = self.kernel_size if stride is None else static_sizes(stride)
        self.padding = static_sizes(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def __call__(self, x: jax.Array) -> jax.Array:
        return avg_pool(
            x,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
            dimensions=self.dimensions,
        )


class AvgPool1d(AvgPoolLayer):
    """Average pooling of [N, C, L] or [C, L]."""

    dimensions = 1


class AvgPool2d(AvgPoolLayer):
    """Average pooling of [N, C, H, W] or [C, H, W]."""

    dimensions = 2


class AvgPool3d(AvgPoolLayer):
    """Average pooling of [N, C, D, H, W] or [C, D, H, W]."""

    dimensions = 3


class AdaptivePoolLayer(nnx.Module):
    """The output size of adaptive pooling: an int, or an int or None (keep) for each axis."""

    def __init__(self, output_size: int | Sequence[int | None] | None):
        self.output_size = tuple(output_size) if isinstance(output_size, Sequence) else output_size


class AdaptiveAvgPool1d(AdaptivePoolLayer):
    """Adaptive average pooling of [N, C, L] or [C, L]."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return adaptive_avg_pool(x, self.output_size, dimensions=1)


class AdaptiveAvgPool2d(AdaptivePoolLayer):
    """Adaptive average pooling of [N, C, H, W] or [C, H, W]."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return adaptive_avg_pool(x, self.output_size, dimensions=2)


class AdaptiveAvgPool3d(AdaptivePoolLayer):
    """Adaptive average pooling of [N, C, D, H, W] or [C, D, H, W]."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return adaptive_avg_pool(x, self.output_size, dimensions=3)


class AdaptiveMaxPoolLayer(AdaptivePoolLayer):
    """Adaptive max pooling; with `return_indices` a call also gives the maxima's places."""

    dimensions = 0

    def __init__(self, output_size: int | Sequence[int | None] | None, return_indices: bool = False):
        super().__init__(output_size)
        self.return_indices = return_indices

    def __call__(self, x: jax.Array) -> jax.Array | tuple[jax.Array, jax.Array]:
        pool = adaptive_max_pool_with_indices if self.return_indices else adaptive_max_pool
        return pool(x, self.output_size, dimensions=self.dimensions)


class AdaptiveMaxPool1d(AdaptiveMaxPoolLayer):
    """Adaptive max pooling of [N, C, L] or [C, L]."""

    dimensions = 1


class AdaptiveMaxPool2d(AdaptiveMaxPoolLayer):
    """Adaptive max pooling of [N, C, H, W] or [C, H, W]."""

    dimensions = 2


class AdaptiveMaxPool3d(AdaptiveMaxPoolLayer):
    """Adaptive max pooling of [N, C, D, H, W] or [C, D, H, W]."""

    dimensions = 3


def static_sizes(value: int | Sequence[int]) -> int | tuple[int, ...]:
    """An int, or a sequence of ints as a tuple (a module attribute may not be a list)."""
    return value if isinstance(value, int) else tuple(value)
