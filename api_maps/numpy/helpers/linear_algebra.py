"""Solvers with torch's arguments and its choice between vectors and matrices."""

import numpy as np


def solve(a, b, left: bool = True) -> np.ndarray:
    """`x` with `a @ x = b`; `b` is a vector, or a batch of vectors, if it has one axis less than `a`."""
    a, b = np.asarray(a), np.asarray(b)
    if b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]):
        return np.linalg.solve(a, b[..., None])[..., 0]
    return np.linalg.solve(a, b)


def solve_triangular(a, b, upper: bool, unitriangular: bool = False) -> np.ndarray:
    """`x` with `t @ x = b`, t being the upper or lower triangle of `a`; leading axes broadcast."""
    a, b = np.asarray(a), np.asarray(b)
    triangle = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        triangle = np.where(np.eye(a.shape[-1], dtype=bool), 1, triangle).astype(a.dtype)
    return np.linalg.solve(triangle, b)


def logdet(x) -> np.ndarray:
    """The logarithm of the determinant of `[..., n, n]`; NaN where the determinant is negative."""
    sign, magnitude = np.linalg.slogdet(x)
    if np.iscomplexobj(sign):
        return np.log(sign) + magnitude
    return np.where(sign < 0, np.nan, magnitude).astype(magnitude.dtype)


def bilinear(x1, x2, weight, bias=None) -> np.ndarray:
    """x1 [..., in1], x2 [..., in2], weight [out, in1, in2] to [..., out]."""
    y = np.einsum("...i,oij,...j->...o", x1, weight, x2, optimize=True)
    return y if bias is None else y + bias


def eigvals(x) -> np.ndarray:
    """Eigenvalues of `[..., n, n]`, complex also where all are real."""
    x = np.asarray(x)
    return np.linalg.eigvals(x).astype(np.result_type(x, np.complex64))


def eig(x) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and eigenvectors of `[..., n, n]`, complex also where all are real."""
    x = np.asarray(x)
    values, vectors = np.linalg.eig(x)
    dtype = np.result_type(x, np.complex64)
    return values.astype(dtype), vectors.astype(dtype)
