"""Matrix factorisations with torch's results: pivots counted from 1, packed factors, and what went wrong as a number."""

from typing import NamedTuple

import numpy as np
import scipy.linalg

from .linear_algebra import solve, solve_triangular


def adjoint(x: np.ndarray) -> np.ndarray:
    """The conjugate transpose of `[..., m, n]`: `[..., n, m]`."""
    return np.conj(np.matrix_transpose(x))


class PLU(NamedTuple):
    """`P @ L @ U`: a permutation matrix, a lower triangle with ones on its diagonal, and an upper triangle."""

    P: np.ndarray
    L: np.ndarray
    U: np.ndarray


class PackedLU(NamedTuple):
    """Both triangles in one matrix, and the row, counted from 1, that each row was swapped with in turn."""

    LU: np.ndarray
    pivots: np.ndarray


class PackedLUInfo(NamedTuple):
    """As `PackedLU`, and the number, from 1, of the first pivot that is zero (0: none is)."""

    LU: np.ndarray
    pivots: np.ndarray
    info: np.ndarray


def lu_factor(x) -> PackedLU:
    """The LU factorisation of `[..., m, n]` with partial pivoting; pivots `[..., min(m, n)]`."""
    x = np.asarray(x)
    if x.size == 0:
        return PackedLU(x.copy(), np.zeros((*x.shape[:-2], min(x.shape[-2:])), np.int32))
    packed, pivots = scipy.linalg.lu_factor(x)
    return PackedLU(packed, (pivots + 1).astype(np.int32))


def zero_pivot(lu: np.ndarray) -> np.ndarray:
    """The number, from 1, of the first zero on the diagonal of U in `[..., m, n]`; 0 if there is none: `[...]`."""
    zero = np.diagonal(lu, axis1=-2, axis2=-1) == 0
    if zero.shape[-1] == 0:
        return np.zeros(lu.shape[:-2], np.int32)
    return np.where(zero.any(-1), zero.argmax(-1) + 1, 0).astype(np.int32)


def lu_factor_ex(x) -> PackedLUInfo:
    """As `lu_factor`, with the number of the first zero pivot."""
    lu, pivots = lu_factor(x)
    return PackedLUInfo(lu, pivots, zero_pivot(lu))


def lu_packed(x, get_infos: bool = False) -> PackedLU | PackedLUInfo:
    """The packed LU factorisation of `[..., m, n]` and its pivots, with `get_infos` also its zero pivots."""
    return lu_factor_ex(x) if get_infos else lu_factor(x)


def lu(x) -> PLU:
    """`x = P @ L @ U` for `[..., m, n]`: `[..., m, m]`, `[..., m, k]`, `[..., k, n]` with k = min(m, n)."""
    return lu_unpack(*lu_factor(x))


def pivoted_order(pivots, rows: int) -> np.ndarray:
    """The order of `rows` rows after the swaps `[..., k]`, counted from 1: `[..., rows]`."""
    pivots = np.asarray(pivots)
    order = np.array(np.broadcast_to(np.arange(rows), (*pivots.shape[:-1], rows)))
    for step in range(pivots.shape[-1]):
        other = pivots[..., step, None].astype(np.int64) - 1
        swapped = np.take_along_axis(order, other, -1)
        np.put_along_axis(order, other, order[..., step, None].copy(), -1)
        order[..., step, None] = swapped
    return order


def lu_unpack(lu, pivots, unpack_data: bool = True, unpack_pivots: bool = True) -> PLU:
    """The three factors of a packed LU factorisation `[..., m, n]`; those not asked for are empty."""
    lu = np.asarray(lu)
    rows, columns = lu.shape[-2:]
    shorter = min(rows, columns)
    permutation = lower = upper = np.zeros(0, lu.dtype)
    if unpack_data:
        lower = np.tril(lu[..., :shorter], -1) + np.eye(rows, shorter, dtype=lu.dtype)
        upper = np.triu(lu[..., :shorter, :])
    if unpack_pivots:
        permutation = np.matrix_transpose(np.eye(rows, dtype=lu.dtype)[pivoted_order(pivots, rows)])
    return PLU(permutation, lower, upper)


def lu_solve(lu, pivots, b, left: bool = True, adjoint_of_a: bool = False) -> np.ndarray:
    """`x` with `a @ x = b`, or `x @ a = b` if not `left`, from the packed factors `[..., n, n]` of `a`.

    With `adjoint_of_a` the conjugate transpose takes the place of `a`. Leading axes broadcast.
    """
    permutation, lower, upper = lu_unpack(lu, pivots)
    a = permutation @ lower @ upper
    a = adjoint(a) if adjoint_of_a else a
    return np.linalg.solve(a, b) if left else adjoint(np.linalg.solve(adjoint(a), adjoint(np.asarray(b))))


class CholeskyInfo(NamedTuple):
    """The factor, and the order of the first leading minor that is not positive (0: all are)."""

    L: np.ndarray
    info: np.ndarray


def cholesky_ex(x, upper: bool = False) -> CholeskyInfo:
    """The Cholesky factor of `[..., n, n]`. Raises LinAlgError where a matrix is not positive definite."""
    x = np.asarray(x)
    return CholeskyInfo(np.linalg.cholesky(x, upper=upper), np.zeros(x.shape[:-2], np.int32))


class InverseInfo(NamedTuple):
    """The inverse, and where elimination met a pivot of zero (counted from 1; 0: nowhere)."""

    inverse: np.ndarray
    info: np.ndarray


def inv_ex(x) -> InverseInfo:
    """The inverse of `[..., n, n]`. Raises LinAlgError for a singular matrix."""
    x = np.asarray(x)
    return InverseInfo(np.linalg.inv(x), np.zeros(x.shape[:-2], np.int32))


class SolveInfo(NamedTuple):
    """The solution, and where elimination met a pivot of zero (counted from 1; 0: nowhere)."""

    result: np.ndarray
    info: np.ndarray


def solve_ex(a, b, left: bool = True) -> SolveInfo:
    """As `solve`. Raises LinAlgError where `a` is singular."""
    return SolveInfo(solve(a, b, left), np.zeros(np.shape(a)[:-2], np.int32))


class TriangularSolution(NamedTuple):
    """What `triangular_solve` gives: the solution and the coefficients that it was given."""

    solution: np.ndarray
    cloned_coefficient: np.ndarray


def triangular_solve(
    b, a, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> TriangularSolution:
    """`x` with `t @ x = b`, or `t.T @ x = b` if `transpose`, t being one triangle of `a` `[..., n, n]`."""
    a, b = np.asarray(a), np.asarray(b)
    given = np.broadcast_to(a, np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + a.shape[-2:])
    if transpose:
        a, upper = np.matrix_transpose(a), not upper
    return TriangularSolution(solve_triangular(a, b, upper, unitriangular), given)


class Reflectors(NamedTuple):
    """Householder reflectors below the diagonal of `a`, with R on and above it, and their factors."""

    a: np.ndarray
    tau: np.ndarray


def geqrf(x) -> Reflectors:
    """The packed QR factorisation of `[..., m, n]`, with `tau` `[..., min(m, n)]`."""
    packed, tau = np.linalg.qr(x, mode="raw")
    return Reflectors(np.matrix_transpose(packed), tau)


def apply_reflectors(reflectors: np.ndarray, tau: np.ndarray, other: np.ndarray, transpose: bool = False) -> np.ndarray:
    """`q @ other`, or the adjoint of q times it, where q is the product of k reflectors, applied one by one.

    Shapes: `[..., m, n]`, `[..., k]`, `[..., m, c]` → `[..., m, c]`; leading axes broadcast.
    """
    rows, count = reflectors.shape[-2], tau.shape[-1]
    vectors = np.tril(reflectors[..., :count], -1) + np.eye(rows, count, dtype=reflectors.dtype)
    factors = np.conj(tau) if transpose else tau
    result = other
    for step in range(count) if transpose else reversed(range(count)):
        column = vectors[..., step, None]
        result = result - factors[..., step, None, None] * column * (adjoint(column) @ result)
    return result


def householder_product(x, tau) -> np.ndarray:
    """The first n columns of the product of the reflectors in `[..., m, n]` with the factors `[..., k]`."""
    x, tau = np.asarray(x), np.asarray(tau)
    return apply_reflectors(x, tau, np.broadcast_to(np.eye(*x.shape[-2:], dtype=x.dtype), x.shape))


def ormqr(x, tau, other, left: bool = True, transpose: bool = False) -> np.ndarray:
    """`q @ other`, or `other @ q` if not `left`, with the full orthogonal q of the reflectors, or its adjoint."""
    x, tau, other = np.asarray(x), np.asarray(tau), np.asarray(other)
    if left:
        return apply_reflectors(x, tau, other, transpose)
    return adjoint(apply_reflectors(x, tau, adjoint(other), not transpose))


class SingularVectors(NamedTuple):
    """Singular vectors as columns, and singular values."""

    U: np.ndarray
    S: np.ndarray
    V: np.ndarray


def svd_vectors(x, some: bool = True, compute_uv: bool = True) -> SingularVectors:
    """The singular value decomposition of `[..., m, n]`, thin if `some`; V holds the vectors as columns.

    Without `compute_uv` U and V are zeros.
    """
    x = np.asarray(x)
    if not compute_uv:
        zeros = [np.zeros((*x.shape[:-2], size, size), x.dtype) for size in x.shape[-2:]]
        return SingularVectors(zeros[0], np.linalg.svdvals(x), zeros[1])
    u, s, vh = np.linalg.svd(x, full_matrices=not some)
    return SingularVectors(u, s, adjoint(vh))


def svd_lowrank(x, q: int = 6, niter: int = 2, mean=None) -> SingularVectors:
    """The `q` largest singular values of `[..., m, n]` (less `mean`, if given) and their vectors.

    All of them are computed and the largest taken, where torch approximates these from a random range.
    """
    x = np.asarray(x) if mean is None else np.asarray(x) - mean
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return SingularVectors(u[..., :q], s[..., :q], adjoint(vh)[..., :q])


def pca_lowrank(x, q: int | None = None, center: bool = True, niter: int = 2) -> SingularVectors:
    """The first `q` principal components (6 if there are as many) of the rows of `[..., m, n]`."""
    x = np.asarray(x)
    count = min(6, *x.shape[-2:]) if q is None else q
    return svd_lowrank(x, count, niter, x.mean(-2, keepdims=True) if center else None)


class LeastSquares(NamedTuple):
    """The solution; the rest is empty where torch's driver does not compute it."""

    solution: np.ndarray
    residuals: np.ndarray
    rank: np.ndarray
    singular_values: np.ndarray


def lstsq(a, b, rcond=None, driver: str | None = None) -> LeastSquares:
    """`x` with the least `|a @ x - b|`, and of these the shortest: `[..., m, n]`, `[..., m, k]` → `[..., n, k]`.

    The residuals are given for the drivers 'gels', 'gelsd' and 'gelss' where m > n. Singular values up to
    `rcond * largest` count as zero.
    """
    driver = driver or "gelsy"
    a, b = np.asarray(a), np.asarray(b)
    is_vector = b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1])
    columns = b[..., None] if is_vector else b
    rows, unknowns = a.shape[-2:]
    # A driver that takes the matrix to have full rank cuts nothing off.
    rtol = 0.0 if driver == "gels" else float(np.finfo(a.dtype).eps) * max(rows, unknowns) if rcond is None else rcond
    solution = np.linalg.pinv(a, rtol) @ columns
    singular_values = np.linalg.svdvals(a)
    real = np.zeros(0, singular_values.dtype)
    residuals = (np.abs(a @ solution - columns) ** 2).sum(-2) if driver != "gelsy" and rows > unknowns else real
    bound = rtol * singular_values.max(-1, keepdims=True, initial=0)
    rank = (singular_values > bound).sum(-1) if driver != "gels" else np.zeros(0, np.int64)
    return LeastSquares(
        solution[..., 0] if is_vector else solution,
        residuals, rank, singular_values if driver in ("gelsd", "gelss") else real,
    )  # fmt: skip
