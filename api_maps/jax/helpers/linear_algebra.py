"""Solvers with torch's arguments and its choice between vectors and matrices."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .elementwise import promoted


def adjoint(x: jax.Array) -> jax.Array:
    """The conjugate transpose of `[..., m, n]`: `[..., n, m]`."""
    return jnp.conj(jnp.matrix_transpose(x))


def solve(a, b, left: bool = True) -> jax.Array:
    """`x` with `a @ x = b`, or `x @ a = b` if not `left`.

    `b` is a vector, or a batch of vectors, if it has one axis, or one axis less than `a` and fits its leading axes.
    """
    a, b = jnp.asarray(a), jnp.asarray(b)
    if b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1]):
        return jnp.linalg.solve(a, b[..., None])[..., 0]
    if not left:
        return jnp.matrix_transpose(jnp.linalg.solve(jnp.matrix_transpose(a), jnp.matrix_transpose(b)))
    return jnp.linalg.solve(a, b)


def kron(x1, x2) -> jax.Array:
    """The Kronecker product, of booleans too."""
    if jnp.result_type(x1, x2) == jnp.bool_:
        return jnp.kron(jnp.asarray(x1, int), jnp.asarray(x2, int)).astype(bool)
    return jnp.kron(x1, x2)


def addr(x, a, b, beta=1, alpha=1) -> jax.Array:
    """`beta * x + alpha * outer(a, b)` of `x` `[n, m]`, `a` `[n]` and `b` `[m]`; booleans stay booleans.

    With `beta=0` nothing of `x` counts, not even NaN.
    """
    outer = jnp.outer(a, b)
    x = jnp.where(beta == 0, 0, x).astype(jnp.asarray(x).dtype)
    if jnp.result_type(x, outer) == jnp.bool_:
        return jnp.logical_and(x, bool(beta)) | jnp.logical_and(outer, bool(alpha))
    return beta * x + alpha * outer


def solve_triangular(a, b, upper: bool, unitriangular: bool = False, left: bool = True) -> jax.Array:
    """`x` with `t @ x = b`, or `x @ t = b` if not `left`, t being the upper or lower triangle of `a` `[..., n, n]`.

    Leading axes broadcast. The diagonal counts as ones if `unitriangular`.
    """
    a, b = promoted(a, b)
    leading = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return jax.lax.linalg.triangular_solve(
        jnp.broadcast_to(a, leading + a.shape[-2:]),
        jnp.broadcast_to(b, leading + b.shape[-2:]),
        left_side=left,
        lower=not upper,
        unit_diagonal=unitriangular,
    )


def logdet(x) -> jax.Array:
    """The logarithm of the determinant of `[..., n, n]`; NaN where the determinant is negative."""
    sign, magnitude = jnp.linalg.slogdet(x)
    if jnp.iscomplexobj(x):
        return jnp.log(sign) + magnitude
    return jnp.where(sign < 0, jnp.nan, magnitude)


class TriangularSolution(NamedTuple):
    """What `triangular_solve` gives: the solution and the coefficients that it was given."""

    solution: jax.Array
    cloned_coefficient: jax.Array


def triangular_solve(
    b, a, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> TriangularSolution:
    """`x` with `t @ x = b`, or `t.T @ x = b` if `transpose`, t being one triangle of `a` `[..., n, n]`."""
    a, b = promoted(a, b)
    given = jnp.broadcast_to(a, jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + a.shape[-2:])
    if transpose:
        a, upper = jnp.matrix_transpose(a), not upper
    return TriangularSolution(solve_triangular(a, b, upper, unitriangular), given)


def cholesky_solve(b, factor, upper: bool = False) -> jax.Array:
    """`x` with `a @ x = b`, where `factor` `[..., n, n]` is the Cholesky factor of `a`; leading axes broadcast.

    The gradient takes the other triangle of `factor` to be part of it, as torch's does.
    """
    factor, b = promoted(factor, b)
    lower = adjoint(factor) if upper else factor
    triangle = jax.lax.stop_gradient(jnp.tril(lower))
    factor = triangle + (lower - jax.lax.stop_gradient(lower))
    leading = jnp.broadcast_shapes(lower.shape[:-2], b.shape[:-2])

    def solve_both(_, right: jax.Array) -> jax.Array:
        return solve_triangular(adjoint(triangle), solve_triangular(triangle, right, upper=False), upper=True)

    def solve_transposed(_, right: jax.Array) -> jax.Array:
        return solve_both(_, right.conj()).conj()

    return jax.lax.custom_linear_solve(
        lambda x: factor @ (adjoint(factor) @ x),
        jnp.broadcast_to(b, leading + b.shape[-2:]),
        solve_both,
        solve_transposed,
    )


def cholesky_inverse(factor, upper: bool = False) -> jax.Array:
    """The inverse of the matrices `[..., n, n]` whose Cholesky factor is `factor`."""
    factor = jnp.asarray(factor)
    return cholesky_solve(jnp.eye(factor.shape[-1], dtype=factor.dtype), factor, upper)


class InverseInfo(NamedTuple):
    """The inverse, and where elimination met a pivot of zero (counted from 1; 0: nowhere)."""

    inverse: jax.Array
    info: jax.Array


class SolveInfo(NamedTuple):
    """The solution, and where elimination met a pivot of zero (counted from 1; 0: nowhere)."""

    result: jax.Array
    info: jax.Array


def zero_pivot(lu: jax.Array) -> jax.Array:
    """The number, from 1, of the first zero on the diagonal of U in `[..., m, n]`; 0 if there is none: `[...]`."""
    zero = jnp.diagonal(lu, axis1=-2, axis2=-1) == 0
    if zero.shape[-1] == 0:
        return jnp.zeros(lu.shape[:-2], jnp.int32)
    return jnp.where(zero.any(-1), zero.argmax(-1) + 1, 0).astype(jnp.int32)


def inv_ex(x) -> InverseInfo:
    """The inverse of `[..., n, n]`; that of a singular matrix is not finite, and `info` is not 0."""
    return InverseInfo(jnp.linalg.inv(x), zero_pivot(jax.lax.linalg.lu(jnp.asarray(x))[0]))


def solve_ex(a, b, left: bool = True) -> SolveInfo:
    """As `solve`; where `a` is singular the solution is not finite, and `info` is not 0."""
    return SolveInfo(solve(a, b, left), zero_pivot(jax.lax.linalg.lu(jnp.asarray(a))[0]))


def cutoff(singular_values: jax.Array, size: int, atol=None, rtol=None) -> jax.Array:
    """Below which singular values `[..., k]` count as zero, `size` being the longer side of the matrix: `[..., 1]`."""
    if rtol is None:
        relative = size * jnp.finfo(singular_values.dtype).eps
        rtol = relative if atol is None else jnp.where(jnp.asarray(atol) > 0, 0.0, relative)
    largest = singular_values.max(-1, initial=0)
    return jnp.maximum(0 if atol is None else jnp.asarray(atol), jnp.asarray(rtol) * largest)[..., None]


def mirrored(x, lower: bool = True) -> jax.Array:
    """The Hermitian matrix that one triangle of `[..., n, n]` says; its gradient is that of the mean of both."""
    x = jnp.asarray(x)
    mean = (x + adjoint(x)) / 2
    triangle = jnp.tril(x) if lower else jnp.triu(x)
    strict = jnp.tril(x, -1) if lower else jnp.triu(x, 1)
    return mean + jax.lax.stop_gradient(triangle + adjoint(strict) - mean)


def matrix_rank(x, atol=None, rtol=None, hermitian: bool = False) -> jax.Array:
    """How many singular values of `[..., m, n]` are above `max(atol, rtol * largest)`: `[...]`.

    Of a `hermitian` matrix the lower triangle is read.
    """
    x = jnp.asarray(x)
    singular_values = jnp.abs(jnp.linalg.eigvalsh(mirrored(x))) if hermitian else jnp.linalg.svdvals(x)
    return (singular_values > cutoff(singular_values, max(x.shape[-2:]), atol, rtol)).sum(-1)


def pinv(x, atol=None, rtol=None, hermitian: bool = False) -> jax.Array:
    """The pseudo-inverse of `[..., m, n]`; singular values up to `max(atol, rtol * largest)` count as zero.

    Of a `hermitian` matrix the lower triangle is read.
    """
    x = jnp.asarray(x)
    fixed = jax.lax.stop_gradient(mirrored(x) if hermitian else x)
    x = fixed + (x - jax.lax.stop_gradient(x))
    singular_values = jnp.abs(jnp.linalg.eigvalsh(fixed)) if hermitian else jnp.linalg.svdvals(fixed)
    largest = singular_values.max(-1, initial=0)
    bound = cutoff(singular_values, max(x.shape[-2:]), atol, rtol)[..., 0]
    return jnp.linalg.pinv(x, rtol=bound / jnp.where(largest == 0, 1, largest))


class LeastSquares(NamedTuple):
    """The solution; the rest is empty where torch's driver does not compute it."""

    solution: jax.Array
    residuals: jax.Array
    rank: jax.Array
    singular_values: jax.Array


def lstsq(a, b, rcond=None, driver: str = "gelsy") -> LeastSquares:
    """`x` with the least `|a @ x - b|`, and of these the shortest: `[..., m, n]`, `[..., m, k]` → `[..., n, k]`.

    The residuals are given for the drivers 'gels', 'gelsd' and 'gelss' where m > n, torch leaves them empty where
    `a` has not full rank too. Singular values up to `rcond * largest` count as zero.
    """
    a, b = promoted(a, b)
    is_vector = b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1])
    columns = b[..., None] if is_vector else b
    rows, unknowns = a.shape[-2:]
    # A driver that takes the matrix to have full rank cuts nothing off.
    rtol = 0.0 if driver == "gels" else jnp.finfo(a.dtype).eps * max(rows, unknowns) if rcond is None else rcond
    solution = jnp.linalg.pinv(a, rtol=rtol) @ columns
    real = jnp.zeros(0, jnp.finfo(a.dtype).dtype)
    residuals, rank, singular_values = real, jnp.zeros(0, int), real
    if driver != "gelsy" and rows > unknowns:
        residuals = (jnp.abs(a @ solution - columns) ** 2).sum(-2)
    if driver != "gels":
        rank = matrix_rank(a, rtol=rtol)
    if driver in ("gelsd", "gelss"):
        singular_values = jnp.linalg.svdvals(jax.lax.stop_gradient(a))  # torch gives them no gradient either.
    return LeastSquares(solution[..., 0] if is_vector else solution, residuals, rank, singular_values)


def tensordot(x1, x2, axes: int | Sequence[Sequence[int]] = 2) -> jax.Array:
    """Products summed over the last `axes` of `x1` and the first of `x2`, or over the pairs of axes in two lists.

    An axis of length 1 goes with one of any length.
    """
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    first, second = (range(x1.ndim - axes, x1.ndim), range(axes)) if isinstance(axes, int) else axes
    for i, j in zip(first, second, strict=True):
        if x1.shape[i] == 1:
            x2 = x2.sum(j, keepdims=True)
        elif x2.shape[j] == 1:
            x1 = x1.sum(i, keepdims=True)
    return jnp.tensordot(x1, x2, (tuple(first), tuple(second)))


def tensorsolve(a, b, axes=None) -> jax.Array:
    """`x` with `tensordot(a, x, x.ndim) = b`; `axes` of `a` are moved behind the others first."""
    a, b = jnp.asarray(a), jnp.asarray(b)
    if axes is not None:
        a = jnp.moveaxis(a, axes, range(a.ndim - len(axes), a.ndim))
    return solve(a.reshape(b.size, -1), b.ravel()).reshape(a.shape[b.ndim :])


def cross(x1, x2, axis: int | None = None) -> jax.Array:
    """The cross product along `axis`, or along the first axis of length 3."""
    x1, x2 = jnp.broadcast_arrays(x1, x2)
    return jnp.linalg.cross(x1, x2, axis=x1.shape.index(3) if axis is None else axis)


def vandermonde(x, N: int | None = None) -> jax.Array:
    """The powers 0 to `N - 1` of every entry along a new last axis: `[..., n]` → `[..., n, N]`; `N` is n if None."""
    x = jnp.atleast_1d(x)
    return x[..., None] ** jnp.arange(x.shape[-1] if N is None else N)
