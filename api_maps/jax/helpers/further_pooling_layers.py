"""Layers for power-average pooling, fractional max pooling and the inverse of max pooling."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from .pooling import lp_pool
from .pooling_indices import fractional_max_pool_with_indices, max_unpool
from .pooling_layers import static_sizes


class LPPoolLayer(nnx.Module):
    """The arguments of power-average pooling."""

    dimensions = 0

    def __init__(
        self,
        norm_type: float,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        ceil_mode: bool = False,
    ):
        self.norm_type = norm_type
        self.kernel_size = static_sizes(kernel_size)
        self.stride = None if stride is None else static_sizes(stride)
        self.ceil_mode = ceil_mode

    def __call__(self, x: jax.Array) -> jax.Array:
        return lp_pool(
            x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode, dimensions=self.dimensions
        )


class LPPool1d(LPPoolLayer):
    """Power-average pooling of [N, C, L] or [C, L]."""

    dimensions = 1


class LPPool2d(LPPoolLayer):
    """Power-average pooling of [N, C, H, W] or [C, H, W]."""

    dimensions = 2


class LPPool3d(LPPoolLayer):
    """Power-average pooling of [N, C, D, H, W] or [C, D, H, W]."""

    dimensions = 3


class FractionalMaxPoolLayer(nnx.Module):
    """The arguments of fractional max pooling; windows are drawn at each call unless `_random_samples` fixes them."""

    dimensions = 0

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        output_size: int | Sequence[int] | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        _random_samples: jax.Array | None = None,
        *,
        rngs: nnx.Rngs,
    ):
        if (output_size is None) == (output_ratio is None):
            raise ValueError("fractional max pooling takes either output_size or output_ratio")
        self.kernel_size = static_sizes(kernel_size)
        self.output_size = output_size if output_size is None else static_sizes(output_size)
        ratio = output_ratio
        self.output_ratio = ratio if ratio is None or isinstance(ratio, (int, float)) else tuple(ratio)
        self.return_indices = return_indices
        fixed = nnx.data(None) if _random_samples is None else nnx.Variable(jnp.asarray(_random_samples, float))
        self._random_samples = fixed
        self.rngs = rngs.dropout.fork()

    def __call__(self, x: jax.Array) -> jax.Array | tuple[jax.Array, jax.Array]:
        samples = None if self._random_samples is None else self._random_samples[...]
        if samples is not None and x.ndim == self.dimensions + 1:
            samples = samples[:1]
        sizes = (self.kernel_size, self.output_size, self.output_ratio)
        maxima, indices = fractional_max_pool_with_indices(
            x, *sizes, samples, key=self.rngs(), dimensions=self.dimensions
        )
        return (maxima, indices) if self.return_indices else maxima


class FractionalMaxPool2d(FractionalMaxPoolLayer):
    """Fractional max pooling of [N, C, H, W] or [C, H, W]."""

    dimensions = 2


class FractionalMaxPool3d(FractionalMaxPoolLayer):
    """Fractional max pooling of [N, C, D, H, W] or [C, D, H, W]."""

    dimensions = 3


class MaxUnpoolLayer(nnx.Module):
    """The arguments of the max pooling that is to be inverted."""

    dimensions = 0

    def __init__(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
    ):
        self.kernel_size = static_sizes(kernel_size)
        self.stride = self.kernel_size if stride is None else static_sizes(stride)
        self.padding = static_sizes(padding)

    def __call__(
        self, x: jax.Array, indices: jax.Array, output_size: Sequence[int] | None = None
    ) -> jax.Array:
        sizes = (self.kernel_size, self.stride, self.padding)
        return max_unpool(x, indices, *sizes, output_size, dimensions=self.dimensions)


class MaxUnpool1d(MaxUnpoolLayer):
    """Puts [N, C, L] or [C, L] where its elements came from."""

    dimensions = 1


class MaxUnpool2d(MaxUnpoolLayer):
    """Puts [N, C, H, W] or [C, H, W] where its elements came from."""

    dimensions = 2


class MaxUnpool3d(MaxUnpoolLayer):
    """Puts [N, C, D, H, W] or [C, D, H, W] where its elements came from."""

    dimensions = 3
