"""Loss functions with torch's arguments, reductions and gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from .reductions import pairwise_distance


def reduce_loss(loss: jax.Array, reduction: str) -> jax.Array:
    """The mean or sum of an elementwise loss, or the loss itself for 'none'."""
    if reduction == "mean":
        return jnp.mean(loss)
    if reduction == "sum":
        return jnp.sum(loss)
    if reduction == "none":
        return loss
    raise ValueError(f"{reduction} is not a valid value for reduction")


def magnitude(x: jax.Array) -> jax.Array:
    """|x| with gradient 0 at 0, as in torch (jnp.abs has 1 there)."""
    if jnp.iscomplexobj(x):
        return jnp.abs(x)
    return x * jax.lax.stop_gradient(jnp.sign(x))


def hinge(x: jax.Array) -> jax.Array:
    """max(x, 0) with torch's `clamp_min` gradient: 1 at 0."""
    return jnp.where(x >= 0, x, 0)


def mse_loss(
    input: jax.Array, target: jax.Array, reduction: str = "mean", weight: jax.Array | None = None
) -> jax.Array:
    """(input - target)²; with `weight` the mean is divided by the sum of the weights."""
    return weighted_reduction((input - target) ** 2, weight, reduction)


def l1_loss(
    input: jax.Array, target: jax.Array, reduction: str = "mean", weight: jax.Array | None = None
) -> jax.Array:
    """|input - target|; with `weight` the mean is divided by the sum of the weights."""
    return weighted_reduction(magnitude(input - target), weight, reduction)


def weighted_reduction(loss: jax.Array, weight: jax.Array | None, reduction: str) -> jax.Array:
    """`reduce_loss` of loss * weight, the mean over the weights."""
    if weight is None:
        return reduce_loss(loss, reduction)
    weight = jnp.broadcast_to(weight, loss.shape)
    if reduction == "mean":
        return jnp.sum(loss * weight) / jnp.sum(weight)
    return reduce_loss(loss * weight, reduction)


def huber_loss(
    input: jax.Array,
    target: jax.Array,
    reduction: str = "mean",
    delta: float = 1.0,
    weight: jax.Array | None = None,
) -> jax.Array:
    """Half the squared error below `delta`, delta * (error - delta / 2) above.

    With `weight` the mean divides by the number of elements, other than in `mse_loss` and `l1_loss`.
    """
    error = magnitude(input - target)
    loss = jnp.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta))
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def smooth_l1_loss(
    input: jax.Array, target: jax.Array, reduction: str = "mean", beta: float = 1.0
) -> jax.Array:
    """error² / (2 beta) below `beta`, error - beta / 2 above; beta 0 is the L1 loss."""
    if beta == 0:
        return l1_loss(input, target, reduction)
    error = magnitude(input - target)
    return reduce_loss(jnp.where(error < beta, 0.5 * error**2 / beta, error - 0.5 * beta), reduction)


def clamped_cross_entropy(p: jax.Array, y: jax.Array) -> jax.Array:
    """-y log p - (1 - y) log(1 - p), element by element, with logarithms held above -100."""

    @jax.custom_jvp
    def function(p: jax.Array, y: jax.Array) -> jax.Array:
        return (y - 1) * jnp.maximum(jnp.log1p(-p), -100) - y * jnp.maximum(jnp.log(p), -100)

    function.defjvp(clamped_cross_entropy_jvp, symbolic_zeros=True)
    return function(p, y)


def clamped_cross_entropy_jvp(primals: Any, tangents: Any) -> tuple[jax.Array, jax.Array]:
    """Torch's derivatives: finite in p also where the logarithm is clamped, and not clamped in y."""
    (p, y), (dp, dy) = primals, tangents
    change = jnp.zeros(jnp.broadcast_shapes(p.shape, y.shape), jnp.result_type(p, y))
    if not isinstance(dp, jax.custom_derivatives.SymbolicZero):
        change = change + (p - y) / jnp.maximum(p * (1 - p), 1e-12) * dp
    if not isinstance(dy, jax.custom_derivatives.SymbolicZero):
        change = change + (jnp.log1p(-p) - jnp.log(p)) * dy
    return clamped_cross_entropy(p, y), change


def binary_cross_entropy(
    input: jax.Array, target: jax.Array, weight: jax.Array | None = None, reduction: str = "mean"
) -> jax.Array:
    """Cross entropy of probabilities; the logarithms are held above -100, and gradients stay finite."""
    p, y = jnp.asarray(input), jnp.asarray(target)
    loss = clamped_cross_entropy(p, y.astype(p.dtype))
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def binary_cross_entropy_with_logits(
    input: jax.Array,
    target: jax.Array,
    weight: jax.Array | None = None,
    reduction: str = "mean",
    pos_weight: jax.Array | None = None,
) -> jax.Array:
    """Cross entropy of logits; `pos_weight` multiplies the positive term."""
    positive = 1 if pos_weight is None else jnp.asarray(pos_weight)
    log_p, log_rest = jax.nn.log_sigmoid(input), jax.nn.log_sigmoid(-input)
    loss = -(positive * target * log_p + (1 - target) * log_rest)
    return reduce_loss(loss if weight is None else loss * weight, reduction)


def class_axis_last(x: jax.Array) -> jax.Array:
    """[N, C, ...] to [N, ..., C]; [C] stays."""
    return x if x.ndim == 1 else jnp.moveaxis(x, 1, -1)


def picked_classes(x: jax.Array, target: jax.Array) -> jax.Array:
    """x [..., C] at class indices [...]; NaN for an index outside 0..C-1, because compiled code cannot raise."""
    rows = jnp.where(target < 0, x.shape[-1], target)
    picked = jnp.take_along_axis(x, rows[..., None], axis=-1, mode="fill", fill_value=jnp.nan)
    return picked[..., 0]


def nll_loss(
    input: jax.Array,
    target: jax.Array,
    weight: jax.Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> jax.Array:
    """-weight[target] * input[target] of log-probabilities [N, C, ...] or [C] and class indices [N, ...] or [].

    Targets equal to `ignore_index` count nothing; the mean divides by the sum of the weights that count.
    """
    log_p, target = class_axis_last(jnp.asarray(input)), jnp.asarray(target)
    counted = target != ignore_index
    safe = jnp.where(counted, target, 0)
    weights = counted.astype(log_p.dtype)
    if weight is not None:
        weights = weights * jnp.asarray(weight)[safe]
    loss = jnp.where(counted, -picked_classes(log_p, safe) * weights, 0)
    if reduction == "mean":
        return jnp.sum(loss) / jnp.sum(weights)
    return reduce_loss(loss, reduction)


def cross_entropy(
    input: jax.Array,
    target: jax.Array,
    weight: jax.Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> jax.Array:
    """Cross entropy of logits [N, C, ...] or [C] with class indices [N, ...] or [], or with probabilities.

    A target of the logits' shape holds probabilities. With class indices `ignore_index` counts nothing and
    the mean divides by the sum of the weights of the targets.
    """
    logits, target = jnp.asarray(input), jnp.asarray(target)
    log_p = jax.nn.log_softmax(logits, axis=0 if logits.ndim == 1 else 1)
    if target.shape == logits.shape:
        return probability_cross_entropy(log_p, target, weight, reduction, label_smoothing)
    hard = nll_loss(log_p, target, weight, ignore_index, reduction)
    if label_smoothing == 0:
        return hard
    by_class = class_axis_last(log_p)
    counted = target != ignore_index
    weights = jnp.ones(by_class.shape[-1], by_class.dtype) if weight is None else jnp.asarray(weight)
    smooth = jnp.where(counted, -jnp.sum(by_class * weights, axis=-1), 0)
    if reduction == "mean":
        smooth = jnp.sum(smooth) / jnp.sum(jnp.where(counted, weights[jnp.where(counted, target, 0)], 0))
    else:
        smooth = reduce_loss(smooth, reduction)
    return (1 - label_smoothing) * hard + label_smoothing / by_class.shape[-1] * smooth


def probability_cross_entropy(
    log_p: jax.Array, target: jax.Array, weight: jax.Array | None, reduction: str, label_smoothing: float
) -> jax.Array:
    """Cross entropy of log-probabilities [N, C, ...] or [C] with probabilities of the same shape."""
    by_class, wanted = class_axis_last(log_p), class_axis_last(target)
    wanted = wanted * (1 - label_smoothing) + label_smoothing / by_class.shape[-1]
    terms = by_class * wanted
    loss = -jnp.sum(terms if weight is None else terms * jnp.asarray(weight), axis=-1)
    return reduce_loss(loss, reduction)


def kl_div(
    input: jax.Array, target: jax.Array, reduction: str = "mean", log_target: bool = False
) -> jax.Array:
    """target * (log target - input) for log-probabilities `input`; 'batchmean' divides the sum by axis 0."""
    if log_target:
        loss = jnp.exp(target) * (target - input)
    else:
        # A negative target is no probability: NaN, as in torch.
        nonzero = jnp.where(target == 0, 1, target)
        loss = jnp.where(target == 0, 0, target * jnp.log(nonzero)) - target * input
    if reduction == "batchmean":
        return jnp.sum(loss) / (jnp.shape(input)[0] if jnp.ndim(input) else 1)
    return reduce_loss(loss, reduction)


def poisson_nll_loss(
    input: jax.Array,
    target: jax.Array,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> jax.Array:
    """exp(input) - target * input, or input - target * log(input + eps); `full` adds Stirling's term."""
    loss = jnp.exp(input) - target * input if log_input else input - target * jnp.log(input + eps)
    if full:
        large = jnp.where(target > 1, target, 2)
        stirling = large * jnp.log(large) - large + 0.5 * jnp.log(2 * math.pi * large)
        loss = loss + jnp.where(target > 1, stirling, 0)
    return reduce_loss(loss, reduction)


def gaussian_nll_loss(
    input: jax.Array,
    target: jax.Array,
    var: jax.Array | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> jax.Array:
    """(log var + (input - target)² / var) / 2 with var held above eps without stopping its gradient."""
    variance = jnp.asarray(var, jnp.asarray(input).dtype)
    if variance.ndim and variance.shape != jnp.shape(input) and variance.shape == jnp.shape(input)[:-1]:
        variance = variance[..., None]
    variance = variance + jax.lax.stop_gradient(jnp.maximum(variance, eps) - variance)
    loss = 0.5 * (jnp.log(variance) + (input - target) ** 2 / variance)
    return reduce_loss(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


def soft_margin_loss(input: jax.Array, target: jax.Array, reduction: str = "mean") -> jax.Array:
    """log(1 + exp(-target * input)) for targets of ±1."""
    return reduce_loss(jax.nn.softplus(-target * input), reduction)


def hinge_embedding_loss(
    input: jax.Array, target: jax.Array, margin: float = 1.0, reduction: str = "mean"
) -> jax.Array:
    """input where target is 1, max(0, margin - input) where it is -1."""
    negative = jnp.where(target != 1, hinge(margin - input), 0)
    positive = jnp.where(target != -1, input, 0)
    return reduce_loss(negative + positive, reduction)


def margin_ranking_loss(
    input1: jax.Array, input2: jax.Array, target: jax.Array, margin: float = 0.0, reduction: str = "mean"
) -> jax.Array:
    """max(0, -target * (input1 - input2) + margin)."""
    return reduce_loss(hinge(-target * (input1 - input2) + margin), reduction)


def multi_margin_loss(
    input: jax.Array,
    target: jax.Array,
    p: int = 1,
    margin: float = 1.0,
    weight: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    """Mean over the other classes of max(0, margin - x[target] + x[class]) ** p; input [N, C] or [C]."""
    x = jnp.atleast_1d(input)
    target = jnp.reshape(target, x.shape[:-1])
    right = picked_classes(x, target)[..., None]
    gap = margin - right + x
    terms = jnp.where(gap > 0, gap, 0) ** p
    if weight is not None:
        terms = terms * jnp.asarray(weight)[target][..., None]
    others = jnp.arange(x.shape[-1]) != target[..., None]
    return reduce_loss(jnp.sum(jnp.where(others, terms, 0), axis=-1) / x.shape[-1], reduction)


def multilabel_margin_loss(input: jax.Array, target: jax.Array, reduction: str = "mean") -> jax.Array:
    """Mean over classes of the margins between target classes and others; input and target [N, C] or [C].

    A row of `target` lists class indices up to the first -1.
    """
    x, target = jnp.atleast_1d(input), jnp.atleast_1d(target)
    classes = x.shape[-1]
    listed = jnp.cumsum(target < 0, axis=-1) == 0
    safe = jnp.where(listed, target, 0)
    hot = (safe[..., None] == jnp.arange(classes)) & listed[..., None]
    is_target = jnp.any(hot, axis=-2)
    gap = 1 - jnp.take_along_axis(x, safe, axis=-1)[..., :, None] + x[..., None, :]
    counted = listed[..., :, None] & ~is_target[..., None, :]
    loss = jnp.sum(jnp.where(counted & (gap > 0), gap, 0), axis=(-2, -1)) / classes
    return reduce_loss(loss, reduction)


def multilabel_soft_margin_loss(
    input: jax.Array, target: jax.Array, weight: jax.Array | None = None, reduction: str = "mean"
) -> jax.Array:
    """Mean over classes of the binary cross entropy of logits; input and target [..., C]."""
    loss = -(target * jax.nn.log_sigmoid(input) + (1 - target) * jax.nn.log_sigmoid(-input))
    return reduce_loss(jnp.mean(loss if weight is None else loss * weight, axis=-1), reduction)


def cosine_embedding_loss(
    input1: jax.Array, input2: jax.Array, target: jax.Array, margin: float = 0.0, reduction: str = "mean"
) -> jax.Array:
    """1 - cos where target is 1, max(0, cos - margin) where it is -1; inputs [N, D] or [D]."""
    epsilon = 1e-12
    product = jnp.sum(input1 * input2, axis=-1)
    squares = (jnp.sum(input1 * input1, axis=-1) + epsilon) * (jnp.sum(input2 * input2, axis=-1) + epsilon)
    cosine = product / jnp.sqrt(squares)
    loss = jnp.where(target == 1, 1 - cosine, jnp.where(target == -1, hinge(cosine - margin), 0))
    return reduce_loss(loss, reduction)


def triplet_margin_loss(
    anchor: jax.Array,
    positive: jax.Array,
    negative: jax.Array,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> jax.Array:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) with p-norm distances over the last axis."""

    def distance(x1: jax.Array, x2: jax.Array) -> jax.Array:
        return pairwise_distance(x1, x2, p, eps)

    return triplet_margin_with_distance_loss(anchor, positive, negative, distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(
    anchor: jax.Array,
    positive: jax.Array,
    negative: jax.Array,
    distance_function: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> jax.Array:
    """The triplet loss with any distance; `swap` takes the nearer of anchor and positive to the negative."""
    distance = pairwise_distance if distance_function is None else distance_function
    far = distance(anchor, negative)
    if swap:
        far = jnp.minimum(far, distance(positive, negative))
    return reduce_loss(hinge(margin + distance(anchor, positive) - far), reduction)


def linear_cross_entropy(
    x: jax.Array,
    linear_weight: jax.Array,
    target: jax.Array,
    linear_bias: jax.Array | None = None,
    weight: jax.Array | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> jax.Array:
    """`cross_entropy` of the logits of x [N, features] or [features] by linear_weight [C, ..., features]."""
    logits = jnp.tensordot(x, linear_weight, axes=(-1, -1))
    logits = logits if linear_bias is None else logits + linear_bias
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(logits, target, weight, ignored, reduction, label_smoothing)
