"""Keras' layers in PyTorch: channels last, names, layouts and initial values as Keras has them, sizes learnt from the first input."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "linear": lambda x: x,
    "relu": F.relu,
    "relu6": F.relu6,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "swish": F.silu,
    "leaky_relu": functools.partial(F.leaky_relu, negative_slope=0.2),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "exponential": torch.exp,
    "mish": F.mish,
    "softmax": functools.partial(F.softmax, dim=-1),
    "log_softmax": functools.partial(F.log_softmax, dim=-1),
}


def activation_function(activation: str | Callable[[torch.Tensor], torch.Tensor] | None) -> Callable[..., torch.Tensor]:
    """An activation by the name that Keras has for it; a function is itself, None changes nothing."""
    if activation is None or isinstance(activation, str):
        return ACTIVATIONS[activation or "linear"]
    return activation


def per_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """One number for each spatial axis."""
    return (value,) * axes if isinstance(value, int) else tuple(value)


def same_padding(
    sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """What `F.pad` is given so that each axis has ceil(size / stride) results; the odd element goes behind."""
    padding: list[int] = []
    for size, width, step, spread in zip(sizes, kernel, stride, dilation):
        total = max((math.ceil(size / step) - 1) * step + (width - 1) * spread + 1 - size, 0)
        padding = [total // 2, total - total // 2, *padding]
    return padding


def known_padding(padding: str) -> str:
    """`valid`, `same` or `causal`, however it is written."""
    if padding.lower() not in ("valid", "same", "causal"):
        raise ValueError(f"padding has to be valid, same or causal, but got {padding}")
    return padding.lower()


def glorot_uniform_(kernel: torch.Tensor) -> None:
    """Fill a kernel [*spatial, in, out] uniformly from ±sqrt(6 / (fan_in + fan_out))."""
    fans = (kernel.shape[-1] + kernel.shape[-2]) * math.prod(kernel.shape[:-2])
    limit = math.sqrt(6 / fans) if fans else 0.0
    nn.init.uniform_(kernel, -limit, limit)


class ActivatedDense(LazyModuleMixin, nn.Module):
    """x [..., in] to activation(x @ kernel + bias) [..., out]; kernel [in, out], bias [out]."""

    def __init__(self, out_features: int, activation=None, bias: bool = True):
        super().__init__()
        self.out_features = out_features
        self.activation = activation_function(activation)
        self.kernel = nn.UninitializedParameter()
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None

    def initialize_parameters(self, x: torch.Tensor) -> None:
        """Make the kernel for inputs [..., in]."""
        if self.has_uninitialized_params():
            with torch.no_grad():
                self.kernel.materialize((x.shape[-1], self.out_features))
                glorot_uniform_(self.kernel)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x @ self.kernel
        return self.activation(y if self.bias is None else y + self.bias)


class ChannelsLastConv(LazyModuleMixin, nn.Module):
    """x [N, *spatial, in] to [N, *spatial', out]; kernel [*width, in / groups, out], bias [out].

    padding: `valid`, `same` (each axis gets ceil(size / stride) results) or, along one axis, `causal`.
    """

    axes = 2

    def __init__(self, out_channels: int, kernel_size, stride=1, padding: str = "valid", dilation=1, groups: int = 1,
                 activation=None, bias: bool = True):  # fmt: skip
        super().__init__()
        self.out_channels, self.groups, self.padding = out_channels, groups, known_padding(padding)
        self.kernel_size, self.stride = per_axis(kernel_size, self.axes), per_axis(stride, self.axes)
        self.dilation = per_axis(dilation, self.axes)
        self.activation = activation_function(activation)
        self.kernel = nn.UninitializedParameter()
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None

    def initialize_parameters(self, x: torch.Tensor) -> None:
        """Make the kernel for inputs [N, *spatial, in]."""
        if self.has_uninitialized_params():
            with torch.no_grad():
                self.kernel.materialize((*self.kernel_size, x.shape[-1] // self.groups, self.out_channels))
                glorot_uniform_(self.kernel)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.movedim(-1, 1)
        if self.padding == "same":
            x = F.pad(x, same_padding(x.shape[2:], self.kernel_size, self.stride, self.dilation))
        elif self.padding == "causal":
            x = F.pad(x, [(self.kernel_size[0] - 1) * self.dilation[0], 0])
        weight = self.kernel.movedim((-1, -2), (0, 1))
        convolve = F.conv1d if self.axes == 1 else F.conv2d
        y = convolve(x, weight, self.bias, self.stride, 0, self.dilation, self.groups)
        return self.activation(y.movedim(1, -1))


class ChannelsLastConv1d(ChannelsLastConv):
    """x [N, length, in] to [N, length', out]; kernel [width, in / groups, out], bias [out]."""

    axes = 1


class ChannelsLastConv2d(ChannelsLastConv):
    """x [N, height, width, in] to [N, height', width', out]; kernel [h, w, in / groups, out], bias [out]."""

    def __init__(self, out_channels: int, kernel_size, stride=(1, 1), padding: str = "valid", dilation=(1, 1),
                 groups: int = 1, activation=None, bias: bool = True):  # fmt: skip
        super().__init__(out_channels, kernel_size, stride, padding, dilation, groups, activation, bias)


class ChannelsLastMaxPool2d(nn.Module):
    """The largest of each window of x [N, height, width, C]."""

    def __init__(self, kernel_size=(2, 2), stride=None, padding: str = "valid"):
        super().__init__()
        self.kernel_size = per_axis(kernel_size, 2)
        self.stride = per_axis(kernel_size if stride is None else stride, 2)
        self.padding = known_padding(padding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.movedim(-1, 1)
        if self.padding == "same":
            x = F.pad(x, same_padding(x.shape[2:], self.kernel_size, self.stride, (1, 1)), value=-math.inf)
        return F.max_pool2d(x, self.kernel_size, self.stride).movedim(1, -1)


class ChannelsLastAvgPool2d(ChannelsLastMaxPool2d):
    """The mean of each window of x [N, height, width, C]; what lies outside of x does not count."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.movedim(-1, 1)
        if self.padding == "same":
            padding = same_padding(x.shape[2:], self.kernel_size, self.stride, (1, 1))
            inside = F.avg_pool2d(F.pad(torch.ones_like(x[:1, :1]), padding), self.kernel_size, self.stride)
            y = F.avg_pool2d(F.pad(x, padding), self.kernel_size, self.stride) / inside
        else:
            y = F.avg_pool2d(x, self.kernel_size, self.stride)
        return y.movedim(1, -1)


class ChannelsLastGlobalAvgPool2d(nn.Module):
    """x [N, height, width, C] to its means [N, C], or [N, 1, 1, C] with keepdims."""

    def __init__(self, keepdims: bool = False):
        super().__init__()
        self.keepdims = keepdims

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 2), keepdim=self.keepdims)


class ChannelsLastNorm(LazyModuleMixin, nn.Module):
    """What both normalizations of x [..., C] share: gamma [C] and beta [C], each there if asked for."""

    def __init__(self, eps: float = 1e-3, scale: bool = True, center: bool = True):
        super().__init__()
        self.eps = eps
        self.gamma = nn.UninitializedParameter() if scale else None
        self.beta = nn.UninitializedParameter() if center else None

    def initialize_parameters(self, x: torch.Tensor) -> None:
        """Make weights for inputs [..., C]."""
        if self.has_uninitialized_params():
            starts = {"gamma": 1.0, "beta": 0.0, "moving_mean": 0.0, "moving_variance": 1.0}
            with torch.no_grad():
                for name, value in (*self._parameters.items(), *self._buffers.items()):
                    if value is not None:
                        value.materialize((x.shape[-1],))
                        value.fill_(starts[name])

    def scaled(self, x: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> torch.Tensor:
        """(x - mean) / sqrt(variance + eps), times gamma, plus beta."""
        y = (x - mean) * torch.rsqrt(variance + self.eps)
        y = y if self.gamma is None else y * self.gamma
        return y if self.beta is None else y + self.beta


class ChannelsLastLayerNorm(ChannelsLastNorm):
    """x [..., C] normalized along the last axis."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scaled(x, x.mean(-1, keepdim=True), x.var(-1, correction=0, keepdim=True))


class ChannelsLastBatchNorm(ChannelsLastNorm):
    """x [..., C] normalized along all other axes: by the batch in training, by the moving statistics in evaluation.

    momentum: the part of the old moving_mean [C] and moving_variance [C] (of the biased variance) that stays.
    """

    def __init__(self, momentum: float = 0.99, eps: float = 1e-3, scale: bool = True, center: bool = True):
        super().__init__(eps, scale, center)
        self.momentum = momentum
        self.register_buffer("moving_mean", nn.UninitializedBuffer())
        self.register_buffer("moving_variance", nn.UninitializedBuffer())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return self.scaled(x, self.moving_mean, self.moving_variance)
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axes), x.var(axes, correction=0)
        with torch.no_grad():
            self.moving_mean.lerp_(mean, 1 - self.momentum)
            self.moving_variance.lerp_(variance, 1 - self.momentum)
        return self.scaled(x, mean, variance)
