"""Normalisation functions; half-precision input is normalised in float32, as torch does."""

from collections.abc import Sequence

import numpy as np

from .convolution import sliding_windows
from .padding import padded


def per_channel(values, rank: int) -> np.ndarray:
    """[C] reshaped to broadcast along axis 1 of an array of `rank` axes."""
    return np.reshape(values, (1, -1) + (1,) * (rank - 2))


def normalize_moments(x: np.ndarray, mean: np.ndarray, variance: np.ndarray, eps: float) -> np.ndarray:
    """(x - mean) / sqrt(variance + eps)."""
    return (x - mean) / np.sqrt(variance + eps)


def scale_and_shift(y: np.ndarray, weight, bias, dtype) -> np.ndarray:
    """y * weight + bias as far as given, in `dtype`."""
    y = y if weight is None else y * weight
    return (y if bias is None else y + bias).astype(dtype)


def accumulation_type(x: np.ndarray) -> np.ndarray:
    """x in float32 if it has half precision, else x."""
    return x.astype(np.promote_types(x.dtype, np.float32))


def update_running(running: np.ndarray | None, value: np.ndarray, momentum: float) -> None:
    """running = (1 - momentum) * running + momentum * value, in place; nothing for None."""
    if running is not None:
        running[...] = (1 - momentum) * running + momentum * value


def batch_norm(
    x,
    running_mean: np.ndarray | None = None,
    running_var: np.ndarray | None = None,
    weight=None,
    bias=None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> np.ndarray:
    """Normalise x [N, C, ...] per channel by the batch's moments (training) or the running ones.

    In training the running moments, [C] or None, move in place by `momentum`; the running variance follows the
    unbiased variance, as in torch. Raises ValueError for one value per channel in training, and without channels.
    """
    x = np.asarray(x)
    if x.ndim < 2:
        raise ValueError(f"expected axes [N, C, ...], got shape {x.shape}")
    values = accumulation_type(x)
    if training:
        count = x.size // x.shape[1] if x.size else 0
        if count == 1:
            raise ValueError(f"expected more than 1 value per channel when training, got {x.shape}")
        axes = (0, *range(2, x.ndim))
        mean, variance = np.mean(values, axes), np.var(values, axes)
        update_running(running_mean, mean, momentum)
        update_running(running_var, variance * (count / (count - 1)), momentum)
    else:
        mean, variance = np.asarray(running_mean), np.asarray(running_var)
    y = normalize_moments(values, per_channel(mean, x.ndim), per_channel(variance, x.ndim), eps)
    channel = [None if v is None else per_channel(v, x.ndim) for v in (weight, bias)]
    return scale_and_shift(y, *channel, x.dtype)


def instance_norm(
    x,
    running_mean: np.ndarray | None = None,
    running_var: np.ndarray | None = None,
    weight=None,
    bias=None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> np.ndarray:
    """Normalise each channel of each sample of x [N, C, ...] by its own moments, or the running ones.

    The running moments follow, in place, the mean over the batch of the samples' moments (unbiased variance).
    """
    x = np.asarray(x)
    values = accumulation_type(x)
    axes = tuple(range(2, x.ndim))
    if use_input_stats:
        count = int(np.prod(x.shape[2:]))
        if count == 1:
            raise ValueError(f"expected more than 1 spatial element when training, got {x.shape}")
        mean, variance = np.mean(values, axes, keepdims=True), np.var(values, axes, keepdims=True)
        update_running(running_mean, mean.mean(0).ravel(), momentum)
        update_running(running_var, (variance * (count / (count - 1))).mean(0).ravel(), momentum)
    else:
        mean, variance = per_channel(running_mean, x.ndim), per_channel(running_var, x.ndim)
    channel = [None if v is None else per_channel(v, x.ndim) for v in (weight, bias)]
    return scale_and_shift(normalize_moments(values, mean, variance, eps), *channel, x.dtype)


def layer_norm(x, normalized_shape: int | Sequence[int], weight=None, bias=None, eps: float = 1e-5) -> np.ndarray:
    """Normalise the last axes of x, of shape `normalized_shape`, by their mean and biased variance."""
    x = np.asarray(x)
    axes = trailing_axes(x, normalized_shape)
    values = accumulation_type(x)
    mean, variance = np.mean(values, axes, keepdims=True), np.var(values, axes, keepdims=True)
    return scale_and_shift(normalize_moments(values, mean, variance, eps), weight, bias, x.dtype)


def group_norm(x, num_groups: int, weight=None, bias=None, eps: float = 1e-5) -> np.ndarray:
    """Normalise x [N, C, ...] over each of `num_groups` groups of channels and all later axes."""
    x = np.asarray(x)
    if x.shape[1] % num_groups:
        raise ValueError(f"{x.shape[1]} channels are not divisible by num_groups={num_groups}")
    size = x.shape[1] // num_groups * int(np.prod(x.shape[2:]))
    values = accumulation_type(x).reshape(x.shape[0], num_groups, size)
    mean, variance = np.mean(values, 2, keepdims=True), np.var(values, 2, keepdims=True)
    y = normalize_moments(values, mean, variance, eps).reshape(x.shape)
    channel = [None if v is None else per_channel(v, x.ndim) for v in (weight, bias)]
    return scale_and_shift(y, *channel, x.dtype)


def rms_norm(x, normalized_shape: int | Sequence[int], weight=None, eps: float | None = None) -> np.ndarray:
    """x / sqrt(mean(x²) + eps) over the last axes; eps defaults to the machine epsilon of the computation."""
    x = np.asarray(x)
    axes = trailing_axes(x, normalized_shape)
    values = accumulation_type(x)
    epsilon = float(np.finfo(values.dtype).eps) if eps is None else eps
    mean_square = np.mean(values * values, axes, keepdims=True)
    return scale_and_shift(values / np.sqrt(mean_square + epsilon), weight, None, x.dtype)


def local_response_norm(x, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> np.ndarray:
    """x / (k + alpha * mean of x² over `size` neighbouring channels) ** beta; x is [N, C, ...]."""
    x = np.asarray(x)
    if x.size == 0:
        return x
    channels_last = np.moveaxis(x * x, 1, -1)
    grown = padded(channels_last, [(0, 0)] * (x.ndim - 1) + [(size // 2, (size - 1) // 2)])
    total = np.moveaxis(sliding_windows(grown, (size,), (1,), (1,)).sum(-1), -1, 1)
    return x / (k + alpha * (total / size)) ** beta


def trailing_axes(x: np.ndarray, normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    """The axes of x that `normalized_shape` covers; ValueError if x does not end in that shape."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ValueError(f"expected an input whose last axes are {shape}, got shape {x.shape}")
    return tuple(range(-len(shape), 0))
