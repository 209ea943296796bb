"""Runs a torch training function and its conversion from equal weights, and compares what they return."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx

import ivy_convert

Data = tuple[list[np.ndarray], list[np.ndarray]]

#: What several tests' programs train: a small network, and one with a batch norm.
TANH_NET = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.second = nn.Linear(8, 3)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))
"""
NORMALIZED_NET = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.second = nn.Linear(8, 3)

    def forward(self, x):
        return self.second(self.norm(F.relu(self.first(x))))
"""


def converted(code: str, *, allow_review: bool = False) -> tuple[dict[str, Any], str]:
    """The namespace and the text of the conversion to JAX; nothing may be left unsupported."""
    result = ivy_convert.convert_source(code, source="torch", target="jax")
    assert not result.report.unsupported, [(site.line, site.reason) for site in result.report.unsupported]
    if not allow_review:
        assert not result.report.review, result.report.review
    namespace: dict[str, Any] = {"__name__": "converted"}
    exec(compile(result.code, "<converted>", "exec"), namespace)
    return namespace, result.code


def original(code: str) -> dict[str, Any]:
    """The namespace of the torch code."""
    namespace: dict[str, Any] = {"__name__": "original"}
    exec(compile(code, "<original>", "exec"), namespace)
    return namespace


def variables_of(module: nnx.Module) -> dict[str, nnx.Variable]:
    """Dotted names and Variables, without random streams."""
    found = {}
    for path, variable in nnx.to_flat_state(nnx.state(module)):
        if not isinstance(variable, nnx.RngState):
            found[".".join(map(str, path))] = variable
    return found


def transfer(source: torch.nn.Module, target: nnx.Module) -> None:
    """Copy parameters and buffers by name."""
    state = source.state_dict()
    targets = _by_name(target)
    assert set(targets) == set(state), (set(targets), set(state))
    for name, value in state.items():
        targets[name][...] = jnp.array(value.detach().numpy().copy(), targets[name].dtype)


def _by_name(module: Any, prefix: str = "") -> dict[str, nnx.Variable]:
    found: dict[str, nnx.Variable] = {}
    for name, value in vars(module).items():
        if isinstance(value, nnx.Variable) and not isinstance(value, nnx.RngState):
            found[prefix + name] = value
        elif isinstance(value, nnx.Module):
            found.update(_by_name(value, f"{prefix}{name}."))
        elif isinstance(value, (list, nnx.List)):
            for index, item in enumerate(value):
                found.update(_by_name(item, f"{prefix}{name}.{index}."))
    return found


def batches(count: int = 12, size: int = 8, features: int = 4, classes: int = 3) -> Data:
    """Inputs `[size, features]` and class labels `[size]`."""
    generator = np.random.default_rng(0)
    xs = [generator.normal(size=(size, features)).astype(np.float32) for _ in range(count)]
    ys = [generator.integers(0, classes, size) for _ in range(count)]
    return xs, ys


def assert_same_training(
    code: str, *, models: tuple[str, ...] = ("Net",), run: str = "train", allow_review: bool = False,
    tolerance: float = 1e-4, data: Data | None = None,
) -> str:  # fmt: skip
    """`run(*models, xs, ys)` returns floats; these, weights and buffers agree. Gives the new code."""
    theirs = original(code)
    ours, text = converted(code, allow_review=allow_review)
    torch.manual_seed(0)
    sources = [theirs[name]() for name in models]
    targets = [ours[name](rngs=nnx.Rngs(0)) for name in models]
    for source, target in zip(sources, targets, strict=True):
        transfer(source, target)
    xs, ys = data or batches()
    expected = theirs[run](*sources, list(map(torch.from_numpy, xs)), list(map(torch.from_numpy, ys)))
    actual = ours[run](*targets, list(map(jnp.asarray, xs)), list(map(jnp.asarray, ys)))
    assert len(expected) > 0
    np.testing.assert_allclose(np.asarray(actual, float), np.asarray(expected, float), rtol=tolerance, atol=1e-5)
    for source, target in zip(sources, targets, strict=True):
        values = _by_name(target)
        for name, value in source.state_dict().items():
            np.testing.assert_allclose(
                np.asarray(values[name][...]), value.numpy(), rtol=tolerance, atol=2e-5, err_msg=name
            )
    return text
