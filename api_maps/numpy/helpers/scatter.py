"""Writing along indices: every function returns a new array. torch's in-place forms are these, assigned back."""

import numpy as np


def scatter_positions(axis: int, index: np.ndarray) -> tuple:
    """The position in the target of every entry of `index`, as arrays that broadcast to `index.shape`."""
    positions = list(np.indices(index.shape, sparse=True))
    positions[axis] = index
    return tuple(positions)


def scatter_operands(x, axis: int, index, src) -> tuple:
    """A copy of `x`, the positions to write and the values for them: the leading part of `src`, or a scalar.

    A 0-d `x` is treated as one entry, so the caller reshapes its result to the shape of the original `x`.
    """
    target, index = np.array(x, ndmin=1), np.atleast_1d(index)
    values = np.asarray(src)
    if values.ndim:
        values = np.atleast_1d(values)[tuple(slice(n) for n in index.shape)]
    if index.size == 0:
        index, values = np.zeros((0,) * target.ndim, np.int64), np.zeros((0,) * target.ndim, target.dtype)
    return target, scatter_positions(axis % target.ndim, index), values.astype(target.dtype)


def scatter(x, axis: int, index, src) -> np.ndarray:
    """`x` with `src` written at `index` along `axis`; `src` is an array at least as large as `index`, or a scalar.

    Where an index occurs twice, which value stays is not defined, as in torch.
    """
    target, positions, values = scatter_operands(x, axis, index, src)
    target[positions] = values
    return target.reshape(np.shape(x))


def scatter_add(x, axis: int, index, src) -> np.ndarray:
    """`x` with `src` added at `index` along `axis`; entries with the same index all count."""
    target, positions, values = scatter_operands(x, axis, index, src)
    np.add.at(target, positions, values)
    return target.reshape(np.shape(x))


def extreme_value(dtype, largest: bool):
    """The largest (or smallest) value of a dtype: infinity for floats."""
    if np.issubdtype(dtype, np.inexact):
        return np.inf if largest else -np.inf
    if dtype == np.bool_:
        return largest
    return np.iinfo(dtype).max if largest else np.iinfo(dtype).min


REDUCERS = {
    "sum": (np.add, lambda dtype: 0),
    "mean": (np.add, lambda dtype: 0),
    "prod": (np.multiply, lambda dtype: 1),
    "amax": (np.maximum, lambda dtype: extreme_value(dtype, False)),
    "amin": (np.minimum, lambda dtype: extreme_value(dtype, True)),
}


def reduce_at(target: np.ndarray, positions: tuple, values: np.ndarray, reduce: str, include_self: bool) -> np.ndarray:
    """`values` reduced into `target` (which is changed) at `positions`; 'mean' of integers rounds down."""
    function, identity = REDUCERS[reduce]
    if not include_self:
        target[positions] = identity(target.dtype)
    function.at(target, positions, values)
    if reduce == "mean":
        count = np.full(target.shape, int(include_self))
        np.add.at(count, positions, 1)
        count = np.maximum(count, 1)
        inexact = np.issubdtype(target.dtype, np.inexact)
        target = (target / count).astype(target.dtype) if inexact else target // count
    return target


def scatter_reduce(x, axis: int, index, src, reduce: str, include_self: bool = True) -> np.ndarray:
    """`x` with the entries of `src` reduced into it at `index` along `axis`.

    `reduce` is 'sum', 'prod', 'mean', 'amax' or 'amin'. With `include_self=False` the value in `x` does not take part
    where something is written.
    """
    target, positions, values = scatter_operands(x, axis, index, src)
    return reduce_at(target, positions, values, reduce, include_self).reshape(np.shape(x))


def axis_positions(target: np.ndarray, axis: int, index) -> tuple:
    """An index expression for the 1-D `index` along `axis` of `target`."""
    return (slice(None),) * (axis % target.ndim) + (np.atleast_1d(index),)


def index_add(x, axis: int, index, source, alpha=1) -> np.ndarray:
    """`x` with `alpha * source` added to the slices `index` along `axis`; repeated indices all count."""
    target = np.array(x, ndmin=1)
    values = (np.atleast_1d(source) * alpha).astype(target.dtype)
    np.add.at(target, axis_positions(target, axis, index), values)
    return target.reshape(np.shape(x))


def index_copy(x, axis: int, index, source) -> np.ndarray:
    """`x` with the slices `index` along `axis` replaced by those of `source`."""
    target = np.array(x, ndmin=1)
    target[axis_positions(target, axis, index)] = np.atleast_1d(source)
    return target.reshape(np.shape(x))


def index_fill(x, axis: int, index, value) -> np.ndarray:
    """`x` with the slices `index` along `axis` set to `value`."""
    target = np.array(x, ndmin=1)
    target[axis_positions(target, axis, index)] = value
    return target.reshape(np.shape(x))


def index_put(x, indices, values, accumulate: bool = False) -> np.ndarray:
    """`x` with `x[indices] = values`, or added at every occurrence of an index with `accumulate`."""
    target = np.array(x)
    if accumulate:
        np.add.at(target, tuple(indices), values)
    else:
        target[tuple(indices)] = values
    return target


def masked_scatter(x, mask, source) -> np.ndarray:
    """`x` with the entries of `source`, in order, where `mask` holds; `mask` broadcasts."""
    x, mask = np.broadcast_arrays(x, mask)
    target = np.array(x)
    target[mask] = np.ravel(source)[: np.count_nonzero(mask)]
    return target


def select_scatter(x, src, axis: int, index: int) -> np.ndarray:
    """`x` with `src` as its entry `index` along `axis`."""
    target = np.array(x)
    target[(*(slice(None),) * (axis % target.ndim), index)] = src
    return target


def slice_scatter(
    x, src, axis: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> np.ndarray:
    """`x` with `src` as its slice `start:end:step` along `axis`."""
    target = np.array(x)
    target[(*(slice(None),) * (axis % target.ndim), slice(start, end, step))] = src
    return target


def diagonal_scatter(x, src, offset: int = 0, axis1: int = 0, axis2: int = 1) -> np.ndarray:
    """`x` with `src` on the diagonal `offset` of the matrices that `axis1` and `axis2` span."""
    target = np.array(x)
    diagonal = np.diagonal(target, offset, axis1, axis2)
    diagonal.flags.writeable = True
    diagonal[...] = src
    return target


def index_reduce(x, axis: int, index, source, reduce: str, include_self: bool = True) -> np.ndarray:
    """`x` with the slices of `source` reduced into its slices `index` along `axis`.

    `reduce` is 'prod', 'mean', 'amax' or 'amin'. With `include_self=False` the values in `x` do not take
    part where something is written.
    """
    source = np.atleast_1d(source)
    along = [-1 if a == axis % source.ndim else 1 for a in range(source.ndim)]
    positions = np.broadcast_to(np.reshape(index, along), source.shape)
    return scatter_reduce(x, axis, positions, source, reduce, include_self)


def put(x, index, source, accumulate: bool = False) -> np.ndarray:
    """`x` with `source` written at (or, with `accumulate`, added to) the positions `index` of the flattened `x`."""
    target = np.array(x)
    flat = target.reshape(-1)
    if accumulate:
        np.add.at(flat, np.ravel(index), np.ravel(source).astype(target.dtype))
    else:
        flat[np.ravel(index)] = np.ravel(source)
    return flat.reshape(target.shape)


def segment_reduce(x, reduce: str, *, lengths=None, offsets=None, axis: int = 0, initial=None) -> np.ndarray:
    """Runs of entries of `x` along `axis`, each reduced to one.

    `reduce` is 'sum', 'mean', 'max', 'min' or 'prod'. The runs have the given `lengths`, `[*leading, runs]`
    with the axes of `x` before `axis`, or lie between `offsets`, `[*leading, runs + 1]`. `initial` takes part in
    every run, and is the value of empty ones.
    """
    x = np.asarray(x)
    axis %= x.ndim
    lengths = np.diff(offsets, axis=-1) if lengths is None else np.asarray(lengths)
    ends = np.cumsum(lengths, -1) + (0 if offsets is None else np.asarray(offsets)[..., :1])
    behind = (1,) * (x.ndim - axis - 1)
    run = (np.arange(x.shape[axis])[:, None] >= ends[..., None, :]).sum(-1)
    index = np.broadcast_to(run.reshape(*run.shape, *behind), x.shape)
    starts = {"sum": 0, "mean": 0, "prod": 1, "max": -np.inf, "min": np.inf}
    if reduce not in starts:
        raise ValueError(f"segment_reduce: reduce must be sum, mean, max, min or prod, not {reduce!r}")
    start = starts[reduce] if initial is None else initial
    extreme = reduce in ("max", "min")
    begin = np.full(index.shape[:axis] + lengths.shape[-1:] + index.shape[axis + 1 :], starts[reduce] if extreme else start, x.dtype)  # fmt: skip
    names = {"mean": "sum", "max": "amax", "min": "amin"}
    result = scatter_reduce(begin, axis, index, x, names.get(reduce, reduce))
    if extreme:
        return np.where(result >= start if reduce == "max" else result <= start, result, start)
    if reduce == "mean":
        count = np.broadcast_to(lengths.reshape(*lengths.shape, *behind), result.shape)
        empty = np.nan if initial is None else initial
        return np.where(count == 0, empty, result / np.maximum(count, 1))
    return result
