"""Where a plain spelling is written instead of a helper, it computes what torch does: also where it is easily wrong.

Each function stands with the inputs on which torch and the converted function are compared, values and gradients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

import ivy_convert

from .row_running import InvalidCall, compare, compare_gradients, run_jax, run_torch

HEADER = "import torch\nimport torch.nn.functional as F\nfrom torch import Tensor\n\n\n"
random = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return np.asarray(random.standard_normal(shape), np.float32)


def steps(*shape: int) -> np.ndarray:
    """Halves from -1 to 1: many zeros, ties, and values at bounds."""
    return np.asarray(random.integers(-2, 3, shape) / 2, np.float32)


def integers(*shape: int, high: int = 3) -> np.ndarray:
    return np.asarray(random.integers(0, high, shape))


TIES, EMPTY, SCALAR = steps(3, 4), floats(0, 4), np.float32(-1.0)[()]
ODD = np.array([[np.nan, 1.0, -np.inf, np.inf], [-0.0, 0.0, np.nan, -1.0]], np.float32)
ANY = [floats(3, 4), TIES, np.zeros((2, 4), np.float32), ODD, EMPTY, integers(3, 4)]

#: Function → the arrays that each of its calls takes.
CASES: dict[str, list[tuple[np.ndarray, ...]]] = {
    # No gradient passes: the plain function is as good as the helper.
    "def f(x: Tensor):\n    return torch.where(x.abs() < 0.5, x, x * 2)": [(x,) for x in [*ANY, SCALAR]],
    "def f(x: Tensor):\n    return x * x.detach().abs()": [(x,) for x in [*ANY, SCALAR]],
    "def f(x: Tensor):\n    size = x.abs()\n    large = size > 0.5\n    return torch.where(large, x, 0), size.argmax()": [(TIES,), (ODD,)],
    "def f(x: Tensor):\n    return (x * 2).long().clamp(0, 1) * x, x.clamp(-1, 1).floor()": [(TIES,), (floats(5),), (integers(5),)],
    "def f(x: Tensor):\n    with torch.no_grad():\n        y = x.clamp(min=0.5).abs()\n    return x + y.detach()": [(x,) for x in ANY],
    "def f(x: Tensor):\n    return x * torch.arange(-2, 2).abs() + torch.linspace(-1, 1, 4).abs()": [(TIES,)],
    "def f(x: Tensor, y: Tensor):\n    return x * (torch.atan2(x, y) > 0)": [(TIES, steps(3, 4))],
    "def f(x: Tensor):\n    return x * (x.norm(dim=1, keepdim=True) > 1), x.std(1) > 0.5": [(TIES,), (np.zeros((2, 4), np.float32),)],
    "def f(x: Tensor):\n    return x * (x.max(1)[0] > 0)[:, None], x.min(dim=-1).values.long()": [(TIES,), (floats(3, 4),)],
    # Norms whose gradient at a zero vector is 0.
    "def f(x: Tensor):\n    return x.norm(), x.norm(dim=-1), torch.norm(x, dim=0, keepdim=True)": [(TIES,), (np.zeros((2, 4), np.float32),), (ODD,), (EMPTY,)],
    "def f(x: Tensor):\n    return torch.linalg.norm(x, dim=1), torch.linalg.vector_norm(x), x.norm(2, 1)": [(TIES,), (np.zeros((2, 4), np.float32),), (floats(2, 3, 4),)],
    "def f(x: Tensor):\n    return F.normalize(x), F.normalize(x, dim=-1)": [(TIES,), (np.zeros((2, 4), np.float32),), (floats(2, 3, 4),)],
    # One part of a result.
    "def f(x: Tensor):\n    return x.max(1)[1], x.min(dim=-1, keepdim=True).indices, torch.sort(x, dim=0)[1]": [(x,) for x in (floats(3, 4), TIES, ODD, integers(3, 4))],
    "def f(x: Tensor):\n    return torch.sort(x, dim=0).values, x.sort()[0], x.argsort(dim=1, descending=True)": [(floats(3, 4),), (ODD,), (EMPTY,), (integers(3, 4),)],
    "def f(x: Tensor):\n    v, i = x.topk(2)\n    return v, i, x.topk(3, dim=-1)[0], torch.topk(x, 0).indices": [(floats(3, 4),), (floats(2, 3, 4),)],
    "def f(x: Tensor):\n    _, i = x.max(0)\n    v, _ = x.sort(1)\n    return i, v": [(floats(3, 4),), (ODD,), (integers(3, 4),)],
    # Broadcasting to a shape of which some sizes stay.
    "def f(x: Tensor):\n    n = x.shape[0]\n    return x.expand(2, -1, -1), x[:, None].expand(-1, n, -1), x[..., None].expand(-1, -1, 2)": [(floats(3, 4),), (EMPTY,), (integers(3, 4),)],
    "def f(x: Tensor):\n    return x.expand(2, 3, -1), x.unsqueeze(0).expand(x.shape[0], -1, -1)[0]": [(floats(1, 4),), (floats(3, 4),)],
    "def f(x: Tensor, y: Tensor):\n    return x.expand(y.shape), x.expand(*y.shape[:-1], -1), x.expand(2, *y.shape)": [(floats(1, 4), floats(3, 4)), (floats(4), floats(3, 4))],
    "def f(x: Tensor):\n    return x.sum().expand(3), torch.eye(2).expand(len(x), 2, 2) * 1": [(floats(3, 4),)],
    "def f(x: Tensor):\n    return x.unsqueeze(-1).expand(-1, -1, 5), (x + 1)[None].expand(3, -1, -1)": [(floats(3, 1),), (floats(2, 5),)],
    # Bounds that are numbers.
    "def f(x: Tensor, eps: float = 0.5):\n    return x.clamp(min=0), torch.clamp(x, -1, 0.5), x.clamp_max(1), x.clamp(min=eps)": [(x,) for x in (floats(3, 4), TIES, EMPTY, SCALAR, integers(3, 4))],
    "def f(x: Tensor, y: Tensor):\n    return x.clamp(1, 0), x.clamp(min=float('nan')), x.clamp(-0.5, y.shape[0] - 2), (x - y).clamp(-1, 1), (x + y).clamp(max=0.5)": [(x, x) for x in ANY] + [(TIES, steps(3, 4))],
    "def f(x: Tensor, y: Tensor):\n    x = (x + y).clamp(0, 1)\n    return x.clamp(min=y), x.clamp(max=y[0] - 1)": [(TIES, steps(3, 4)), (ODD, ODD), (floats(3, 4), floats(1, 4))],
    # Absolute values: relu takes the gradient away at 0.
    "def f(x: Tensor):\n    return x.abs(), torch.abs(x - 0.5) * 2, abs(x[:1]), [(row - 1).abs() for row in x], x / x.abs().sum(), torch.where(x.isnan(), 0, x.abs())": [(x,) for x in ANY],
    "def f(x: Tensor):\n    y = x.abs()\n    y += (x - 1).abs()\n    sizes = []\n    sizes.append((x * 2).abs())\n    return sizes, y": [(x,) for x in ANY],
    "def f(x: Tensor):\n    y = torch.zeros_like(x)\n    y[0] = x[0].abs()\n    return y": [(TIES,), (ODD,)],
    "def f(x: Tensor):\n    y = torch.zeros(3, 4)\n    y[0] = x[0]\n    z = torch.zeros(3, 4)\n    z += x\n    return y.abs(), z.abs()": [(TIES,)],
    "def f(x: Tensor):\n    value = 1\n    for i in range(2):\n        value = value + (x - i).abs() + (x + i).clamp(0, 1)\n    return value": [(TIES,), (ODD,)],
    "def f(x: Tensor):\n    return (x * 2).sum(1, keepdim=True).expand(-1, 3), (x + 1).sqrt()[None].exp().expand(x.shape[0], -1, -1)": [(floats(3, 4),), (EMPTY,)],
    "def f(x: Tensor):\n    return x[:, :1].unsqueeze(-1).expand(-1, 5, 5), x[:, 1:2].expand(-1, 3)": [(floats(3, 4),), (EMPTY,)],
    # Of ties, the entry that the index names has the gradient.
    "def f(x: Tensor):\n    v, i = x.max(1)\n    w, j = (x + 1).min(-2, keepdim=True)\n    k, l = x.min(dim=0)\n    return v, i, w, j, k > 0, l": [(TIES,), (ODD,), (integers(3, 4),), (np.zeros((2, 4), np.float32),)],
    "def f(x: Tensor):\n    return x.max(1)[0], (x * 2).min(-1, keepdim=True).values, x * (x.abs().max(0).values > 0)": [(TIES,), (ODD,), (integers(3, 4),)],
    "def f(x: Tensor):\n    x, _ = x.max(-1)\n    return x * 2": [(TIES,), (floats(2, 3, 4),)],
    "def f(x: Tensor):\n    v, i = x.sort()\n    w, j = torch.sort(x + 1, dim=0, descending=True)\n    return v, i, w, j, torch.sort(x, descending=True)[0]": [(floats(3, 4),), (TIES,), (ODD,), (integers(3, 4),), (EMPTY,)],
    "def f(x: Tensor, y: Tensor):\n    z = (x * 2).masked_fill(y > 0, 1)\n    return z, x.masked_fill(x > 0, 1)": [(TIES, TIES), (integers(3, 4), TIES), (ODD, ODD)],
    # Rows by number, and numbers as rows.
    "def f(x: Tensor):\n    b, n = x.shape\n    i = (x[0] > 0).long() * 0\n    k = x[0].long()[0] * 0\n    return x.index_select(0, i), x.index_select(-1, k), F.one_hot(i, n)": [(TIES,), (integers(3, 4),)],
    "def f(x: Tensor, y: Tensor):\n    b, n = x.shape\n    y = y.view(b, n)\n    mask = x.sum(1) > 0\n    v = x[:, 0] * 2\n    w = y[:, 0] + 0\n    v[mask] = w[mask]\n    w[mask] = -1\n    return v, w": [(floats(3, 4), floats(3, 4)), (TIES, TIES)],
    # Axes that may have length 1, and pieces.
    "def f(x: Tensor):\n    return x.squeeze(0), x.squeeze(-1) * 2, torch.squeeze(x.sum(1), dim=0), x.unsqueeze(0).squeeze(1), x.sum().squeeze(0)": [(floats(3, 4),), (floats(1, 4),), (floats(3, 1),), (EMPTY,)],
    "def f(x: Tensor):\n    n = len(x) + 1\n    a, *b = x.split(n - 2, dim=1)\n    c, d = (x * 2).split([1, n - 1], -1)\n    e = x.split((1, 2, 1), 1)[1]\n    return a, b, c, d, e, [part.sum() for part in x.split(2)]": [(floats(3, 4),)],
    "def f(x: Tensor, sizes: list[int] = [2, 1]):\n    return x.split(sizes)[1], list((x + 1).split([len(sizes), 1], 0)), [part.sum() for part in x.split(sizes)]": [(floats(3, 4),), (TIES,)],
    "def f(x: Tensor):\n    return list(x.split(3))": [(floats(3, 4),), (EMPTY,), (floats(7, 2),), (floats(2, 3),)],
    # An index that is shorter than the array.
    "def f(x: Tensor):\n    b, n = x.shape\n    i = torch.arange(b)[:, None] % n\n    return x.gather(1, i), x.gather(-1, (i[:2] + 1) % n), x.gather(0, i[:1] % b), x[0].gather(0, i[:, 0] % n), x[:, None].gather(-1, i[:, None] % n)": [(floats(3, 4),), (steps(2, 5),), (integers(3, 4),)],
    "def f(x: Tensor):\n    b, n = x.shape\n    return x.gather(1, torch.zeros(0, 2).long()), x.gather(1, torch.zeros(b, 0).long()), x.gather(0, torch.zeros(0, 0).long())": [(floats(3, 4),), (EMPTY,)],
    # Padding and cropping by amounts that are not numbers in the text.
    "def f(x: Tensor):\n    n, m = x.shape[0], x > 0\n    return F.pad(x, (n - 2, 2 - n)), F.pad(x, (1, n, 0, n), value=-0.5), F.pad(m, (n, -1), value=True)": [(x,) for x in ANY],
    "def f(x: Tensor):\n    n = len(x)\n    return F.pad(x, (n - n % 2, n % 2), value=float('-inf')), F.pad(x, (n // 2, n // 3), mode='replicate'), F.pad(x, (n // 2, 1), mode='reflect'), F.pad(x, (1, n), mode='circular')": [(floats(3, 4),)],
    "def f(x: Tensor):\n    y = F.pad(x + 1, (1, 1), 'reflect')\n    return y, F.pad(x * 2, (1, 0, len(x) - 1, 0)), F.pad(x[:1], [0, 1])": [(floats(3, 4),), (floats(2, 3, 4),)],
    # Convolutions of arrays with a batch axis.
    "def f(x: Tensor, y: Tensor):\n    b, c, h, w = x.shape\n    return F.conv2d(x, y), F.conv2d(x, y, stride=(2, 1), padding=(h // 2, 1), dilation=2), F.conv2d(x.reshape(b * c, 1, h, w), y[:, :1], None, 2, padding=1)": [(floats(2, 3, 5, 6), floats(4, 3, 2, 2))],
    "def f(x: Tensor, y: Tensor):\n    b, c, h, w = x.shape\n    return F.conv2d(x, y[:c, :1], padding=1, groups=c), F.conv1d(x[0], x[1][:, :, :2], padding=1), F.conv3d(x[:, None], y[:1, :1][None], padding=(0, 1, 0))": [(floats(2, 3, 5, 6), floats(3, 3, 2, 2))],
    # Windows along an axis.
    "def f(x: Tensor):\n    n = len(x)\n    return x.unfold(0, 2, 1), x.unfold(-1, n, 2), (x * 2).unfold(1, n - 1, n), x[None].unfold(-2, 3, 1), x.unfold(0, 2, 1).unfold(1, 2, 2)": [(x,) for x in (floats(3, 4), ODD[:, None].repeat(2, 1).reshape(4, 4), integers(3, 4), floats(5, 6))],
    # Stores under a mask that was computed from the whole array.
    "def f(x: Tensor):\n    y = x.clone()\n    y[y < 0] = -2\n    y[torch.isnan(y) | (y == 1)] = 0.5\n    return y": [(x,) for x in [*ANY, SCALAR]],
    # Distinct values.
    "def f(x: Tensor):\n    return torch.unique(x), x.unique(sorted=False, return_inverse=True)": [(TIES,), (ODD,), (EMPTY,), (SCALAR,), (integers(3, 4),), (TIES > 0,)],
    "def f(x: Tensor):\n    return torch.unique(x, return_counts=True), torch.unique(x, True, True, True)": [(TIES,), (ODD,)],
    "def f(x: Tensor):\n    return x.long().unique(), torch.unique((x > 0).long(), return_counts=True)": [(floats(3, 4),), (EMPTY,), (TIES,)],
    "def f(x: Tensor):\n    return torch.unique(x.long(), return_inverse=True)": [(TIES,), (steps(5),)],
}  # fmt: skip


def both(source: str) -> tuple[Callable[..., Any], Callable[..., Any], str]:
    """The function in torch and converted, and the converted text."""
    result = ivy_convert.convert_source(HEADER + source + "\n", "torch", "jax", "case.py")
    assert not result.report.unsupported, result.report.unsupported
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    exec(compile(HEADER + source, "case.py", "exec"), before)
    exec(compile(result.code, "converted.py", "exec"), after)
    return before["f"], after["f"], result.code


@pytest.mark.parametrize("source", CASES)
def test_plain(source: str) -> None:
    theirs, ours, code = both(source)
    assert "Helpers from ivy-convert" not in code
    ran = 0
    for arrays in CASES[source]:
        named: Mapping[str, np.ndarray] = dict(zip("xy", arrays, strict=False))
        try:
            results, followed, gradients = run_torch(theirs, named)
        except InvalidCall:
            continue
        ran += 1
        other, other_gradients = run_jax(ours, named, followed)
        assert compare(results, other) == "", (code, arrays)
        if gradients is not None and other_gradients is not None:
            assert compare_gradients(gradients, other_gradients) == "", (code, arrays)
    assert ran


#: What looks alike and has to keep torch's gradient or torch's meaning of -1.
HELPED = {
    "def f(x: Tensor):\n    return [(row + 1).clamp(0, 1) for row in x]": "clamp",
    "def f(x: Tensor):\n    return x * 2 if x.shape[0] < 2 else (x + 1).clamp(min=0)": "clamp",
    "def f(x: Tensor, high: float | None = None):\n    return x.clamp(0, high)": "clamp",
    "def f(x: Tensor):\n    y = x * 1\n    y.clamp_(0, 1)\n    return y * 2": "clamp",
    "def f(x: Tensor):\n    return x.max(1)": "max_with_indices",
    "def f(x: Tensor):\n    y, x = x.max(1)\n    return y * 1.0, x": "max_with_indices",
    "def f(x: Tensor):\n    return torch.sort(x, descending=True)": "sort",
    "def f(x: Tensor):\n    return x.topk(2, dim=0)[1]": "topk",
    "def f(x: Tensor):\n    return torch.unique(x, dim=0)": "unique",
    "def f(x: Tensor, n: int = -1):\n    return x.expand(n, -1)": "expand",
    "def f(x: Tensor):\n    return [row.sqrt().expand(3, -1) for row in x]": "expand",
    "def f(x: Tensor):\n    return [(row + 1).squeeze(0) for row in x]": "squeeze",
    "def f(x: Tensor):\n    parts = x.split(2)\n    return parts": "split",
    "def f(x: Tensor):\n    return x.norm(1, dim=1)": "norm",
    "def f(x: Tensor):\n    return F.normalize(x, eps=1.0)": "normalize",
}


@pytest.mark.parametrize("source", HELPED)
def test_helper_stays(source: str) -> None:
    theirs, ours, code = both(source)
    assert f"def {HELPED[source]}(" in code
    for x in (TIES, floats(3, 4)):
        results, followed, gradients = run_torch(theirs, {"x": x[:1] if "expand" in source else x})
        other, other_gradients = run_jax(ours, {"x": x[:1] if "expand" in source else x}, followed)
        assert compare(results, other) == ""
        if gradients is not None and other_gradients is not None:
            assert compare_gradients(gradients, other_gradients) == ""
