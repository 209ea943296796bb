"""Data-parallel training over several devices computes what one device does: four virtual CPU devices beside one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ivy_convert

CODE = """
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel as DDP
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 8)
        self.norm = nn.BatchNorm1d(8)
        self.second = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(F.relu(self.norm(self.first(x))))


def train(model: nn.Module, xs: list, ys: list):
    model = nn.DataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = []
    for x, y in zip(xs, ys):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, model.module.second.weight


def wrapped(model: nn.Module, rank: int) -> nn.Module:
    return DDP(model, device_ids=[rank], find_unused_parameters=True).module
"""
RUN = """
import json
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from converted import DataParallel, Net, train
model = Net(rngs=nnx.Rngs(0))
generator = np.random.default_rng(0)
xs = [jnp.asarray(generator.standard_normal((size, 3)), jnp.float32) for size in (8, 8, 6)]
ys = [jnp.asarray(generator.integers(0, 2, len(x))) for x in xs]
losses, weight = train(model, xs, ys)
output = DataParallel(model)(xs[0])
print(json.dumps([losses, np.asarray(weight[...]).tolist(), jax.device_count(), len(output.sharding.device_set)]))
"""


def run(folder: Path, devices: int) -> list:
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
    finished = subprocess.run(
        [sys.executable, "-c", RUN], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


def test_four_devices_train_as_one(tmp_path: Path) -> None:
    result = ivy_convert.convert_source(CODE, source="torch", target="jax")
    assert not result.report.unsupported
    assert any("whole batch" in site.reason for site in result.report.review)
    (tmp_path / "converted.py").write_text(result.code)
    one, four = run(tmp_path, 1), run(tmp_path, 4)
    assert (one[2:], four[2:]) == ([1, 1], [4, 4])
    assert four[0] == pytest.approx(one[0], rel=1e-5)
    np.testing.assert_allclose(four[1], one[1], rtol=1e-4, atol=1e-6)
