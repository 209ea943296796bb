"""Loops over parameters that change, read or apply their gradients: the conversion trains as the original does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import assert_same_training

import ivy_convert

HEAD = """
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.second = nn.Linear(4, 4)
        self.first = nn.Linear(4, 3)

    def forward(self, x):
        return self.first(torch.tanh(self.second(x)))

"""
TRAIN = """
def train(model: Net, xs, ys):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for i, (x, y) in enumerate(zip(xs, ys)):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        LOOP
        optimizer.step()
        losses.append(loss.item())
    return losses
"""
LOOPS = {
    "clamp": "for p in model.parameters(): p.grad.data.clamp_(-0.01, 0.01)",
    "where there is one": "for p in model.parameters():\n    if p.grad is not None:\n        p.grad.mul_(0.5)",
    "augmented": "for param in model.parameters():\n    param.grad.data /= i + 1",
    "assigned": "for p in model.parameters():\n    p.grad = torch.sign(p.grad) * 0.01",
    "norms": "for p in model.parameters():\n    losses.append(p.grad.norm().item())",
    "named": "for name, p in model.named_parameters():\n    losses.append(len(name) * (p.grad * p).sum().item())",
}


@pytest.mark.parametrize("name", LOOPS)
def test_loops(name: str) -> None:
    assert_same_training(HEAD + TRAIN.replace("LOOP", LOOPS[name].replace("\n", "\n        ")))


BY_HAND = {
    "data, cleared before": "model.zero_grad()\nloss.backward()\nfor p in model.parameters():\n    p.data -= 0.1 * p.grad",
    "no_grad, cleared in the loop": """loss.backward()
with torch.no_grad():
    for p in model.parameters():
        p.add_(p.grad, alpha=-0.1)
        p.grad.zero_()""",
    "cleared in a loop of its own": """loss.backward()
for p in model.parameters():
    p.data.sub_(0.1 * p.grad.data)
for p in model.parameters():
    p.grad = None""",
}


@pytest.mark.parametrize("name", BY_HAND)
def test_steps_by_hand(name: str) -> None:
    lines = BY_HAND[name].replace("\n", "\n        ")
    assert_same_training(
        HEAD
        + f"""
def train(model: Net, xs, ys):
    losses = []
    for x, y in zip(xs, ys):
        loss = F.cross_entropy(model(x), y)
        {lines}
        losses.append(loss.item())
    return losses
"""
    )


def test_parameters_of_two_models_side_by_side() -> None:
    """NNX's transformations sort the attributes of the one that is trained; the other keeps its order."""
    assert_same_training(
        HEAD
        + """
def train(model: Net, xs, ys):
    target = Net()
    target.load_state_dict(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for x, y in zip(xs, ys):
        with torch.no_grad():
            goal = target(x)
        loss = F.cross_entropy(model(x), y) + F.mse_loss(model(x), goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        for tp, p in zip(target.parameters(), model.parameters()):
            tp.data.copy_(0.1 * p.data + 0.9 * tp.data)
        losses.append(loss.item())
    return losses
""",
        allow_review=True,
    )


REFUSED = {
    "a part of what": "for p in model.first.parameters():\n    p.grad.mul_(0.1)",
    "changed by their parameters": "for p in model.parameters():\n    p.grad = p.grad + 0.1 * p",
    "write two loops": "for p in model.parameters():\n    losses.append(p.grad.norm().item())\n    p.grad.mul_(0.1)",
    "what this loop does": "for p in model.parameters():\n    p.grad.add_(p.data, alpha=0.1)",
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refusals(reason: str) -> None:
    code = HEAD + TRAIN.replace("LOOP", REFUSED[reason].replace("\n", "\n        "))
    report = ivy_convert.convert_source(code, source="torch", target="jax").report
    assert any(reason in site.reason for site in report.unsupported), report.unsupported
    assert not any(site.rule == "training_step" for site in report.converted)
