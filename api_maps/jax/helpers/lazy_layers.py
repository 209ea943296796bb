"""Layers that are made whole at their first call, which shows how many channels come in, as torch's lazy layers are.

Call the model once on an example before its optimizer is built, as in torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import jax
from flax import nnx

from .convolution_layers import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from .linear import Linear
from .normalization import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
)
from .parameter_groups import HostValues


class LazyLayer(nnx.Module):
    """Waits for its first input `[..., C, *spatial]`, and is then a layer of the class `whole` with C channels.

    dimensions: the number of spatial axes.
    """

    whole: ClassVar[Any]
    dimensions = 0

    def wait(self, rngs: nnx.Rngs, **arguments: Any) -> None:
        """Keep the arguments of the whole layer's constructor."""
        # Set by train() and eval(), which may come before the first call.
        self.use_running_average = False
        trace = nnx.tracers.TraceState()
        self.awaiting_first_call = HostValues({"arguments": arguments, "rngs": rngs, "trace": trace})

    def channels(self, x: jax.Array) -> int:
        """How many channels an input has."""
        return x.shape[-1 - self.dimensions]

    def __call__(self, x: jax.Array, *args: Any) -> Any:
        kept = self.awaiting_first_call.values
        if not kept["trace"].is_valid():
            raise RuntimeError(
                f"{type(self).__name__} gets its weights at its first call: call the model once on an example before "
                "gradients are taken, functions compiled and the optimizer built"
            )
        channels, averages = self.channels(x), self.use_running_average
        del self.awaiting_first_call, self.use_running_average
        self.__class__ = self.whole
        self.__init__(channels, **kept["arguments"], rngs=kept["rngs"])
        if hasattr(self, "use_running_average"):
            self.use_running_average = averages
        return self(x, *args)


class LazyLinear(LazyLayer):
    """A `Linear` of as many inputs as the first one has."""

    whole = Linear

    def __init__(self, out_features: int, bias: bool = True, *, rngs: nnx.Rngs):
        self.wait(rngs, out_features=out_features, bias=bias)


class LazyConvolutionLayer(LazyLayer):
    """Torch's LazyConv1d, 2d and 3d but for the number of spatial dimensions."""

    def __init__(
        self,
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
        self.wait(
            rngs,
            out_channels=out_channels,
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
            padding_mode=padding_mode,
        )


class LazyTransposedConvolutionLayer(LazyLayer):
    """Torch's LazyConvTranspose1d, 2d and 3d but for the number of spatial dimensions."""

    def __init__(
        self,
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
        self.wait(
            rngs,
            out_channels=out_channels,
            kernel_size=kernel_size,
            stride=stride,
            padding=padding,
            output_padding=output_padding,
            groups=groups,
            bias=bias,
            dilation=dilation,
            padding_mode=padding_mode,
        )


class LazyNormLayer(LazyLayer):
    """Torch's LazyBatchNorm1d, 2d and 3d but for the ranks that they accept."""

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        rngs: nnx.Rngs | None = None,
    ):
        self.wait(rngs, eps=eps, momentum=momentum, affine=affine, track_running_stats=track_running_stats)


class LazyConv1d(LazyConvolutionLayer):
    """A `Conv1d` of as many channels as its first input has."""

    whole = Conv1d
    dimensions = 1


class LazyConvTranspose1d(LazyTransposedConvolutionLayer):
    """A `ConvTranspose1d` of as many channels as its first input has."""

    whole = ConvTranspose1d
    dimensions = 1


class LazyConv2d(LazyConvolutionLayer):
    """A `Conv2d` of as many channels as its first input has."""

    whole = Conv2d
    dimensions = 2


class LazyConvTranspose2d(LazyTransposedConvolutionLayer):
    """A `ConvTranspose2d` of as many channels as its first input has."""

    whole = ConvTranspose2d
    dimensions = 2


class LazyConv3d(LazyConvolutionLayer):
    """A `Conv3d` of as many channels as its first input has."""

    whole = Conv3d
    dimensions = 3


class LazyConvTranspose3d(LazyTransposedConvolutionLayer):
    """A `ConvTranspose3d` of as many channels as its first input has."""

    whole = ConvTranspose3d
    dimensions = 3


class LazyBatchNorm2d(LazyNormLayer):
    """A `BatchNorm2d` of as many channels as its first input has."""

    whole = BatchNorm2d
    dimensions = 2


class LazyBatchNorm3d(LazyNormLayer):
    """A `BatchNorm3d` of as many channels as its first input has."""

    whole = BatchNorm3d
    dimensions = 3


class LazyInstanceNorm1d(LazyNormLayer):
    """A `InstanceNorm1d` of as many channels as its first input has."""

    whole = InstanceNorm1d
    dimensions = 1


class LazyInstanceNorm2d(LazyNormLayer):
    """A `InstanceNorm2d` of as many channels as its first input has."""

    whole = InstanceNorm2d
    dimensions = 2


class LazyInstanceNorm3d(LazyNormLayer):
    """A `InstanceNorm3d` of as many channels as its first input has."""

    whole = InstanceNorm3d
    dimensions = 3


class LazyBatchNorm1d(LazyNormLayer):
    """A `BatchNorm1d` of as many channels as its first input, [N, C] or [N, C, L], has."""

    whole = BatchNorm1d

    def channels(self, x: jax.Array) -> int:
        """How many channels an input has."""
        return x.shape[1]
