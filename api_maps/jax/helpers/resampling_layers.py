"""Resizing and rearranging images, as layers."""

from __future__ import annotations

from collections.abc import Sequence

import jax
from flax import nnx

from .resampling import channel_shuffle, fold, interpolate, pixel_shuffle, pixel_unshuffle, unfold


class Upsample(nnx.Module):
    """Resizes the axes after the first two; see `interpolate`."""

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ):
        self.size = tuple(size) if isinstance(size, Sequence) else size
        self.scale_factor = tuple(scale_factor) if isinstance(scale_factor, Sequence) else scale_factor
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def __call__(self, x: jax.Array) -> jax.Array:
        return interpolate(
            x, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )


class UpsamplingNearest2d(Upsample):
    """Nearest-neighbour resizing of [N, C, H, W]."""

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
    ):
        super().__init__(size, scale_factor, "nearest")


class UpsamplingBilinear2d(Upsample):
    """Bilinear resizing of [N, C, H, W] with aligned corners."""

    def __init__(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: float | Sequence[float] | None = None,
    ):
        super().__init__(size, scale_factor, "bilinear", True)


class PixelShuffle(nnx.Module):
    """[..., C * r², H, W] to [..., C, H * r, W * r]."""

    def __init__(self, upscale_factor: int):
        self.upscale_factor = upscale_factor

    def __call__(self, x: jax.Array) -> jax.Array:
        return pixel_shuffle(x, self.upscale_factor)


class PixelUnshuffle(nnx.Module):
    """[..., C, H * r, W * r] to [..., C * r², H, W]."""

    def __init__(self, downscale_factor: int):
        self.downscale_factor = downscale_factor

    def __call__(self, x: jax.Array) -> jax.Array:
        return pixel_unshuffle(x, self.downscale_factor)


class ChannelShuffle(nnx.Module):
    """Interleaves the channels of `groups` groups."""

    def __init__(self, groups: int):
        self.groups = groups

    def __call__(self, x: jax.Array) -> jax.Array:
        return channel_shuffle(x, self.groups)


class SlidingWindows(nnx.Module):
    """The geometry of sliding blocks over an image."""

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        dilation: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        stride: int | Sequence[int] = 1,
    ):
        self.kernel_size = tuple(kernel_size) if isinstance(kernel_size, Sequence) else kernel_size
        self.dilation = tuple(dilation) if isinstance(dilation, Sequence) else dilation
        self.padding = tuple(padding) if isinstance(padding, Sequence) else padding
        self.stride = tuple(stride) if isinstance(stride, Sequence) else stride


class Unfold(SlidingWindows):
    """Sliding blocks of [N, C, H, W] as columns [N, C * kernel elements, blocks]."""

    def __call__(self, x: jax.Array) -> jax.Array:
        return unfold(x, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(SlidingWindows):
    """Columns [N, C * kernel elements, blocks] summed into images [N, C, *output_size]."""

    def __init__(
        self,
        output_size: int | Sequence[int],
        kernel_size: int | Sequence[int],
        dilation: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        stride: int | Sequence[int] = 1,
    ):
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = tuple(output_size) if isinstance(output_size, Sequence) else output_size

    def __call__(self, x: jax.Array) -> jax.Array:
        return fold(x, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)
