"""Element-wise functions whose TensorFlow forms differ from torch's in gradients at ties and bounds, or in types."""

from __future__ import annotations

from typing import Any

import tensorflow as tf


def matched(x1: Any, x2: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Two operands as tensors; a Python number takes the other's element type."""
    if not tf.is_tensor(x1):
        x2 = tf.convert_to_tensor(x2)
        return tf.cast(x1, x2.dtype), x2
    x1 = tf.convert_to_tensor(x1)
    return x1, tf.convert_to_tensor(x2) if tf.is_tensor(x2) else tf.cast(x2, x1.dtype)


def clamp(x: tf.Tensor, min: Any = None, max: Any = None) -> tf.Tensor:
    """Limit x [...] to min and max (numbers or tensors that broadcast); the gradient passes at the bounds."""
    if min is not None:
        x, min = matched(x, min)
        x = tf.where(x < min, min, x)
    if max is not None:
        x, max = matched(x, max)
        x = tf.where(x > max, max, x)
    return x


def maximum(x1: tf.Tensor, x2: tf.Tensor) -> tf.Tensor:
    """The larger element; where both are equal each gets half of the gradient. NaN wins."""
    half = 0.5 * (x1 + x2) if x1.dtype.is_floating else x1
    return tf.where(x1 == x2, half, tf.maximum(x1, x2))


def minimum(x1: tf.Tensor, x2: tf.Tensor) -> tf.Tensor:
    """The smaller element; where both are equal each gets half of the gradient. NaN wins."""
    half = 0.5 * (x1 + x2) if x1.dtype.is_floating else x1
    return tf.where(x1 == x2, half, tf.minimum(x1, x2))


def matmul(x1: tf.Tensor, x2: tf.Tensor) -> tf.Tensor:
    """NumPy's matrix product: vectors are allowed on either side, leading axes broadcast."""
    left, right = x1.shape.rank == 1, x2.shape.rank == 1
    product = tf.matmul(x1[None, :] if left else x1, x2[:, None] if right else x2)
    if right:
        product = tf.squeeze(product, -1)
    return tf.squeeze(product, -1 if right else -2) if left else product


def divide_truncated(x1: Any, x2: Any) -> tf.Tensor:
    """x1 / x2 rounded towards zero, in the operands' element type."""
    x1, x2 = matched(x1, x2)
    if x1.dtype.is_integer:
        return tf.truncatediv(x1, x2)
    quotient = x1 / x2
    return tf.sign(quotient) * tf.floor(tf.abs(quotient))


def boolean(x: tf.Tensor) -> tf.Tensor:
    """x itself if it is boolean, else whether each element differs from zero."""
    x = tf.convert_to_tensor(x)
    return x if x.dtype == tf.bool else tf.not_equal(x, tf.zeros((), x.dtype))


def logical_and(x1: tf.Tensor, x2: tf.Tensor) -> tf.Tensor:
    """Whether both elements differ from zero."""
    return tf.logical_and(boolean(x1), boolean(x2))


def logical_or(x1: tf.Tensor, x2: tf.Tensor) -> tf.Tensor:
    """Whether one of the elements differs from zero."""
    return tf.logical_or(boolean(x1), boolean(x2))


def logical_xor(x1: tf.Tensor, x2: tf.Tensor) -> tf.Tensor:
    """Whether exactly one of the elements differs from zero."""
    return tf.math.logical_xor(boolean(x1), boolean(x2))


def logical_not(x: tf.Tensor) -> tf.Tensor:
    """Whether each element is zero."""
    return tf.logical_not(boolean(x))


def isclose(
    x1: tf.Tensor, x2: tf.Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> tf.Tensor:
    """Whether |x1 - x2| <= atol + rtol * |x2|, or both are the same infinity (or NaN, if `equal_nan`)."""
    x1, x2 = matched(x1, x2)
    if not x1.dtype.is_floating:
        x1, x2 = tf.cast(x1, tf.float64), tf.cast(x2, tf.float64)
    finite = tf.math.is_finite(x1) & tf.math.is_finite(x2)
    close = (finite & (tf.abs(x1 - x2) <= atol + rtol * tf.abs(x2))) | (x1 == x2)
    return close | (tf.math.is_nan(x1) & tf.math.is_nan(x2)) if equal_nan else close


def allclose(
    x1: tf.Tensor, x2: tf.Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether all elements are close, as `isclose` says; a Python bool."""
    return bool(tf.reduce_all(isclose(x1, x2, rtol, atol, equal_nan)))


def array_equal(x1: tf.Tensor, x2: tf.Tensor) -> bool:
    """Whether shapes and all elements are equal; a Python bool."""
    return x1.shape == x2.shape and bool(tf.reduce_all(tf.equal(x1, x2)))


def elu(x: tf.Tensor, alpha: float = 1.0) -> tf.Tensor:
    """x for x > 0, else alpha * (exp(x) - 1)."""
    return tf.where(x > 0, x, alpha * tf.math.expm1(tf.minimum(x, 0.0)))


def softplus(x: tf.Tensor, beta: float = 1.0, threshold: float = 20.0) -> tf.Tensor:
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x exceeds the threshold."""
    scaled = x * beta
    return tf.where(scaled > threshold, x, tf.math.softplus(scaled) / beta)
