"""Names of the source framework that one file of a repository takes from another: that file may drop them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ivy_convert.rewriter.repository import convert_files

COMPAT = b"""\
import torch
import torch.nn.functional as F
from torch import nn


def doubled(x: torch.Tensor):
    return F.relu(x) * 2
"""
STAR = b"""\
from .compat import *

KNOWN = "silu" in dir(torch.nn.functional)


def wrapped():
    return torch.fx.wrap(doubled)


def gelu(x: torch.Tensor):
    return F.gelu(x)
"""
NAMED = b"""\
from handed import compat

from .compat import F, doubled, nn, torch


class Model(nn.Module):
    def forward(self, x):
        return doubled(x) + compat.F.relu(x) + F.silu(x) + torch.square(x)
"""
RUN = """\
import sys
import jax.numpy as jnp
from flax import nnx
sys.modules["torch"] = None
from handed.named import Model
print(float(Model(rngs=nnx.Rngs(0))(jnp.array(2.0))))
"""


def test_names_that_another_file_hands_on(tmp_path: Path) -> None:
    files = {"handed/__init__.py": b"", "handed/compat.py": COMPAT, "handed/named.py": NAMED, "handed/star.py": STAR}
    result = convert_files(files, "torch", "jax")
    for path, data in {**result.files, **result.helpers}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    assert "from .compat import doubled\n" in result.files["handed/named.py"].decode()
    star = result.files["handed/star.py"].decode()
    assert "import torch\n" in star  # What was left needs it, and compat.py no longer has it.
    assert "KNOWN = True" in star
    finished = subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert abs(float(finished.stdout) - (4 + 2 + 2 / (1 + 2.718281828459045**-2) + 4)) < 1e-5
