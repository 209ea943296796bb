"""Optimizers and schedules take the original's steps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import TANH_NET, assert_same_training

HEAD = TANH_NET + "\n"


def training(optimizer: str, *, before: str = "", after: str = "", epochs: int = 1) -> str:
    """A loop with this optimizer; `before` the loop and `after` each epoch."""
    return f"""{HEAD}
def train(model: Net, xs, ys):
    optimizer = {optimizer}
    {before}
    losses = []
    for epoch in range({epochs}):
        for x, y in zip(xs, ys):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        {after}
    return losses
"""


OPTIMIZERS = [
    "torch.optim.SGD(model.parameters(), 0.1)",
    "torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True)",
    "torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, dampening=0.5)",
    "torch.optim.SGD(model.parameters(), lr=1, momentum=0.0, maximize=True)",
    "torch.optim.Adam(model.parameters(), lr=0.01, betas=(0.8, 0.9), eps=1e-4)",
    "torch.optim.Adam(model.parameters(), 0.01, (0.8, 0.9), 1e-4, 0.1, True)",
    "torch.optim.Adam(model.parameters(), weight_decay=0.1, decoupled_weight_decay=True, eps=1e-4)",
    "torch.optim.AdamW(model.parameters(), eps=1e-4)",
    "torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0, eps=1e-4)",
    "torch.optim.RMSprop(model.parameters(), lr=0.01, eps=1e-4)",
    "torch.optim.RMSprop(model.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1, centered=True, eps=1e-3)",
    "torch.optim.Adagrad(model.parameters(), lr=0.1, lr_decay=0.1, eps=1e-4)",
    "torch.optim.Adadelta(model.parameters(), rho=0.8, weight_decay=0.1)",
    "torch.optim.Adamax(model.parameters(), eps=1e-4)",
    "torch.optim.NAdam(model.parameters(), eps=1e-4)",
    "torch.optim.RAdam(model.parameters(), lr=0.01, eps=1e-4)",
    'torch.optim.AdamW([{"params": model.first.parameters(), "lr": 0.02}, {"params": [model.second.weight, '
    'model.second.bias], "weight_decay": 0.0}], lr=0.01, eps=1e-4)',
    'torch.optim.SGD([{"params": [p for n, p in model.named_parameters() if "bias" not in n], "weight_decay": 0.1}, '
    '{"params": [p for n, p in model.named_parameters() if "bias" in n]}], lr=0.1, momentum=0.9)',
]  # fmt: skip


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(optimizer: str) -> None:
    assert_same_training(training(optimizer), tolerance=2e-4)


SGD = "torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)"
SCHEDULES = [
    "StepLR(optimizer, step_size=2, gamma=0.5)", "MultiStepLR(optimizer, milestones=[1, 3], gamma=0.1)",
    "ExponentialLR(optimizer, 0.7)", "CosineAnnealingLR(optimizer, T_max=3)",
    "LambdaLR(optimizer, lr_lambda=lambda step: 1 / (step + 1))", "CosineAnnealingWarmRestarts(optimizer, 2)",
]  # fmt: skip


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", [SGD, "torch.optim.AdamW(model.parameters(), lr=0.01, eps=1e-4)"])
def test_schedules(schedule: str, optimizer: str) -> None:
    code = training(
        optimizer, before=f"scheduler = torch.optim.lr_scheduler.{schedule}",
        after="scheduler.step(); losses.append(scheduler.get_last_lr()[0])", epochs=4)  # fmt: skip
    assert_same_training(code, tolerance=2e-4)


def test_plateau_and_groups_written_by_hand() -> None:
    code = training(
        "torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-3, eps=1e-4)",
        before='scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "min", patience=0, factor=0.5)',
        after='scheduler.step(1.0); group = optimizer.param_groups[0]; group["lr"] *= 0.9; losses.append(group["lr"])',
        epochs=3)  # fmt: skip
    assert_same_training(code, tolerance=2e-4)


def test_state_goes_from_one_optimizer_to_another() -> None:
    code = training(
        "torch.optim.Adam(model.parameters(), lr=0.01, eps=1e-4)",
        after='state = optimizer.state_dict(); optimizer = torch.optim.Adam(model.parameters(), lr=0.5, eps=1e-4); '
        "optimizer.load_state_dict(state)", epochs=2)  # fmt: skip
    assert_same_training(
        code + "\n\ndef rate(optimizer):\n    return optimizer.param_groups[0]['lr']\n", tolerance=2e-4
    )
