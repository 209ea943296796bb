"""Functions and conventions that the frameworks differ in, in NumPy: what `traps` tries on recorded values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

Function = Callable[[np.ndarray], np.ndarray]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def _leaky(slope: float) -> Function:
    return lambda x: np.where(x >= 0, x, slope * x)


def _elu(alpha: float) -> Function:
    return lambda x: np.where(x > 0, x, alpha * np.expm1(x))


# Functions of single numbers: array of any shape -> array of the same shape.
FUNCTIONS: dict[str, Function] = {
    "the value itself": lambda x: x,
    "gelu": lambda x: 0.5 * x * (1 + _erf(x / math.sqrt(2))),
    "the tanh form of gelu": lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "the sigmoid form of gelu": lambda x: x * _sigmoid(1.702 * x),
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "a leaky relu of slope 0.01": _leaky(0.01),
    "a leaky relu of slope 0.2": _leaky(0.2),
    "a leaky relu of slope 0.3": _leaky(0.3),
    "elu": _elu(1.0),
    "selu": lambda x: 1.0507009873554805 * _elu(1.6732632423543772)(x),
    "silu": lambda x: x * _sigmoid(x),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
    "sigmoid": _sigmoid,
    "a hard sigmoid of slope 1/6": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "a hard sigmoid of slope 0.2": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "hard swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tanh": np.tanh,
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "log2": np.log2,
    "log10": np.log10,
    "sqrt": np.sqrt,
    "square": np.square,
    "reciprocal": lambda x: 1 / x,
    "absolute value": np.abs,
    "rounding down": np.floor,
    "rounding up": np.ceil,
    "rounding towards zero": np.trunc,
    "rounding halves to even": np.round,
    "rounding halves away from zero": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
}


def _softmax(x: np.ndarray, axis: int) -> np.ndarray:
    shifted = np.exp(x - x.max(axis, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis, keepdims=True))


def _lower_median(x: np.ndarray, axis: int) -> np.ndarray:
    return np.take(np.sort(x, axis), (x.shape[axis] - 1) // 2, axis)


def _corrected(function: Any) -> Any:
    def corrected(x: np.ndarray, axes: Any) -> np.ndarray:
        count = math.prod(x.shape[axis] for axis in axes)
        return np.asarray(function(x, axes, ddof=1)) if count > 1 else np.full((), np.nan)

    return corrected


# Functions over axes: label -> function of (array, axes), and whether it takes several axes at once.
AXIS_FUNCTIONS: dict[str, tuple[Callable[[np.ndarray, Any], np.ndarray], bool]] = {
    "softmax": (_softmax, False),
    "log_softmax": (lambda x, axis: np.log(_softmax(x, axis)), False),
    "sum": (np.sum, True),
    "mean": (np.mean, True),
    "variance": (np.var, True),
    "variance with correction 1": (_corrected(np.var), True),
    "standard deviation": (np.std, True),
    "standard deviation with correction 1": (_corrected(np.std), True),
    "maximum": (np.max, True),
    "minimum": (np.min, True),
    "product": (np.prod, True),
    "norm": (lambda x, axes: np.sqrt(np.sum(np.square(x), axes)), True),
    "logsumexp": (lambda x, axes: np.log(np.sum(np.exp(x - x.max()), axes)) + x.max(), True),
    "lower median": (_lower_median, False),
    "median": (lambda x, axis: np.median(x, axis), False),
    "argmax": (np.argmax, False),
    "argmin": (np.argmin, False),
    "cumulative sum": (np.cumsum, False),
    "cumulative product": (np.cumprod, False),
    "sort": (np.sort, False),
    "order of sorting": (np.argsort, False),
    "differences": (lambda x, axis: np.diff(x, axis=axis), False),
}

# (the original's, the converted's) -> how the trap is called.
NAMED_PAIRS = {
    ("gelu", "the tanh form of gelu"): "the tanh form of gelu in place of the exact one (approximate=False)",
    ("the tanh form of gelu", "gelu"): "the exact gelu in place of its tanh form (approximate=True)",
    ("variance with correction 1", "variance"): "a variance with correction 0 in place of 1 (ddof)",
    ("variance", "variance with correction 1"): "a variance with correction 1 in place of 0 (ddof)",
    ("standard deviation with correction 1", "standard deviation"): "a standard deviation with correction 0 in place of 1 (ddof)",
    ("standard deviation", "standard deviation with correction 1"): "a standard deviation with correction 1 in place of 0 (ddof)",
    ("lower median", "median"): "the mean of the two middle values in place of the lower one (median)",
    ("median", "lower median"): "the lower of the two middle values in place of their mean (median)",
}  # fmt: skip

PAD_MODES = {
    "zero": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
    "symmetric": "symmetric",
}


def axes_of(ndim: int) -> Iterator[tuple[int, ...]]:
    """Every set of axes, single ones first, the last axis before the others."""
    for count in range(1, ndim + 1):
        yield from sorted(itertools.combinations(range(ndim), count), reverse=True)


def resize_modes() -> tuple[str, ...]:
    """The conventions of `resized`."""
    return tuple(_MATRICES)


def resized(value: np.ndarray, shape: tuple[int, ...], mode: str) -> np.ndarray:
    """An image [..., *sizes] resized to `shape` along every axis whose size differs."""
    for axis, (before, after) in enumerate(zip(value.shape, shape, strict=True)):
        if before != after:
            value = np.moveaxis(np.tensordot(_MATRICES[mode](before, after), value, (1, axis)), 0, axis)
    return value


def _at(places: np.ndarray, before: int, kernel: Callable[[np.ndarray], np.ndarray], reach: int) -> np.ndarray:
    """A matrix [len(places), before] that reads at fractional places, with the edges repeated."""
    matrix = np.zeros((len(places), before))
    base = np.floor(places).astype(int)
    for offset in range(1 - reach, reach + 1):
        np.add.at(
            matrix, (np.arange(len(places)), np.clip(base + offset, 0, before - 1)), kernel(places - base - offset)
        )
    return matrix


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - np.abs(x))


def _cubic(a: float) -> Callable[[np.ndarray], np.ndarray]:
    def kernel(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        near = (a + 2) * x**3 - (a + 3) * x**2 + 1
        return np.where(x <= 1, near, np.where(x < 2, a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a, 0))

    return kernel


def _corners(before: int, after: int) -> np.ndarray:
    return np.arange(after) * ((before - 1) / max(after - 1, 1))


def _centres(before: int, after: int) -> np.ndarray:
    return (np.arange(after) + 0.5) * before / after - 0.5


def _antialiased(before: int, after: int) -> np.ndarray:
    scale = max(before / after, 1.0)
    weights = _triangle((_centres(before, after)[:, None] - np.arange(before)) / scale)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def _picked(places: np.ndarray, before: int) -> np.ndarray:
    return np.eye(before)[np.clip(places.astype(int), 0, before - 1)]


_MATRICES: dict[str, Callable[[int, int], np.ndarray]] = {
    "nearest, at floor(i * in / out)": lambda n, m: _picked(np.floor(np.arange(m) * n / m), n),
    "nearest, at pixel centres": lambda n, m: _picked(np.floor((np.arange(m) + 0.5) * n / m), n),
    "linear with align_corners=False": lambda n, m: _at(np.clip(_centres(n, m), 0, n - 1), n, _triangle, 1),
    "linear with align_corners=True": lambda n, m: _at(_corners(n, m), n, _triangle, 1),
    "linear with antialiasing": _antialiased,
    "cubic with a = -0.75": lambda n, m: _at(_centres(n, m), n, _cubic(-0.75), 2),
    "cubic with a = -0.5": lambda n, m: _at(_centres(n, m), n, _cubic(-0.5), 2),
    "cubic with align_corners=True": lambda n, m: _at(_corners(n, m), n, _cubic(-0.75), 2),
}
