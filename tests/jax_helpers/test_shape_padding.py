import jax.numpy as jnp
import pytest
import torch
import torch.nn.functional as F

from ivy_convert.api_maps.jax.helpers import padding, shape

from .comparing import floats, integers, same


@pytest.mark.parametrize(
    ("mode", "dims", "amounts"),
    [
        ("constant", (2, 3), (1, 2)),
        ("constant", (2, 3, 4), (0, -1, 2, 0)),
        ("constant", (), ()),
        ("constant", (0, 2), (1, 1)),
        ("reflect", (2, 3, 5), (2, 1)),
        ("reflect", (1, 2, 4, 5), (3, 1, 0, 2)),
        ("replicate", (2, 3, 4), (5, 1)),
        ("replicate", (1, 2, 3, 4), (1, -1, 0, 2)),
        ("circular", (1, 2, 4, 5), (2, 5, 1, 0)),
        ("circular", (2, 3, 4), (-1, 2)),
    ],
)
def test_pad(mode, dims, amounts):
    value = 1.5 if mode == "constant" else None
    same(lambda x: F.pad(x, amounts, mode, value), lambda x: padding.pad(x, amounts, mode, value), floats(*dims))


def test_pad_integers_and_errors():
    same(lambda x: F.pad(x, (1, 1), value=7), lambda x: padding.pad(x, (1, 1), value=7), integers(2, 3, high=5))
    with pytest.raises(ValueError, match="too large"):
        padding.pad(jnp.ones((1, 3)), (3, 0), "reflect")
    with pytest.raises(ValueError, match="unknown mode"):
        padding.pad(jnp.ones((1, 3)), (1, 0), "edge")


@pytest.mark.parametrize(
    ("dims", "argument", "axis"), [((7, 2), 3, 0), ((2, 6), 2, -1), ((5,), [1, 0, 4], 0), ((0, 2), 2, 0), ((4,), 9, 0)]
)
def test_split(dims, argument, axis):
    same(lambda x: torch.split(x, argument, axis), lambda x: shape.split(x, argument, axis), floats(*dims))


@pytest.mark.parametrize(
    ("dims", "count", "axis"), [((7,), 3, 0), ((2, 6), 4, -1), ((3,), 5, 0), ((0,), 2, 0), ((9, 2), 4, 0)]
)
def test_chunk_and_tensor_split(dims, count, axis):
    same(lambda x: torch.chunk(x, count, axis), lambda x: shape.chunk(x, count, axis), floats(*dims))
    same(lambda x: torch.tensor_split(x, count, axis), lambda x: shape.tensor_split(x, count, axis), floats(*dims))
    same(lambda x: torch.tensor_split(x, (1, 3), axis), lambda x: shape.tensor_split(x, (1, 3), axis), floats(*dims))


def test_split_refuses_wrong_sizes():
    with pytest.raises(ValueError, match="add up to 5"):
        shape.split(jnp.ones(5), [2, 2])
    with pytest.raises(ValueError, match="positive"):
        shape.chunk(jnp.ones(5), 0)


def test_flatten_and_unflatten():
    for dims, start, end in (((2, 3, 4), 0, -1), ((2, 3, 4), 1, 2), ((2, 3), -1, -1), ((), 0, -1), ((0, 3), 0, 1)):
        same(
            lambda x, a=start, b=end: torch.flatten(x, a, b),
            lambda x, a=start, b=end: shape.flatten(x, a, b),
            floats(*dims),
        )
    for axis, sizes in ((1, (2, 3)), (-1, (-1, 2)), (0, (1, 4))):
        same(
            lambda x, a=axis, s=sizes: torch.unflatten(x, a, s),
            lambda x, a=axis, s=sizes: shape.unflatten(x, a, s),
            floats(4, 6),
        )


def test_expand_repeat_squeeze():
    for size in ((2, 3, 4), (-1, 4), (5, -1, 4), (0, 3, -1)):
        same(lambda x, s=size: x.expand(*s), lambda x, s=size: shape.expand(x, *s), floats(3, 1))
        same(lambda x, s=size: x.expand(s), lambda x, s=size: shape.expand(x, s), floats(3, 1))
    for counts in ((2, 3), (2, 1, 3), (0, 1)):
        same(lambda x, c=counts: x.repeat(*c), lambda x, c=counts: shape.repeat(x, *c), floats(3, 2))
    with pytest.raises(ValueError, match="1 numbers"):
        shape.repeat(jnp.ones((2, 2)), 2)
    for axis in (0, 1, -1, (0, 1), (0, 2)):
        same(lambda x, a=axis: torch.squeeze(x, a), lambda x, a=axis: shape.squeeze(x, a), floats(1, 3, 1))
    same(torch.squeeze, shape.squeeze, floats(1, 3, 1))
    same(lambda x: x.squeeze(0), lambda x: shape.squeeze(x, 0), floats())


def test_meshgrid():
    for indexing in ("ij", "xy"):
        same(
            lambda a, b, i=indexing: torch.meshgrid(a, b, indexing=i),
            lambda a, b, i=indexing: shape.meshgrid(a, b, indexing=i),
            floats(3),
            floats(2),
        )
    same(lambda a, b: torch.meshgrid([a, b], indexing="ij"), lambda a, b: shape.meshgrid([a, b]), floats(3), floats())
