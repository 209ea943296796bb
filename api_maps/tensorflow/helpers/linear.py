"""Linear layers and embeddings with torch's axis layout and initial distribution."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

from .modules import Module


def uniform_parameter(shape: tuple[int, ...], bound: float) -> keras.Variable:
    """A float32 parameter drawn uniformly from [-bound, bound)."""
    return keras.Variable(tf.random.uniform(shape, -bound, bound))


def fan_in_bound(fan_in: int) -> float:
    """1/sqrt(fan_in): the bound of torch's default weights and biases."""
    return 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0


class Linear(Module):
    """x [..., in_features] to [..., out_features]; weight [out_features, in_features], bias [out_features]."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        bound = fan_in_bound(in_features)
        self.weight = uniform_parameter((out_features, in_features), bound)
        self.bias = uniform_parameter((out_features,), bound) if bias else None

    def call(self, x: tf.Tensor) -> tf.Tensor:
        y = tf.tensordot(x, self.weight, [[-1], [1]])
        return y if self.bias is None else y + self.bias


class Embedding(Module):
    """Integers [...] to [..., embedding_dim]; weight [num_embeddings, embedding_dim], the padding row without gradient."""

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None):
        super().__init__()
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx if padding_idx is None else padding_idx % num_embeddings
        rows = tf.random.normal((num_embeddings, embedding_dim))
        if padding_idx is not None:
            rows = rows * (1 - tf.one_hot(self.padding_idx, num_embeddings))[:, None]
        self.weight = keras.Variable(rows)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        rows = tf.gather(self.weight, x)
        if self.padding_idx is None:
            return rows
        return tf.where((x == self.padding_idx)[..., None], tf.stop_gradient(rows), rows)


class Identity(Module):
    """Returns its input; constructor arguments are ignored, as in torch."""

    def call(self, x: Any) -> Any:
        return x
