"""Checkpoints that torch wrote: `ivy-convert weights` converts them, and the converted program goes on from them."""

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

from training_pairs import converted, original, transfer

from ivy_convert.api_maps.jax.helpers import checkpoint, cyclic_schedulers, optimizer_state, optimizers, schedulers
from ivy_convert.api_maps.jax.helpers.parameter_groups import ParameterGroups, param_groups
from ivy_convert.cli.main import main

PROGRAM = '''
import argparse

import torch
from torch import nn
import torch.nn.functional as F


class Net(nn.Module):
    """Convolution, normalization with buffers, a recurrent layer and a list of modules."""

    def __init__(self, width):
        super().__init__()
        self.words = nn.Embedding(9, width)
        self.conv = nn.Conv1d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm1d(width)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.blocks = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])
        self.head = nn.Sequential(nn.LayerNorm(width), nn.GELU(), nn.Linear(width, 3))

    def forward(self, x):
        x = self.norm(self.conv(self.words(x).transpose(1, 2))).transpose(1, 2)
        x, _ = self.rnn(x)
        for block in self.blocks:
            x = x + block(x)
        return self.head(x.mean(dim=1))


class Trainer:
    def __init__(self, args):
        self.args = args
        self.model = Net(args.width)
        self.optimizer = OPTIMIZER
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 0.05, total_steps=10)
        self.step = 0

    def train(self, batches):
        self.model.train()
        losses = []
        for x, y in batches:
            loss = F.cross_entropy(self.model(x), y)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            self.step += 1
            losses.append(loss.item())
        return losses

    def save(self, path):
        torch.save({
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "step": self.step,
            "args": self.args,
        }, path)

    def resume(self, path):
        state = torch.load(path, map_location="cpu", weights_only=False)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.step = state["step"]


def start(path):
    """A trainer as it was when `path` was written."""
    trainer = Trainer(torch.load(path, weights_only=False)["args"])
    trainer.resume(path)
    return trainer
'''
OPTIMIZERS = {
    "adamw": "torch.optim.AdamW(self.model.parameters(), lr=0.1)",
    "sgd": "torch.optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)",
    "groups": """torch.optim.Adam([
            {"params": [p for n, p in self.model.named_parameters() if "bias" in n], "lr": 0.01},
            {"params": [p for n, p in self.model.named_parameters() if "bias" not in n], "weight_decay": 0.1},
        ], lr=0.1)""",
}


def token_batches() -> list[tuple[np.ndarray, np.ndarray]]:
    random = np.random.default_rng(0)
    return [(random.integers(0, 9, (4, 5)), random.integers(0, 3, 4)) for _ in range(6)]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_converted_program_goes_on_where_torch_stopped(optimizer: str, tmp_path: Path) -> None:
    import argparse

    code = PROGRAM.replace("OPTIMIZER", OPTIMIZERS[optimizer])
    theirs, (ours, _) = original(code), converted(code, allow_review=True)
    torch.manual_seed(0)
    trainer = theirs["Trainer"](argparse.Namespace(width=4))
    batches = token_batches()
    tensors = [(torch.tensor(x), torch.tensor(y)) for x, y in batches]
    arrays = [(jnp.asarray(x), jnp.asarray(y)) for x, y in batches]
    trainer.train(tensors[:3])
    trainer.save(tmp_path / "last.pt")
    expected = trainer.train(tensors[3:])

    with pytest.raises(SystemExit) as stop:
        main(["weights", str(tmp_path / "last.pt"), "--to", "jax", "-o", str(tmp_path / "jax")])
    assert stop.value.code == 0
    again = ours["start"](tmp_path / "jax" / "last.safetensors")
    assert again.step == 3 and again.args == argparse.Namespace(width=4)
    np.testing.assert_allclose(again.train(arrays[3:4]), expected[:1], rtol=2e-6)
    again.save(tmp_path / "own.pt")
    third = ours["start"](tmp_path / "own.pt")
    assert third.step == 4
    rest = again.train(arrays[4:])
    assert third.train(arrays[4:]) == rest
    np.testing.assert_allclose(rest, expected[1:], rtol=2e-5)


STATES = '''
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.z = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return self.a(self.norm(self.z(x)))


def build(net: Net):
    return torch.optim.OPTIMIZER


def run(net: Net, optimizer: torch.optim.Optimizer, xs):
    net.train()
    losses = []
    for x in xs:
        loss = (net(x) ** 2).mean() + (net.z.weight ** 4).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def resume(net: Net, state, xs):
    optimizer = build(net)
    optimizer.load_state_dict(state)
    return run(net, optimizer, xs)
'''
EVERYDAY = [
    "Adam(net.parameters(), lr=0.1, weight_decay=0.1, amsgrad=True)",
    "SGD(net.parameters(), lr=0.1, momentum=0.9, dampening=0.3)",
    "RMSprop(net.parameters(), lr=0.01, momentum=0.5, centered=True)",
    "Adafactor(net.parameters())",
]
FURTHER = [
    "AdamW(net.parameters(), lr=0.1)",
    "SGD(net.parameters(), lr=0.1, momentum=0.9, nesterov=True)",
    "SGD(net.parameters(), lr=0.1)",
    "RMSprop(net.parameters())",
    "Adagrad(net.parameters(), lr_decay=0.1)",
    "Adadelta(net.parameters())",
    "Adamax(net.parameters())",
    "NAdam(net.parameters())",
    "RAdam(net.parameters(), lr=0.05)",
    "Rprop(net.parameters())",
    "ASGD(net.parameters())",
]


@pytest.mark.parametrize("optimizer", EVERYDAY + [pytest.param(one, marks=pytest.mark.slow) for one in FURTHER])
def test_states_of_torch_optimizers(optimizer: str) -> None:
    code = STATES.replace("OPTIMIZER", optimizer)
    theirs, (ours, text) = original(code), converted(code, allow_review=True)
    assert "optimizer_load_state_dict(optimizer, state, net)" in text
    xs = [np.random.default_rng(i).normal(size=(5, 3)).astype(np.float32) for i in range(6)]
    net = theirs["Net"]()
    stepped = theirs["build"](net)
    theirs["run"](net, stepped, [torch.tensor(x) for x in xs[:3]])
    own = ours["Net"](rngs=nnx.Rngs(0))
    transfer(net, own)
    state = jax.tree.map(lambda v: jnp.asarray(v.detach().numpy()) if hasattr(v, "detach") else v, stepped.state_dict())
    expected = theirs["run"](net, stepped, [torch.tensor(x) for x in xs[3:]])
    np.testing.assert_allclose(ours["resume"](own, state, [jnp.asarray(x) for x in xs[3:]]), expected, rtol=2e-5)


class Pair(nnx.Module):
    def __init__(self) -> None:
        self.b, self.a = nnx.Param(jnp.ones(2)), nnx.Param(jnp.ones((2, 1)))


def torch_state(**entry: Any) -> dict[str, Any]:
    entries = {0: {**entry, "exp_avg": np.full(2, 3.0)}, 1: {**entry, "exp_avg": np.full((2, 1), 4.0)}}
    for one in entries.values():
        one["exp_avg_sq"] = one["exp_avg"] ** 2
    return {"state": entries, "param_groups": [{"lr": 0.5, "params": [0, 1]}]}


def test_states_that_do_not_fit() -> None:
    import optax

    def adam() -> Any:
        model = Pair()
        return model, nnx.Optimizer(model, optax.inject_hyperparams(optax.adam)(learning_rate=0.1), wrt=nnx.Param)

    model, optimizer = adam()
    load = optimizer_state.optimizer_load_state_dict
    load(optimizer, torch_state(step=7), model)
    moments = optimizer.opt_state.inner_state[0]
    assert moments.mu["b"][...].tolist() == [3, 3] and moments.nu["a"][...].tolist() == [[16], [16]]
    assert moments.count[...] == 7 and optimizer.step[...] == 7 and param_groups(optimizer)[0]["lr"] == 0.5
    with pytest.raises(ValueError, match="pass the model as well"):
        load(optimizer, torch_state(step=7))
    with pytest.raises(ValueError, match="which this optimizer does not keep"):
        load(optimizer, torch_state(step=7, max_exp_avg_sq=np.zeros(2)), model)
    uneven = torch_state(step=7)
    uneven["state"][1]["step"] = 3
    with pytest.raises(ValueError, match=r"different numbers of steps: \[3, 7\]"):
        load(optimizer, uneven, model)
    less = torch_state(step=7)
    del less["state"][0]["exp_avg_sq"]
    with pytest.raises(ValueError, match="has no exp_avg_sq or square_avg or exp_inf"):
        load(optimizer, less, model)
    swapped = torch_state(step=7)
    swapped["state"] = {0: swapped["state"][1], 1: swapped["state"][0]}
    with pytest.raises(ValueError, match=r"has shape \(2,\), that of the parameter is \(2, 1\)"):
        load(optimizer, swapped, model)
    more = torch_state(step=7)
    more["param_groups"][0]["params"] = [0, 1, 2]
    with pytest.raises(ValueError, match="is of 3 parameters, the optimizer has 2"):
        load(optimizer, more, model)


SCHEDULES = {
    "step": lambda of, o: of("StepLR")(o, 2),
    "milestones": lambda of, o: of("MultiStepLR")(o, [2, 4, 4]),
    "exponential": lambda of, o: of("ExponentialLR")(o, 0.9),
    "lambda": lambda of, o: of("LambdaLR")(o, lambda epoch: 0.8**epoch),
    "linear": lambda of, o: of("LinearLR")(o, total_iters=6),
    "cosine": lambda of, o: of("CosineAnnealingLR")(o, 4),
    "restarts": lambda of, o: of("CosineAnnealingWarmRestarts")(o, 2, 2),
    "sequence": lambda of, o: of("SequentialLR")(o, [of("ConstantLR")(o, 0.1, 3), of("ExponentialLR")(o, 0.9)], [2]),
    "chain": lambda of, o: of("ChainedScheduler")([of("ConstantLR")(o, 0.1, 3), of("ExponentialLR")(o, 0.9)]),
    "one cycle": lambda of, o: of("OneCycleLR")(o, 0.5, total_steps=9),
    "cycles": lambda of, o: of("CyclicLR")(o, 0.01, 0.1, 3, mode="exp_range", gamma=0.9),
    "plateau": lambda of, o: of("ReduceLROnPlateau")(o, patience=1),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", SCHEDULES)
def test_states_of_schedules(name: str, tmp_path: Path) -> None:
    """Three steps in torch, its state through a file; three more in torch, here, and here after a file of our own."""
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1, momentum=0.9)
    rates = {"torch": [], "first": [], "second": []}  # type: ignore[var-annotated]

    def ours_of(kind: str) -> Any:
        return getattr(schedulers, kind, None) or getattr(cyclic_schedulers, kind)

    def ours_from(optimizer: Any, schedule: Any) -> tuple[Any, Any]:
        plain = {key: value for key, value in schedule.items() if not callable(value)}
        checkpoint.save({"optimizer": optimizer, "schedule": plain}, tmp_path / "state")
        state = checkpoint.load(tmp_path / "state")
        new = ParameterGroups(optimizers.sgd, [nnx.Param(jnp.ones(2))], lr=0.1, momentum=0.9)
        made = SCHEDULES[name](ours_of, new)
        optimizer_state.optimizer_load_state_dict(new, state["optimizer"])
        made.load_state_dict(state["schedule"])
        return new, made

    def step(schedule: Any, number: int) -> None:
        schedule.step(*([[1.0, 2, 3, 2, 4, 5][number]] if name == "plateau" else []))

    schedule = SCHEDULES[name](lambda kind: getattr(torch.optim.lr_scheduler, kind), theirs)
    for number in range(3):
        theirs.step()
        step(schedule, number)
    first, first_schedule = ours_from(theirs.state_dict(), schedule.state_dict())
    second, second_schedule = ours_from(optimizer_state.optimizer_state_dict(first), first_schedule.state_dict())
    for number in range(3, 6):
        for each in (schedule, first_schedule, second_schedule):
            step(each, number)
        for kind, optimizer in (("torch", theirs), ("first", first), ("second", second)):
            group = param_groups(optimizer)[0]
            rates[kind].append([group["lr"], group["momentum"]])
        assert first_schedule.get_last_lr() == second_schedule.get_last_lr() == schedule.get_last_lr()
    np.testing.assert_allclose(rates["first"], rates["torch"], rtol=1e-12)
    np.testing.assert_allclose(rates["second"], rates["torch"], rtol=1e-12)
