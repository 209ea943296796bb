"""In-place changes: the converted code gives the numbers of the original, or says why it cannot."""


from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import ivy_convert

EQUAL = {
    "chain": "def f(x):\n    y = x + 1\n    y.mul_(2).add_(x, alpha=3).clamp_(max=4)\n    return y",
    "statement in one line": "def f(x):\n    y = x * 1\n    if True: y.neg_(); y.abs_()\n    return y",
    "value used": "def f(x):\n    y = x * 1\n    z = y.add_(1)\n    return y + z",
    "value of a dead array": "def f(x):\n    y = x * 1\n    return torch.cos(y.add_(1)) * 2",
    "temporary": "def f(x):\n    return torch.zeros(3, 4).fill_(2).add_(x)",
    "view of a dead base": "def f(x):\n    y = x * 2\n    row = y[0]\n    row.add_(1)\n    return row",
    "row": "def f(x):\n    y = x * 2\n    y[0].mul_(3)\n    y[-1][1:].zero_()\n    y[:, 1].copy_(x[:, 0])\n    return y",
    "copy converts and broadcasts": "def f(x):\n    y = torch.zeros(3, 4, dtype=torch.int32)\n    y.copy_(x[0])\n    return y",
    "fill diagonal": "def f(x):\n    y = x[:, :3].clone()\n    y.fill_diagonal_(5)\n    return y",
    "out": "def f(x):\n    y = torch.empty(3, 4)\n    torch.mul(x, 2, out=y)\n    torch.exp(y, out=y)\n    return y",
    "out row": "def f(x):\n    y = torch.zeros(3, 4)\n    torch.sin(x[0], out=y[1])\n    return y",
    "inplace": "def f(x):\n    y = x * 1\n    F.relu(y, inplace=True)\n    z = F.leaky_relu(y - 1, 0.1, True)\n    return y + z",
    "inplace keeps both names": "def f(x):\n    y = x * 1\n    z = F.relu(y, inplace=True)\n    return y, z",
    "function with underscore": "def f(x):\n    y = x * 1\n    torch.relu_(y)\n    return y",
    "stores": "def f(x):\n    y = x * 1\n    y[0] = 1\n    y[:, 1] = x[:, 0]\n    y[..., -1] += 2\n    y[1:, None] *= 3\n    return y",
    "nested stores": "def f(x):\n    y = x * 1\n    y[0][1] = 9\n    y[1:][0][2] = 8\n    y[1:3][1] += 5\n    return y",
    "loop": "def f(x):\n    y = torch.zeros(3, 4)\n    for i in range(3):\n        y[i] = x[i] * i\n    return y",
    "repeated index": "def f(x):\n    y = x * 1\n    i = torch.tensor([0, 0, 2])\n    y[i] += 1\n    return y",
    "list index": "def f(x):\n    y = x * 1\n    y[[0, 2]] = 3\n    y[[0, 1], [1, 2]] -= 3\n    return y",
    "mask": "def f(x):\n    y = x * 1\n    y[y > 0.25] = 0.25\n    y[y < 0] *= -2\n    return y",
    "mask of rows": "def f(x):\n    y = x * 1\n    m = x[:, 0] > 0\n    y[m] = 7\n    y[~m] = x[~m] * 2\n    return y",
    "mask and value of another": "def f(x):\n    y = x * 1\n    z = x + 5\n    m = x > 0\n    y[m] = z[m]\n    return y",
    "mask and array": "def f(x):\n    y = torch.zeros(3)\n    y[torch.tensor([True, False, True])] = x[0, :2]\n    return y",
    "number into integers": "def f(x):\n    y = torch.zeros(3, dtype=torch.int64)\n    y[y == 0] = 2.7\n    y[0] = 3.9\n    return y",
    "dictionary": "def f(x):\n    d = {'k': torch.zeros(3)}\n    d['k'][0] = 2\n    d['k'].add_(1)\n    d['k'] += 1\n    return d['k']",
    "loop appends": "def f(x):\n    out = []\n    for i in range(3):\n        y = torch.zeros(2)\n        y[0] = i\n        out.append(y)\n    return out",
    "augmented": "def f(x):\n    y = x * 1\n    y += x\n    y -= 1\n    y **= 2\n    return y",
    "data": "def f(x):\n    y = x * 1\n    y.data.add_(1)\n    y.data = y * 2\n    return y",
}
REFUSED = {
    "view": ("def f(x):\n    y = x * 1\n    row = y[0]\n    row.add_(1)\n    return y", "also changes y"),
    "alias": ("def f(x):\n    y = x * 1\n    z = y\n    y += 1\n    return z", "also changes z"),
    "reshaped": ("def f(x):\n    y = x * 1\n    flat = y.view(-1)\n    y[0] = 1\n    return flat", "also changes flat"),
    "through a view": ("def f(x):\n    y = x * 1\n    y.view(-1).add_(1)\n    return y", "no views"),
    "transposed": ("def f(x):\n    y = x * 1\n    y.T[0] = 1\n    return y", "no views"),
    "held in a list": ("def f(x):\n    y = x * 1\n    items = [y]\n    y.add_(1)\n    return items", "also changes items"),
    "twice in a list": ("def f(x):\n    y = x * 1\n    items = [y, y]\n    items[0].add_(1)\n    return items", "another item"),
    "repeated list": ("def f(x):\n    items = [torch.zeros(2)] * 3\n    items[0][0] = 1\n    return items", "another item"),
    "loop variable": ("def f(x):\n    y = x * 1\n    for row in y:\n        row.mul_(2)\n    return y", "also changes y"),
    "only for the caller": ("def f(x):\n    x.zero_()", "return the new array"),
    "store for the caller": ("def f(x: torch.Tensor):\n    x[0] = 1", "return the new array"),
    "in a list for the caller": ("def f(x):\n    items = [x]\n    items[0].mul_(2)", "return the new array"),
    "closure": ("def f(x):\n    y = x * 1\n    def g():\n        y.add_(1)\n    g()\n    return y", "enclosing scope"),
    "used in the same expression": ("def f(x):\n    y = x * 1\n    return y + y.add_(1)", "line of its own"),
    "view in the same expression": ("def f(x):\n    y = x * 1\n    v = y[0]\n    return v + y.add_(1)", "line of its own"),
    "copy by a mask": ("def f(x):\n    y = x * 1\n    y[y > 0].add_(1)\n    return y", "copy, not the array"),
    "tuple target": ("def f(x):\n    y = x * 1\n    y[0], y[1] = 1, 2\n    return y", "line of its own"),
    "two stores of a chain": ("def f(x):\n    y = x * 1\n    y.mul_(2).add_(y)\n    return y", "split the chain"),
    "in a comprehension": ("def f(x):\n    return [row.add_(1) for row in x.clone()]", "line of its own"),
    "callee keeps its argument": (
        "class Box:\n    def put(self, v: torch.Tensor):\n        self.v = v\n\n"
        "def f(x, box: Box):\n    y = x * 1\n    box.put(y)\n    y.add_(1)\n    return y", "what box.put keeps"),
    "result shares the argument": (
        "def first(v: torch.Tensor):\n    return v[0]\n\ndef f(x):\n    y = x * 1\n    z = first(y)\n    z.add_(1)\n    return y",
        "also changes y"),
}  # fmt: skip
_HEADER = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n"


def _convert(source: str) -> ivy_convert.ConversionResult:
    return ivy_convert.convert_source(
        _HEADER + source.replace("f(x)", "f(x: torch.Tensor)").replace("f(x, box", "f(x: torch.Tensor, box") + "\n",
        source="torch",
        target="jax",
    )


def _names(code: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile(code, "<converted>", "exec"), namespace)
    return namespace


def _flat(value: Any) -> list[np.ndarray]:
    if isinstance(value, (list, tuple)):
        return [array for item in value for array in _flat(item)]
    return [np.asarray(value)]


def _input() -> np.ndarray:
    return np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize("source", EQUAL.values(), ids=EQUAL)
def test_numbers_are_equal(source: str) -> None:
    import jax.numpy as jnp

    result = _convert(source)
    assert not result.report.unsupported and not result.report.review
    expected = _flat(_names(_HEADER + source)["f"](torch.from_numpy(_input())))
    got = _flat(_names(result.code)["f"](jnp.asarray(_input())))
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        assert one.dtype.kind == other.dtype.kind


@pytest.mark.parametrize(("source", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused_with_a_reason(source: str, reason: str) -> None:
    sites = _convert(source).report.unsupported
    assert any(reason in site.reason for site in sites), [site.reason for site in sites]


def test_mask_stores_work_under_jit() -> None:
    import jax

    code = _convert(
        "def f(x: torch.Tensor):\n    y = x * 1\n    y[y > 0] = 0\n    y[x[:, 0] < 0] *= 2\n    return y"
    ).code
    function = _names(code)["f"]
    np.testing.assert_allclose(jax.jit(function)(_input()), function(_input()))


def test_a_changed_argument_is_reported() -> None:
    result = _convert("def f(x: torch.Tensor):\n    x[0] = 1\n    return x * 2")
    assert [site.reason for site in result.report.review] == [
        "the store to x[0] changes the caller's x in place in torch, but not in jax; use the returned array in the caller"
    ]


def test_an_argument_that_no_caller_reads_again_needs_no_report() -> None:
    source = "def g(x: torch.Tensor):\n    x += 1\n    return x * 2\n\ndef f(x):\n    y = x + 1\n    y = g(y)\n    return g(y * 3)"
    result = _convert(source)
    assert not result.report.review and not result.report.unsupported
    kept = _convert(source.replace("y = g(y)", "z = g(y)\n    y = y + z"))
    assert len(kept.report.review) == 1


_MODULE = """
class Tracker(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(4))
        self.weight = nn.Parameter(torch.ones(4))
        self.last = torch.zeros(4)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        self.mean.mul_(0.9).add_(x.mean(0), alpha=0.1)
        self.mean[0] = 5
        self.mean[self.mean < 0] = 0
        self.mean += 1
        self.last.copy_(x[0])
        self.last[1] += 2
        self.weight.data.mul_(2)
        self.weight.data[0] = 3
        hidden = x * self.weight
        gated = self.act(hidden)
        return gated + hidden + self.last
"""


def test_parameters_and_buffers_change_in_place() -> None:
    from flax import nnx

    result = _convert(_MODULE)
    assert not result.report.unsupported
    original = _names(_HEADER + _MODULE)["Tracker"]()
    converted = _names(result.code)["Tracker"](rngs=nnx.Rngs(0))
    for _ in range(2):
        expected = original(torch.from_numpy(_input())).detach().numpy()
        np.testing.assert_allclose(converted(_input()), expected, rtol=1e-5)
    np.testing.assert_allclose(converted.mean[...], original.mean.numpy(), rtol=1e-5)
    np.testing.assert_allclose(converted.weight[...], original.weight.detach().numpy(), rtol=1e-5)
    assert isinstance(converted.weight, nnx.Param)


@pytest.mark.parametrize(
    ("call", "low", "high", "mean", "spread"),
    [("uniform_(-2, 4)", -2, 4, 1, 3**0.5), ("uniform_()", 0, 1, 0.5, 12**-0.5), ("normal_(1, 0.5)", -4, 6, 1, 0.5),
     ("exponential_(2)", 0, 20, 0.5, 0.5), ("bernoulli_(0.25)", 0, 1, 0.25, 0.1875**0.5)],
)  # fmt: skip
def test_random_fills_follow_their_distribution(
    call: str, low: float, high: float, mean: float, spread: float
) -> None:
    drawn = np.asarray(_names(_convert(f"def f():\n    return torch.empty(20000).{call}").code)["f"]())
    assert drawn.min() >= low and drawn.max() <= high
    assert abs(drawn.mean() - mean) < 0.05 and abs(drawn.std() - spread) < 0.05
