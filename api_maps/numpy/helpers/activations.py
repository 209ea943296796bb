"""Activation functions that NumPy and SciPy do not have."""

import numpy as np
import scipy.special


def silu(x) -> np.ndarray:
    """`x * sigmoid(x)`."""
    return x / (1 + np.exp(-x)) if np.iscomplexobj(x) else x * scipy.special.expit(x)


def mish(x) -> np.ndarray:
    """`x * tanh(softplus(x))`."""
    return x * np.tanh(np.logaddexp(0, x))


def gelu(x, approximate: str = "none") -> np.ndarray:
    """`x` times the normal distribution function of `x`, or its tanh form."""
    x = np.asarray(x)
    if approximate == "tanh":
        inner = np.sqrt(2 / np.pi).astype(x.dtype) * (x + 0.044715 * x**3)
        return 0.5 * x * (1 + np.tanh(inner))
    return x * scipy.special.ndtr(x)


def elu(x, alpha: float = 1.0) -> np.ndarray:
    """`x` above 0, else `alpha * (exp(x) - 1)`."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def celu(x, alpha: float = 1.0) -> np.ndarray:
    """`x` above 0, else `alpha * (exp(x / alpha) - 1)`."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def selu(x) -> np.ndarray:
    """The scaled elu of self-normalising networks."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def leaky_relu(x, negative_slope: float = 0.01) -> np.ndarray:
    """`x` above 0, else `negative_slope * x`."""
    return np.where(x > 0, x, negative_slope * x)


def softplus(x, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    """`log(1 + exp(beta * x)) / beta`, and `x` itself where `beta * x > threshold`."""
    return np.where(beta * x > threshold, x, np.logaddexp(0, beta * x) / beta)


def softsign(x) -> np.ndarray:
    """`x / (1 + |x|)`."""
    return x / (1 + np.abs(x))


def tanhshrink(x) -> np.ndarray:
    """`x - tanh(x)`."""
    return x - np.tanh(x)


def softmax(x, axis: int | None = None, dtype=None) -> np.ndarray:
    """Softmax along `axis`, computed in `dtype` if given; None is torch's old choice of axis 0 or 1."""
    x = np.asarray(x, dtype)
    axis = implicit_axis(x) if axis is None else axis
    if x.ndim == 0 or x.size == 0:
        return np.ones_like(x)
    shifted = np.exp(x - np.max(x, axis, keepdims=True))
    return shifted / np.sum(shifted, axis, keepdims=True)


def log_softmax(x, axis: int | None = None, dtype=None) -> np.ndarray:
    """The logarithm of the softmax along `axis`, computed in `dtype` if given."""
    x = np.asarray(x, dtype)
    axis = implicit_axis(x) if axis is None else axis
    if x.ndim == 0 or x.size == 0:
        return np.zeros_like(x)
    shifted = x - np.max(x, axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis, keepdims=True))


def softmin(x, axis: int | None = None, dtype=None) -> np.ndarray:
    """`softmax(-x)` along `axis`."""
    return softmax(-np.asarray(x, dtype), axis)


def implicit_axis(x: np.ndarray) -> int:
    """The axis that torch takes where none is given: 0 for 0, 1 or 3 axes, else 1."""
    return 0 if x.ndim in (0, 1, 3) else 1


def prelu(x, weight) -> np.ndarray:
    """Leaky relu with a learned slope: one for all, or one per channel (axis 1 of `x`)."""
    x, weight = np.asarray(x), np.asarray(weight)
    if weight.size > 1:
        weight = weight.reshape([-1 if axis == 1 else 1 for axis in range(x.ndim)])
    else:
        weight = weight.reshape(())
    return np.where(x > 0, x, weight * x)


def hardtanh(x, min_val: float = -1.0, max_val: float = 1.0) -> np.ndarray:
    """`x` limited to `[min_val, max_val]`, in the dtype of `x`."""
    x = np.asarray(x)
    return np.clip(x, min_val, max_val).astype(x.dtype)


def rrelu(x, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> np.ndarray:
    """Leaky relu with a slope drawn from `[lower, upper]` for each entry; their mean where not training."""
    x = np.asarray(x)
    if not training:
        return leaky_relu(x, (lower + upper) / 2)
    slope = np.random.uniform(lower, upper, x.shape).astype(x.dtype)
    return np.where(x <= 0, slope * x, x)


def hardshrink(x, lambd: float = 0.5) -> np.ndarray:
    """`x` where `|x| > lambd`, else 0; NaN stays."""
    x = np.asarray(x)
    return np.where((x >= -lambd) & (x <= lambd), 0, x)


def softshrink(x, lambd: float = 0.5) -> np.ndarray:
    """`x` moved towards 0 by `lambd`, 0 where `|x| <= lambd`; NaN stays."""
    x = np.asarray(x)
    return np.where(x > lambd, x - lambd, np.where(x < -lambd, x + lambd, x * 0))


def glu(x, axis: int = -1) -> np.ndarray:
    """The first half of `x` along `axis` times the sigmoid of the second half."""
    first, second = np.split(np.asarray(x), 2, axis)
    return first * scipy.special.expit(second)


def gumbel_softmax(x, tau: float = 1.0, hard: bool = False, axis: int = -1) -> np.ndarray:
    """A relaxed one-hot sample of the categories with logits `x` along `axis`; `hard=True` gives one-hot vectors."""
    x = np.asarray(x)
    soft = softmax((x + np.random.gumbel(size=x.shape).astype(x.dtype)) / tau, axis)
    if not hard:
        return soft
    return (soft == np.max(soft, axis, keepdims=True)).astype(x.dtype)
