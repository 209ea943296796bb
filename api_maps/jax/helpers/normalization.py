"""Normalisation functions and layers; half-precision input is normalised in float32, as torch does."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


def normalize_moments(x: jax.Array, mean: jax.Array, variance: jax.Array, eps: float) -> jax.Array:
    """(x - mean) / sqrt(variance + eps)."""
    return (x - mean) * jax.lax.rsqrt(variance + eps)


def per_channel(values: jax.Array, rank: int) -> jax.Array:
    """[C] reshaped to broadcast along axis 1 of an array of `rank` axes."""
    return jnp.reshape(values, (1, -1) + (1,) * (rank - 2))


def scale_and_shift(
    y: jax.Array, weight: jax.Array | None, bias: jax.Array | None, dtype: jnp.dtype
) -> jax.Array:
    """y * weight + bias as far as given, in `dtype`."""
    y = y if weight is None else y * weight
    return (y if bias is None else y + bias).astype(dtype)


def accumulation_type(x: jax.Array) -> jax.Array:
    """x in float32 if it has half precision, else x."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def update_running(running: jax.Array | None, value: jax.Array, momentum: float | jax.Array) -> None:
    """running = (1 - momentum) * running + momentum * value, in place; `running` is a Variable or None."""
    if running is None:
        return
    if not isinstance(running, nnx.Variable):
        raise TypeError("running statistics are updated in place: pass the nnx.Variable, not an array")
    new = (1 - momentum) * running[...] + momentum * jax.lax.stop_gradient(value)
    running[...] = new.astype(running[...].dtype)


def batch_norm(
    x: jax.Array,
    running_mean: jax.Array | None = None,
    running_var: jax.Array | None = None,
    weight: jax.Array | None = None,
    bias: jax.Array | None = None,
    training: bool = False,
    momentum: float | jax.Array = 0.1,
    eps: float = 1e-5,
) -> jax.Array:
    """Normalise x [N, C, ...] per channel by the batch's moments (training) or the running ones.

    In training the running moments, `nnx.Variable`s [C] or None, move by `momentum`; the running variance
    follows the unbiased variance, as in torch. Raises ValueError for one value per channel in training.
    """
    x = jnp.asarray(x)
    values = accumulation_type(x)
    if training:
        count = x.size // x.shape[1]
        if count == 1:
            raise ValueError(f"expected more than 1 value per channel when training, got {x.shape}")
        axes = (0, *range(2, x.ndim))
        mean, variance = jnp.mean(values, axes), jnp.var(values, axes)
        update_running(running_mean, mean, momentum)
        update_running(running_var, variance * (count / (count - 1)), momentum)
    else:
        mean, variance = jnp.asarray(running_mean), jnp.asarray(running_var)
    y = normalize_moments(values, per_channel(mean, x.ndim), per_channel(variance, x.ndim), eps)
    channel = [None if v is None else per_channel(v, x.ndim) for v in (weight, bias)]
    return scale_and_shift(y, *channel, x.dtype)


def instance_norm(
    x: jax.Array,
    running_mean: jax.Array | None = None,
    running_var: jax.Array | None = None,
    weight: jax.Array | None = None,
    bias: jax.Array | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> jax.Array:
    """Normalise each channel of each sample of x [N, C, ...] by its own moments, or the running ones.

    The running moments follow the mean over the batch of the samples' moments (unbiased variance).
    """
    x = jnp.asarray(x)
    values = accumulation_type(x)
    axes = tuple(range(2, x.ndim))
    if use_input_stats:
        count = x.size // (x.shape[0] * x.shape[1])
        if count == 1:
            raise ValueError(f"expected more than 1 spatial element when training, got {x.shape}")
        mean, variance = jnp.mean(values, axes, keepdims=True), jnp.var(values, axes, keepdims=True)
        update_running(running_mean, mean.mean(0).ravel(), momentum)
        update_running(running_var, (variance * (count / (count - 1))).mean(0).ravel(), momentum)
    else:
        mean, variance = per_channel(running_mean, x.ndim), per_channel(running_var, x.ndim)
    channel = [None if v is None else per_channel(v, x.ndim) for v in (weight, bias)]
    return scale_and_shift(normalize_moments(values, mean, variance, eps), *channel, x.dtype)


def layer_norm(
    x: jax.Array,
    normalized_shape: int | Sequence[int],
    weight: jax.Array | None = None,
    bias: jax.Array | None = None,
    eps: float = 1e-5,
) -> jax.Array:
    """Normalise the last axes of x, of shape `normalized_shape`, by their mean and biased variance."""
    x = jnp.asarray(x)
    axes = trailing_axes(x, normalized_shape)
    values = accumulation_type(x)
    mean, variance = jnp.mean(values, axes, keepdims=True), jnp.var(values, axes, keepdims=True)
    return scale_and_shift(normalize_moments(values, mean, variance, eps), weight, bias, x.dtype)


def group_norm(
    x: jax.Array,
    num_groups: int,
    weight: jax.Array | None = None,
    bias: jax.Array | None = None,
    eps: float = 1e-5,
) -> jax.Array:
    """Normalise x [N, C, ...] over each of `num_groups` groups of channels and all later axes."""
    x = jnp.asarray(x)
    if x.shape[1] % num_groups:
        raise ValueError(f"{x.shape[1]} channels are not divisible by num_groups={num_groups}")
    values = accumulation_type(x).reshape(x.shape[0], num_groups, math.prod(x.shape[1:]) // num_groups)
    mean, variance = jnp.mean(values, 2, keepdims=True), jnp.var(values, 2, keepdims=True)
    y = normalize_moments(values, mean, variance, eps).reshape(x.shape)
    channel = [None if v is None else per_channel(v, x.ndim) for v in (weight, bias)]
    return scale_and_shift(y, *channel, x.dtype)


def rms_norm(
    x: jax.Array,
    normalized_shape: int | Sequence[int],
    weight: jax.Array | None = None,
    eps: float | None = None,
) -> jax.Array:
    """x / sqrt(mean(x²) + eps) over the last axes; eps defaults to the machine epsilon of the computation."""
    x = jnp.asarray(x)
    axes = trailing_axes(x, normalized_shape)
    values = accumulation_type(x)
    epsilon = float(jnp.finfo(values.dtype).eps) if eps is None else eps
    y = values * jax.lax.rsqrt(jnp.mean(values * values, axes, keepdims=True) + epsilon)
    return scale_and_shift(y, weight, None, x.dtype)


def local_response_norm(
    x: jax.Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> jax.Array:
    """x / (k + alpha * mean of x² over `size` neighbouring channels) ** beta; x is [N, C, ...]."""
    x = jnp.asarray(x)
    if x.size == 0:
        return x
    window = (1, size) + (1,) * (x.ndim - 2)
    pairs = [(0, 0), (size // 2, (size - 1) // 2)] + [(0, 0)] * (x.ndim - 2)
    total = jax.lax.reduce_window(x * x, np.zeros((), x.dtype), jax.lax.add, window, (1,) * x.ndim, pairs)
    return x / (k + alpha * total / size) ** beta


def trailing_axes(x: jax.Array, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """The axes of x that `normalized_shape` covers; ValueError if x does not end in that shape."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"expected an input whose last axes are {shape}, got shape {x.shape}")
    return tuple(range(-len(shape), 0))


class BatchNormBase(nnx.Module):
    """Parameters and running statistics, all [C]; `use_running_average` is switched by train() and eval()."""

    ranks: tuple[int, ...] = ()

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        bias: bool = True,
        *,
        rngs: nnx.Rngs | None = None,
    ):
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.use_running_average = False
        self.weight = nnx.Param(jnp.ones(num_features, jnp.float32)) if affine else nnx.data(None)
        shifted = affine and bias
        self.bias = nnx.Param(jnp.zeros(num_features, jnp.float32)) if shifted else nnx.data(None)
        if track_running_stats:
            self.running_mean = nnx.BatchStat(jnp.zeros(num_features, jnp.float32))
            self.running_var = nnx.BatchStat(jnp.ones(num_features, jnp.float32))
            self.num_batches_tracked = nnx.BatchStat(jnp.zeros((), jnp.int32))
        else:
            self.running_mean = self.running_var = self.num_batches_tracked = nnx.data(None)

    def check_rank(self, x: jax.Array) -> None:
        """ValueError unless x has one of the ranks that this layer takes."""
        if jnp.ndim(x) not in self.ranks:
            raise ValueError(f"{type(self).__name__} expects rank {self.ranks}, got shape {jnp.shape(x)}")


class BatchNormLayer(BatchNormBase):
    """Torch's BatchNorm1d, 2d and 3d but for the ranks they accept; momentum None averages all batches."""

    def __call__(self, x: jax.Array) -> jax.Array:
        self.check_rank(x)
        training = self.running_mean is None or not self.use_running_average
        momentum = self.momentum
        if training and self.track_running_stats:
            self.num_batches_tracked[...] += 1
            momentum = 1 / self.num_batches_tracked[...] if momentum is None else momentum
        return batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, training, momentum, self.eps
        )


class BatchNorm1d(BatchNormLayer):
    """Batch normalisation of [N, C] or [N, C, L]."""

    ranks = (2, 3)


class BatchNorm2d(BatchNormLayer):
    """Batch normalisation of [N, C, H, W]."""

    ranks = (4,)


class BatchNorm3d(BatchNormLayer):
    """Batch normalisation of [N, C, D, H, W]."""

    ranks = (5,)


class SyncBatchNorm(BatchNormLayer):
    """Batch normalisation of [N, C, ...]; a sharded JAX array already has the statistics of all devices."""

    ranks = (2, 3, 4, 5)


class InstanceNormLayer(BatchNormBase):
    """Torch's InstanceNorm1d, 2d and 3d but for the ranks; the batch axis may be absent."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        bias: bool = True,
        *,
        rngs: nnx.Rngs | None = None,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias)

    def __call__(self, x: jax.Array) -> jax.Array:
        self.check_rank(x)
        x = jnp.asarray(x)
        batched = x.ndim == self.ranks[1]
        y = instance_norm(
            x if batched else x[None],
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.running_mean is None or not self.use_running_average,
            self.momentum,
            self.eps,
        )
        return y if batched else y[0]


class InstanceNorm1d(InstanceNormLayer):
    """Instance normalisation of [N, C, L] or [C, L]."""

    ranks = (2, 3)


class InstanceNorm2d(InstanceNormLayer):
    """Instance normalisation of [N, C, H, W] or [C, H, W]."""

    ranks = (3, 4)


class InstanceNorm3d(InstanceNormLayer):
    """Instance normalisation of [N, C, D, H, W] or [C, D, H, W]."""

    ranks = (4, 5)


class LayerNorm(nnx.Module):
    """Normalises the last axes; weight and bias have the shape `normalized_shape`."""

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        rngs: nnx.Rngs | None = None,
    ):
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape = shape
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = nnx.Param(jnp.ones(shape, jnp.float32)) if elementwise_affine else nnx.data(None)
        shifted = elementwise_affine and bias
        self.bias = nnx.Param(jnp.zeros(shape, jnp.float32)) if shifted else nnx.data(None)

    def __call__(self, x: jax.Array) -> jax.Array:
        return layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(nnx.Module):
    """Divides the last axes by their root mean square; weight has the shape `normalized_shape`."""

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        rngs: nnx.Rngs | None = None,
    ):
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.normalized_shape = shape
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = nnx.Param(jnp.ones(shape, jnp.float32)) if elementwise_affine else nnx.data(None)

    def __call__(self, x: jax.Array) -> jax.Array:
        return rms_norm(x, self.normalized_shape, self.weight, self.eps)


class GroupNorm(nnx.Module):
    """Normalises groups of channels of [N, C, ...]; weight and bias [C]."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        bias: bool = True,
        *,
        rngs: nnx.Rngs | None = None,
    ):
        if num_channels % num_groups:
            raise ValueError("num_channels must be divisible by num_groups")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.weight = nnx.Param(jnp.ones(num_channels, jnp.float32)) if affine else nnx.data(None)
        shifted = affine and bias
        self.bias = nnx.Param(jnp.zeros(num_channels, jnp.float32)) if shifted else nnx.data(None)

    def __call__(self, x: jax.Array) -> jax.Array:
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


class LocalResponseNorm(nnx.Module):
    """Divides by a power of the mean square of `size` neighbouring channels."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def __call__(self, x: jax.Array) -> jax.Array:
        return local_response_norm(x, self.size, self.alpha, self.beta, self.k)
