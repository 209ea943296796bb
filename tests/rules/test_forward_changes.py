"""A parameter whose values change during the forward pass: torch's gradient is that of the parameter all the same."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import assert_same_training

HEAD = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.W = nn.Parameter(torch.linspace(-1, 1, 24).reshape(8, 3))

    def cast(self, dtype):
        self.W.data = self.W.data.to(dtype)

    def forward(self, x):
        {change}
        return torch.tanh(self.first(x)) @ self.W


def train(model: Net, xs, ys):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    losses = []
    for x, y in zip(xs, ys):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
"""
CHANGES = {
    "data assigned": "self.W.data = F.normalize(self.W.data, dim=0)",
    "in place on data": "self.W.data.clamp_(-0.5, 0.5)",
    "in place without gradients": "with torch.no_grad():\n            self.W.clamp_(-0.5, 0.5)",
    "a row": "self.W.data[0] = 0.1",
    "in a method": "self.cast(x.dtype)",
    "in a layer": "self.first.weight.data.mul_(0.9)",
}


@pytest.mark.parametrize("name", CHANGES)
def test_training(name: str) -> None:
    assert_same_training(HEAD.format(change=CHANGES[name]), allow_review=True)
