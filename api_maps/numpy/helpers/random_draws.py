"""Random draws in torch's forms, from NumPy's global stream."""

import numpy as np


def uniform(shape, dtype, low=0, high=1) -> np.ndarray:
    """Uniform draws from [low, high); single precision for integers, both parts of complex numbers are drawn."""
    if np.issubdtype(dtype, np.complexfloating):
        real, imaginary = np.random.uniform(low, high, (2, *shape))
        return (real + 1j * imaginary).astype(dtype)
    return np.random.uniform(low, high, shape).astype(dtype if np.issubdtype(dtype, np.floating) else np.float32)


def uniform_like(x, dtype=None, *, low=0, high=1) -> np.ndarray:
    """Uniform draws of the shape, and unless given the dtype, of `x`."""
    return uniform(np.shape(x), dtype or np.result_type(x), low, high)


def standard_normal(shape, dtype) -> np.ndarray:
    """Draws with mean 0 and variance 1, of which the parts of complex numbers have half each."""
    if np.issubdtype(dtype, np.complexfloating):
        real, imaginary = np.random.normal(0, np.sqrt(0.5), (2, *shape))
        return (real + 1j * imaginary).astype(dtype)
    return np.random.standard_normal(shape).astype(dtype)


def normal_like(x, dtype=None) -> np.ndarray:
    """Standard normal draws of the shape, and unless given the dtype, of `x`."""
    return standard_normal(np.shape(x), dtype or np.result_type(x))


def integers_like(x, low: int, high: int, dtype=None) -> np.ndarray:
    """Integers from `low` to `high - 1` of the shape, and unless given the dtype, of `x`."""
    return np.random.randint(low, high, np.shape(x)).astype(dtype or np.result_type(x))


def normal(mean, std) -> np.ndarray:
    """Normal draws with a mean and a standard deviation for each entry, in the dtype of the arrays."""
    mean, std = np.asarray(mean), np.asarray(std)
    dtype = np.result_type(*[value for value in (mean, std) if value.ndim] or [np.float32])
    return np.asarray(np.random.normal(mean, std), dtype)


def bernoulli(probabilities) -> np.ndarray:
    """1 with the probability that each entry gives, else 0, in the dtype of `probabilities`."""
    probabilities = np.asarray(probabilities)
    return np.asarray(np.random.random(probabilities.shape) < probabilities).astype(probabilities.dtype)


def multinomial(probabilities, count: int, replacement: bool = False) -> np.ndarray:
    """`count` indices drawn by the weights in each row of `probabilities`: `[..., categories]` → `[..., count]`.

    Without replacement the draws of a row differ (the largest of the logarithms plus Gumbel noise).
    """
    weights = np.asarray(probabilities, np.float64)
    if replacement:
        bounds = np.cumsum(weights, -1)
        drawn = np.random.random((*weights.shape[:-1], count)) * bounds[..., -1:]
        return np.sum(drawn[..., None] >= bounds[..., None, :], -1)
    with np.errstate(divide="ignore"):
        scores = np.log(weights) + np.random.gumbel(size=weights.shape)
    return np.argsort(-scores, -1)[..., :count]


def poisson(rate) -> np.ndarray:
    """Poisson draws for each rate, in the dtype of `rate`."""
    rate = np.asarray(rate)
    return np.asarray(np.random.poisson(rate)).astype(rate.dtype)
