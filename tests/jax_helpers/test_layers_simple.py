"""Activation, padding, dropout and container layers against torch."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from ivy_convert.api_maps.jax.helpers import activation_layers, containers, dropout, linear, padding_layers

from .transfer import compare_modules

ACTIVATIONS: list[tuple[str, tuple[Any, ...]]] = [
    ("ReLU", ()),
    ("ReLU6", ()),
    ("LeakyReLU", ()),
    ("LeakyReLU", (0.3,)),
    ("PReLU", ()),
    ("PReLU", (5, 0.1)),
    ("ELU", (0.7,)),
    ("CELU", (0.7,)),
    ("SELU", ()),
    ("GELU", ()),
    ("GELU", ("tanh",)),
    ("SiLU", ()),
    ("Mish", ()),
    ("Sigmoid", ()),
    ("Tanh", ()),
    ("Softmax", (1,)),
    ("Softmax", ()),
    ("LogSoftmax", (-1,)),
    ("Softmin", (0,)),
    ("Softmax2d", ()),
    ("Softplus", ()),
    ("Softplus", (2.0, 3.0)),
    ("Softsign", ()),
    ("Softshrink", ()),
    ("Hardshrink", ()),
    ("Tanhshrink", ()),
    ("Threshold", (0.5, -2.0)),
    ("Hardtanh", ()),
    ("Hardtanh", (-2.0, 0.5)),
    ("Hardsigmoid", ()),
    ("Hardswish", ()),
    ("LogSigmoid", ()),
    ("GLU", ()),
    ("GLU", (2,)),
]


@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
@pytest.mark.parametrize(("name", "arguments"), ACTIVATIONS, ids=str)
def test_activation(name: str, arguments: tuple[Any, ...]) -> None:
    theirs, ours = getattr(torch.nn, name)(*arguments), getattr(activation_layers, name)(*arguments)
    # Every kink and bound is among the inputs: -3, -2, -1, -0.5, 0, 0.5, 1, 3, 6.
    x = torch.cat([torch.arange(-40, 56) / 8, 30 * torch.randn(64)]).reshape(2, 5, 4, 4)
    compare_modules(theirs, ours, x, tolerance=5e-6)


@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_softmax_without_axis(rank: int) -> None:
    x = torch.randn((3, 4, 5)[:rank])
    compare_modules(torch.nn.Softmax(), activation_layers.Softmax(), x)
    compare_modules(torch.nn.LogSoftmax(), activation_layers.LogSoftmax(), x)


@pytest.mark.parametrize("kind", ["Zero", "Constant", "Reflection", "Replication", "Circular"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_padding(kind: str, dimensions: int) -> None:
    name, extra = f"{kind}Pad{dimensions}d", (1.5,) if kind == "Constant" else ()
    shape = (2, 3, 4, 5, 6)[: 2 + dimensions]
    widths = (1, 2, 3, 0, 2, 1)[: 2 * dimensions]
    for padding in (2, widths):
        theirs = getattr(torch.nn, name)(padding, *extra)
        compare_modules(theirs, getattr(padding_layers, name)(padding, *extra), torch.randn(shape))
    if kind in ("Zero", "Constant"):
        theirs = getattr(torch.nn, name)((-1, 2) * dimensions, *extra)
        ours = getattr(padding_layers, name)((-1, 2) * dimensions, *extra)
        compare_modules(theirs, ours, torch.randn(shape))


def test_padding_refuses_what_torch_refuses() -> None:
    with pytest.raises(ValueError, match="too large"):
        padding_layers.ReflectionPad1d(4)(jnp.ones((1, 1, 4)))
    with pytest.raises(ValueError, match="too large"):
        padding_layers.CircularPad1d(5)(jnp.ones((1, 1, 4)))
    with pytest.raises(ValueError, match="4 ints"):
        padding_layers.ZeroPad2d((1, 2))


@pytest.mark.parametrize(
    ("name", "shape", "constant_axes"),
    [
        ("Dropout", (40, 30, 20), ()),
        ("Dropout1d", (60, 50, 4), (2,)),
        ("Dropout1d", (500, 4), (1,)),
        ("Dropout2d", (60, 50, 3, 2), (2, 3)),
        ("Dropout2d", (60, 50, 3), (2,)),
        ("Dropout3d", (60, 50, 1, 2, 3), (2, 3, 4)),
        ("Dropout3d", (500, 1, 2, 3), (1, 2, 3)),
    ],
)
def test_dropout(name: str, shape: tuple[int, ...], constant_axes: tuple[int, ...]) -> None:
    layer = getattr(dropout, name)(0.3, rngs=nnx.Rngs(0))
    x = jnp.ones(shape)
    y = np.asarray(layer(x))
    assert set(np.unique(y)) == {0.0, np.float32(1 / 0.7)}
    decisions = y.min(constant_axes) if constant_axes else y
    np.testing.assert_array_equal(decisions, y.max(constant_axes) if constant_axes else y)
    assert abs((decisions == 0).mean() - 0.3) < 4 * (0.21 / decisions.size) ** 0.5
    assert not np.array_equal(y, layer(x))
    gradient = nnx.grad(lambda layer, x: layer(x).sum(), argnums=1)(layer, x)
    assert set(np.unique(gradient)) == {0.0, np.float32(1 / 0.7)}
    layer.eval()
    np.testing.assert_array_equal(layer(x), x)


def test_dropout_bounds() -> None:
    rngs = nnx.Rngs(0)
    np.testing.assert_array_equal(dropout.Dropout(1.0, rngs=rngs)(jnp.ones(3)), 0)
    np.testing.assert_array_equal(dropout.Dropout(0.0, rngs=rngs)(jnp.ones(3)), 1)
    with pytest.raises(ValueError, match="between 0 and 1"):
        dropout.Dropout(1.1, rngs=rngs)


@pytest.mark.parametrize("name", ["AlphaDropout", "FeatureAlphaDropout"])
def test_alpha_dropout(name: str) -> None:
    layer = getattr(dropout, name)(0.25, rngs=nnx.Rngs(0))
    x = jax.random.normal(jax.random.key(1), (300, 200, 2))
    y = np.asarray(layer(x))
    assert abs(y.mean()) < 0.02
    assert abs(y.std() - 1) < 0.02
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(0.25)(torch.ones(100, 200, 2)).numpy()
    np.testing.assert_allclose(np.unique(layer(jnp.ones((100, 200, 2)))), np.unique(theirs), atol=1e-5)
    layer.eval()
    np.testing.assert_array_equal(layer(x), x)


def small(rngs: nnx.Rngs) -> list[Any]:
    return [linear.Linear(3, 4, rngs=rngs), activation_layers.ReLU(), linear.Linear(4, 2, rngs=rngs)]


def test_sequential() -> None:
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    ours = containers.Sequential(*small(nnx.Rngs(0)))
    compare_modules(theirs, ours, torch.randn(5, 3))
    assert len(ours) == 3
    assert list(ours) == [ours[0], ours[1], ours[-1]]
    x = jnp.ones((2, 3))
    np.testing.assert_array_equal(ours[1:](ours[0](x)), ours(x))
    ours.append(activation_layers.Threshold(1e9, 7.0))
    np.testing.assert_array_equal(ours(x), 7.0)


def test_sequential_takes_modules_only() -> None:
    with pytest.raises(TypeError, match="Linear is not an nnx"):
        containers.Sequential(activation_layers.ReLU(), torch.nn.Linear(3, 4))
    with pytest.raises(TypeError, match="not an nnx"):
        containers.Sequential().append(torch.nn.ReLU())


def test_sequential_keeps_its_order_through_split_and_merge() -> None:
    ours = containers.Sequential(*(containers.Sequential(padding_layers.ConstantPad1d((0, 1), i)) for i in range(12)))
    merged = nnx.merge(*nnx.split(ours))
    np.testing.assert_array_equal(merged(jnp.zeros((1, 0)))[0], np.arange(12))


def test_sequential_by_name_and_subclass() -> None:
    class Net(containers.Sequential):
        def __init__(self, *, rngs: nnx.Rngs):
            super().__init__(OrderedDict(second=linear.Linear(3, 4, rngs=rngs), act=activation_layers.ReLU()))
            self.first = linear.Linear(4, 2, rngs=rngs)

    theirs = torch.nn.Sequential(
        OrderedDict(second=torch.nn.Linear(3, 4), act=torch.nn.ReLU(), first=torch.nn.Linear(4, 2))
    )
    ours = Net(rngs=nnx.Rngs(0))
    compare_modules(theirs, ours, torch.randn(5, 3))
    del ours.act
    assert len(ours) == 2
    ours[1] = activation_layers.Tanh()
    assert isinstance(ours.first, activation_layers.Tanh)


@pytest.mark.parametrize("arguments", [(), (0,), (0, 1), (2, 3), (-2,)])
def test_flatten(arguments: tuple[int, ...]) -> None:
    compare_modules(torch.nn.Flatten(*arguments), containers.Flatten(*arguments), torch.randn(2, 3, 4, 5))


def test_unflatten() -> None:
    theirs, ours = torch.nn.Unflatten(-2, (2, -1)), containers.Unflatten(-2, (2, -1))
    compare_modules(theirs, ours, torch.randn(2, 6, 5))
