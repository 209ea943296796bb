"""Writing along indices: every function returns a new array. torch's in-place forms are these, assigned back."""

import jax
import jax.numpy as jnp


def scatter_positions(axis: int, index: jax.Array) -> tuple:
    """The position in the target of every entry of `index`, as arrays that broadcast to `index.shape`."""
    positions = []
    for a, n in enumerate(index.shape):
        positions.append(
            index if a == axis else jnp.arange(n).reshape([-1 if b == a else 1 for b in range(index.ndim)])
        )
    return tuple(positions)


def scatter_operands(x, axis: int, index, src) -> tuple:
    """`x`, the positions to write and the values for them: the leading part of `src`, or `src` itself if scalar.

    A 0-d `x` is treated as one entry, so the caller reshapes its result to the shape of the original `x`.
    """
    x, index = jnp.atleast_1d(x), jnp.atleast_1d(index)
    if index.ndim != x.ndim:
        raise ValueError(f"scatter: index has {index.ndim} axes, x has {x.ndim}")
    values = jnp.asarray(src, None if hasattr(src, "dtype") else x.dtype)
    if values.ndim > 0:
        values = values[tuple(slice(n) for n in index.shape)]
    elif index.size:
        values = jnp.broadcast_to(values, index.shape)
    return x, scatter_positions(axis % x.ndim, index), values.astype(x.dtype)


def scatter(x, axis: int, index, src) -> jax.Array:
    """`x` with `src` written at `index` along `axis`; `src` is an array at least as large as `index`, or a scalar.

    Where an index occurs twice, which value stays is not defined, as in torch.
    """
    target, positions, values = scatter_operands(x, axis, index, src)
    return target.at[positions].set(values).reshape(jnp.shape(x))


def scatter_add(x, axis: int, index, src) -> jax.Array:
    """`x` with `src` added at `index` along `axis`; entries with the same index all count."""
    target, positions, values = scatter_operands(x, axis, index, src)
    if target.dtype == jnp.bool_:  # The sum of truth values is whether one of them is true.
        return target.at[positions].max(values).reshape(jnp.shape(x))
    return target.at[positions].add(values).reshape(jnp.shape(x))


def extreme_value(dtype, largest: bool):
    """The largest (or smallest) value of a dtype: infinity for floats and complex numbers."""
    if jnp.issubdtype(dtype, jnp.inexact):
        return jnp.inf if largest else -jnp.inf
    if dtype == jnp.bool_:
        return largest
    return jnp.iinfo(dtype).max if largest else jnp.iinfo(dtype).min


def scatter_reduce(x, axis: int, index, src, reduce: str, include_self: bool = True) -> jax.Array:
    """`x` with the entries of `src` reduced into it at `index` along `axis`.

    `reduce` is 'sum', 'prod', 'mean', 'amax' or 'amin' (static). With `include_self=False` the value in `x` does
    not take part where something is written. Gradients of ties are shared evenly, as torch does.
    """
    target, positions, values = scatter_operands(x, axis, index, src)
    if target.dtype == jnp.bool_:
        reduce = {"sum": "amax", "prod": "amin"}.get(reduce, reduce)
    if not include_self and reduce in ("sum", "mean", "prod"):
        target = target.at[positions].set(1 if reduce == "prod" else 0)
    if reduce in ("sum", "mean"):
        result = target.at[positions].add(values)
    elif reduce == "prod":
        result = scatter_product(target, positions, values)
    elif reduce in ("amax", "amin"):
        result = scatter_extreme(reduce == "amax", include_self, target, positions, values)
    else:
        raise ValueError(f"scatter_reduce: reduce must be sum, prod, mean, amax or amin, not {reduce!r}")
    if reduce == "mean":
        count = jnp.full(target.shape, int(include_self)).at[positions].add(1)
        count = jnp.maximum(count, 1).astype(result.dtype)
        result = result / count if jnp.issubdtype(result.dtype, jnp.inexact) else result // count
    return result.reshape(jnp.shape(x))


def scatter_extreme(largest: bool, include_self: bool, target: jax.Array, positions: tuple, values: jax.Array):
    """Scatter with maximum or minimum, differentiable: JAX has no gradient of its own for it."""
    function = jax.custom_jvp(scatter_extreme_value, nondiff_argnums=(0, 1))
    function.defjvp(scatter_extreme_jvp)
    return function(largest, include_self, target, positions, values)


def scatter_extreme_value(largest: bool, include_self: bool, target: jax.Array, positions: tuple, values: jax.Array):
    """The largest or smallest of what meets at each entry."""
    if not include_self:
        target = target.at[positions].set(extreme_value(target.dtype, not largest))
    update = target.at[positions]
    return update.max(values) if largest else update.min(values)


def scatter_extreme_jvp(largest: bool, include_self: bool, primals: tuple, tangents: tuple) -> tuple:
    """Ties share the gradient. As in torch, a target that equals the result counts even if it takes no part."""
    target, positions, values = primals
    result = scatter_extreme(largest, include_self, target, positions, values)
    kept = (target == result).astype(result.dtype)
    reached = (values == result[positions]).astype(result.dtype)
    count = jnp.maximum(kept.at[positions].add(reached), 1)
    own = kept * tangents[0]
    if not include_self:
        own = own * (1 - jnp.zeros_like(result).at[positions].set(1))
    return result, own.at[positions].add(reached * tangents[2]) / count


def scatter_product(target: jax.Array, positions: tuple, values: jax.Array) -> jax.Array:
    """Scatter with multiplication, differentiable also where an index occurs twice or a factor is zero."""
    function = jax.custom_jvp(scatter_product_value)
    function.defjvp(scatter_product_jvp)
    return function(target, positions, values)


def scatter_product_value(target: jax.Array, positions: tuple, values: jax.Array) -> jax.Array:
    """The product of what meets at each entry."""
    return target.at[positions].multiply(values)


def scatter_product_jvp(primals: tuple, tangents: tuple) -> tuple:
    """Each factor weighs the product of all the others."""
    target, positions, values = primals
    zeros = (target == 0).astype(jnp.int32).at[positions].add((values == 0).astype(jnp.int32))
    others = scatter_product(jnp.where(target == 0, 1, target), positions, jnp.where(values == 0, 1, values))

    def without(factor, product, zero_count):
        """The product of all other factors."""
        is_zero = factor == 0
        quotient = product / jnp.where(is_zero, 1, factor)
        return jnp.where(zero_count == is_zero.astype(jnp.int32), quotient, 0)

    tangent = without(target, others, zeros) * tangents[0]
    tangent = tangent.at[positions].add(without(values, others[positions], zeros[positions]) * tangents[2])
    return scatter_product(target, positions, values), tangent


def axis_positions(x: jax.Array, axis: int, index) -> tuple:
    """An index expression for the 1-D `index` along `axis` of `x`."""
    return (slice(None),) * (axis % x.ndim) + (jnp.atleast_1d(jnp.asarray(index)),)


def index_add(x, axis: int, index, source, alpha=1) -> jax.Array:
    """`x` with `alpha * source` added to the slices `index` along `axis`; repeated indices all count."""
    target = jnp.atleast_1d(x)
    positions = axis_positions(target, axis, index)
    if target.dtype == jnp.bool_:  # The sum of truth values is whether one of them is true.
        values = jnp.logical_and(jnp.atleast_1d(source), bool(alpha))
        return target.at[positions].max(values).reshape(jnp.shape(x))
    values = (jnp.atleast_1d(source) * alpha).astype(target.dtype)
    return target.at[positions].add(values).reshape(jnp.shape(x))


def index_copy(x, axis: int, index, source) -> jax.Array:
    """`x` with the slices `index` along `axis` replaced by those of `source`."""
    target = jnp.atleast_1d(x)
    return target.at[axis_positions(target, axis, index)].set(jnp.atleast_1d(source)).reshape(jnp.shape(x))


def index_fill(x, axis: int, index, value) -> jax.Array:
    """`x` with the slices `index` along `axis` filled with the scalar `value`."""
    target = jnp.atleast_1d(x)
    value = jnp.asarray(value).astype(target.dtype)
    return target.at[axis_positions(target, axis, index)].set(value).reshape(jnp.shape(x))


def index_put(x, indices, values, accumulate: bool = False) -> jax.Array:
    """`x` with `values` written at (or, with `accumulate`, added to) `x[indices]`; a None index means all."""
    x = jnp.asarray(x)
    positions = tuple(slice(None) if index is None else jnp.asarray(index) for index in indices)
    values = jnp.asarray(values).astype(x.dtype)
    return x.at[positions].add(values) if accumulate else x.at[positions].set(values)


def masked_scatter(x, mask, source) -> jax.Array:
    """`x` with the entries where `mask` holds replaced by the first entries of `source`, in order."""
    x, mask = jnp.broadcast_arrays(x, mask)
    if x.size == 0:
        return x
    source = jnp.ravel(source)
    order = jnp.cumsum(mask.ravel()).reshape(mask.shape) - 1
    return jnp.where(mask, source[jnp.clip(order, 0, source.size - 1)], x)


def select_scatter(x, src, axis: int, index: int) -> jax.Array:
    """`x` with the slice number `index` along `axis` replaced by `src`, which has one axis fewer."""
    x = jnp.asarray(x)
    return x.at[(slice(None),) * (axis % x.ndim) + (index,)].set(src)


def slice_scatter(x, src, axis: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> jax.Array:
    """`x` with `x[start:end:step]` along `axis` replaced by `src`."""
    x = jnp.asarray(x)
    return x.at[(slice(None),) * (axis % x.ndim) + (slice(start, end, step),)].set(src)


def diagonal_scatter(x, src, offset: int = 0, axis1: int = 0, axis2: int = 1) -> jax.Array:
    """`x` with its diagonal `offset` in the plane (`axis1`, `axis2`) replaced by `src`."""
    x = jnp.asarray(x)
    moved = jnp.moveaxis(x, (axis1, axis2), (-2, -1))
    rows = jnp.arange(jnp.shape(src)[-1]) + max(-offset, 0)
    columns = jnp.arange(jnp.shape(src)[-1]) + max(offset, 0)
    return jnp.moveaxis(moved.at[..., rows, columns].set(src), (-2, -1), (axis1, axis2))


def put(x, index, source, accumulate: bool = False) -> jax.Array:
    """`x` with `source` written at (or, with `accumulate`, added to) the positions `index` of the flattened `x`."""
    x = jnp.asarray(x)
    positions = jnp.ravel(index)
    values = jnp.ravel(source).astype(x.dtype)
    flat = x.ravel().at[positions]
    if accumulate and x.dtype == jnp.bool_:
        return flat.max(values).reshape(x.shape)
    return (flat.add(values) if accumulate else flat.set(values)).reshape(x.shape)


def index_reduce(x, axis: int, index, source, reduce: str, include_self: bool = True) -> jax.Array:
    """`x` with the slices of `source` reduced into its slices `index` along `axis`.

    `reduce` is 'prod', 'mean', 'amax' or 'amin' (static). With `include_self=False` the values in `x` do not take
    part where something is written.
    """
    source = jnp.atleast_1d(source)
    along = [-1 if a == axis % source.ndim else 1 for a in range(source.ndim)]
    positions = jnp.broadcast_to(jnp.reshape(index, along), source.shape)
    return scatter_reduce(x, axis, positions, source, reduce, include_self)


def segment_reduce(x, reduce: str, *, lengths=None, offsets=None, axis: int = 0, initial=None) -> jax.Array:
    """Runs of entries of `x` along `axis`, each reduced to one.

    `reduce` is 'sum', 'mean', 'max', 'min' or 'prod' (static). The runs have the given `lengths`, `[*leading, runs]`
    with the axes of `x` before `axis`, or lie between `offsets`, `[*leading, runs + 1]`. `initial` takes part in
    every run, and is the value of empty ones.
    """
    x = jnp.asarray(x)
    axis %= x.ndim
    lengths = jnp.diff(offsets, axis=-1) if lengths is None else jnp.asarray(lengths)
    ends = jnp.cumsum(lengths, -1) + (0 if offsets is None else jnp.asarray(offsets)[..., :1])
    behind = (1,) * (x.ndim - axis - 1)
    run = (jnp.arange(x.shape[axis])[:, None] >= ends[..., None, :]).sum(-1)
    index = jnp.broadcast_to(run.reshape(*run.shape, *behind), x.shape)
    starts = {"sum": 0, "mean": 0, "prod": 1, "max": -jnp.inf, "min": jnp.inf}
    if reduce not in starts:
        raise ValueError(f"segment_reduce: reduce must be sum, mean, max, min or prod, not {reduce!r}")
    start = starts[reduce] if initial is None else initial
    extreme = reduce in ("max", "min")
    begin = jnp.full(index.shape[:axis] + lengths.shape[-1:] + index.shape[axis + 1 :], starts[reduce] if extreme else start, x.dtype)  # fmt: skip
    names = {"mean": "sum", "max": "amax", "min": "amin"}
    result = scatter_reduce(begin, axis, index, x, names.get(reduce, reduce))
    if extreme:
        return jnp.where(result >= start if reduce == "max" else result <= start, result, start)
    if reduce == "mean":
        count = jnp.broadcast_to(lengths.reshape(*lengths.shape, *behind), result.shape)
        empty = jnp.nan if initial is None else initial
        return jnp.where(count == 0, empty, result / jnp.maximum(count, 1))
    return result
