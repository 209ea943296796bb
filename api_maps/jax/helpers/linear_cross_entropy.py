"""Cross entropy of a linear layer's outputs, as one layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import jax
from flax import nnx

from .linear import Linear
from .loss_layers import loss_weight
from .losses import linear_cross_entropy


class LinearCrossEntropyLoss(nnx.Module):
    """Cross entropy of a linear layer's outputs: input [N, in_features] or [in_features], target as `CrossEntropyLoss`.

    The logits are [N, num_classes, *out_features].
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: Sequence[int] = (),
        bias: bool = False,
        reduction: str = "mean",
        weight: jax.Array | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        rngs: nnx.Rngs,
    ):
        self.num_classes = num_classes
        self.out_features = tuple(out_features)
        self.reduction = reduction
        self.weight = loss_weight(weight)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.linear = Linear(in_features, math.prod(self.out_features) * num_classes, bias=bias, rngs=rngs)

    def __call__(self, input: jax.Array, target: jax.Array) -> jax.Array:
        shape = (self.num_classes, *self.out_features)
        bias = None if self.linear.bias is None else self.linear.bias.reshape(shape)
        return linear_cross_entropy(
            input,
            self.linear.weight.reshape(*shape, -1),
            target,
            bias,
            self.weight,
            self.reduction,
            self.ignore_index,
            self.label_smoothing,
        )
