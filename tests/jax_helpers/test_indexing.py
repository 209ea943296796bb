import jax.numpy as jnp
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ivy_convert.api_maps.jax.helpers import indexing

from .comparing import floats, integers, same


@pytest.mark.parametrize(
    ("shape", "index_shape", "axis"),
    [
        ((3, 5, 2), (3, 5, 2), 1),
        ((3, 5, 2), (2, 7, 1), 1),
        ((4, 3), (2, 2), -2),
        ((5,), (9,), -1),
        ((3, 4), (0, 4), 0),
        ((), (), 0),
        ((), (3,), -1),
    ],
)
def test_gather(shape, index_shape, axis):
    high = shape[axis] if shape else 1
    same(
        lambda x, i: torch.gather(x, axis, i),
        lambda x, i: indexing.gather(x, axis, i),
        floats(*shape),
        integers(*index_shape, high=high),
    )


def test_gather_keeps_integer_and_bool():
    index = integers(2, 3, high=4)
    for x in (integers(3, 4, high=9), integers(3, 4, high=2).astype(bool)):
        same(lambda x, i: x.gather(1, i), lambda x, i: indexing.gather(x, 1, i), x, index)


def test_gather_refuses_another_rank():
    with pytest.raises(ValueError, match="1 axes"):
        indexing.gather(jnp.ones((2, 3)), 0, jnp.array([0]))


@pytest.mark.parametrize(
    ("shape", "axis", "index"), [((3, 4), -1, [1, 1, 3]), ((3, 4), 0, []), ((), 0, [0]), ((2, 3, 4), 1, 2)]
)
def test_index_select(shape, axis, index):
    same(
        lambda x, i: torch.index_select(x, axis, i),
        lambda x, i: indexing.index_select(x, axis, i),
        floats(*shape),
        np.asarray(index, np.int64),
    )


def test_take_counts_from_the_end():
    same(torch.take, indexing.take, floats(3, 4), np.array([[0, -1], [5, -12]]))
    same(torch.take, indexing.take, floats(), np.array([0, 0]))


@pytest.mark.parametrize(("axis", "start", "length"), [(0, 1, 2), (-1, -3, 2), (1, 0, 0), (1, 4, 1)])
def test_narrow(axis, start, length):
    same(
        lambda x: torch.narrow(x, axis, start, length), lambda x: indexing.narrow(x, axis, start, length), floats(4, 5)
    )


def test_narrow_checks_and_dynamic_start():
    with pytest.raises(IndexError, match="exceeds"):
        indexing.narrow(jnp.ones(3), 0, 2, 2)
    same(lambda x, s: torch.narrow(x, 1, s, 2), lambda x, s: indexing.narrow(x, 1, s, 2), floats(3, 5), np.array(2))


@pytest.mark.parametrize(
    ("shape", "axis", "size", "step"),
    [((7,), 0, 3, 2), ((2, 8, 3), 1, 3, 1), ((2, 5), -1, 5, 3), ((), 0, 1, 1), ((4, 6), 0, 2, 4), ((4,), 0, 0, 1)],
)
def test_unfold_axis(shape, axis, size, step):
    same(lambda x: x.unfold(axis, size, step), lambda x: indexing.unfold_axis(x, axis, size, step), floats(*shape))


@pytest.mark.parametrize("axes", [(-2, -1), (0, 2), (2, 0), (-1, 0)])
@pytest.mark.parametrize("offset", [0, 1, -2])
def test_diag_embed(offset, axes):
    same(lambda x: torch.diag_embed(x, offset, *axes), lambda x: indexing.diag_embed(x, offset, *axes), floats(3, 4))
    same(lambda x: torch.diag_embed(x, offset), lambda x: indexing.diag_embed(x, offset), integers(3, high=5))


@pytest.mark.parametrize(("row", "col", "offset"), [(3, 3, 0), (2, 5, 1), (4, 2, -1), (0, 3, 0)])
def test_triangle_indices(row, col, offset):
    for name in ("tril_indices", "triu_indices"):
        expected = getattr(torch, name)(row, col, offset).numpy()
        np.testing.assert_array_equal(getattr(indexing, name)(row, col, offset), expected)


def test_masked_select():
    same(torch.masked_select, indexing.masked_select, floats(3, 4), integers(4, high=2).astype(bool), jit=False)


def test_one_hot():
    for x in (integers(2, 3, high=4), integers(high=4), integers(0, 2, high=2)):
        same(lambda x: F.one_hot(x, 5), lambda x: indexing.one_hot(x, 5), x)
    same(F.one_hot, indexing.one_hot, integers(7, high=3), jit=False)
    with pytest.raises(ValueError, match="empty"):
        indexing.one_hot(jnp.zeros(0, int))


@pytest.mark.parametrize("right", [False, True])
def test_bucketize_and_searchsorted(right):
    edges = np.array([-1.0, 0.0, 0.0, 0.5, 2.0], np.float32)
    values = np.array([[-2, -1, 0], [0.5, 3, np.nan]], np.float32)
    same(
        lambda x, b: torch.bucketize(x, b, right=right),
        lambda x, b: indexing.bucketize(x, b, right),
        values,
        edges,
        gradients=False,
    )
    same(
        lambda s, v: torch.searchsorted(s, v, right=right),
        lambda s, v: indexing.searchsorted(s, v, right),
        edges,
        values,
        gradients=False,
    )
    same(
        lambda x, b: torch.bucketize(x, b, right=right),
        lambda x, b: indexing.bucketize(x, b, right),
        integers(5, high=9),
        np.array([2, 4, 6]),
    )
    rows = np.sort(floats(2, 3, 6), -1)
    same(
        lambda s, v: torch.searchsorted(s, v, right=right),
        lambda s, v: indexing.searchsorted(s, v, right),
        rows,
        floats(2, 3, 4, seed=1),
        gradients=False,
    )


def test_searchsorted_with_sorter():
    sequence = floats(6)
    same(
        lambda s, v, o: torch.searchsorted(s, v, side="right", sorter=o),
        lambda s, v, o: indexing.searchsorted(s, v, side="right", sorter=o),
        sequence,
        floats(4, seed=1),
        np.argsort(sequence),
        gradients=False,
    )


@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("shape", [(7,), (4, 3), (0,)])
def test_unique(shape, axis):
    x = integers(*shape, high=3)
    if axis is None:
        same(
            lambda x: torch.unique(x, return_inverse=True, return_counts=True),
            lambda x: indexing.unique(x, return_inverse=True, return_counts=True),
            x,
            jit=False,
        )
        same(
            lambda x: torch.unique_consecutive(x, return_inverse=True, return_counts=True),
            lambda x: indexing.unique_consecutive(x, return_inverse=True, return_counts=True),
            x,
            jit=False,
        )
    elif x.size:
        same(
            lambda x: torch.unique(x, return_inverse=True, return_counts=True, dim=axis),
            lambda x: indexing.unique(x, return_inverse=True, return_counts=True, axis=axis),
            x,
            jit=False,
        )
        same(
            lambda x: torch.unique_consecutive(x, return_inverse=True, return_counts=True, dim=axis),
            lambda x: indexing.unique_consecutive(x, return_inverse=True, return_counts=True, axis=axis),
            x,
            jit=False,
        )


def test_unique_keeps_every_nan():
    x = np.array([1, np.nan, 1, np.nan], np.float32)
    same(
        lambda x: torch.unique(x, return_counts=True),
        lambda x: indexing.unique(x, return_counts=True),
        x,
        gradients=False,
        jit=False,
    )
