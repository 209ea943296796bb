"""Activation functions that NumPy and SciPy do not have."""

import numpy as np
import scipy.special


def silu(x) -> np.ndarray:
    """`x * sigmoid(x)`."""
    return x * scipy.special.expit(x)


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
