"""Convolution functions over NC[D][H]W data with torch's weight layout."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def per_dimension(value: int | Sequence[int], dimensions: int) -> tuple[int, ...]:
    """An int or a sequence of one or `dimensions` ints as a tuple of `dimensions` ints."""
    values = (value,) if isinstance(value, int) else tuple(value)
    if len(values) == 1:
        return values * dimensions
    if len(values) != dimensions:
        raise ValueError(f"expected one int or {dimensions} ints, got {value}")
    return values


def convolution_padding(
    padding: int | Sequence[int] | str,
    kernel_size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> list[tuple[int, int]]:
    """Torch's `padding` as (low, high) pairs; 'same' puts the odd element on the high side."""
    if padding == "valid":
        return [(0, 0)] * len(kernel_size)
    if padding == "same":
        if any(step != 1 for step in stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
        totals = [d * (k - 1) for k, d in zip(kernel_size, dilation)]
        return [(total // 2, total - total // 2) for total in totals]
    if isinstance(padding, str):
        raise TypeError(f"padding must be ints, 'same' or 'valid', got {padding!r}")
    return [(p, p) for p in per_dimension(padding, len(kernel_size))]


def conv(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> jax.Array:
    """Cross-correlation of x [N, C, *spatial] or [C, *spatial] with weight [out, C / groups, *kernel].

    `padding` is also 'same' or 'valid'. Returns [N, out, *spatial] (without N if x had none).
    """
    x, weight = jnp.asarray(x), jnp.asarray(weight)
    dimensions = weight.ndim - 2
    stride, dilation = per_dimension(stride, dimensions), per_dimension(dilation, dimensions)
    pairs = convolution_padding(padding, weight.shape[2:], stride, dilation)
    batched = x.ndim == weight.ndim
    y = jax.lax.conv_general_dilated(
        x if batched else x[None],
        weight,
        window_strides=stride,
        padding=pairs,
        rhs_dilation=dilation,
        feature_group_count=groups,
    )
    if bias is not None:
        y = y + jnp.reshape(bias, (-1,) + (1,) * dimensions)
    return y if batched else y[0]


def conv_transpose(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> jax.Array:
    """The gradient of a convolution: x [N, C, *spatial] or [C, *spatial], weight [C, out / groups, *kernel].

    Returns [N, out, *spatial] with (size - 1) * stride - 2 * padding + dilation * (kernel - 1)
    + output_padding + 1 elements along each spatial axis (without N if x had none).
    """
    x, weight = jnp.asarray(x), jnp.asarray(weight)
    dimensions = weight.ndim - 2
    stride, dilation = per_dimension(stride, dimensions), per_dimension(dilation, dimensions)
    padding, output_padding = per_dimension(padding, dimensions), per_dimension(output_padding, dimensions)
    extents = [d * (k - 1) for k, d in zip(weight.shape[2:], dilation)]
    pairs = [(e - p, e - p + extra) for e, p, extra in zip(extents, padding, output_padding)]
    channels, out_per_group, *kernel_size = weight.shape
    kernel = weight.reshape(groups, channels // groups, out_per_group, *kernel_size)
    kernel = jnp.swapaxes(kernel, 1, 2).reshape(groups * out_per_group, channels // groups, *kernel_size)
    batched = x.ndim == weight.ndim
    y = jax.lax.conv_general_dilated(
        x if batched else x[None],
        jnp.flip(kernel, tuple(range(2, kernel.ndim))),
        window_strides=(1,) * dimensions,
        padding=pairs,
        lhs_dilation=stride,
        rhs_dilation=dilation,
        feature_group_count=groups,
    )
    if bias is not None:
        y = y + jnp.reshape(bias, (-1,) + (1,) * dimensions)
    return y if batched else y[0]


def conv1d(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> jax.Array:
    """Convolution of x [N, C, L] or [C, L] with weight [out, C / groups, *kernel]; see `conv`."""
    return conv(x, weight, bias, stride, padding, dilation, groups)


def conv2d(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> jax.Array:
    """Convolution of x [N, C, H, W] or [C, H, W] with weight [out, C / groups, *kernel]; see `conv`."""
    return conv(x, weight, bias, stride, padding, dilation, groups)


def conv3d(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | str = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> jax.Array:
    """Convolution of x [N, C, D, H, W] or [C, D, H, W] with weight [out, C / groups, *kernel]; see `conv`."""
    return conv(x, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> jax.Array:
    """Transposed convolution of x [N, C, L] or [C, L] with weight [C, out / groups, *kernel]."""
    return conv_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> jax.Array:
    """Transposed convolution of x [N, C, H, W] or [C, H, W] with weight [C, out / groups, *kernel]."""
    return conv_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> jax.Array:
    """Transposed convolution of x [N, C, D, H, W] or [C, D, H, W] with weight [C, out / groups, *kernel]."""
    return conv_transpose(x, weight, bias, stride, padding, output_padding, groups, dilation)
