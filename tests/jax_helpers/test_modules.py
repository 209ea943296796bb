import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import torch
from flax import nnx
from torch import nn

from ivy_convert.api_maps.jax.helpers import modules


class TorchLinear(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(2, 3))
        self.bias = nn.Parameter(torch.zeros(2))


class TorchNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = TorchLinear()
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("count", torch.zeros(1))
        self.register_buffer("hidden", torch.zeros(1), persistent=False)
        self.blocks = nn.ModuleList([TorchLinear(), TorchLinear()])
        self.named = nn.ModuleDict({"b": TorchLinear(), "a": TorchLinear()})
        self.alias = self.head
        self.tied = self.blocks[0].weight


class Linear(nnx.Module):
    def __init__(self):
        self.weight = nnx.Param(jnp.ones((2, 3)))
        self.bias = nnx.Param(jnp.zeros(2))

    def __call__(self, x):
        return x @ self.weight.T + self.bias


class Net(nnx.Module):
    def __init__(self):
        self.head = Linear()
        self.scale = nnx.Param(jnp.ones(1))
        self.count = nnx.Variable(jnp.zeros(1))
        self.hidden = nnx.Variable(jnp.zeros(1), persistent=False)
        self.blocks = nnx.List([Linear(), Linear()])
        self.named = nnx.Dict({"b": Linear(), "a": Linear()})
        self.alias = self.head
        self.tied = self.blocks[0].weight
        self.drop = nnx.Dropout(0.5, rngs=nnx.Rngs(0))


def test_names_and_order_are_those_of_torch():
    net, reference = Net(), TorchNet()
    assert [n for n, _ in modules.named_parameters(net)] == [n for n, _ in reference.named_parameters()]
    assert [n for n, _ in modules.named_parameters(net, recurse=False)] == ["scale", "tied"]
    assert [n for n, _ in modules.named_buffers(net)] == [n for n, _ in reference.named_buffers()]
    assert [n for n, _ in modules.named_modules(net)][:-1] == [n for n, _ in reference.named_modules()]
    assert [n for n, _ in modules.named_children(net)][:-1] == [n for n, _ in reference.named_children()]
    assert list(modules.state_dict(net)) == list(reference.state_dict())
    assert len(list(modules.parameters(net))) == len(list(reference.parameters()))
    assert modules.count_parameters(net) == sum(p.numel() for p in reference.parameters())
    assert modules.get_submodule(net, "blocks.1") is net.blocks[1]
    with pytest.raises(AttributeError, match="`missing`"):
        modules.get_submodule(net, "blocks.missing")


def test_order_stays_after_a_transformation():
    net = Net()
    before = [name for name, _ in modules.named_parameters(net)]
    nnx.grad(lambda net: sum(jnp.sum(p[...]) for p in modules.parameters(net)))(net)
    assert [name for name, _ in modules.named_parameters(net)] == before
    assert [name for name, _ in modules.named_parameters(nnx.clone(net))] == before


def test_apply_goes_children_first():
    seen, expected = [], []
    net = Net()
    assert modules.apply(net, lambda m: seen.append(type(m).__name__)) is net
    TorchNet().apply(lambda m: expected.append(type(m).__name__.replace("Torch", "")))
    names = {"List": "ModuleList", "Dict": "ModuleDict"}
    assert [names.get(n, n) for n in seen if n != "Dropout"] == expected


def test_load_state_dict():
    net = Net()
    state = modules.state_dict(net)
    changed = {name: np.full_like(value, i) for i, (name, value) in enumerate(state.items())}
    changed["tied"] = changed["blocks.0.weight"]
    changed["alias.weight"], changed["alias.bias"] = changed["head.weight"], changed["head.bias"]
    assert modules.load_state_dict(net, changed) == ([], [])
    for name, value in modules.state_dict(net).items():
        np.testing.assert_array_equal(value, changed[name])
    assert net.tied is net.blocks[0].weight


def test_load_state_dict_errors_are_those_of_torch():
    reference, net = TorchNet(), Net()
    broken = {k: v for k, v in reference.state_dict().items() if k != "scale"}
    broken |= {"extra": torch.ones(1), "count": torch.zeros(4)}
    with pytest.raises(RuntimeError) as expected:
        reference.load_state_dict(broken)
    with pytest.raises(RuntimeError) as actual:
        modules.load_state_dict(net, {k: v.numpy() for k, v in broken.items()})
    text = (
        str(expected.value)
        .replace("TorchNet", "Net")
        .replace("torch.Size([4])", "(4,)")
        .replace("torch.Size([1])", "(1,)")
    )
    assert str(actual.value) == text
    del broken["count"]
    keys = modules.load_state_dict(net, {k: v.numpy() for k, v in broken.items()}, strict=False)
    assert (sorted(keys.missing_keys), keys.unexpected_keys) == (["count", "scale"], ["extra"])


def test_frozen_parameters_are_not_trained():
    net = Net()
    modules.requires_grad_(net.blocks[0], False)
    assert not modules.requires_grad(net.tied) and modules.requires_grad(net.scale)
    assert len(list(modules.parameters(net))) == 11
    assert modules.count_parameters(net) - modules.count_parameters(net, trainable_only=True) == 8
    optimizer = nnx.Optimizer(net, optax.sgd(0.1), wrt=nnx.Param)

    @nnx.jit
    def step(net, optimizer):
        def loss(net):
            return (net.blocks[0](jnp.ones((1, 3))) * net.scale + net.head(jnp.ones((1, 3)))).sum()

        optimizer.update(net, nnx.grad(loss)(net))

    step(net, optimizer)
    np.testing.assert_array_equal(net.blocks[0].weight[...], np.ones((2, 3)))
    np.testing.assert_allclose(net.head.weight[...], np.full((2, 3), 0.9), rtol=1e-6)
    assert type(net.blocks[0].weight) is modules.FrozenParam and type(net.head.weight) is nnx.Param
    modules.requires_grad_(net.blocks[0])
    gradients = nnx.grad(lambda net: net.blocks[0](jnp.ones((1, 3))).sum())(net)
    assert any(float(jnp.abs(g).sum()) > 0 for g in jax.tree.leaves(gradients))
