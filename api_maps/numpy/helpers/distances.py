"""Lengths of vectors and distances between them, with torch's bounds for small lengths."""

import numpy as np


def norm(x, ord="fro", axis=None, keepdims: bool = False) -> np.ndarray:
    """The norm of the entries of `x` over `axis` (int, sequence or None: all), as one long vector.

    `ord` is a number, `inf`, `-inf`, or 'fro' (= 2); 'nuc' sums the singular values of matrices.
    """
    x = np.asarray(x)
    axis = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    if ord == "nuc":
        return np.linalg.norm(x, "nuc", axis, keepdims)
    power = 2.0 if ord is None or ord == "fro" else float(ord)
    size = np.abs(x)
    if power == 0:
        return np.sum(size != 0, axis, size.dtype, keepdims=keepdims)
    if power == 2:
        return np.sqrt(np.sum(size * size, axis, keepdims=keepdims))
    if power == 1:
        return np.sum(size, axis, keepdims=keepdims)
    if abs(power) == float("inf"):
        return (np.max if power > 0 else np.min)(size, axis, keepdims=keepdims)
    with np.errstate(divide="ignore"):
        return np.sum(size**power, axis, keepdims=keepdims) ** (1 / power)


def normalize(x, p: float = 2.0, axis=1, eps: float = 1e-12) -> np.ndarray:
    """`x` divided by its `p`-norm over `axis`, or by `eps` where the norm is smaller."""
    return np.asarray(x) / np.maximum(norm(x, p, axis, keepdims=True), eps)


def cosine_similarity(x1, x2, axis: int = 1, eps: float = 1e-8) -> np.ndarray:
    """The cosine of the angle between `x1` and `x2` along `axis`, each norm at least `eps`: 0 for a zero vector."""
    x1, x2 = np.broadcast_arrays(x1, x2)
    return np.sum(normalize(x1, 2, axis, eps) * normalize(x2, 2, axis, eps), axis)


def pairwise_distance(x1, x2, p: float = 2.0, eps: float = 1e-6, keepdims: bool = False) -> np.ndarray:
    """The `p`-norm of `x1 - x2 + eps` over the last axis."""
    return norm(np.asarray(x1) - np.asarray(x2) + eps, p, -1, keepdims)


def cdist(x1, x2, p: float = 2.0) -> np.ndarray:
    """The `p`-norm distance of every row of `x1` `[..., n, d]` to every row of `x2` `[..., m, d]`: `[..., n, m]`.

    All differences are held at once: n * m * d numbers.
    """
    x1, x2 = np.asarray(x1), np.asarray(x2)
    return norm(x1[..., :, None, :] - x2[..., None, :, :], p, -1)
