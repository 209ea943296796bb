"""Weights cross by name, permuted by axis names; what does not fit is named."""

from __future__ import annotations

import re

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from ivy_convert.verify import WeightMismatch, axis_permutation, transfer_weights


class TorchNet(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 2, padding=1)
        self.norm = torch.nn.BatchNorm2d(4)
        self.embed = torch.nn.Embedding(5, 6)
        self.blocks = torch.nn.ModuleList([torch.nn.Linear(4, 6), torch.nn.LayerNorm(6)])
        self.head = torch.nn.Linear(6, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("table", torch.arange(3.0))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x)).mean((2, 3))
        return self.head(self.blocks[1](self.blocks[0](x))) + self.table.sum()


class NativeNet(nnx.Module):
    """The same with Flax's own layers, whose layouts differ; data stays [N, C, H, W]."""

    def __init__(self, *, rngs: nnx.Rngs) -> None:
        self.conv = nnx.Conv(3, 4, (2, 2), padding=1, rngs=rngs)
        self.norm = nnx.BatchNorm(4, momentum=0.9, epsilon=1e-5, use_fast_variance=False, rngs=rngs)
        self.embed = nnx.Embed(5, 6, rngs=rngs)
        self.blocks = nnx.List([nnx.Linear(4, 6, rngs=rngs), nnx.LayerNorm(6, epsilon=1e-5, rngs=rngs)])
        self.table = jnp.zeros(3)

    def __call__(self, x: jnp.ndarray) -> jnp.ndarray:
        x = self.norm(self.conv(x.transpose(0, 2, 3, 1))).mean((1, 2))
        return self.blocks[1](self.blocks[0](x)) @ self.embed.embedding.T + self.table.sum()


def test_permutation_by_axis_names() -> None:
    assert axis_permutation("out in h w", "h w in out") == (2, 3, 1, 0)
    assert axis_permutation("out in", "in out") == (1, 0)
    with pytest.raises(WeightMismatch, match=re.escape("axes [out in] cannot be reordered to [in row]")):
        axis_permutation("out in", "in row")


def _randomised() -> TorchNet:
    torch.manual_seed(0)
    net = TorchNet()
    with torch.no_grad():
        for tensor in [*net.parameters(), net.norm.running_mean]:
            tensor.normal_()
        net.norm.running_var.uniform_(0.5, 2.0)
    return net.eval()


def test_native_layers_both_ways() -> None:
    net, target = _randomised(), NativeNet(rngs=nnx.Rngs(0))
    transfer_weights(net, target)
    target.eval()
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32)
    expected = net(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(target(jnp.asarray(x)), expected, atol=1e-5)
    np.testing.assert_array_equal(target.conv.kernel[0, 1, 2, 3], net.conv.weight[3, 2, 0, 1].item())
    other = TorchNet().eval()
    transfer_weights(target, other)
    np.testing.assert_array_equal(other(torch.tensor(x)).detach().numpy(), expected)
    assert other.head.weight is other.embed.weight


class Small(nnx.Module):
    def __init__(self, size: int) -> None:
        self.weight = nnx.Param(jnp.zeros((size, 3)))
        self.extra = nnx.Param(jnp.zeros(2))


def test_names_that_do_not_fit_are_listed() -> None:
    target = Small(4)
    expected = "missing in the source: extra; not expected by the target: bias; "
    expected += "weight: shape [2, 3] of weight, expected [4, 3]"
    with pytest.raises(WeightMismatch, match=re.escape(expected)):
        transfer_weights(torch.nn.Linear(3, 2), target)
    assert not np.any(target.weight)


def test_tied_parameters_on_both_sides() -> None:
    class Tied(nnx.Module):
        def __init__(self) -> None:
            self.first = nnx.Linear(3, 3, use_bias=False, rngs=nnx.Rngs(0))
            self.second = nnx.Linear(3, 3, use_bias=False, rngs=nnx.Rngs(1))
            self.second.kernel = self.first.kernel

    source = torch.nn.Module()
    source.first, source.second = (torch.nn.Linear(3, 3, bias=False) for _ in range(2))
    source.second.weight = source.first.weight
    target = Tied()
    transfer_weights(source, target)
    assert target.second.kernel is target.first.kernel
    np.testing.assert_array_equal(target.first.kernel[...], source.first.weight.detach().numpy().T)


def test_untied_in_the_target_gets_both() -> None:
    class Untied(nnx.Module):
        def __init__(self) -> None:
            self.first = nnx.Linear(3, 3, use_bias=False, rngs=nnx.Rngs(0))
            self.second = nnx.Linear(3, 3, use_bias=False, rngs=nnx.Rngs(1))

    source = torch.nn.Module()
    source.first, source.second = (torch.nn.Linear(3, 3, bias=False) for _ in range(2))
    source.second.weight = source.first.weight
    target = Untied()
    transfer_weights(source, target)
    np.testing.assert_array_equal(target.first.kernel[...], target.second.kernel[...])
