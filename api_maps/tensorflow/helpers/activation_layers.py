"""Activation functions as layers."""

from __future__ import annotations

import tensorflow as tf

from .elementwise import elu, softplus
from .modules import Module


class ReLU(Module):
    """max(x, 0)."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(x)


class ReLU6(Module):
    """x limited to [0, 6]."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu6(x)


class LeakyReLU(Module):
    """x, times negative_slope where it is negative."""

    def __init__(self, negative_slope: float = 0.01):
        super().__init__()
        self.negative_slope = negative_slope

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.leaky_relu(x, self.negative_slope)


class ELU(Module):
    """x for x > 0, else alpha * (exp(x) - 1)."""

    def __init__(self, alpha: float = 1.0):
        super().__init__()
        self.alpha = alpha

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return elu(x, self.alpha)


class GELU(Module):
    """x times the normal distribution function, exactly or by its tanh approximation."""

    def __init__(self, approximate: str = "none"):
        super().__init__()
        self.approximate = approximate

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.gelu(x, self.approximate == "tanh")


class SiLU(Module):
    """x times its sigmoid."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.silu(x)


class Sigmoid(Module):
    """The logistic function."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.tanh(x)


class Softplus(Module):
    """log(1 + exp(beta * x)) / beta, linear above the threshold."""

    def __init__(self, beta: float = 1.0, threshold: float = 20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return softplus(x, self.beta, self.threshold)


class Softmax(Module):
    """exp(x) divided by its sum along an axis."""

    def __init__(self, dim: int = -1):
        super().__init__()
        self.dim = dim

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(x, self.dim)


class LogSoftmax(Module):
    """The logarithm of the softmax along an axis."""

    def __init__(self, dim: int = -1):
        super().__init__()
        self.dim = dim

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.nn.log_softmax(x, self.dim)
