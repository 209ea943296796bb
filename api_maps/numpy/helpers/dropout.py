"""Dropout in torch's forms: elementwise, whole channels, and the self-normalising alpha dropout."""

import numpy as np

# The value that SELU saturates to for large negative inputs: -scale * alpha.
SELU_SATURATION = -1.7580993408473766


def keep_mask(shape: tuple[int, ...], p: float) -> np.ndarray:
    """A boolean array of `shape` whose elements are True with probability 1 - p."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    return np.random.random(shape) >= p


def masked_scale(x: np.ndarray, mask: np.ndarray, p: float) -> np.ndarray:
    """x / (1 - p) where `mask` (broadcast to x) holds, else 0."""
    return np.zeros_like(x) if p == 1 else np.where(mask, x / (1 - p), 0)


def masked_alpha(x: np.ndarray, mask: np.ndarray, p: float) -> np.ndarray:
    """x where `mask` holds, else SELU's saturation, rescaled to keep zero mean and unit variance."""
    if p == 1:
        return np.zeros_like(x)
    scale = ((1 - p) * (1 + p * SELU_SATURATION**2)) ** -0.5
    return np.where(mask, x, SELU_SATURATION) * scale - scale * SELU_SATURATION * p


def dropout(x, p: float = 0.5, training: bool = True) -> np.ndarray:
    """Zero elements of x with probability p and divide the others by 1 - p; x itself when not training."""
    x = np.asarray(x)
    return masked_scale(x, keep_mask(x.shape, p), p) if training and p > 0 else x


def feature_dropout(x, p: float = 0.5, training: bool = True) -> np.ndarray:
    """Dropout of whole channels: one decision for each element of the first two axes of x [N, C, ...]."""
    x = np.asarray(x)
    if not training or p == 0:
        return x
    if x.ndim < 2:
        raise ValueError("feature dropout needs at least 2 axes")
    return masked_scale(x, keep_mask(x.shape[:2] + (1,) * (x.ndim - 2), p), p)


def dropout1d(x, p: float = 0.5, training: bool = True) -> np.ndarray:
    """Dropout of whole channels of x [N, C, L] or [C, L]."""
    return feature_dropout(x, p, training) if np.ndim(x) == 3 else feature_dropout(np.asarray(x)[None], p, training)[0]


def dropout3d(x, p: float = 0.5, training: bool = True) -> np.ndarray:
    """Dropout of whole channels of x [N, C, D, H, W] or [C, D, H, W]."""
    return feature_dropout(x, p, training) if np.ndim(x) == 5 else feature_dropout(np.asarray(x)[None], p, training)[0]


def alpha_dropout(x, p: float = 0.5, training: bool = False) -> np.ndarray:
    """Dropout that keeps mean 0 and variance 1 behind SELU; x itself when not training."""
    x = np.asarray(x)
    return masked_alpha(x, keep_mask(x.shape, p), p) if training and p > 0 else x


def feature_alpha_dropout(x, p: float = 0.5, training: bool = False) -> np.ndarray:
    """Alpha dropout of whole channels of x [N, C, ...]."""
    x = np.asarray(x)
    if not training or p == 0:
        return x
    return masked_alpha(x, keep_mask(x.shape[:2] + (1,) * (x.ndim - 2), p), p)
