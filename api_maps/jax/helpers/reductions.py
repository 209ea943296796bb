"""Reductions and orderings with torch's choice of value, index and gradient."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from .elementwise import absolute, clamp


class ValuesIndices(NamedTuple):
    """Values and where along the axis they stood."""

    values: jax.Array
    indices: jax.Array


def pick(x: jax.Array, indices: jax.Array, axis: int, keepdims: bool) -> ValuesIndices:
    """The entries of `x` at `indices` (kept axis of size 1), which alone receive the gradient."""
    values = jnp.take_along_axis(x, indices, axis)
    return ValuesIndices(values, indices) if keepdims else ValuesIndices(values.squeeze(axis), indices.squeeze(axis))


def scalar_pick(x: jax.Array) -> ValuesIndices:
    """What every selection along an axis gives for a 0-d array."""
    return ValuesIndices(x, jnp.zeros((), int))


def max_with_indices(x, axis: int, keepdims: bool = False) -> ValuesIndices:
    """Largest values along `axis` and where the first of them stands; of ties only that one gets the gradient."""
    x = jnp.asarray(x)
    return pick(x, jnp.argmax(x, axis, keepdims=True), axis, keepdims) if x.ndim else scalar_pick(x)


def min_with_indices(x, axis: int, keepdims: bool = False) -> ValuesIndices:
    """Smallest values along `axis` and where the first of them stands; of ties only that one gets the gradient."""
    x = jnp.asarray(x)
    return pick(x, jnp.argmin(x, axis, keepdims=True), axis, keepdims) if x.ndim else scalar_pick(x)


def weighted_bincount(x, weights, minlength: int = 0) -> jax.Array:
    """Sums of the `weights` `[n]` of each whole number in `x` `[n]`; integer weights become floats."""
    weights = jnp.asarray(weights)
    weights = weights.astype(jnp.promote_types(weights.dtype, jnp.float32))
    length = max(minlength, int(jnp.max(x, initial=-1)) + 1)
    return jnp.zeros(length, weights.dtype).at[x].add(weights)


def shared_by_ties(x: jax.Array, value: jax.Array) -> jax.Array:
    """`value`, which is one of the entries of `x`; its gradient is shared evenly by all entries equal to it."""
    function = jax.custom_jvp(lambda entries, chosen: chosen)
    function.defjvp(shared_by_ties_jvp)
    return function(x, value)


def shared_by_ties_jvp(primals: tuple, tangents: tuple) -> tuple:
    """The tangent of `value` is the mean of the tangents of its ties."""
    x, value = primals
    ties = ((x == value) | (jnp.isnan(x) & jnp.isnan(value))).astype(x.dtype)
    return value, (ties * tangents[0]).sum() / jnp.maximum(ties.sum(), 1)


def median(x, axis: int | None = None, keepdims: bool = False):
    """The median, the **lower** of the two middle values for an even number; NaN if any entry is NaN.

    Without `axis` one value of the whole array; with `axis` values and indices.
    """
    x = jnp.asarray(x)
    if axis is None:
        flat = x.ravel()
        if flat.size == 0:
            return jnp.full((), jnp.nan, x.dtype)
        value = jnp.sort(jax.lax.stop_gradient(flat))[(flat.size - 1) // 2]
        if not jnp.issubdtype(x.dtype, jnp.floating):
            return value
        return shared_by_ties(flat, jnp.where(jnp.isnan(flat).any(), jnp.nan, value))
    if x.ndim == 0:
        return scalar_pick(x)
    middle = (x.shape[axis] - 1) // 2
    indices = jax.lax.slice_in_dim(jnp.argsort(x, axis), middle, middle + 1, axis=axis % x.ndim)
    if jnp.issubdtype(x.dtype, jnp.floating):
        missing = jnp.isnan(x)
        indices = jnp.where(missing.any(axis, keepdims=True), jnp.argmax(missing, axis, keepdims=True), indices)
    return pick(x, indices, axis, keepdims)


def nanmedian(x, axis: int | None = None, keepdims: bool = False):
    """As `median`, of the entries that are not NaN."""
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return median(x, axis, keepdims)
    if axis is None:
        flat = x.ravel()
        if flat.size == 0:
            return jnp.full((), jnp.nan, x.dtype)
        count = (~jnp.isnan(flat)).sum()
        value = jnp.sort(jax.lax.stop_gradient(flat))[jnp.maximum(count - 1, 0) // 2]
        return shared_by_ties(flat, value)
    if x.ndim == 0:
        return scalar_pick(x)
    count = (~jnp.isnan(x)).sum(axis, keepdims=True)
    indices = jnp.take_along_axis(jnp.argsort(x, axis), jnp.maximum(count - 1, 0) // 2, axis)
    return pick(x, indices, axis, keepdims)


def kthvalue(x, k: int, axis: int = -1, keepdims: bool = False) -> ValuesIndices:
    """The `k`-th smallest value along `axis`, counted from 1, and its index; NaN counts as largest."""
    x = jnp.asarray(x)
    if x.ndim == 0:
        return scalar_pick(x)
    if not 1 <= k <= x.shape[axis]:
        raise ValueError(f"kthvalue: k is {k}, the axis has {x.shape[axis]} entries")
    return pick(x, jax.lax.slice_in_dim(jnp.argsort(x, axis), k - 1, k, axis=axis % x.ndim), axis, keepdims)


def mode(x, axis: int = -1, keepdims: bool = False) -> ValuesIndices:
    """The most frequent value along `axis`, the smallest of several, and the index of its last occurrence."""
    x = jnp.asarray(x)
    if x.ndim == 0:
        return scalar_pick(x)
    moved = jnp.moveaxis(x, axis, -1)
    order = jnp.argsort(moved, -1)
    ranked = jnp.take_along_axis(moved, order, -1)
    position = jnp.broadcast_to(jnp.arange(x.shape[axis]), ranked.shape)
    starts = jnp.concatenate([jnp.ones_like(ranked[..., :1], bool), ranked[..., 1:] != ranked[..., :-1]], -1)
    run_start = jax.lax.cummax(jnp.where(starts, position, 0), ranked.ndim - 1)
    longest = jnp.argmax(position - run_start, -1, keepdims=True)
    return pick(x, jnp.moveaxis(jnp.take_along_axis(order, longest, -1), -1, axis), axis, keepdims)


def topk(x, k: int, axis: int = -1, largest: bool = True, sorted: bool = True) -> ValuesIndices:
    """The `k` largest (or smallest) entries along `axis`, best first, and their indices; NaN counts as largest.

    The result is in order whatever `sorted` says.
    """
    x = jnp.asarray(x)
    if x.ndim == 0:
        return ValuesIndices(x, jnp.zeros((), int)) if k else ValuesIndices(x[None][:0], jnp.zeros(0, int))
    if largest:
        _, indices = jax.lax.top_k(jnp.moveaxis(jax.lax.stop_gradient(x), axis, -1), k)
        indices = jnp.moveaxis(indices, -1, axis)
    else:
        if k > x.shape[axis]:
            raise ValueError(f"topk: k is {k}, the axis has {x.shape[axis]} entries")
        indices = jax.lax.slice_in_dim(jnp.argsort(x, axis), 0, k, axis=axis % x.ndim)
    return ValuesIndices(jnp.take_along_axis(x, indices, axis), indices)


def sort(x, axis: int = -1, descending: bool = False, stable: bool = False) -> ValuesIndices:
    """Sorted values along `axis` and the indices they had; NaN counts as largest. The order is always stable."""
    x = jnp.asarray(x)
    if x.ndim == 0:
        return scalar_pick(x)
    indices = jnp.argsort(x, axis, stable=True, descending=descending)
    return ValuesIndices(jnp.take_along_axis(x, indices, axis), indices)


def argsort(x, axis: int = -1, descending: bool = False, stable: bool = False) -> jax.Array:
    """The indices that sort `x` along `axis`; NaN counts as largest. The order is always stable."""
    return sort(x, axis, descending).indices


def running_extreme(x, axis: int, largest: bool) -> ValuesIndices:
    """Largest or smallest entry so far along `axis` and its last index; a NaN stays from where it occurs."""
    x = jnp.asarray(x)
    if x.ndim == 0:
        return scalar_pick(x)
    if x.shape[axis] == 0:
        return ValuesIndices(x, jnp.zeros(x.shape, int))
    axis %= x.ndim
    fixed = jax.lax.stop_gradient(x)
    positions = jax.lax.broadcasted_iota(jnp.zeros((), int).dtype, x.shape, axis)

    def later_if_better(first: tuple, second: tuple) -> tuple:
        better = second[0] >= first[0] if largest else second[0] <= first[0]
        better = jnp.isnan(second[0]) | (better & ~jnp.isnan(first[0]))
        return jnp.where(better, second[0], first[0]), jnp.where(better, second[1], first[1])

    _, indices = jax.lax.associative_scan(later_if_better, (fixed, positions), axis=axis)
    return ValuesIndices(jnp.take_along_axis(x, indices, axis), indices)


def cummax(x, axis: int) -> ValuesIndices:
    """The largest entry so far along `axis` and its index."""
    return running_extreme(x, axis, True)


def cummin(x, axis: int) -> ValuesIndices:
    """The smallest entry so far along `axis` and its index."""
    return running_extreme(x, axis, False)


def logcumsumexp(x, axis: int) -> jax.Array:
    """`log(cumsum(exp(x)))` along `axis`, without overflow."""
    x = jnp.asarray(x)
    return jax.lax.cumlogsumexp(x, axis % x.ndim) if x.ndim else x


def var(x, axis=None, correction=1, keepdims: bool = False) -> jax.Array:
    """The variance, divided by `n - correction` (the unbiased one by default)."""
    return jnp.var(x, axis, ddof=correction, keepdims=keepdims)


def widened(x: jax.Array) -> jax.Array:
    """`x` in float32 if it is of half precision, where squares overflow: torch too adds up in float32."""
    return x.astype(jnp.float32) if x.dtype in (jnp.float16, jnp.bfloat16) else x


def std(x, axis=None, correction=1, keepdims: bool = False) -> jax.Array:
    """The standard deviation, unbiased by default; its gradient is 0 where it is 0 (that of `jnp.std` is NaN)."""
    x = jnp.asarray(x)
    variance = var(widened(x), axis, correction, keepdims)
    zero = variance == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, variance))).astype(jnp.real(x).dtype)


def var_mean(x, axis=None, correction=1, keepdims: bool = False) -> tuple[jax.Array, jax.Array]:
    """Variance and mean."""
    return var(x, axis, correction, keepdims), jnp.mean(x, axis, keepdims=keepdims)


def std_mean(x, axis=None, correction=1, keepdims: bool = False) -> tuple[jax.Array, jax.Array]:
    """Standard deviation and mean."""
    return std(x, axis, correction, keepdims), jnp.mean(x, axis, keepdims=keepdims)


class MinMax(NamedTuple):
    """Smallest and largest values."""

    min: jax.Array
    max: jax.Array


def aminmax(x, axis: int | None = None, keepdims: bool = False) -> MinMax:
    """Smallest and largest values of the array, or along `axis`; ties share the gradient."""
    if jnp.ndim(x) == 0:
        axis = None
    return MinMax(jnp.min(x, axis, keepdims=keepdims), jnp.max(x, axis, keepdims=keepdims))


def norm(x, p="fro", axis=None, keepdims: bool = False, dtype=None) -> jax.Array:
    """The `p`-norm of the entries of `x`, in `dtype` if given, over `axis` (int, sequence or None: all) as one vector.

    `p` is a number, `inf`, `-inf`, or 'fro' (= 2); 'nuc' sums the singular values of matrices. The gradient at a
    zero vector is 0 (that of `jnp.linalg.norm` is NaN).
    """
    given = jnp.asarray(x, dtype)
    x = widened(given)
    if x.dtype != given.dtype:
        return norm(x, p, axis, keepdims).astype(given.dtype)
    if x.ndim == 0:
        axis = None
    if isinstance(axis, list):
        axis = tuple(axis)
    if p == "nuc":
        return jnp.linalg.norm(x, "nuc", axis, keepdims)
    power = 2.0 if p is None or p == "fro" else float(p)
    if power == 0:
        return (x != 0).sum(axis, keepdims=keepdims).astype(jnp.abs(x).dtype)
    if power == 2:
        squared = (jnp.real(x) ** 2 + jnp.imag(x) ** 2 if jnp.iscomplexobj(x) else x * x).sum(axis, keepdims=keepdims)
        zero = squared == 0
        return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, squared)))
    size = absolute(x)
    if power == 1:
        return size.sum(axis, keepdims=keepdims)
    if abs(power) == float("inf"):
        return (size.max if power > 0 else size.min)(axis, keepdims=keepdims)
    powers = jnp.where(size == 0, 0.0 if power > 0 else jnp.inf, jnp.where(size == 0, 1, size) ** power)
    total = powers.sum(axis, keepdims=keepdims)
    flat = (total == 0) | jnp.isinf(total)
    limit = jnp.where((total == 0) == (power > 0), 0.0, jnp.inf)
    return jnp.where(flat, limit, jnp.where(flat, 1, total) ** (1 / power)).astype(size.dtype)


def normalize(x, p: float = 2.0, axis=1, eps: float = 1e-12) -> jax.Array:
    """`x` divided by its `p`-norm over `axis`, or by `eps` where the norm is smaller."""
    return jnp.asarray(x) / clamp(norm(x, p, axis, keepdims=True), min=eps)


def cosine_similarity(x1, x2, axis: int = 1, eps: float = 1e-8) -> jax.Array:
    """The cosine of the angle between `x1` and `x2` along `axis`, each norm at least `eps`: 0 for a zero vector."""
    units = []
    for x in jnp.broadcast_arrays(x1, x2):
        length = norm(x, 2, axis, keepdims=True)
        fixed = jax.lax.stop_gradient(length)
        # The bound changes the value only: torch differentiates the norm as if it were not there.
        units.append(x / (jnp.maximum(fixed, eps) + (length - fixed)))
    return (units[0] * units[1]).sum(axis)


def pairwise_distance(x1, x2, p: float = 2.0, eps: float = 1e-6, keepdims: bool = False) -> jax.Array:
    """The `p`-norm of `x1 - x2 + eps` over the last axis."""
    return norm(jnp.asarray(x1) - jnp.asarray(x2) + eps, p, -1, keepdims)


def cdist(x1, x2, p: float = 2.0) -> jax.Array:
    """The `p`-norm distance of every row of `x1` `[..., n, d]` to every row of `x2` `[..., m, d]`: `[..., n, m]`.

    The gradient of a zero distance is 0. All differences are held at once: n * m * d numbers.
    """
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    return norm(x1[..., :, None, :] - x2[..., None, :, :], p, -1)
