"""Norms of matrices and distances, with torch's gradients at zero."""

import jax
import jax.numpy as jnp

from .elementwise import absolute
from .reductions import norm


def matrix_norm(x, ord="fro", axis=(-2, -1), keepdims: bool = False, dtype=None) -> jax.Array:
    """The `ord`-norm ('fro', 'nuc', inf, -inf, 1, -1, 2, -2) of the matrices along the two axes `axis` of `x`.

    The gradient at a zero matrix is 0, as torch has it (that of `jnp.linalg.matrix_norm` is NaN).
    """
    x = jnp.asarray(x, dtype)
    rows, columns = (one % x.ndim for one in axis)
    if ord == "fro":
        return norm(x, 2, (rows, columns), keepdims)
    if ord == "nuc" or abs(ord) == 2:
        values = jnp.linalg.svdvals(jnp.moveaxis(x, (rows, columns), (-2, -1)))
        result = values.sum(-1) if ord == "nuc" else values.max(-1) if ord > 0 else values.min(-1)
        return jnp.expand_dims(result, sorted((rows, columns))) if keepdims else result
    summed, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = absolute(x).sum(summed, keepdims=True)
    result = sums.max(kept, keepdims=True) if ord > 0 else sums.min(kept, keepdims=True)
    return result if keepdims else result.squeeze((rows, columns))


def linalg_norm(x, ord=None, axis=None, keepdims: bool = False, dtype=None) -> jax.Array:
    """The norm of vectors along one axis or of matrices along two.

    Without `axis` that of a vector or a matrix, and without `ord` too the 2-norm of all entries.
    """
    x = jnp.asarray(x, dtype)
    axes = (axis,) if isinstance(axis, int) else None if axis is None else tuple(axis)
    count = x.ndim if axes is None else len(axes)
    if ord is None or count < 2:
        return norm(x, 2 if ord is None else ord, axes, keepdims)
    return matrix_norm(x, ord, axes or (-2, -1), keepdims)


def cond(x, p=None) -> jax.Array:
    """The condition number of `[..., m, n]` in the `p`-norm, by singular values for None, 2 and -2: `[...]`."""
    x = jnp.asarray(x)
    if min(x.shape[-2:]) == 0:
        return jnp.zeros(x.shape[:-2], jnp.abs(x).dtype)
    if p is None or (isinstance(p, (int, float)) and abs(p) == 2):
        values = jnp.linalg.svdvals(x)
        largest, smallest = values[..., 0], values[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    # The norms of a singular matrix's inverse count as infinite.
    inverse = jnp.linalg.inv(x)
    product = matrix_norm(x, p) * matrix_norm(inverse, p)
    return jnp.where(jnp.isfinite(inverse).all((-2, -1)), product, jnp.inf)


def renorm(x, p, axis: int, maxnorm) -> jax.Array:
    """`x` with every slice along `axis` whose `p`-norm is above `maxnorm` scaled down to it."""
    x = jnp.asarray(x)
    others = tuple(one for one in range(x.ndim) if one != axis % x.ndim)
    lengths = norm(x, p, others, keepdims=True)
    return x * jnp.where(lengths > maxnorm, maxnorm / (lengths + 1e-7), 1).astype(lengths.dtype)


def pdist(x, p=2.0) -> jax.Array:
    """The `p`-norm distances between all pairs of rows of `[n, d]`, in the order of the upper triangle: `[n(n-1)/2]`."""
    x = jnp.asarray(x)
    first, second = jnp.triu_indices(x.shape[0], 1)
    return norm(x[first] - x[second], p, -1)


def dist(x1, x2, p=2.0) -> jax.Array:
    """The `p`-norm of `x1 - x2` as one long vector: `[]`."""
    return norm(jnp.subtract(x1, x2), p)


