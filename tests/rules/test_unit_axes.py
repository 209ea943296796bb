"""Axes that are taken away only if their length is 1, as torch does it, and what evidence makes of them."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import ivy_convert


@pytest.mark.parametrize("axis", ["0", "1", "-1", "(0, 2)"])
@pytest.mark.parametrize("shape", [(1, 3, 1), (2, 3, 4), (2, 1, 1)])
def test_axes_of_unknown_length(shape, axis) -> None:
    code = f"import torch\n\ndef f(x: torch.Tensor):\n    return x.squeeze({axis})\n"
    namespace: dict = {}
    exec(ivy_convert.convert_source(code, "torch", "jax", "case.py").code, namespace)
    array = np.zeros(shape, np.float32)
    assert namespace["f"](jnp.asarray(array)).shape == torch.from_numpy(array).squeeze(eval(axis)).shape


@pytest.mark.parametrize(
    ("lines", "is_evident"),
    [
        ("y = x.unsqueeze(1)\n    y = y * 2\n    return y.squeeze(1)", True),
        ("y = x.unsqueeze(1)\n    y = y * x\n    return y.squeeze(1)", False),
        ("y = x.unsqueeze(-1)\n    y = y * 2\n    return y.squeeze(-1)", True),
        ("y = x.unsqueeze(-1)\n    y = x\n    return y.squeeze(-1)", False),
        ("y = x[:, :1]\n    return y.squeeze(1)", True),
        ("return x[..., 2:4].squeeze(-1)", False),
        ("return x[:, None].squeeze(0)", False),
        ("return x.amax(dim=(0, 1), keepdim=True).squeeze(1)", True),
        ("return x.amax(dim=0, keepdim=True).squeeze(1)", False),
    ],
)
def test_evidence(lines: str, is_evident: bool) -> None:
    code = f"import torch\n\ndef f(x: torch.Tensor):\n    {lines}\n"
    converted = ivy_convert.convert_source(code, "torch", "jax", "case.py").code
    assert ".squeeze(axis=" in converted and "def squeeze(" not in converted
    assert (" if " not in converted) is is_evident
