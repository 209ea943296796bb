"""Closures of optimizers: the conversion trains as the original does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import TANH_NET, assert_same_training

import ivy_convert

HEAD = TANH_NET + "\n"
FORMS = {
    "for each batch, as torch's documentation has it": """
def train(model: Net, xs, ys):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for x, y in zip(xs, ys):
        def closure():
            if torch.is_grad_enabled():
                optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            if loss.requires_grad:
                loss.backward()
            return loss
        loss = optimizer.step(closure)
        losses.append(loss.item())
    return losses
""",
    "with arguments, a limit and records": """
def train(model: Net, xs, ys):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    def closure(x, y, scale=1.0):
        optimizer.zero_grad()
        logits = model(x)
        loss = scale * F.cross_entropy(logits, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        losses.append(logits.argmax(1).float().mean().item())
        return loss
    for i, (x, y) in enumerate(zip(xs, ys)):
        loss = optimizer.step(lambda: closure(x, y, scale=1.0 + i))
        losses.append(loss.item())
    losses.append(closure(xs[0], ys[0]).item())
    return losses
""",
    "gradients cleared outside": """
def train(model: Net, xs, ys):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for x, y in zip(xs, ys):
        optimizer.zero_grad()
        def closure():
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss
        losses.append(0.0)
        loss = optimizer.step(closure)
        losses.append(loss.item())
    return losses
""",
    "first Adam, then L-BFGS": """
def train(model: Net, xs, ys):
    x, y = xs[0], ys[0]
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(3):
        loss = F.cross_entropy(model(x), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    lbfgs = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=4)
    def closure():
        lbfgs.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        losses.append(loss.item())
        return loss
    for _ in range(2):
        lbfgs.step(closure)
    return losses
""",
    "a method, over several batches": """
class Fitting:
    def __init__(self, model: Net, xs, ys):
        self.model, self.xs, self.ys = model, xs, ys
        self.optimizer = torch.optim.LBFGS(self.model.parameters(), lr=0.1, max_iter=3, line_search_fn="strong_wolfe")
        self.losses = []

    def compute(self):
        self.optimizer.zero_grad()
        total = 0.0
        for x, y in zip(self.xs, self.ys):
            loss = F.cross_entropy(self.model(x), y) / len(self.xs)
            loss.backward()
            total += loss.item()
        self.losses.append(total)
        return total

    def fit(self):
        for _ in range(2):
            self.optimizer.step(self.compute)


def train(model: Net, xs, ys):
    fitting = Fitting(model, xs[:3], ys[:3])
    fitting.fit()
    return fitting.losses
""",
}


@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str) -> None:
    assert_same_training(HEAD + FORMS[name], tolerance=5e-4)


REFUSED = {
    "add up over its calls": """
def train(model: Net, x, y):
    optimizer = torch.optim.LBFGS(model.parameters())
    def closure():
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss
    optimizer.zero_grad()
    optimizer.step(closure)
""",
    "is not a function that is defined in this file": """
def train(model: Net, closure):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.step(closure)
""",
    "returns nothing": """
def train(model: Net, x, y):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    def closure():
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
    optimizer.step(closure)
""",
    "uses gradients that a closure left": """
def train(model: Net, x, y):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    lbfgs = torch.optim.LBFGS(model.parameters())
    def closure():
        lbfgs.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss
    lbfgs.step(closure)
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
""",
    "handed on elsewhere": """
def train(model: Net, x, y, log):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss
    optimizer.step(closure)
    log(closure)
""",
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refusals(reason: str) -> None:
    report = ivy_convert.convert_source(HEAD + REFUSED[reason], source="torch", target="jax").report
    assert any(reason in site.reason for site in report.unsupported), report.unsupported
    assert not any(site.rule == "training_step" for site in report.converted)
