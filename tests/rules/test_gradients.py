"""Where gradients stop: values and training agree with the original."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import assert_same_training, converted

import ivy_convert

NET = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.second = nn.Linear(8, 3)

    def forward(self, x):
{forward}

    @torch.no_grad()
    def teacher(self, x):
        return self.second(torch.tanh(self.first(x)))

    def student(self, x):
        return self.second(torch.tanh(self.first(x)))


def train(model: Net, xs, ys):
{setup}
    optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, model.parameters()), lr=0.1, momentum=0.9)
    losses = []
    for x, y in zip(xs, ys):
        optimizer.zero_grad()
        out = model(x)
        loss = F.cross_entropy(out, y){more}
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
"""


def program(forward: str, setup: str = "    pass", more: str = "") -> str:
    """A model with this forward method, trained."""
    lines = "\n".join("        " + line for line in forward.strip().splitlines())
    return NET.replace("{forward}", lines).replace("{setup}", setup).replace("{more}", more)


PLAIN = "return self.second(torch.tanh(self.first(x)))"
PROGRAMS = {
    "plain": program(PLAIN),
    "no_grad in forward": program("with torch.no_grad():\n    h = torch.tanh(self.first(x))\nreturn self.second(h)"),
    "set_grad_enabled in forward": program(
        "with torch.set_grad_enabled(False):\n    h = torch.tanh(self.first(x))\nreturn self.second(h)"
    ),
    "detach": program("h = self.first(x)\nreturn self.second(torch.tanh(h) * h.detach())"),
    "decorated function under a gradient": program("return self.student(x) + F.softmax(self.teacher(x), dim=1)"),
    "frozen by attribute": program(PLAIN, "    for p in model.first.parameters():\n        p.requires_grad = False"),
    "frozen by method": program(PLAIN, "    model.first.requires_grad_(False)"),
    "frozen by name": program(
        PLAIN,
        '    for name, p in model.named_parameters():\n        if "bias" in name:\n            p.requires_grad_(False)',
    ),
    "target in the loop": program(PLAIN, more=" + F.mse_loss(out, model.teacher(x) * 2)"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_training_agrees(name: str) -> None:
    assert_same_training(PROGRAMS[name])


def test_evaluation_is_plain() -> None:
    _, text = converted("""
import torch
import torch.nn as nn


@torch.no_grad()
def evaluate(model: nn.Linear, xs: torch.Tensor):
    model.eval()
    with torch.inference_mode():
        return model(xs).detach().cpu().numpy()
""")
    assert "stop_gradient" not in text and "no_grad" not in text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("torch.autograd.grad(x.sum(), list(x))", "jax.grad"),
        ("x.requires_grad_(True)", "jax.grad"),
        ("x.grad", "jax.grad"),
    ],
)
def test_refused(line: str, reason: str) -> None:
    code = f"import torch\n\n\ndef f(x: torch.Tensor):\n    return {line}\n"
    result = ivy_convert.convert_source(code, source="torch", target="jax")
    assert any(reason in site.reason for site in result.report.unsupported)
    assert line in result.code
