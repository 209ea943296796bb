"""Indices with numbers and arrays apart: the same axes and values in torch and converted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import ivy_convert

SOURCE = (
    Path(__file__).resolve().parent.parent.parent / "fixtures" / "rules" / "mixed_indices" / "in.py"
).read_text()
MAKE = {"numpy": np.array, "jax": jnp.asarray}


def functions(text: str) -> dict[str, Any]:
    """The functions that a text defines."""
    found: dict[str, Any] = {}
    exec(compile(text, "module.py", "exec"), found)
    return found


@pytest.mark.parametrize("target", ["numpy", "jax"])
@pytest.mark.parametrize("name", ["apart", "alike"])
def test_reads(name: str, target: str) -> None:
    x, k = np.random.default_rng(0).standard_normal((3, 4, 5, 6)).astype(np.float32), np.array([0, 2])
    after = functions(ivy_convert.convert_source(SOURCE, "torch", target).code)[name]
    expected = functions(SOURCE)[name](torch.from_numpy(x), torch.from_numpy(k), 1)
    actual = after(MAKE[target](x), MAKE[target](k), 1)
    for one, other in zip(expected, actual, strict=True):
        np.testing.assert_array_equal(np.asarray(other), one.numpy())


def test_stores_in_numpy() -> None:
    x, v, k = np.zeros((3, 4, 5), np.float32), np.ones((4, 2), np.float32), np.array([0, 2])
    after = functions(ivy_convert.convert_source(SOURCE, "torch", "numpy").code)["stored"]
    expected = functions(SOURCE)["stored"](torch.from_numpy(x.copy()), torch.from_numpy(k), torch.from_numpy(v))
    np.testing.assert_array_equal(after(x, k, v), expected.numpy())


def test_stores_in_jax_are_refused() -> None:
    report = ivy_convert.convert_source(SOURCE, "torch", "jax").report
    assert [site.api or site.rule for site in report.unsupported] == ["mixed_stores"]
