"""torch's initialisers for Keras variables: they fill the variable and return it."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Inputs and outputs of a weight [out, in, ...]."""
    receptive = math.prod(shape[2:])
    return shape[1] * receptive, shape[0] * receptive


def gain_of(nonlinearity: str, param: float | None = None) -> float:
    """torch's recommended gain for a nonlinearity."""
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    return {"relu": math.sqrt(2), "tanh": 5 / 3, "selu": 0.75}.get(nonlinearity, 1.0)


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0) -> Any:
    """Uniform between a and b."""
    tensor.assign(tf.random.uniform(tensor.shape, a, b))
    return tensor


def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0) -> Any:
    """Normal with a mean and standard deviation."""
    tensor.assign(tf.random.normal(tensor.shape, mean, std))
    return tensor


def trunc_normal_(tensor: Any, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0) -> Any:
    """Normal, cut off at a and b, by inverting the distribution function."""
    low, high = (0.5 * (1 + math.erf((bound - mean) / (std * math.sqrt(2)))) for bound in (a, b))
    drawn = tf.math.erfinv(2 * tf.random.uniform(tensor.shape, low, high) - 1) * (std * math.sqrt(2)) + mean
    tensor.assign(tf.clip_by_value(drawn, a, b))
    return tensor


def constant_(tensor: Any, val: float) -> Any:
    """One value everywhere."""
    tensor.assign(tf.fill(tensor.shape, tf.cast(val, tensor.dtype)))
    return tensor


def ones_(tensor: Any) -> Any:
    """Ones."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Any) -> Any:
    """Zeros."""
    return constant_(tensor, 0.0)


def xavier_uniform_(tensor: Any, gain: float = 1.0) -> Any:
    """Uniform with standard deviation gain * sqrt(2 / (in + out))."""
    bound = gain * math.sqrt(6 / sum(fans(tensor.shape)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor: Any, gain: float = 1.0) -> Any:
    """Normal with standard deviation gain * sqrt(2 / (in + out))."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor.shape))))


def kaiming_uniform_(tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Any:
    """Uniform with standard deviation gain / sqrt(fan)."""
    bound = math.sqrt(3) * gain_of(nonlinearity, a) / math.sqrt(fans(tensor.shape)[mode == "fan_out"])
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu") -> Any:
    """Normal with standard deviation gain / sqrt(fan)."""
    return normal_(tensor, 0.0, gain_of(nonlinearity, a) / math.sqrt(fans(tensor.shape)[mode == "fan_out"]))
