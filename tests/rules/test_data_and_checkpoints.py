"""Loaders, checkpoints and generators: the conversion reads the same batches and goes on from its own files."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import torch
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import converted, original, transfer

import ivy_convert
from ivy_convert.verify.safetensors import read_file

DATA = '''
import numpy as np
import torch
from torch.utils.data import (BatchSampler, ConcatDataset, DataLoader, Dataset, IterableDataset, Sampler,
                              SequentialSampler, Subset, TensorDataset)


class Squares(Dataset):
    def __init__(self, length):
        self.x = torch.arange(length, dtype=torch.float32)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return {"x": self.x[index].view(1), "y": (index * index, 0.5), "name": f"n{index}"}


class Count(IterableDataset):
    def __iter__(self):
        yield from range(5)


class Pairs(Dataset):
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return {"z": (index, torch.tensor(index)), "a": np.full(2, index, "float32")}


class EveryOther(Sampler):
    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return iter(torch.arange(self.count).flip(0)[::2].tolist())


def collate(batch):
    return torch.stack([item["x"] for item in batch]).sum(dim=0), len(batch)

'''
LOADERS = [
    "DataLoader(Squares(7), batch_size=3)",
    "DataLoader(Squares(7), 3, drop_last=True, num_workers=0, pin_memory=False)",
    "DataLoader(Squares(5), 2, False, None, None, 0, collate, False, True)",
    "DataLoader(Squares(5), sampler=[3, 1, 4], batch_size=2)",
    "DataLoader(Squares(5), batch_sampler=BatchSampler(SequentialSampler(range(5)), 2, False))",
    "DataLoader(ConcatDataset([Squares(3), Subset(Squares(9), [8, 2])]), 4, collate_fn=collate)",
    "DataLoader(TensorDataset(torch.ones(4, 2), torch.arange(4)), **dict(batch_size=3, timeout=0))",
    "DataLoader(Count(), batch_size=2)",
    "DataLoader(Squares(3), batch_size=None)",
    "DataLoader(Pairs(), batch_size=None)",
    "DataLoader(Pairs(), 2, sampler=EveryOther(5))",
]


def plain(value: Any) -> Any:
    """Arrays of either framework as lists with their kind of element."""
    if isinstance(value, (torch.Tensor, jax.Array)):
        array = np.asarray(value)
        return array.dtype.kind, array.shape, array.tolist()
    if isinstance(value, dict):
        return [(key, plain(entry)) for key, entry in value.items()]
    return [plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize("loader", LOADERS)
def test_same_batches_in_the_same_order(loader: str) -> None:
    code = f"{DATA}\nloader = {loader}\nbatches = [batch for _ in range(2) for batch in loader]\n"
    ours, _ = converted(code)
    theirs = original(code)
    assert plain(ours["batches"]) == plain(theirs["batches"]) and len(theirs["batches"]) > 1


def test_shuffled_orders_follow_the_generator() -> None:
    code = f"""{DATA}
from torch.utils.data import random_split

def orders(seed):
    generator = torch.Generator()
    generator.manual_seed(seed)
    train, rest = random_split(Squares(12), [9, 3], generator=torch.Generator().manual_seed(seed))
    loader = DataLoader(train, batch_size=2, shuffle=True, generator=generator)
    return [[x.item() for batch in loader for x in batch["x"]] for _ in range(2)], [item["x"].item() for item in rest]
"""
    orders = converted(code)[0]["orders"]
    (first, second), rest = orders(1)
    assert sorted(first) == sorted(second) and first != second and sorted(first + rest) == list(range(12))
    assert orders(1) == ((first, second), rest) or orders(1) == ([first, second], rest)
    assert orders(2) != orders(1)


def test_loaders_of_a_process_do_not_share_an_order() -> None:
    code = f"""{DATA}
def order():
    return [x.item() for batch in DataLoader(Squares(20), 20, shuffle=True) for x in batch["x"]]

a, b = order(), order()
"""
    ours, _ = converted(code)
    assert sorted(ours["a"]) == sorted(ours["b"]) and ours["a"] != ours["b"]


GENERATORS = """
import torch

def draws(seed, generator=None):
    g = torch.Generator().manual_seed(seed)
    first = torch.randn(4, generator=g), torch.randint(0, 9, (5,), generator=g), torch.randperm(6, generator=g)
    g.manual_seed(seed)
    return first, torch.randn(4, generator=g), torch.rand(3, generator=generator)
"""


def test_draws_from_a_generator() -> None:
    draws = converted(GENERATORS)[0]["draws"]
    (normal, integers, order), again, free = draws(3)
    assert normal.shape == (4,) and integers.shape == (5,) and sorted(order.tolist()) == list(range(6))
    np.testing.assert_array_equal(normal, again)
    np.testing.assert_array_equal(normal, draws(3)[0][0])
    assert not np.array_equal(normal, draws(4)[0][0]) and not np.array_equal(free, draws(3)[2])
    np.testing.assert_array_equal(draws(0, nnx.Rngs(5))[2], draws(1, nnx.Rngs(5))[2])


def test_files_of_safetensors() -> None:
    code = """
import torch
from safetensors.torch import load_file, save_file

def both(x: torch.Tensor, path):
    save_file({"x": x, "y.z": 2 * x}, path)
    return load_file(path)

def noted(x: torch.Tensor, path):
    save_file({"x": x}, path, metadata={"format": "pt"})
    save_file({"x": x}, path, {"format": "pt"})
"""
    report = ivy_convert.convert_source(code, source="torch", target="jax").report
    assert [site.line for site in report.unsupported] == [10, 11]
    ours, text = converted(code[: code.index("def noted")])
    assert "safetensors.torch" not in text
    with tempfile.TemporaryDirectory() as folder:
        loaded = ours["both"](jax.numpy.arange(3.0), f"{folder}/a.safetensors")
        arrays, _ = read_file(Path(folder) / "a.safetensors")
        assert {name: array.shape for name, array in arrays.items()} == {"x": (3,), "y.z": (3,)}
    assert loaded["y.z"].tolist() == [0, 2, 4] and list(loaded) == ["x", "y.z"]


SEEDINGS = ["if seed is not None:\n        torch.manual_seed(seed)", "torch.manual_seed(seed)"]


@pytest.mark.parametrize("condition", SEEDINGS)
def test_seeding_decides_the_draws_that_follow(condition: str) -> None:
    code = f"""
import torch
from torch import nn

def start(seed=None):
    {condition}
    return nn.Linear(2, 3), torch.randn(4)
"""
    start = converted(code, allow_review=True)[0]["start"]
    (layer, noise), (same, again), (_, other) = start(1), start(1), start(2)
    np.testing.assert_array_equal(layer.weight, same.weight)
    np.testing.assert_array_equal(noise, again)
    assert not np.array_equal(noise, other)


def test_a_seed_reaches_the_functions_that_are_called() -> None:
    code = """
import torch
from torch import nn

def noise(n):
    return torch.randn(n, 3)

def start(seed):
    torch.manual_seed(seed)  # everything below
    return nn.Linear(3, 3).weight, noise(3), torch.randn(3, 3), noise(3)
"""
    start = converted(code, allow_review=True)[0]["start"]
    first, again, other = start(1), start(1), start(2)
    for drawn, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(drawn, same)
        assert not np.array_equal(drawn, different)
    assert len({float(np.asarray(drawn).sum()) for drawn in first}) == 4


TRAINING = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.out = nn.Linear(3, 2)

    def forward(self, x):
        return self.out(self.norm(x))


def build(net: Net):
    optimizer = OPTIMIZER
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)


def run(net: Net, optimizer: torch.optim.Optimizer, scheduler, xs, start=0):
    net.train()
    losses = []
    for x in xs[start:]:
        loss = (net(x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    return losses


def save(net: Net, optimizer: torch.optim.Optimizer, scheduler: torch.optim.lr_scheduler.StepLR, epoch, path):
    torch.save({"model": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch,
                "scheduler": scheduler.state_dict(), "best": None, "shape": (1, 2.5)}, path)


def load(net: Net, optimizer: torch.optim.Optimizer, scheduler: torch.optim.lr_scheduler.StepLR, path):
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    scheduler.load_state_dict(checkpoint["scheduler"])
    return checkpoint["epoch"], checkpoint["shape"]
"""
OPTIMIZERS = [
    "torch.optim.AdamW(net.parameters(), lr=0.1)",
    "torch.optim.SGD([{'params': [net.out.weight], 'lr': 0.05}, {'params': [net.out.bias]}], lr=0.1, momentum=0.9)",
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_goes_on_from_a_checkpoint(optimizer: str, tmp_path: Path) -> None:
    code = TRAINING.replace("OPTIMIZER", optimizer)
    ours, _ = converted(code)
    theirs = original(code)
    xs = [np.random.default_rng(i).normal(size=(5, 3)).astype(np.float32) for i in range(6)]
    results = []
    source = theirs["Net"]()
    for space, array in ((theirs, torch.tensor), (ours, jax.numpy.array)):
        net = source if space is theirs else space["Net"](rngs=nnx.Rngs(0))
        if space is ours:
            transfer(source, net)
        else:
            state = {name: value.clone() for name, value in source.state_dict().items()}
        tensors = [array(x) for x in xs]
        pair = space["build"](net)
        losses = space["run"](net, *pair, tensors[:3])
        path = str(tmp_path / f"{space['__name__']}.pt")
        space["save"](net, *pair, 3, path)
        other = space["Net"]() if space is theirs else space["Net"](rngs=nnx.Rngs(9))
        fresh = space["build"](other)
        assert space["load"](other, *fresh, path) == (3, (1, 2.5))
        losses += space["run"](other, *fresh, tensors, 3)
        results.append(losses)
        source.load_state_dict(state)
    np.testing.assert_allclose(results[1], results[0], rtol=2e-5)


def test_a_checkpoint_of_torch_is_refused_by_name(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "new.pt")
    torch.save({"a": torch.ones(2)}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    load = converted("import torch\n\ndef read(path):\n    return torch.load(path)\n")[0]["read"]
    for name in ("new.pt", "old.pt"):
        with pytest.raises(ValueError, match="ivy-convert weights"):
            load(tmp_path / name)


def test_refusals() -> None:
    result = ivy_convert.convert_source(
        "import torch\nfrom torch import nn\n\ndef f(net: nn.Linear, path, args):\n    torch.save([net], path)\n"
        "    torch.save(*args)\n    torch.utils.data.DataLoader(path, shuffel=True)\n"
        "    return torch.utils.data.DataLoader(*args)\n",
        source="torch", target="jax")  # fmt: skip
    assert [site.line for site in result.report.unsupported] == [5, 6, 7, 8]
    assert result.report.unsupported[2].reason == "the argument shuffel of DataLoader is not known"
