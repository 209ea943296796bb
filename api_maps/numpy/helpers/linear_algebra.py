"""Solvers with torch's arguments and its choice between vectors and matrices."""

import numpy as np


def solve(a, b, left: bool = True) -> np.ndarray:
    """`x` with `a @ x = b`, or `x @ a = b` if not `left`.

    `b` is a vector, or a batch of vectors, if it has one axis, or one axis less than `a` and fits its leading axes.
    """
    a, b = np.asarray(a), np.asarray(b)
    if b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]):
        return np.linalg.solve(a, b[..., None])[..., 0]
    if not left:
        return np.matrix_transpose(np.linalg.solve(np.matrix_transpose(a), np.matrix_transpose(b)))
    return np.linalg.solve(a, b)


def addr(x, a, b, beta=1, alpha=1) -> np.ndarray:
    """`beta * x + alpha * outer(a, b)` of `x` `[n, m]`, `a` `[n]` and `b` `[m]`; booleans stay booleans.

    With `beta=0` nothing of `x` counts, not even NaN.
    """
    outer = np.outer(a, b)
    x = np.zeros_like(x) if beta == 0 else np.asarray(x)
    if np.result_type(x, outer) == np.bool_:
        return np.logical_and(x, bool(beta)) | np.logical_and(outer, bool(alpha))
    return beta * x + alpha * outer


def solve_triangular(a, b, upper: bool, unitriangular: bool = False, left: bool = True) -> np.ndarray:
    """`x` with `t @ x = b`, or `x @ t = b` if not `left`, t being the upper or lower triangle of `a` `[..., n, n]`."""
    triangle = np.triu(a) if upper else np.tril(a)
    if unitriangular:
        identity = np.eye(triangle.shape[-1], dtype=triangle.dtype)
        triangle = triangle * (1 - identity) + identity
    return solve(triangle, b, left)


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


def einsum(equation: str, *operands) -> np.ndarray:
    """`np.einsum` of an equation whose result lacks the axes that `...` stands for: they are added up."""
    terms, _, result = equation.replace(" ", "").partition("->")
    y = np.einsum(f"{terms}->...{result}", *operands)
    return np.sum(y, axis=tuple(range(y.ndim - len(result))))


def tensordot(x1, x2, axes=2) -> np.ndarray:
    """Sums of products over pairs of axes, `(axes of x1, axes of x2)`, or over the last and first `axes`.

    Of two lengths one may be 1: the products with its only entry are added up.
    """
    x1, x2 = np.asarray(x1), np.asarray(x2)
    first, second = (range(x1.ndim - axes, x1.ndim), range(axes)) if isinstance(axes, int) else axes
    for i, j in zip(first, second, strict=True):
        if x1.shape[i] == 1:
            x2 = np.sum(x2, j, keepdims=True)
        elif x2.shape[j] == 1:
            x1 = np.sum(x1, i, keepdims=True)
    return np.tensordot(x1, x2, (tuple(first), tuple(second)))


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


def cholesky_solve(b, factor, upper: bool = False) -> np.ndarray:
    """`x` with `a @ x = b`, where `factor` `[..., n, n]` is the Cholesky factor of `a`; leading axes broadcast."""
    lower = np.conj(np.matrix_transpose(factor)) if upper else np.asarray(factor)
    across = np.conj(np.matrix_transpose(lower))
    return solve_triangular(across, solve_triangular(lower, b, upper=False), upper=True)


def cholesky_inverse(factor, upper: bool = False) -> np.ndarray:
    """The inverse of the matrices `[..., n, n]` whose Cholesky factor is `factor`."""
    factor = np.asarray(factor)
    return cholesky_solve(np.eye(factor.shape[-1], dtype=factor.dtype), factor, upper)


def cross(x1, x2, axis: int | None = None) -> np.ndarray:
    """The cross product along `axis`, or along the first axis of length 3."""
    x1, x2 = np.broadcast_arrays(x1, x2)
    return np.linalg.cross(x1, x2, axis=x1.shape.index(3) if axis is None else axis)


def vandermonde(x, N: int | None = None) -> np.ndarray:
    """The powers 0 to `N - 1` of every entry along a new last axis: `[..., n]` → `[..., n, N]`; `N` is n if None."""
    x = np.atleast_1d(x)
    return x[..., None] ** np.arange(x.shape[-1] if N is None else N, dtype=x.dtype)


def renorm(x, p, axis: int, maxnorm) -> np.ndarray:
    """`x` with every slice along `axis` whose `p`-norm is above `maxnorm` scaled down to it."""
    x = np.asarray(x)
    others = tuple(one for one in range(x.ndim) if one != axis % x.ndim)
    lengths = np.linalg.vector_norm(x, axis=others, keepdims=True, ord=p)
    return x * np.where(lengths > maxnorm, maxnorm / (lengths + 1e-7), 1).astype(lengths.dtype)


def pdist(x, p=2.0) -> np.ndarray:
    """The `p`-norm distances between all pairs of rows of `[n, d]`, in the order of the upper triangle: `[n(n-1)/2]`."""
    x = np.asarray(x)
    first, second = np.triu_indices(x.shape[0], 1)
    return np.linalg.vector_norm(x[first] - x[second], axis=-1, ord=p)


def tensorsolve(a, b, axes=None) -> np.ndarray:
    """`x` with `tensordot(a, x, x.ndim) = b`; `axes` of `a` are moved behind the others first."""
    a, b = np.asarray(a), np.asarray(b)
    if axes is not None:
        a = np.moveaxis(a, axes, range(a.ndim - len(axes), a.ndim))
    return np.linalg.solve(a.reshape(b.size, -1), b.ravel()).reshape(a.shape[b.ndim :])
