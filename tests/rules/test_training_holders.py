"""Losses that reach the model by another way than its name are refused: that part of the gradient would be lost."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import TANH_NET, assert_same_training

import ivy_convert

HEAD = (
    TANH_NET
    + """
import copy


class Penalty:
    def __init__(self, model, weight=0.1):
        self.model = model
        self.weight = weight

    def value(self):
        return self.weight * sum(p.pow(2).sum() for p in self.model.parameters())

    def __call__(self, x):
        return self.model(x).pow(2).mean()


class Scaled(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return 2 * self.net(x)


class Smooth:
    def __init__(self, weight):
        self.weight = weight

    def __call__(self, out):
        return self.weight * out.pow(2).mean()


"""
)
LOOP = """
def train(model: Net, xs, ys):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    {before}
    losses = []
    for x, y in zip(xs, ys):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y) + {term}
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
"""
REFUSED = {
    "a method of an object": ("penalty = Penalty(model)", "penalty.value()", "penalty.value"),
    "an object that is called": ("penalty = Penalty(model)", "penalty(x)", "penalty"),
    "a module around it": ("scaled = Scaled(model)", "scaled(x).mean()", "scaled"),
    "another name": ("other = model", "other(x).mean()", "other"),
    "its weights": ("weights = list(model.parameters())", "sum(w.pow(2).sum() for w in weights)", "weights"),
    "one weight": ("weight = model.first.weight", "weight.pow(2).sum()", "weight.pow"),
    "a function in a dictionary": ("terms = {'a': lambda v: model(v).mean()}", "terms['a'](x)", "terms"),
    "a bound method": ("call = model.forward", "call(x).mean()", "call"),
    "through another object": ("inner = Penalty(model)\n    outer = [inner]", "outer[0].value()", "outer"),
}
EQUAL = {
    "a copy": ("teacher = copy.deepcopy(model)", "(model(x) - teacher(x).detach()).pow(2).mean()"),
    "an object without it": ("smooth = Smooth(0.3)", "smooth(model(x))"),
    "a number of it": ("scale = 1 / sum(p.numel() for p in model.parameters())", "scale * model(x).mean()"),
    "a number of the object": ("penalty = Penalty(model)", "penalty.weight * model(x).mean()"),
}
SELF = HEAD + """
class Trainer:
    def __init__(self, model: Net):
        self.model = model
        self.penalty = Penalty(model)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.1)

    def loss(self, x, y):
        return F.cross_entropy(self.model(x), y) + self.penalty.value()

    def step(self, x, y):
        loss = {loss}
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()
"""
CALLER = HEAD + """
def step(model: Net, penalty, optimizer, x, y):
    loss = F.cross_entropy(model(x), y) + penalty.value()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def train(xs, ys):
    model = Net()
    penalty = Penalty(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return [step(model, penalty, optimizer, x, y) for x, y in zip(xs, ys)]
"""
DERIVATIVE = HEAD + """
def grads(model: Net, penalty, x: torch.Tensor):
    loss = model(x).mean() + penalty.value()
    return torch.autograd.grad(loss, model.parameters())


def run(x: torch.Tensor):
    model = Net()
    return grads(model, Penalty(model), x)
"""


def _reasons(code: str) -> list[str]:
    return [site.reason for site in ivy_convert.convert_source(code, source="torch", target="jax").report.unsupported]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    before, term, what = REFUSED[name]
    found = _reasons(HEAD + LOOP.format(before=before, term=term))
    assert any(reason.startswith(f"{what} reaches model by another way") for reason in found), found


@pytest.mark.parametrize("loss", ["self.loss(x, y)", "self.model(x).mean() + self.penalty(x)"])
def test_attributes(loss: str) -> None:
    found = _reasons(SELF.format(loss=loss))
    assert any("self.penalty" in reason and "by another way" in reason for reason in found), found


@pytest.mark.parametrize("code", [CALLER, DERIVATIVE], ids=["caller", "derivative"])
def test_objects_of_callers_and_gradients_as_values(code: str) -> None:
    found = _reasons(code)
    assert any("penalty.value reaches" in reason for reason in found), found


@pytest.mark.parametrize("name", EQUAL)
def test_equal(name: str) -> None:
    before, term = EQUAL[name]
    assert_same_training(HEAD + LOOP.format(before=before, term=term))
