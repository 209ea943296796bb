"""Gradients with respect to values inside a function: numbers and training agree with torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import TANH_NET, assert_same_training, converted, original, transfer

import ivy_convert

CODE = (Path(__file__).resolve().parents[2] / "fixtures" / "rules" / "input_gradients" / "in.py").read_text()
NET = """
from torch import nn
import torch


class Net(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = nn.Linear(inputs, 8)
        self.second = nn.Linear(8, outputs)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


class Image(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        return self.fc(torch.tanh(self.conv(x)).mean((2, 3)))
"""


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.fixture(scope="module")
def sides() -> tuple[dict[str, Any], dict[str, Any]]:
    theirs, (ours, _) = original(CODE), converted(CODE, allow_review=True)
    models = original(NET), converted(NET)[0]
    return {**models[0], **theirs}, {**models[1], **ours}


def models(sides: tuple[dict[str, Any], dict[str, Any]], name: str, *args: int) -> tuple[Any, Any]:
    theirs, ours = sides[0][name](*args), sides[1][name](*args, rngs=nnx.Rngs(0))
    transfer(theirs, ours)
    return theirs, ours


def tensor(x: np.ndarray) -> torch.Tensor:
    """A leaf that torch follows where it is not a class label."""
    return torch.from_numpy(x.copy()).requires_grad_(x.dtype == np.float32)


def assert_close(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert_close(our, their)
        return
    np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=2e-4, atol=1e-5)


CASES = {
    "burgers": (("Net", 2, 1), [draw(6, 1), draw(6, 1, seed=1)], [0.1]),
    "beam": (("Net", 1, 1), [draw(6, 1)], []),
    "flow": (("Net", 2, 2), [draw(6, 1), draw(6, 1, seed=1)], []),
    "saliency": (("Image",), [draw(1, 3, 6, 6)], [2]),
    "fgsm": (("Net", 4, 3), [draw(5, 4), np.array([0, 2, 1, 0, 2])], [0.1]),
    "attack": (("Net", 4, 3), [draw(5, 4), np.array([0, 2, 1, 0, 2])], []),
    "points": (("Net", 1, 1), [], []),
}


@pytest.mark.parametrize("name", CASES)
def test_values(sides: tuple[dict[str, Any], dict[str, Any]], name: str) -> None:
    (net, *sizes), arrays, others = CASES[name]
    theirs, ours = models(sides, net, *sizes)
    expected = sides[0][name](theirs, *(tensor(x) for x in arrays), *others)
    assert_close(sides[1][name](ours, *(jnp.asarray(x) for x in arrays), *others), expected)


def test_intermediate_values(sides: tuple[dict[str, Any], dict[str, Any]]) -> None:
    features, head = models(sides, "Net", 4, 6), models(sides, "Net", 6, 3)
    x = draw(5, 4)
    expected = sides[0]["importance"](features[0], head[0], torch.from_numpy(x))
    assert_close(sides[1]["importance"](features[1], head[1], jnp.asarray(x)), expected)
    given = torch.from_numpy(x).requires_grad_()
    assert_close(sides[1]["score_function"](features_of(sides)[1], jnp.asarray(x)), sides[0]["score_function"](features_of(sides)[0], given))


_SCORES: dict[str, tuple[Any, Any]] = {}


def features_of(sides: tuple[dict[str, Any], dict[str, Any]]) -> tuple[Any, Any]:
    if "net" not in _SCORES:
        _SCORES["net"] = models(sides, "Net", 4, 1)
    return _SCORES["net"]


@pytest.mark.parametrize("name", ["beam", "burgers", "flow"])
def test_gradients_of_gradients(sides: tuple[dict[str, Any], dict[str, Any]], name: str) -> None:
    (net, *sizes), arrays, others = CASES[name]
    theirs, ours = models(sides, net, *sizes)
    loss = (sides[0][name](theirs, *(tensor(x) for x in arrays), *others) ** 2).mean()
    loss.backward()
    grads = nnx.grad(lambda net: (sides[1][name](net, *(jnp.asarray(x) for x in arrays), *others) ** 2).mean())(ours)
    found = {".".join(map(str, path)): g.get_value() for path, g in nnx.to_flat_state(grads)}
    for parameter_name, parameter in theirs.named_parameters():
        expected = np.zeros(parameter.shape) if parameter.grad is None else parameter.grad.numpy()
        np.testing.assert_allclose(found[parameter_name], expected, rtol=2e-3, atol=2e-5, err_msg=parameter_name)


def test_gradient_penalty(sides: tuple[dict[str, Any], dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    alpha = np.random.default_rng(5).uniform(size=(6, 1)).astype(np.float32)
    theirs, ours = models(sides, "Net", 4, 1)
    real, fake = draw(6, 4), draw(6, 4, seed=1)
    monkeypatch.setattr(torch, "rand", lambda *_: torch.from_numpy(alpha))
    monkeypatch.setattr(jax.random, "uniform", lambda *_: jnp.asarray(alpha))
    expected = sides[0]["gradient_penalty"](theirs, torch.from_numpy(real), torch.from_numpy(fake))
    expected.backward()
    penalty = sides[1]["gradient_penalty"]
    value, grads = nnx.value_and_grad(lambda net: penalty(net, jnp.asarray(real), jnp.asarray(fake)))(ours)
    np.testing.assert_allclose(value, expected.item(), rtol=1e-4)
    np.testing.assert_allclose(grads.first.weight.get_value(), theirs.first.weight.grad.numpy(), rtol=1e-3, atol=1e-5)


TRAINING = (
    TANH_NET
    + """

def smoothness(model: Net, x: torch.Tensor):
    x = x.detach().requires_grad_(True)
    out = model(x)
    slope = torch.autograd.grad(out, x, torch.ones_like(out), create_graph={create})[0]
    return (slope**2).sum(1).mean()


def train(model: Net, xs, ys):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for x, y in zip(xs, ys):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y) + smoothness(model, x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
"""
)


@pytest.mark.parametrize("create", ["True", "False"])
def test_training(create: str) -> None:
    assert_same_training(TRAINING.replace("{create}", create))


def test_constants_before_the_mark() -> None:
    """What is computed from an array before it is marked has no gradient."""
    code = """
import torch


def f(x: torch.Tensor, steps: int = 2):
    x = x.clone()
    weight = x.sin()
    for _ in range(steps):
        x.requires_grad = True
        total = torch.zeros_like(x)
        for power in range(1, 3):
            y = (x**power * weight).sum()
            total = total + torch.autograd.grad(y, x)[0]
        x = (x + 0.1 * total).detach()
    return x


def g(x: torch.Tensor):
    x = x.clone().requires_grad_()
    total = torch.zeros_like(x)
    for power in range(1, 3):
        y = (x**power).sum()
        if x.grad is not None:
            x.grad.zero_()
        y.backward()
        total = total + x.grad
    return total
"""
    theirs, (ours, _) = original(code), converted(code, allow_review=True)
    for name in ("f", "g"):
        expected = theirs[name](torch.from_numpy(draw(4))).detach().numpy()
        np.testing.assert_allclose(ours[name](jnp.asarray(draw(4))), expected, rtol=1e-5)


REFUSED = {
    "made elsewhere": ("return torch.autograd.grad(y, x)[0]", "jax.grad"),
    "parameters with weights": ("y = model(x)\n    return torch.autograd.grad(y, model.parameters(), torch.ones_like(y))", "nnx.grad"),
    "several outputs": ("a, b = x * 2, x * 3\n    return torch.autograd.grad([a, b], x, [a, b])", "several outputs"),
    "batched": ("y = x * 2\n    return torch.autograd.grad(y, x, x, is_grads_batched=True)", "vmap"),
    "bound again": ("y = x * 2\n    x = y + 1\n    return torch.autograd.grad(y, x)", "same block"),
    "under another name": ("x = x.clone()\n    z = x\n    x.requires_grad_()\n    y = x * z\n    return torch.autograd.grad(y, x)", "another name"),
    "a list is changed": ("kept = []\n    y = x * 2\n    kept.append(y)\n    y = y * x\n    return torch.autograd.grad(y, x), kept", "change kept"),
    "in another block": ("x.requires_grad_()\n    if flag:\n        y = x * 2\n    return torch.autograd.grad(y, x)", None),
    "adds up": (
        "for _ in range(3):\n        y = (x * 2).sum()\n        y.backward()\n    return x.grad", "adds up over the loop",
    ),
    "draws": ("torch.manual_seed(0)\n    y = x * torch.rand(3)\n    return torch.autograd.grad(y, x, x)", "random numbers"),
    "perhaps several": (
        "weights = sorted(model.parameters())\n    y = (weights[0] * x).sum()\n    return torch.autograd.grad(y, weights)", "annotate it",
    ),
    "in a comprehension": ("y = x * x\n    return [torch.autograd.grad(y[i], x)[0] for i in range(2)]", "comprehension"),
    "by the caller": ("z = y * x\n    return torch.autograd.grad(z.sum(), x)", "by the caller"),
    "from an outer block": (
        "z = x * 2\n    with torch.enable_grad():\n        w = z * x\n        g = torch.autograd.grad(w.sum(), x)\n    return g",
        "outer block",
    ),
    "leaf for others": ("w = torch.zeros(3, requires_grad=True)\n    return w", "jax.grad"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    body, reason = REFUSED[name]
    code = f"import torch\nfrom torch import nn\n\n\ndef f(model: nn.Module, x: torch.Tensor, y: torch.Tensor, flag: bool):\n    {body}\n"
    result = ivy_convert.convert_source(code, source="torch", target="jax")
    if reason is None:
        assert "jax.vjp" in result.code and not result.report.unsupported
    else:
        assert any(reason in site.reason for site in result.report.unsupported), result.report.unsupported


def test_regions_without_gradients() -> None:
    """What a no-grad region computes from an input is constant, also in functions that are handed to a transform."""
    code = """
import torch


def f(x: torch.Tensor):
    x = x.clone().requires_grad_()
    with torch.no_grad():
        weight = x.sin()
    y = (x * weight).sum()
    return torch.autograd.grad(y, x)[0]


def compute(x: torch.Tensor):
    with torch.no_grad():
        weight = x.sin()
    return (weight * x).sum()


def g(x: torch.Tensor):
    return torch.func.grad(compute)(x)


@torch.no_grad()
def scale(x: torch.Tensor):
    return x.exp()


def h(x: torch.Tensor):
    x = x.clone().requires_grad_()
    y = (scale(x) * x).sum()
    return torch.autograd.grad(y, x)[0]
"""
    theirs, (ours, _) = original(code), converted(code)
    for name in "fgh":
        expected = theirs[name](torch.from_numpy(draw(4))).numpy()
        np.testing.assert_allclose(ours[name](jnp.asarray(draw(4))), expected, rtol=1e-5)


STATEFUL = """
import torch
import torch.nn as nn


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.0)
        self.second = nn.Linear(8, 1)

    def forward(self, x):
        return self.second(torch.tanh(self.drop(self.norm(self.first(x)))))


def penalty(critic: Critic, x: torch.Tensor):
    x = x.clone().requires_grad_()
    out = critic(x)
    slope = torch.autograd.grad(out.sum(), x, create_graph=True)[0]
    bend = torch.autograd.grad(slope.sum(), x, create_graph=True)[0]
    return (slope**2).mean() + bend.mean() + out.mean()
"""


def test_modules_with_state() -> None:
    theirs, (ours, _) = original(STATEFUL), converted(STATEFUL)
    model, our_model = theirs["Critic"](), ours["Critic"](rngs=nnx.Rngs(0))
    transfer(model, our_model)
    x = draw(6, 4)
    expected = theirs["penalty"](model, torch.from_numpy(x))
    expected.backward()
    value, grads = nnx.value_and_grad(lambda net: ours["penalty"](net, jnp.asarray(x)))(our_model)
    np.testing.assert_allclose(value, expected.item(), rtol=1e-4)
    np.testing.assert_allclose(grads.first.weight.get_value(), model.first.weight.grad.numpy(), rtol=2e-3, atol=1e-5)
    np.testing.assert_allclose(our_model.norm.running_mean.get_value(), model.norm.running_mean.numpy(), rtol=1e-4, atol=1e-6)


ADAPTATION = (
    TANH_NET
    + """
from torch.func import functional_call


def adapted(model: Net, x: torch.Tensor, y: torch.Tensor, rate: float = 0.3):
    weights = list(model.parameters())
    loss = F.cross_entropy(model(x), y)
    grads = torch.autograd.grad(loss, weights, create_graph={create}, retain_graph=True)
    return {{name: p - rate * g for (name, p), g in zip(model.named_parameters(), grads)}}, loss


def size(model: Net, x: torch.Tensor, y: torch.Tensor):
    first = torch.autograd.grad(F.cross_entropy(model(x), y), model.parameters())[0]
    out = model(x)
    second = torch.autograd.grad(out.sum(), list(model.parameters()))
    return first.pow(2).sum().item() + sum(g.abs().sum() for g in second).item()


def train(model: Net, xs, ys):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for x, y in zip(xs, ys):
        optimizer.zero_grad()
        fast, before = adapted(model, x, y)
        loss = F.cross_entropy(functional_call(model, fast, (x,)), y) + 0.1 * before
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        losses.append(size(model, x, y))
    return losses
"""
)


@pytest.mark.parametrize("create", ["True", "False"])
def test_gradients_of_parameters_as_values(create: str) -> None:
    assert_same_training(ADAPTATION.format(create=create))
