"""The losses as layers, with torch's class names; each keeps its arguments and calls the loss function."""

from __future__ import annotations

from collections.abc import Callable

import jax
from flax import nnx

from .ctc import ctc_loss
from .losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cosine_embedding_loss,
    cross_entropy,
    gaussian_nll_loss,
    hinge_embedding_loss,
    huber_loss,
    kl_div,
    l1_loss,
    margin_ranking_loss,
    mse_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    poisson_nll_loss,
    smooth_l1_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from .reductions import cosine_similarity, pairwise_distance


class LossLayer(nnx.Module):
    """A loss whose only argument is the reduction: 'mean', 'sum' or 'none'."""

    def __init__(self, reduction: str = "mean"):
        self.reduction = reduction


def loss_weight(weight: jax.Array | None) -> nnx.Variable | None:
    """A weight of a loss as a buffer, which no optimizer touches."""
    return nnx.data(None) if weight is None else nnx.Variable(weight)


class CrossEntropyLoss(nnx.Module):
    """Cross entropy of logits [N, C, ...] with class indices or probabilities."""

    def __init__(
        self,
        weight: jax.Array | None = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):
        self.weight = loss_weight(weight)
        self.ignore_index = ignore_index
        self.reduction = reduction
        self.label_smoothing = label_smoothing

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(nnx.Module):
    """Negative log-likelihood of log-probabilities [N, C, ...] with class indices."""

    def __init__(self, weight: jax.Array | None = None, ignore_index: int = -100, reduction: str = "mean"):
        self.weight = loss_weight(weight)
        self.ignore_index = ignore_index
        self.reduction = reduction

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return nll_loss(
            input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction
        )


class MSELoss(LossLayer):
    """Squared error."""

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return mse_loss(input, target, reduction=self.reduction)


class L1Loss(LossLayer):
    """Absolute error."""

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(nnx.Module):
    """Squared error below `beta`, absolute error above."""

    def __init__(self, reduction: str = "mean", beta: float = 1.0):
        self.reduction = reduction
        self.beta = beta

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(nnx.Module):
    """Squared error below `delta`, `delta` times the absolute error above."""

    def __init__(self, reduction: str = "mean", delta: float = 1.0):
        self.reduction = reduction
        self.delta = delta

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class BCELoss(nnx.Module):
    """Cross entropy of probabilities."""

    def __init__(self, weight: jax.Array | None = None, reduction: str = "mean"):
        self.weight = loss_weight(weight)
        self.reduction = reduction

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(nnx.Module):
    """Cross entropy of logits."""

    def __init__(
        self, weight: jax.Array | None = None, reduction: str = "mean", pos_weight: jax.Array | None = None
    ):
        self.weight = loss_weight(weight)
        self.reduction = reduction
        self.pos_weight = loss_weight(pos_weight)

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return binary_cross_entropy_with_logits(
            input, target, weight=self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(nnx.Module):
    """Kullback-Leibler divergence of log-probabilities from a target."""

    def __init__(self, reduction: str = "mean", log_target: bool = False):
        self.reduction = reduction
        self.log_target = log_target

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class PoissonNLLLoss(nnx.Module):
    """Negative log-likelihood of a Poisson distribution."""

    def __init__(
        self, log_input: bool = True, full: bool = False, eps: float = 1e-8, reduction: str = "mean"
    ):
        self.log_input = log_input
        self.full = full
        self.eps = eps
        self.reduction = reduction

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return poisson_nll_loss(
            input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(nnx.Module):
    """Negative log-likelihood of a normal distribution."""

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean"):
        self.full = full
        self.eps = eps
        self.reduction = reduction

    def __call__(self, input: jax.Array, target: jax.Array, var: jax.Array) -> jax.Array:
        return gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class SoftMarginLoss(LossLayer):
    """log(1 + exp(-target * input))."""

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return soft_margin_loss(input, target, reduction=self.reduction)


class HingeEmbeddingLoss(nnx.Module):
    """Hinge loss of a distance."""

    def __init__(self, margin: float = 1.0, reduction: str = "mean"):
        self.margin = margin
        self.reduction = reduction

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class MarginRankingLoss(nnx.Module):
    """Hinge loss of the order of two inputs."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        self.margin = margin
        self.reduction = reduction

    def __call__(self, input1: jax.Array, input2: jax.Array, target: jax.Array) -> jax.Array:
        return margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class MultiMarginLoss(nnx.Module):
    """Hinge loss of several classes."""

    def __init__(
        self, p: int = 1, margin: float = 1.0, weight: jax.Array | None = None, reduction: str = "mean"
    ):
        self.p = p
        self.margin = margin
        self.weight = loss_weight(weight)
        self.reduction = reduction

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return multi_margin_loss(
            input, target, p=self.p, margin=self.margin, weight=self.weight, reduction=self.reduction
        )


class MultiLabelMarginLoss(LossLayer):
    """Hinge loss of several classes and targets."""

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(nnx.Module):
    """Mean over classes of the binary cross entropy of logits."""

    def __init__(self, weight: jax.Array | None = None, reduction: str = "mean"):
        self.weight = loss_weight(weight)
        self.reduction = reduction

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        return multilabel_soft_margin_loss(input, target, weight=self.weight, reduction=self.reduction)


class CosineEmbeddingLoss(nnx.Module):
    """Hinge loss of the cosine of two inputs."""

    def __init__(self, margin: float = 0.0, reduction: str = "mean"):
        self.margin = margin
        self.reduction = reduction

    def __call__(self, input1: jax.Array, input2: jax.Array, target: jax.Array) -> jax.Array:
        return cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class TripletMarginLoss(nnx.Module):
    """Hinge loss of two p-norm distances."""

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        reduction: str = "mean",
    ):
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap
        self.reduction = reduction

    def __call__(self, anchor: jax.Array, positive: jax.Array, negative: jax.Array) -> jax.Array:
        return triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(nnx.Module):
    """Hinge loss of two distances."""

    def __init__(
        self,
        *,
        distance_function: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ):
        self.distance_function = distance_function
        self.margin = margin
        self.swap = swap
        self.reduction = reduction

    def __call__(self, anchor: jax.Array, positive: jax.Array, negative: jax.Array) -> jax.Array:
        return triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class CTCLoss(nnx.Module):
    """Loss over all alignments; see `ctc_loss`."""

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False):
        self.blank = blank
        self.reduction = reduction
        self.zero_infinity = zero_infinity

    def __call__(
        self, log_probs: jax.Array, targets: jax.Array, input_lengths: jax.Array, target_lengths: jax.Array
    ) -> jax.Array:
        return ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            blank=self.blank,
            reduction=self.reduction,
            zero_infinity=self.zero_infinity,
        )


class CosineSimilarity(nnx.Module):
    """Cosine of the angle between x1 and x2 along axis `dim`."""

    def __init__(self, dim: int = 1, eps: float = 1e-8):
        self.dim = dim
        self.eps = eps

    def __call__(self, x1: jax.Array, x2: jax.Array) -> jax.Array:
        return cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(nnx.Module):
    """p-norm of x1 - x2 + eps over the last axis."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
        self.p = p
        self.eps = eps
        self.keepdim = keepdim

    def __call__(self, x1: jax.Array, x2: jax.Array) -> jax.Array:
        return pairwise_distance(x1, x2, self.p, self.eps, self.keepdim)
