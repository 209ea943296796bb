"""The programs that are converted together with a package: each builds one model, runs it and trains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

#: The group of programs that stand written out in a folder, with all that they need.
WRITTEN = "programs"
FOLDER = Path(__file__).parents[2] / "fixtures" / "programs"


@dataclass(frozen=True)
class Case:
    """One model of a package, as its user would write a training script for it.

    group: the packages converted together (`packages.GROUPS`). prelude: imports, and definitions around the model.
    model: the expression that builds it. inputs: `floats(...)`, `integers(...)`, `booleans(...)` by name.
    call: the expression of the outputs, over `model` and the inputs; one array or a tuple of arrays.
    loss: the expression of the loss, over `output` and the inputs. optimizer: the expression that builds it.
    training: whether the compared forward pass runs in training mode too. kind: the family it stands for.
    forward, backward: relative tolerances of single precision. Of the group `WRITTEN` only name, kind, inputs and
    tolerances count.
    """

    name: str
    kind: str
    group: str
    prelude: str
    model: str
    inputs: Mapping[str, Mapping[str, Any]]
    call: str = "model(x)"
    loss: str = "output.square().mean()"
    optimizer: str = "torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)"
    training: bool = False
    forward: float = 2e-5
    backward: float = 5e-4

    @property
    def module(self) -> str:
        """The import name of the program."""
        return f"program_{self.name}"


def floats(*shape: int) -> dict[str, Any]:
    """Standard normal numbers in single precision."""
    return {"shape": list(shape)}


def unit_floats(*shape: int) -> dict[str, Any]:
    """Numbers in (0, 1) in single precision: images, probabilities."""
    return {"shape": list(shape), "unit": True}


def integers(high: int, *shape: int) -> dict[str, Any]:
    """Integers below `high`."""
    return {"shape": list(shape), "high": high}


def booleans(*shape: int) -> dict[str, Any]:
    """A mask whose first column is true."""
    return {"shape": list(shape), "high": 1}


PROGRAM = '''\
"""{kind}: {name}."""

import torch
import torch.nn.functional as F
from torch import nn

{prelude}


def build() -> nn.Module:
    """The model with its initial weights."""
    return {model}


def forward(model: nn.Module, {annotated}):
    """The outputs that are compared."""
    return {call}


def train(model: nn.Module, batches: list) -> list[float]:
    """One step of the optimizer for each batch; the losses."""
    optimizer = {optimizer}
    losses = []
    for {names} in batches:
        optimizer.zero_grad()
        output = {call}
        loss = {loss}
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
'''


def program(case: Case) -> str:
    """The source text of a case's program."""
    if case.group == WRITTEN:
        return (FOLDER / f"{case.name}.py").read_text(encoding="utf-8")
    names = list(case.inputs)
    return PROGRAM.format(
        kind=case.kind,
        name=case.name,
        prelude=dedent(case.prelude).strip(),
        model=case.model,
        annotated=", ".join(f"{name}: torch.Tensor" for name in names),
        names=", ".join(names) + ("," if len(names) == 1 else ""),
        call=case.call,
        loss=case.loss,
        optimizer=case.optimizer,
    )
