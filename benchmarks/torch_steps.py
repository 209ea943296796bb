"""Times a forward pass and a training step of an original fixture model; run by `models.py`, prints JSON."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

#: A model, its optimizer, a batch, and the loss of the model on a batch.
Case = tuple[nn.Module, torch.optim.Optimizer, Any, Callable[[nn.Module, Any], torch.Tensor]]


def classifier() -> Case:
    from resnet import get_model

    model = get_model("resnet_tiny", num_classes=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4, nesterov=True)
    batch = (torch.randn(32, 3, 32, 32), torch.randint(0, 4, (32,)))
    return model, optimizer, batch, lambda model, batch: nn.functional.cross_entropy(model(batch[0]), batch[1])


def gpt(batch_size: int = 8, length: int = 32, **sizes: int) -> Case:
    from minigpt.config import GPTConfig, TrainConfig
    from minigpt.model import GPT
    from minigpt.optim import configure_optimizer

    model = GPT(GPTConfig(block_size=length, **sizes))
    batch = (torch.randint(0, 32, (batch_size, length)), torch.randint(0, 32, (batch_size, length)))
    return model, configure_optimizer(model, TrainConfig()), batch, lambda model, batch: model(*batch)[1]


def gpt_wide() -> Case:
    return gpt(16, 64, n_layer=4, n_head=4, n_embd=128)


CASES = {"classifier": classifier, "gpt": gpt, "gpt_wide": gpt_wide}


def milliseconds(action: Callable[[], object], repeats: int) -> list[float]:
    """The time of each run, after three that warm up."""
    times = []
    for index in range(repeats + 3):
        start = time.perf_counter()
        action()
        if index >= 3:
            times.append((time.perf_counter() - start) * 1e3)
    return times


def main() -> None:
    torch.manual_seed(0)
    model, optimizer, batch, loss_of = CASES[sys.argv[1]]()

    def forward() -> float:
        with torch.no_grad():
            return loss_of(model, batch).item()

    def step() -> float:
        optimizer.zero_grad()
        loss = loss_of(model, batch)
        loss.backward()
        optimizer.step()
        return loss.item()

    repeats = int(sys.argv[2])
    model.eval()
    times = {"forward": milliseconds(forward, repeats)}
    model.train()
    times["training step"] = milliseconds(step, repeats)
    print(json.dumps(times))


if __name__ == "__main__":
    main()
