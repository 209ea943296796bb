"""Functions that change their callers' arrays: the converted program gives the original's numbers, or says why not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import ivy_convert

FUNCTIONS = """\
import torch


def edge(u: torch.Tensor) -> None:
    if u.shape[0] < 2:
        return
    u[0] = 0.0
    u[-1] += 1


def scale_(x: torch.Tensor, s: float):
    x.mul_(s)
    return x


def both(u: torch.Tensor, v: torch.Tensor):
    edge(u)
    scale_(v, 2.0)


def mix(x: torch.Tensor, y: torch.Tensor):
    x.add_(1)
    x.mul_(y)


def inner(x: torch.Tensor):
    edge(x[:2])


class Box:
    def __init__(self):
        self.held = torch.ones(4)

    def fill(self, x: torch.Tensor, value: float):
        x.fill_(value)

    def go(self):
        self.fill(self.held, 3.0)
        edge(self.held)
        return self.held


"""
EQUAL = {
    "statement": "def f(x):\n    y = x * 1\n    edge(y)\n    return y",
    "early return": "def f(x):\n    y = x[:1] * 1\n    edge(y)\n    return y",
    "its value": "def f(x):\n    y = x * 1\n    z = scale_(y, 2.0)\n    return y + z",
    "value alone": "def f(x):\n    return scale_(x * 2, 3.0) + 1",
    "two arrays": "def f(x):\n    y, z = x * 1, x * 2\n    both(y, z)\n    return y - z",
    "by name": "def f(x):\n    y = x * 1\n    mix(y=x * 3, x=y)\n    return y",
    "a part": "def f(x):\n    y = x * 1\n    edge(y[1])\n    inner(y)\n    return y",
    "attribute": "def f(x):\n    return Box().go() * x[:, :1]",
    "item": "def f(x):\n    d = {'k': x * 1}\n    edge(d['k'])\n    return d['k']",
    "loop": "def f(x):\n    y = x * 1\n    for i in range(3):\n        edge(y)\n        scale_(y, 0.5)\n    return y",
    "branch": "def f(x):\n    y = x * 1\n    if y[0, 0] < 0:\n        edge(y)\n    else:\n        scale_(y, -1.0)\n    return y",
}
REFUSED = {
    "alias": ("def f(x):\n    y = x * 1\n    z = y\n    edge(y)\n    return y + z", "also changes z"),
    "view": ("def f(x):\n    y = x * 1\n    row = y[0]\n    edge(row)\n    return y", "also changes y"),
    "itself twice": ("def f(x):\n    y = x * 1\n    mix(y, y)\n    return y", "may be the same memory"),
    "a view of itself": ("def f(x):\n    y = x * 1\n    mix(y, y[0])\n    return y", "may be the same memory"),
    "in an expression": ("def f(x):\n    y = x * 1\n    z = scale_(y, 2.0) + y\n    return z", "line of its own"),
    "read later": ("def f(x):\n    y = x * 1\n    z = scale_(y, 2.0) + 1\n    return y + z", "line of its own"),
    "condition": ("def f(x):\n    y = x * 1\n    if scale_(y, 2.0).sum() > 0:\n        x = x + y\n    return x", "line of its own"),
    "comprehension": ("def f(x):\n    y = x * 1\n    return [scale_(y, 2.0) for _ in range(3)]", "line of its own"),
    "nothing": ("def f(x):\n    y = x * 1\n    z = edge(y)\n    return z", "returns nothing"),
}  # fmt: skip
REVIEWED = {
    "handed on": "def f(x):\n    y = x * 1\n    edge(y)\n    return list(map(edge, [y]))",
    "its own caller": "def f(x):\n    edge(x)\n    return x.sum()",
}


CALLS = """

def callers():
    x = torch.ones(3)
    edge(x)
    scale_(x, 1.0)
    both(x, torch.ones(3))
    mix(x, torch.ones(3))
    inner(x)
    return x
"""


def _whole(source: str) -> str:
    """A program in which every function is called somewhere."""
    return FUNCTIONS + source.replace("f(x)", "f(x: torch.Tensor)", 1) + CALLS


def _convert(source: str) -> Any:
    return ivy_convert.convert_source(_whole(source), source="torch", target="jax")


@pytest.mark.parametrize("source", EQUAL.values(), ids=EQUAL)
def test_numbers_are_equal(source: str) -> None:
    result = _convert(source)
    assert [site.reason for site in (*result.report.unsupported, *result.report.review)] == []
    values = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    original: dict[str, Any] = {}
    exec(_whole(source), original)
    converted: dict[str, Any] = {}
    exec(compile(result.code, "converted.py", "exec"), converted)
    expected = original["f"](torch.tensor(values)).numpy()
    np.testing.assert_allclose(converted["f"](converted["jnp"].asarray(values)), expected, rtol=1e-6)


@pytest.mark.parametrize(("source", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused_with_a_reason(source: str, reason: str) -> None:
    sites = _convert(source).report.unsupported
    assert any(reason in site.reason for site in sites), [site.reason for site in sites]


@pytest.mark.parametrize("source", REVIEWED.values(), ids=REVIEWED)
def test_callers_out_of_sight_are_told(source: str) -> None:
    sites = _convert(source).report.review
    assert any("use the returned array" in site.reason for site in sites), [site.reason for site in sites]
