"""Convolution layers over NC[D][H]W data with torch's weight layout and initial distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
from flax import nnx

from .convolution import conv, conv_transpose, convolution_padding, per_dimension
from .linear import fan_in_bound, uniform_parameter
from .padding import pad


class ConvolutionBase(nnx.Module):
    """What the six convolution layers share: the hyperparameters as torch names them, and the initial values."""

    dimensions = 0
    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int],
        padding: int | Sequence[int] | str,
        output_padding: int | Sequence[int],
        dilation: int | Sequence[int],
        groups: int,
        bias: bool,
        padding_mode: str,
        rngs: nnx.Rngs,
    ):
        if in_channels % groups or out_channels % groups:
            raise ValueError(f"groups={groups} must divide {in_channels} inputs and {out_channels} outputs")
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(
                f"padding_mode must be zeros, reflect, replicate or circular, got {padding_mode!r}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = per_dimension(kernel_size, self.dimensions)
        self.stride = per_dimension(stride, self.dimensions)
        self.padding = padding if isinstance(padding, str) else per_dimension(padding, self.dimensions)
        self.output_padding = per_dimension(output_padding, self.dimensions)
        self.dilation = per_dimension(dilation, self.dimensions)
        self.groups = groups
        self.padding_mode = padding_mode
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (first, second // groups, *self.kernel_size)
        bound = fan_in_bound(math.prod(shape[1:]))
        self.weight = uniform_parameter(rngs, shape, bound)
        self.bias = uniform_parameter(rngs, (out_channels,), bound) if bias else nnx.data(None)


class ConvolutionLayer(ConvolutionBase):
    """Torch's Conv1d, Conv2d and Conv3d but for the number of spatial dimensions."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        rngs: nnx.Rngs,
    ):
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            0,
            dilation,
            groups,
            bias,
            padding_mode,
            rngs,
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.padding_mode == "zeros":
            return conv(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        pairs = convolution_padding(self.padding, self.kernel_size, self.stride, self.dilation)
        x = pad(x, [width for pair in pairs[::-1] for width in pair], self.padding_mode)
        return conv(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)


class Conv1d(ConvolutionLayer):
    """Convolution of [N, C, L] or [C, L]; weight [out, in / groups, k]."""

    dimensions = 1


class Conv2d(ConvolutionLayer):
    """Convolution of [N, C, H, W] or [C, H, W]; weight [out, in / groups, kh, kw]."""

    dimensions = 2


class Conv3d(ConvolutionLayer):
    """Convolution of [N, C, D, H, W] or [C, D, H, W]; weight [out, in / groups, kd, kh, kw]."""

    dimensions = 3


class TransposedConvolutionLayer(ConvolutionBase):
    """Torch's ConvTranspose1d, 2d and 3d but for the number of spatial dimensions."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        padding_mode: str = "zeros",
        *,
        rngs: nnx.Rngs,
    ):
        if padding_mode != "zeros":
            raise ValueError("transposed convolutions support only padding_mode='zeros'")
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            dilation,
            groups,
            bias,
            padding_mode,
            rngs,
        )

    def __call__(self, x: jax.Array, output_size: Sequence[int] | None = None) -> jax.Array:
        extra = self.output_padding if output_size is None else self.padding_for(x, output_size)
        return conv_transpose(
            x, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def padding_for(self, x: jax.Array, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output padding that gives `output_size`, whose last axes are the spatial ones."""
        wanted = tuple(output_size)[-self.dimensions :]
        sizes = x.shape[-self.dimensions :]
        smallest = [
            (size - 1) * s - 2 * p + d * (k - 1) + 1
            for size, s, p, d, k in zip(sizes, self.stride, self.padding, self.dilation, self.kernel_size)
        ]
        extra = tuple(w - m for w, m in zip(wanted, smallest))
        if any(e < 0 or e >= s for e, s in zip(extra, self.stride)):
            raise ValueError(f"output_size {wanted} cannot be reached from input size {sizes}")
        return extra


class ConvTranspose1d(TransposedConvolutionLayer):
    """Transposed convolution of [N, C, L] or [C, L]; weight [in, out / groups, k]."""

    dimensions = 1


class ConvTranspose2d(TransposedConvolutionLayer):
    """Transposed convolution of [N, C, H, W] or [C, H, W]; weight [in, out / groups, kh, kw]."""

    dimensions = 2


class ConvTranspose3d(TransposedConvolutionLayer):
    """Transposed convolution of [N, C, D, H, W] or [C, D, H, W]; weight [in, out / groups, kd, kh, kw]."""

    dimensions = 3
