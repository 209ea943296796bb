"""Loss functions with torch's arguments and reductions."""

import math
from collections.abc import Callable

import numpy as np
import scipy.special

from .distances import pairwise_distance


def reduce_loss(loss: np.ndarray, reduction: str) -> np.ndarray:
    """The mean or sum of an elementwise loss, or the loss itself for 'none'."""
    if reduction == "mean":
        return np.mean(loss)
    if reduction == "sum":
        return np.sum(loss)
    if reduction == "none":
        return loss
    raise ValueError(f"{reduction} is not a valid value for reduction")


def mse_loss(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean", weight: np.ndarray | None = None
) -> np.ndarray:
    """(input - target)²; with `weight` the mean is divided by the sum of the weights."""
    return weighted_reduction((input - target) ** 2, weight, reduction)


def l1_loss(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean", weight: np.ndarray | None = None
) -> np.ndarray:
    """|input - target|; with `weight` the mean is divided by the sum of the weights."""
    return weighted_reduction(np.abs(input - target), weight, reduction)


def weighted_reduction(loss: np.ndarray, weight: np.ndarray | None, reduction: str) -> np.ndarray:
    """`reduce_loss` of loss * weight, the mean over the weights."""
    if weight is None:
        return reduce_loss(loss, reduction)
    weight = np.broadcast_to(weight, loss.shape)
    if reduction == "mean":
        return np.sum(loss * weight) / np.sum(weight)
    return reduce_loss(loss * weight, reduction)


def huber_loss(
    input: np.ndarray,
    target: np.ndarray,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: np.ndarray | None = None,
) -> np.ndarray:
    """Half the squared error below `delta`, delta * (error - delta / 2) above.

    With `weight` the mean divides by the number of elements, other than in `mse_loss` and `l1_loss`.
    """
    error = np.abs(input - target)
    loss = np.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta))
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def smooth_l1_loss(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean", beta: float = 1.0
) -> np.ndarray:
    """error² / (2 beta) below `beta`, error - beta / 2 above; beta 0 is the L1 loss."""
    if beta == 0:
        return l1_loss(input, target, reduction)
    error = np.abs(input - target)
    return reduce_loss(np.where(error < beta, 0.5 * error**2 / beta, error - 0.5 * beta), reduction)


def binary_cross_entropy(
    input: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None, reduction: str = "mean"
) -> np.ndarray:
    """Cross entropy of probabilities; the logarithms are held above -100."""
    p, y = np.asarray(input), np.asarray(target)
    with np.errstate(divide="ignore"):
        log_p, log_rest = np.maximum(np.log(p), -100), np.maximum(np.log1p(-p), -100)
    loss = (y - 1) * log_rest - y * log_p
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    reduction: str = "mean",
    pos_weight: np.ndarray | None = None,
) -> np.ndarray:
    """Cross entropy of logits; `pos_weight` multiplies the positive term."""
    positive = 1 if pos_weight is None else np.asarray(pos_weight)
    log_p, log_rest = log_sigmoid(input), log_sigmoid(-input)
    loss = -(positive * target * log_p + (1 - target) * log_rest)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def class_axis_last(x: np.ndarray) -> np.ndarray:
    """[N, C, ...] to [N, ..., C]; [C] stays."""
    return x if x.ndim == 1 else np.moveaxis(x, 1, -1)


def log_sigmoid(x: np.ndarray) -> np.ndarray:
    """log(sigmoid(x)), without overflow."""
    return -np.logaddexp(0, -x)


def picked_classes(x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """x [..., C] at class indices [...]; IndexError for an index outside 0..C-1."""
    if target.size and target.min() < 0:
        raise IndexError(f"class index {target.min()} is negative")
    return np.take_along_axis(x, target[..., None], axis=-1)[..., 0]


def nll_loss(
    input: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> np.ndarray:
    """-weight[target] * input[target] of log-probabilities [N, C, ...] or [C] and class indices [N, ...] or [].

    Targets equal to `ignore_index` count nothing; the mean divides by the sum of the weights that count.
    """
    log_p, target = class_axis_last(np.asarray(input)), np.asarray(target)
    counted = target != ignore_index
    safe = np.where(counted, target, 0)
    weights = counted.astype(log_p.dtype)
    if weight is not None:
        weights = weights * np.asarray(weight)[safe]
    loss = np.where(counted, -picked_classes(log_p, safe) * weights, 0)
    if reduction == "mean":
        return np.sum(loss) / np.sum(weights)
    return reduce_loss(loss, reduction)


def cross_entropy(
    input: np.ndarray,
    target: np.ndarray,
    weight: np.ndarray | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> np.ndarray:
    """Cross entropy of logits [N, C, ...] or [C] with class indices [N, ...] or [], or with probabilities.

    A target of the logits' shape holds probabilities. With class indices `ignore_index` counts nothing and
    the mean divides by the sum of the weights of the targets.
    """
    logits, target = np.asarray(input), np.asarray(target)
    log_p = scipy.special.log_softmax(logits, axis=0 if logits.ndim == 1 else 1)
    if target.shape == logits.shape:
        return probability_cross_entropy(log_p, target, weight, reduction, label_smoothing)
    hard = nll_loss(log_p, target, weight, ignore_index, reduction)
    if label_smoothing == 0:
        return hard
    by_class = class_axis_last(log_p)
    counted = target != ignore_index
    weights = np.ones(by_class.shape[-1], by_class.dtype) if weight is None else np.asarray(weight)
    smooth = np.where(counted, -np.sum(by_class * weights, axis=-1), 0)
    if reduction == "mean":
        smooth = np.sum(smooth) / np.sum(np.where(counted, weights[np.where(counted, target, 0)], 0))
    else:
        smooth = reduce_loss(smooth, reduction)
    return (1 - label_smoothing) * hard + label_smoothing / by_class.shape[-1] * smooth


def probability_cross_entropy(
    log_p: np.ndarray, target: np.ndarray, weight: np.ndarray | None, reduction: str, label_smoothing: float
) -> np.ndarray:
    """Cross entropy of log-probabilities [N, C, ...] or [C] with probabilities of the same shape."""
    by_class, wanted = class_axis_last(log_p), class_axis_last(target)
    wanted = wanted * (1 - label_smoothing) + label_smoothing / by_class.shape[-1]
    terms = by_class * wanted
    loss = -np.sum(terms if weight is None else terms * np.asarray(weight), axis=-1)
    return reduce_loss(loss, reduction)


def kl_div(
    input: np.ndarray, target: np.ndarray, reduction: str = "mean", log_target: bool = False
) -> np.ndarray:
    """target * (log target - input) for log-probabilities `input`; 'batchmean' divides the sum by axis 0."""
    if log_target:
        loss = np.exp(target) * (target - input)
    else:
        loss = scipy.special.xlogy(target, target) - target * input
    if reduction == "batchmean":
        return np.sum(loss) / (np.shape(input)[0] if np.ndim(input) else 1)
    return reduce_loss(loss, reduction)


def poisson_nll_loss(
    input: np.ndarray,
    target: np.ndarray,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> np.ndarray:
    """exp(input) - target * input, or input - target * log(input + eps); `full` adds Stirling's term."""
    loss = np.exp(input) - target * input if log_input else input - target * np.log(input + eps)
    if full:
        large = np.where(target > 1, target, 2)
        stirling = large * np.log(large) - large + 0.5 * np.log(2 * math.pi * large)
        loss = loss + np.where(target > 1, stirling, 0)
    return reduce_loss(loss, reduction)


def gaussian_nll_loss(
    input: np.ndarray,
    target: np.ndarray,
    var: np.ndarray | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> np.ndarray:
    """(log var + (input - target)² / var) / 2 with var held above eps."""
    variance = np.asarray(var, np.asarray(input).dtype)
    if variance.ndim and variance.shape != np.shape(input) and variance.shape == np.shape(input)[:-1]:
        variance = variance[..., None]
    variance = np.maximum(variance, eps)
    loss = 0.5 * (np.log(variance) + (input - target) ** 2 / variance)
    return reduce_loss(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def soft_margin_loss(input: np.ndarray, target: np.ndarray, reduction: str = "mean") -> np.ndarray:
    """log(1 + exp(-target * input)) for targets of ±1."""
    return reduce_loss(np.logaddexp(0, -target * input), reduction)


def hinge_embedding_loss(
    input: np.ndarray, target: np.ndarray, margin: float = 1.0, reduction: str = "mean"
) -> np.ndarray:
    """input where target is 1, max(0, margin - input) where it is -1."""
    negative = np.where(target != 1, np.maximum(0, margin - input), 0)
    positive = np.where(target != -1, input, 0)
    return reduce_loss(negative + positive, reduction)


def margin_ranking_loss(
    input1: np.ndarray, input2: np.ndarray, target: np.ndarray, margin: float = 0.0, reduction: str = "mean"
) -> np.ndarray:
    """max(0, -target * (input1 - input2) + margin)."""
    return reduce_loss(np.maximum(0, -target * (input1 - input2) + margin), reduction)


def multi_margin_loss(
    input: np.ndarray,
    target: np.ndarray,
    p: int = 1,
    margin: float = 1.0,
    weight: np.ndarray | None = None,
    reduction: str = "mean",
) -> np.ndarray:
    """Mean over the other classes of max(0, margin - x[target] + x[class]) ** p; input [N, C] or [C]."""
    x = np.atleast_1d(input)
    target = np.reshape(target, x.shape[:-1])
    right = picked_classes(x, target)[..., None]
    gap = margin - right + x
    terms = np.where(gap > 0, gap, 0) ** p
    if weight is not None:
        terms = terms * np.asarray(weight)[target][..., None]
    others = np.arange(x.shape[-1]) != target[..., None]
    return reduce_loss(np.sum(np.where(others, terms, 0), axis=-1) / x.shape[-1], reduction)


def multilabel_margin_loss(input: np.ndarray, target: np.ndarray, reduction: str = "mean") -> np.ndarray:
    """Mean over classes of the margins between target classes and others; input and target [N, C] or [C].

    A row of `target` lists class indices up to the first -1.
    """
    x, target = np.atleast_1d(input), np.atleast_1d(target)
    classes = x.shape[-1]
    listed = np.cumsum(target < 0, axis=-1) == 0
    safe = np.where(listed, target, 0)
    hot = (safe[..., None] == np.arange(classes)) & listed[..., None]
    is_target = np.any(hot, axis=-2)
    gap = 1 - np.take_along_axis(x, safe, axis=-1)[..., :, None] + x[..., None, :]
    counted = listed[..., :, None] & ~is_target[..., None, :]
    loss = np.sum(np.where(counted & (gap > 0), gap, 0), axis=(-2, -1)) / classes
    return reduce_loss(loss, reduction)


def multilabel_soft_margin_loss(
    input: np.ndarray, target: np.ndarray, weight: np.ndarray | None = None, reduction: str = "mean"
) -> np.ndarray:
    """Mean over classes of the binary cross entropy of logits; input and target [..., C]."""
    loss = -(target * log_sigmoid(input) + (1 - target) * log_sigmoid(-input))
    return reduce_loss(np.mean(loss if weight is None else loss * weight, axis=-1), reduction)


def cosine_embedding_loss(
    input1: np.ndarray, input2: np.ndarray, target: np.ndarray, margin: float = 0.0, reduction: str = "mean"
) -> np.ndarray:
    """1 - cos where target is 1, max(0, cos - margin) where it is -1; inputs [N, D] or [D]."""
    epsilon = 1e-12
    product = np.sum(input1 * input2, axis=-1)
    squares = (np.sum(input1 * input1, axis=-1) + epsilon) * (np.sum(input2 * input2, axis=-1) + epsilon)
    cosine = product / np.sqrt(squares)
    loss = np.where(target == 1, 1 - cosine, np.where(target == -1, np.maximum(0, cosine - margin), 0))
    return reduce_loss(loss, reduction)


def triplet_margin_loss(
    anchor: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> np.ndarray:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with p-norm distances over the last axis."""

    def distance(x1: np.ndarray, x2: np.ndarray) -> np.ndarray:
        return pairwise_distance(x1, x2, p, eps)

    return triplet_margin_with_distance_loss(anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    distance_function: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> np.ndarray:
    """The triplet loss with any distance; `swap` takes the nearer of anchor and positive to the negative."""
    distance = pairwise_distance if distance_function is None else distance_function
    far = distance(anchor, negative)
    if swap:
        far = np.minimum(far, distance(positive, negative))
    return reduce_loss(np.maximum(0, margin + distance(anchor, positive) - far), reduction)


def linear_cross_entropy(
    x: np.ndarray,
    linear_weight: np.ndarray,
    target: np.ndarray,
    linear_bias: np.ndarray | None = None,
    weight: np.ndarray | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> np.ndarray:
    """`cross_entropy` of the logits of x [N, features] or [features] by linear_weight [C, ..., features]."""
    logits = np.tensordot(x, linear_weight, axes=(-1, -1))
    logits = logits if linear_bias is None else logits + linear_bias
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(logits, target, weight, ignored, reduction, label_smoothing)
