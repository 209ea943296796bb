import numpy as np
import pytest
import torch

from ivy_convert.api_maps.jax.helpers import scatter

from .comparing import floats, integers, same

CASES = [((3, 5), (2, 4), -1), ((4, 3, 2), (2, 3, 1), 0), ((5,), (7,), 0), ((), (), 0), ((3, 4), (0, 2), 1)]


@pytest.mark.parametrize(("shape", "index_shape", "axis"), CASES)
def test_scatter_without_repeats(shape, index_shape, axis):
    size = shape[axis] if shape else 1
    if index_shape and index_shape[axis] > size:
        index_shape = tuple(size if a == axis % len(shape) else n for a, n in enumerate(index_shape))
    order = np.argsort(floats(*index_shape), axis) if index_shape else np.array(0)
    same(
        lambda x, i, s: torch.scatter(x, axis, i, s),
        lambda x, i, s: scatter.scatter(x, axis, i, s),
        floats(*shape),
        order,
        floats(*index_shape, seed=1),
    )
    same(
        lambda x, i, s: torch.scatter(x, axis, i, s),
        lambda x, i, s: scatter.scatter(x, axis, i, s),
        floats(*shape),
        order,
        floats(*[n + 2 for n in index_shape], seed=1),
        gradients=False,
    )
    same(
        lambda x, i: torch.scatter(x, axis, i, 2.5),
        lambda x, i: scatter.scatter(x, axis, i, 2.5),
        floats(*shape),
        order,
    )


@pytest.mark.parametrize(("shape", "index_shape", "axis"), CASES)
def test_scatter_add(shape, index_shape, axis):
    size = shape[axis] if shape else 1
    same(
        lambda x, i, s: torch.scatter_add(x, axis, i, s),
        lambda x, i, s: scatter.scatter_add(x, axis, i, s),
        floats(*shape),
        integers(*index_shape, high=size),
        floats(*index_shape, seed=1),
    )


def test_scatter_integers():
    same(
        lambda x, i: torch.scatter(x, 1, i, 1),
        lambda x, i: scatter.scatter(x, 1, i, 1),
        integers(3, 4, high=9),
        integers(3, 1, high=4),
    )
    same(
        lambda x, i: torch.scatter(x, 1, i, True),
        lambda x, i: scatter.scatter(x, 1, i, True),
        integers(3, 4, high=2).astype(bool),
        integers(3, 1, high=4),
    )


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize(("shape", "index_shape", "axis"), CASES)
def test_scatter_reduce(shape, index_shape, axis, reduce, include_self):
    size = shape[axis] if shape else 1
    arrays = np.round(floats(*shape), 0), integers(*index_shape, high=size), np.round(floats(*index_shape, seed=1), 0)
    has_zero = any((a == 0).any() for a in arrays[::2])
    if reduce == "prod" and has_zero:
        arrays = arrays[0] + 0.5, arrays[1], arrays[2] + 0.5
    same(
        lambda x, i, s: torch.scatter_reduce(x, axis, i, s, reduce, include_self=include_self),
        lambda x, i, s: scatter.scatter_reduce(x, axis, i, s, reduce, include_self=include_self),
        *arrays,
    )
    whole = arrays[0].astype(np.int64), arrays[1], arrays[2].astype(np.int64)
    same(
        lambda x, i, s: torch.scatter_reduce(x, axis, i, s, reduce, include_self=include_self),
        lambda x, i, s: scatter.scatter_reduce(x, axis, i, s, reduce, include_self=include_self),
        *whole,
    )


@pytest.mark.parametrize("values", [[1.0, 0.0, 3.0, 2.0], [0.0, 0.0, 3.0, 2.0], [2.0, 1.0, 0.0, 0.0]])
def test_product_gradient_with_zero_factors(values):
    same(
        lambda x, i, s: torch.scatter_reduce(x, 0, i, s, "prod"),
        lambda x, i, s: scatter.scatter_reduce(x, 0, i, s, "prod"),
        np.array([2.0, 3.0], np.float32),
        np.array([0, 0, 0, 1]),
        np.array(values, np.float32),
    )


def test_scatter_reduce_refuses_other_names():
    with pytest.raises(ValueError, match="'max'"):
        scatter.scatter_reduce(floats(3), 0, np.array([0]), floats(1), "max")


@pytest.mark.parametrize(
    ("shape", "axis", "index"), [((4, 3), 0, [1, 1, 3]), ((2, 5), -1, [0, 4]), ((5,), 0, [2]), ((3, 2), 0, [])]
)
def test_index_add(shape, axis, index):
    source = list(shape)
    source[axis] = len(index)
    same(
        lambda x, i, s: torch.index_add(x, axis, i, s, alpha=2),
        lambda x, i, s: scatter.index_add(x, axis, i, s, alpha=2),
        floats(*shape),
        np.array(index, np.int64),
        floats(*source, seed=1),
    )


def test_index_copy_and_fill():
    x, index, source = floats(4, 3), np.array([3, 0]), floats(2, 3, seed=1)
    same(lambda x, i, s: torch.index_copy(x, 0, i, s), lambda x, i, s: scatter.index_copy(x, 0, i, s), x, index, source)
    same(lambda x, i: torch.index_fill(x, -1, i, 7.0), lambda x, i: scatter.index_fill(x, -1, i, 7.0), x, index % 3)
    same(
        lambda x, i: torch.index_fill(x, 0, i, -1),
        lambda x, i: scatter.index_fill(x, 0, i, -1),
        integers(4, 3, high=9),
        index,
    )


@pytest.mark.parametrize("accumulate", [False, True])
def test_index_put(accumulate):
    rows, columns = np.array([0, 2, 1]), np.array([1, 1, 3])
    same(
        lambda x, r, c, v: torch.index_put(x, (r, c), v, accumulate),
        lambda x, r, c, v: scatter.index_put(x, (r, c), v, accumulate),
        floats(3, 4),
        rows,
        columns,
        floats(3, seed=1),
    )


def test_masked_scatter():
    mask = integers(3, 4, high=2).astype(bool)
    same(torch.masked_scatter, scatter.masked_scatter, floats(3, 4), mask, floats(4, 4, seed=1))
    same(torch.masked_scatter, scatter.masked_scatter, floats(2, 3, 4), mask, floats(30, seed=1))


def test_select_slice_and_diagonal_scatter():
    same(
        lambda x, s: torch.select_scatter(x, s, -1, -2),
        lambda x, s: scatter.select_scatter(x, s, -1, -2),
        floats(3, 4),
        floats(3, seed=1),
    )
    same(
        lambda x, s: torch.slice_scatter(x, s, 1, 1, 4, 2),
        lambda x, s: scatter.slice_scatter(x, s, 1, 1, 4, 2),
        floats(3, 5),
        floats(3, 2, seed=1),
    )
    for offset in (0, 1, -1):
        length = 3 if offset >= 0 else 2
        same(
            lambda x, s, o=offset: torch.diagonal_scatter(x, s, o),
            lambda x, s, o=offset: scatter.diagonal_scatter(x, s, o),
            floats(3, 4),
            floats(length, seed=1),
        )
