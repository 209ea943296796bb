"""Matrix factorisations with torch's results: pivots counted from 1, packed factors, and what went wrong as a number."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .linear_algebra import adjoint, mirrored, solve_triangular, zero_pivot


class PLU(NamedTuple):
    """`P @ L @ U`: a permutation matrix, a lower triangle with ones on its diagonal, and an upper triangle."""

    P: jax.Array
    L: jax.Array
    U: jax.Array


class PackedLU(NamedTuple):
    """Both triangles in one matrix, and the row, counted from 1, that each row was swapped with in turn."""

    LU: jax.Array
    pivots: jax.Array


class PackedLUInfo(NamedTuple):
    """As `PackedLU`, and the number, from 1, of the first pivot that is zero (0: none is)."""

    LU: jax.Array
    pivots: jax.Array
    info: jax.Array


def lu_factor(x) -> PackedLU:
    """The LU factorisation of `[..., m, n]` with partial pivoting; pivots `[..., min(m, n)]`."""
    lu, pivots, _ = jax.lax.linalg.lu(jnp.asarray(x))
    return PackedLU(lu, pivots + 1)


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


def lu_unpack(lu, pivots, unpack_data: bool = True, unpack_pivots: bool = True) -> PLU:
    """The three factors of a packed LU factorisation `[..., m, n]`; those not asked for are empty."""
    lu = jnp.asarray(lu)
    rows, columns = lu.shape[-2:]
    shorter = min(rows, columns)
    permutation = lower = upper = jnp.zeros(0, lu.dtype)
    if unpack_data:
        lower = jnp.tril(lu[..., :shorter], -1) + jnp.eye(rows, shorter, dtype=lu.dtype)
        upper = jnp.triu(lu[..., :shorter, :])
    if unpack_pivots:
        order = jax.lax.linalg.lu_pivots_to_permutation(jnp.asarray(pivots) - 1, rows)
        permutation = jnp.matrix_transpose(jax.nn.one_hot(order, rows, dtype=lu.dtype))
    return PLU(permutation, lower, upper)


def lu_solve(lu, pivots, b, left: bool = True, adjoint_of_a: bool = False) -> jax.Array:
    """`x` with `a @ x = b`, or `x @ a = b` if not `left`, from the packed factors `[..., n, n]` of `a`.

    With `adjoint_of_a` the conjugate transpose takes the place of `a`. Leading axes broadcast.
    """
    lu, b = jnp.asarray(lu), jnp.asarray(b)
    if not left:
        return adjoint(lu_solve(lu, pivots, adjoint(b), True, not adjoint_of_a))
    order = jax.lax.linalg.lu_pivots_to_permutation(jnp.asarray(pivots) - 1, lu.shape[-1])
    if adjoint_of_a:
        across = adjoint(lu)
        solution = solve_triangular(across, solve_triangular(across, b, upper=False), upper=True, unitriangular=True)
        return rows_at(solution, jnp.argsort(order, -1))
    return solve_triangular(lu, solve_triangular(lu, rows_at(b, order), upper=False, unitriangular=True), upper=True)


def rows_at(x: jax.Array, order: jax.Array) -> jax.Array:
    """The rows of `[..., n, k]` in the order `[..., n]`; leading axes broadcast."""
    leading = jnp.broadcast_shapes(x.shape[:-2], order.shape[:-1])
    x = jnp.broadcast_to(x, leading + x.shape[-2:])
    return jnp.take_along_axis(x, jnp.broadcast_to(order, leading + order.shape[-1:])[..., None], -2)


class CholeskyInfo(NamedTuple):
    """The factor, and the order of the first leading minor that is not positive (0: all are)."""

    L: jax.Array
    info: jax.Array


def cholesky_ex(x, upper: bool = False) -> CholeskyInfo:
    """The Cholesky factor of `[..., n, n]`; NaN, with `info` not 0, where a matrix is not positive definite."""
    x = jnp.asarray(x)
    factor = jnp.linalg.cholesky(x, upper=upper)
    failed = jnp.isnan(factor).any((-2, -1))
    order = first_bad_minor(jax.lax.stop_gradient(x))
    return CholeskyInfo(factor, jnp.where(failed, jnp.where(order == 0, x.shape[-1], order), 0).astype(jnp.int32))


def first_bad_minor(x: jax.Array) -> jax.Array:
    """The order of the first leading minor of `[..., n, n]` that is not positive, by elimination; 0 if all are."""

    def eliminate(state: tuple, column: jax.Array) -> tuple:
        remaining, order = state
        pivot_row = jax.lax.dynamic_index_in_dim(remaining, column, -2)
        pivot_column = jax.lax.dynamic_index_in_dim(remaining, column, -1)
        pivot = jnp.real(jax.lax.dynamic_index_in_dim(pivot_row, column, -1))
        order = jnp.where((order == 0) & ~(pivot[..., 0, 0] > 0), column + 1, order)
        return (remaining - pivot_column * pivot_row / pivot, order), None

    start = (x, jnp.zeros(x.shape[:-2], jnp.int32))
    if x.shape[-1] == 0:
        return start[1]
    return jax.lax.scan(eliminate, start, jnp.arange(x.shape[-1], dtype=jnp.int32))[0][1]


class Reflectors(NamedTuple):
    """Householder reflectors below the diagonal of `a`, with R on and above it, and their factors."""

    a: jax.Array
    tau: jax.Array


def geqrf(x) -> Reflectors:
    """The packed QR factorisation of `[..., m, n]`, with `tau` `[..., min(m, n)]`."""
    packed, tau = jnp.linalg.qr(jnp.asarray(x), mode="raw")
    return Reflectors(jnp.matrix_transpose(packed), tau)


def apply_reflectors(reflectors: jax.Array, tau: jax.Array, other: jax.Array, transpose: bool = False) -> jax.Array:
    """`q @ other`, or the adjoint of q times it, where q is the product of k reflectors.

    Shapes: `[..., m, n]`, `[..., k]`, `[..., m, c]` → `[..., m, c]`; leading axes broadcast.
    """
    rows, count = reflectors.shape[-2], tau.shape[-1]
    vectors = jnp.tril(reflectors[..., :count], -1) + jnp.eye(rows, count, dtype=reflectors.dtype)
    leading = jnp.broadcast_shapes(vectors.shape[:-2], tau.shape[:-1], other.shape[:-2])
    start = jnp.broadcast_to(other, leading + other.shape[-2:]).astype(jnp.result_type(vectors, other))

    def reflect(result: jax.Array, reflector: tuple) -> tuple:
        vector, factor = reflector
        column = vector[..., None]
        return result - factor[..., None, None] * column * (adjoint(column) @ result), None

    factors = jnp.conj(tau) if transpose else tau
    steps = (jnp.moveaxis(vectors, -1, 0), jnp.moveaxis(factors, -1, 0))
    return jax.lax.scan(reflect, start, steps, reverse=not transpose)[0]


def householder_product(x, tau) -> jax.Array:
    """The first n columns of the product of the reflectors in `[..., m, n]` with the factors `[..., k]`."""
    x, tau = jnp.asarray(x), jnp.asarray(tau)
    return apply_reflectors(x, tau, jnp.eye(*x.shape[-2:], dtype=x.dtype))


def ormqr(x, tau, other, left: bool = True, transpose: bool = False) -> jax.Array:
    """`q @ other`, or `other @ q` if not `left`, with the full orthogonal q of the reflectors, or its adjoint."""
    x, tau, other = jnp.asarray(x), jnp.asarray(tau), jnp.asarray(other)
    if left:
        return apply_reflectors(x, tau, other, transpose)
    return adjoint(apply_reflectors(x, tau, adjoint(other), not transpose))


class OrthogonalTriangular(NamedTuple):
    """`Q @ R`."""

    Q: jax.Array
    R: jax.Array


def qr_triangle(x) -> OrthogonalTriangular:
    """Only R of the QR factorisation of `[..., m, n]`; Q is empty."""
    return OrthogonalTriangular(jnp.zeros(0, jnp.result_type(x)), jnp.linalg.qr(x, mode="r"))


class SingularVectors(NamedTuple):
    """Singular vectors as columns, and singular values."""

    U: jax.Array
    S: jax.Array
    V: jax.Array


class SingularValues(NamedTuple):
    """`U @ diag(S) @ Vh`."""

    U: jax.Array
    S: jax.Array
    Vh: jax.Array


def completed(vectors: jax.Array) -> jax.Array:
    """An orthonormal basis `[..., m, m]` whose first columns are those of `[..., m, k]`."""
    count = vectors.shape[-1]
    if count == vectors.shape[-2]:
        return vectors
    basis = jnp.linalg.qr(jax.lax.stop_gradient(vectors), mode="complete")[0]
    return jnp.concatenate([vectors, basis[..., count:]], -1)


def full_svd(x) -> SingularValues:
    """The singular value decomposition of `[..., m, n]` with square U and Vh.

    It can be differentiated, unlike that of `jnp.linalg.svd`; vectors without a singular value have no gradient.
    """
    u, s, vh = jnp.linalg.svd(x, full_matrices=False)
    return SingularValues(completed(u), s, adjoint(completed(adjoint(vh))))


def svd_vectors(x, some: bool = True, compute_uv: bool = True) -> SingularVectors:
    """The singular value decomposition of `[..., m, n]`, thin if `some`; V holds the vectors as columns.

    Without `compute_uv` U and V are zeros.
    """
    x = jnp.asarray(x)
    if not compute_uv:
        rows, columns = x.shape[-2:]
        zeros = [jnp.zeros((*x.shape[:-2], size, size), x.dtype) for size in (rows, columns)]
        return SingularVectors(zeros[0], jnp.linalg.svdvals(x), zeros[1])
    u, s, vh = jnp.linalg.svd(x, full_matrices=False) if some else full_svd(x)
    return SingularVectors(u, s, adjoint(vh))


class EigenPairs(NamedTuple):
    """Eigenvalues and, as columns, eigenvectors."""

    eigenvalues: jax.Array
    eigenvectors: jax.Array


def eig(x) -> EigenPairs:
    """Eigenvalues and eigenvectors of `[..., n, n]`; unlike those of `jnp.linalg.eig` they can be differentiated.

    As in torch, the gradient is right where it does not depend on the length and phase of the vectors.
    """
    x = jnp.asarray(x)
    if x.shape[-1] == 0:
        empty = jnp.zeros(x.shape, jnp.result_type(x, jnp.complex64))
        return EigenPairs(empty.sum(-1), empty)
    values, vectors = jax.lax.linalg.eig(x, compute_left_eigenvectors=False, enable_eigvec_derivs=True)
    return EigenPairs(values, vectors)


def eigh_of_upper(x) -> EigenPairs:
    """Eigenvalues and eigenvectors of the Hermitian matrices whose upper triangle stands in `[..., n, n]`."""
    return EigenPairs(*jnp.linalg.eigh(mirrored(x, lower=False)))


def eigvalsh_of_upper(x) -> jax.Array:
    """Eigenvalues of the Hermitian matrices whose upper triangle stands in `[..., n, n]`."""
    return jnp.linalg.eigvalsh(mirrored(x, lower=False))


def svd_lowrank(key: jax.Array, x, q: int = 6, niter: int = 2, mean=None) -> SingularVectors:
    """The `q` largest singular values of `[..., m, n]` (less `mean`, if given) and their vectors, approximately.

    A random range of q columns is refined `niter` times (Halko et al., 2009). `key` draws the first one.
    """
    x = jnp.asarray(x)
    if mean is not None:
        x = x - mean
    tall = x.shape[-2] >= x.shape[-1]
    matrix = x if tall else adjoint(x)
    start = jax.random.normal(key, (matrix.shape[-1], q), matrix.dtype)
    basis = jnp.linalg.qr(matrix @ start)[0]

    def refine(basis: jax.Array, _) -> tuple:
        across = jnp.linalg.qr(adjoint(matrix) @ basis)[0]
        return jnp.linalg.qr(matrix @ across)[0], None

    basis = jax.lax.scan(refine, basis, length=niter)[0]
    u, s, vh = jnp.linalg.svd(adjoint(basis) @ matrix, full_matrices=False)
    u, v = basis @ u, adjoint(vh)
    return SingularVectors(u, s, v) if tall else SingularVectors(v, s, u)


def pca_lowrank(key: jax.Array, x, q: int | None = None, center: bool = True, niter: int = 2) -> SingularVectors:
    """The first `q` principal components (6 if there are as many) of the rows of `[..., m, n]`, as `svd_lowrank`."""
    x = jnp.asarray(x)
    count = min(6, *x.shape[-2:]) if q is None else q
    mean = x.mean(-2, keepdims=True) if center else None
    return svd_lowrank(key, x, count, niter, mean)
