"""Normalisation layers and dropout with torch's statistics, momentum and mode."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from .modules import Module, register_buffer


class BatchNorm(Module):
    """x [N, C, ...] normalised over all axes but C; running_var is the unbiased variance, momentum the new share."""

    def __init__(
        self, num_features: int, eps: float = 1e-05, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = True,
    ):  # fmt: skip
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.weight = keras.Variable(tf.ones(num_features)) if affine else None
        self.bias = keras.Variable(tf.zeros(num_features)) if affine else None
        register_buffer(self, "running_mean", tf.zeros(num_features) if track_running_stats else None)
        register_buffer(self, "running_var", tf.ones(num_features) if track_running_stats else None)
        register_buffer(self, "num_batches_tracked", tf.zeros((), tf.int64) if track_running_stats else None)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        per_channel = [1, -1] + [1] * (x.shape.rank - 2)
        if self.training or not self.track_running_stats:
            mean, variance = self.batch_statistics(x)
        else:
            mean, variance = self.running_mean, self.running_var
        scale = tf.math.rsqrt(variance + self.eps)
        y = (x - tf.reshape(mean, per_channel)) * tf.reshape(scale, per_channel)
        return y * tf.reshape(self.weight, per_channel) + tf.reshape(self.bias, per_channel) if self.affine else y

    def batch_statistics(self, x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Mean and biased variance [C] of the batch, which also move the running ones in training mode."""
        axes = [axis for axis in range(x.shape.rank) if axis != 1]
        count = math.prod(x.shape[axis] for axis in axes)
        if self.training and count == 1:
            raise ValueError(f"Expected more than 1 value per channel when training, got input size {x.shape}")
        mean, variance = tf.nn.moments(x, axes)
        if self.training and self.track_running_stats:
            self.num_batches_tracked.assign_add(1)
            share = 1 / tf.cast(self.num_batches_tracked, x.dtype) if self.momentum is None else self.momentum
            self.running_mean.assign_add(share * (mean - self.running_mean))
            self.running_var.assign_add(share * (variance * (count / (count - 1)) - self.running_var))
        return mean, variance


class BatchNorm1d(BatchNorm):
    """Batch normalisation of x [N, C] or [N, C, L]."""


class BatchNorm2d(BatchNorm):
    """Batch normalisation of x [N, C, H, W]."""


class LayerNorm(Module):
    """x normalised over its last axes; weight and bias of their shape."""

    def __init__(self, normalized_shape: Any, eps: float = 1e-05, elementwise_affine: bool = True, bias: bool = True):
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.weight = keras.Variable(tf.ones(self.normalized_shape)) if elementwise_affine else None
        self.bias = keras.Variable(tf.zeros(self.normalized_shape)) if elementwise_affine and bias else None

    def call(self, x: tf.Tensor) -> tf.Tensor:
        axes = list(range(-len(self.normalized_shape), 0))
        mean, variance = tf.nn.moments(x, axes, keepdims=True)
        y = (x - mean) * tf.math.rsqrt(variance + self.eps)
        y = y if self.weight is None else y * self.weight
        return y if self.bias is None else y + self.bias


def dropout(x: tf.Tensor, p: float = 0.5, training: bool = True) -> tf.Tensor:
    """In training, x with each element zeroed with probability p and the others divided by 1 - p."""
    if not training or p == 0:
        return x
    return tf.zeros_like(x) if p == 1 else tf.nn.dropout(x, p)


class Dropout(Module):
    """Zeroes elements with probability p in training mode."""

    def __init__(self, p: float = 0.5):
        super().__init__()
        self.p = p

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return dropout(x, self.p, self.training)


class GroupNorm(Module):
    """x [N, C, ...] normalised within groups of channels; weight and bias [C]."""

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-05, affine: bool = True):
        super().__init__()
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.weight = keras.Variable(tf.ones(num_channels)) if affine else None
        self.bias = keras.Variable(tf.zeros(num_channels)) if affine else None

    def call(self, x: tf.Tensor) -> tf.Tensor:
        grouped = tf.reshape(x, [x.shape[0], self.num_groups, -1])
        mean, variance = tf.nn.moments(grouped, [2], keepdims=True)
        y = tf.reshape((grouped - mean) * tf.math.rsqrt(variance + self.eps), x.shape)
        if not self.affine:
            return y
        per_channel = [1, -1] + [1] * (x.shape.rank - 2)
        return y * tf.reshape(self.weight, per_channel) + tf.reshape(self.bias, per_channel)
