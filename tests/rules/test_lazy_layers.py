"""Layers without a number of inputs: made whole by a first call, then trained as the original."""

from __future__ import annotations

import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import converted, original, transfer

CODE = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.LazyConv2d(4, 3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU(), nn.LazyConvTranspose2d(2, 2, stride=2),
            nn.LazyInstanceNorm2d(), nn.Flatten(), nn.LazyLinear(5), nn.LazyBatchNorm1d(momentum=0.2),
        )
        self.head = nn.LazyLinear(3, bias=False)

    def forward(self, x):
        return self.head(self.body(x))


def train(model: Net, xs, ys):
    optimizer = OPTIMIZER
    losses = []
    for x, y in zip(xs, ys):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
"""
ADAM = "torch.optim.Adam(model.parameters(), lr=0.01, eps=1e-3)"
GROUPS = "torch.optim.SGD([{'params': model.body.parameters()}, {'params': model.head.parameters(), 'lr': 0.1}], lr=0.01)"
XS = [np.random.default_rng(i).normal(size=(6, 2, 4, 4)).astype(np.float32) for i in range(5)]
YS = [np.random.default_rng(9 + i).integers(0, 3, 6) for i in range(5)]


@pytest.mark.parametrize("optimizer", [ADAM, GROUPS])
def test_trains_after_a_first_call(optimizer: str) -> None:
    code = CODE.replace("OPTIMIZER", optimizer)
    theirs, (ours, _) = original(code), converted(code)
    model, live = theirs["Net"](), ours["Net"](rngs=nnx.Rngs(0))
    model.eval()(torch.from_numpy(XS[0]))
    live.eval()
    live(jnp.asarray(XS[0]))
    assert not live.body[1].num_batches_tracked[...]
    transfer(model, live)
    np.testing.assert_allclose(live(jnp.asarray(XS[1])), model(torch.from_numpy(XS[1])).detach(), atol=1e-5)
    model.train()
    live.train()
    expected = theirs["train"](model, list(map(torch.from_numpy, XS)), list(map(torch.from_numpy, YS)))
    actual = ours["train"](live, list(map(jnp.asarray, XS)), list(map(jnp.asarray, YS)))
    np.testing.assert_allclose(actual, expected, rtol=2e-4)


def test_initial_weights_are_those_of_the_whole_layer() -> None:
    ours, _ = converted(CODE.replace("OPTIMIZER", ADAM))
    model = ours["Net"](rngs=nnx.Rngs(0))
    model(jnp.asarray(XS[0]))
    weight = np.asarray(model.body[0].weight[...])
    assert weight.shape == (4, 2, 3, 3)
    assert 0.5 < np.abs(weight).max() * np.sqrt(18) <= 1


@pytest.mark.parametrize(("optimizer", "reason"), [(ADAM, "first call"), (GROUPS, "no weights yet")])
def test_training_without_a_first_call_raises(optimizer: str, reason: str) -> None:
    ours, _ = converted(CODE.replace("OPTIMIZER", optimizer))
    with pytest.raises(RuntimeError, match=reason):
        ours["train"](ours["Net"](rngs=nnx.Rngs(0)), [jnp.asarray(XS[0])], [jnp.asarray(YS[0])])
