"""Losses with torch's reductions, class weights, ignored targets and label smoothing."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from .modules import Module, register_buffer


def reduced(values: tf.Tensor, reduction: str) -> tf.Tensor:
    """Mean, sum, or the values themselves for 'none'."""
    if reduction == "mean":
        return tf.reduce_mean(values)
    return tf.reduce_sum(values) if reduction == "sum" else values


def mse_loss(x: tf.Tensor, target: tf.Tensor, reduction: str = "mean") -> tf.Tensor:
    """Squared differences."""
    return reduced(tf.square(x - target), reduction)


def l1_loss(x: tf.Tensor, target: tf.Tensor, reduction: str = "mean") -> tf.Tensor:
    """Absolute differences."""
    return reduced(tf.abs(x - target), reduction)


def cross_entropy(
    x: tf.Tensor, target: tf.Tensor, weight: Any = None, ignore_index: int = -100, reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> tf.Tensor:  # fmt: skip
    """x [N, C, ...] of logits, target [N, ...] of class numbers or [N, C, ...] of probabilities.

    The mean over class numbers is weighted by the classes' weights and leaves out `ignore_index`.
    """
    last = [0, *range(2, x.shape.rank), 1] if x.shape.rank > 1 else [0]
    logits = tf.nn.log_softmax(tf.transpose(x, last))
    classes = logits.shape[-1]
    weights = tf.ones(classes, x.dtype) if weight is None else tf.cast(weight, x.dtype)
    if target.dtype.is_floating:
        goal = tf.transpose(target, last) * (1 - label_smoothing) + label_smoothing / classes
        losses = -tf.reduce_sum(goal * logits * weights, -1)
        return reduced(losses, reduction)
    kept = target != ignore_index
    safe = tf.where(kept, target, tf.zeros_like(target))
    mask = tf.cast(kept, x.dtype)
    picked = -tf.gather(logits, safe, batch_dims=safe.shape.rank) * tf.gather(weights, safe) * mask
    smooth = -tf.reduce_sum(logits * weights, -1) * mask
    total = tf.reduce_sum(tf.gather(weights, safe) * mask)
    picked, smooth = (
        tf.reduce_sum(each) / total if reduction == "mean" else reduced(each, reduction) for each in (picked, smooth)
    )
    return (1 - label_smoothing) * picked + label_smoothing / classes * smooth if label_smoothing else picked


def nll_loss(
    x: tf.Tensor, target: tf.Tensor, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"
) -> tf.Tensor:
    """x [N, C, ...] of log-probabilities, target [N, ...] of class numbers."""
    last = [0, *range(2, x.shape.rank), 1] if x.shape.rank > 1 else [0]
    kept = target != ignore_index
    safe = tf.where(kept, target, tf.zeros_like(target))
    weights = tf.ones(x.shape[1 if x.shape.rank > 1 else 0], x.dtype) if weight is None else tf.cast(weight, x.dtype)
    factor = tf.gather(weights, safe) * tf.cast(kept, x.dtype)
    losses = -tf.gather(tf.transpose(x, last), safe, batch_dims=safe.shape.rank) * factor
    return tf.reduce_sum(losses) / tf.reduce_sum(factor) if reduction == "mean" else reduced(losses, reduction)


def binary_cross_entropy_with_logits(
    x: tf.Tensor, target: tf.Tensor, weight: Any = None, reduction: str = "mean", pos_weight: Any = None
) -> tf.Tensor:
    """Binary cross-entropy of logits; pos_weight scales the positive part."""
    negative = (1 - target) * x
    scale = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    losses = negative + scale * tf.math.softplus(-x)
    return reduced(losses if weight is None else losses * weight, reduction)


class CrossEntropyLoss(Module):
    """See `cross_entropy`."""

    def __init__(
        self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean", label_smoothing: float = 0.0
    ):
        super().__init__()
        register_buffer(self, "weight", weight)
        self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing

    def call(self, x: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        return cross_entropy(x, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing)


class NLLLoss(Module):
    """See `nll_loss`."""

    def __init__(self, weight: Any = None, ignore_index: int = -100, reduction: str = "mean"):
        super().__init__()
        register_buffer(self, "weight", weight)
        self.ignore_index, self.reduction = ignore_index, reduction

    def call(self, x: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        return nll_loss(x, target, self.weight, self.ignore_index, self.reduction)


class MSELoss(Module):
    """Squared differences."""

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = reduction

    def call(self, x: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        return mse_loss(x, target, self.reduction)


class L1Loss(Module):
    """Absolute differences."""

    def __init__(self, reduction: str = "mean"):
        super().__init__()
        self.reduction = reduction

    def call(self, x: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        return l1_loss(x, target, self.reduction)


class BCEWithLogitsLoss(Module):
    """Binary cross-entropy of logits."""

    def __init__(self, weight: Any = None, reduction: str = "mean", pos_weight: Any = None):
        super().__init__()
        register_buffer(self, "weight", weight)
        register_buffer(self, "pos_weight", pos_weight)
        self.reduction = reduction

    def call(self, x: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        return binary_cross_entropy_with_logits(x, target, self.weight, self.reduction, self.pos_weight)
