"""Arrays under several names, in containers and objects, then changed: the same numbers, an error or a word, never others."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import torch

import ivy_convert

HEAD = """\
import collections
import copy
import functools
import types
from dataclasses import dataclass
from typing import NamedTuple
import torch

G = []
Pair = collections.namedtuple("Pair", "a b")


class TPair(NamedTuple):
    a: torch.Tensor
    b: torch.Tensor


@dataclass
class State:
    a: torch.Tensor


class Box:
    def __init__(self, a):
        self.a = a

    def put(self, a):
        self.a = a

    def get(self):
        return self.a

    @property
    def prop(self):
        return self.a

    def __getitem__(self, k):
        return self.a


class Ctx:
    def __init__(self, a):
        self.a = a

    def __enter__(self):
        return self.a

    def __exit__(self, *args):
        return False


@functools.lru_cache()
def cached(a):
    return a


"""
CASES = {
    "lambda default": "y = x * 1\n    g = lambda v, y=y: y + v\n    y.add_(1)\n    return g(1)",
    "partial": "y = x * 1\n    g = functools.partial(torch.add, y)\n    y.add_(1)\n    return g(1)",
    "dataclass": "y = x * 1\n    s = State(y)\n    y.add_(1)\n    return s.a",
    "dataclass kw": "y = x * 1\n    s = State(a=y)\n    y.mul_(2)\n    return s.a + 1",
    "namedtuple": "y = x * 1\n    s = Pair(y, x)\n    y.add_(1)\n    return s.a",
    "typed namedtuple": "y = x * 1\n    s = TPair(y, x)\n    y.add_(1)\n    return s.a",
    "simplenamespace": "y = x * 1\n    s = types.SimpleNamespace(a=y)\n    y.add_(1)\n    return s.a",
    "dict()": "y = x * 1\n    s = dict(a=y)\n    y.add_(1)\n    return s['a']",
    "zip": "y = x * 1\n    s = list(zip([y], [x]))\n    y.add_(1)\n    return s[0][0]",
    "star": "y = x * 1\n    s = [y]\n    t = [*s, x]\n    y.add_(1)\n    return t[0]",
    "plus": "y = x * 1\n    t = [x] + [y]\n    y.add_(1)\n    return t[1]",
    "deque": "y = x * 1\n    d = collections.deque(maxlen=3)\n    d.append(y)\n    y.add_(1)\n    return d[0]",
    "appendleft": "y = x * 1\n    d = collections.deque()\n    d.appendleft(y)\n    y.add_(1)\n    return d[0]",
    "setdefault": "y = x * 1\n    d = {}\n    d.setdefault('a', y)\n    y.add_(1)\n    return d['a']",
    "update": "y = x * 1\n    d = {}\n    d.update(a=y)\n    y.add_(1)\n    return d['a']",
    "update dict": "y = x * 1\n    d = {}\n    d.update({'a': y})\n    y.add_(1)\n    return d['a']",
    "defaultdict": "y = x * 1\n    d = collections.defaultdict(list)\n    d['k'].append(y)\n    y.add_(1)\n    return d['k'][0]",
    "insert": "y = x * 1\n    d = [x]\n    d.insert(0, y)\n    y.add_(1)\n    return d[0]",
    "extend": "y = x * 1\n    d = [x]\n    d.extend([y])\n    y.add_(1)\n    return d[1]",
    "iadd list": "y = x * 1\n    d = [x]\n    d += [y]\n    y.add_(1)\n    return d[1]",
    "setattr": "y = x * 1\n    s = types.SimpleNamespace()\n    setattr(s, 'a', y)\n    y.add_(1)\n    return s.a",
    "attr": "y = x * 1\n    s = types.SimpleNamespace()\n    s.a = y\n    y.add_(1)\n    return s.a",
    "class attr obj": "y = x * 1\n    s = Box(y)\n    y.add_(1)\n    return s.get()",
    "class kept method": "y = x * 1\n    s = Box(x)\n    s.put(y)\n    y.add_(1)\n    return s.get()",
    "return of method": "s = Box(x * 1)\n    z = s.get()\n    z.add_(1)\n    return s.get()",
    "property": "s = Box(x * 1)\n    z = s.prop\n    z.add_(1)\n    return s.prop",
    "getattr": "s = Box(x * 1)\n    z = getattr(s, 'a')\n    z.add_(1)\n    return s.a",
    "getitem": "s = Box(x * 1)\n    z = s['k']\n    z.add_(1)\n    return s.a",
    "vars": "s = Box(x * 1)\n    z = vars(s)['a']\n    z.add_(1)\n    return s.a",
    "iter": "ys = [x * 1, x * 2]\n    for y in iter(ys):\n        y.add_(1)\n    return ys[0]",
    "enumerate": "ys = [x * 1, x * 2]\n    for i, y in enumerate(ys):\n        y.add_(i)\n    return ys[1]",
    "items": "d = {'a': x * 1}\n    for k, v in d.items():\n        v.add_(1)\n    return d['a']",
    "values": "d = {'a': x * 1}\n    for v in d.values():\n        v.mul_(2)\n    return d['a']",
    "reversed": "ys = [x * 1, x * 2]\n    for y in reversed(ys):\n        y.add_(1)\n    return ys[0]",
    "zip loop": "ys, zs = [x * 1], [x * 2]\n    for y, z in zip(ys, zs):\n        y.add_(z)\n    return ys[0]",
    "pop": "ys = [x * 1]\n    keep = ys[0]\n    y = ys.pop()\n    y.add_(1)\n    return keep",
    "next": "ys = [x * 1]\n    y = next(iter(ys))\n    y.add_(1)\n    return ys[0]",
    "min key": "ys = [x * 1]\n    y = max(ys, key=lambda t: float(t.sum()))\n    y.add_(1)\n    return ys[0]",
    "sorted": "ys = [x * 1, x * 2]\n    for y in sorted(ys, key=lambda t: float(t.sum())):\n        y.add_(1)\n    return ys[0]",
    "filter": "ys = [x * 1]\n    for y in filter(lambda t: True, ys):\n        y.add_(1)\n    return ys[0]",
    "map": "ys = [x * 1]\n    list(map(lambda t: t.add_(1), ys))\n    return ys[0]",
    "comprehension": "ys = [x * 1]\n    [t.add_(1) for t in ys]\n    return ys[0]",
    "generator": "def g(a):\n        yield a\n    y = x * 1\n    z = next(g(y))\n    z.add_(1)\n    return y",
    "try": "y = x * 1\n    z = y\n    try:\n        y.add_(1)\n    finally:\n        pass\n    return z",
    "walrus": "y = x * 1\n    if (z := y) is not None:\n        z.add_(1)\n    return y",
    "ternary": "y = x * 1\n    z = y if y.sum() > 0 else x\n    z = z.add_(1)\n    return y",
    "or": "y = x * 1\n    z = None or y\n    z.add_(1)\n    return y",
    "unpack star": "y = x * 1\n    a, *b = [x, y]\n    y.add_(1)\n    return b[0]",
    "with": "y = x * 1\n    with Ctx(y) as z:\n        z.add_(1)\n    return y",
    "nested func": "y = x * 1\n    def inner(v):\n        v.add_(1)\n    inner(y)\n    return y",
    "nested nonlocal": "y = x * 1\n    def inner():\n        nonlocal y\n        y = y + 1\n    z = y\n    inner()\n    return y, z",
    "stack unbind": "y = x * 1\n    a, b, c = y.unbind(0)\n    a.add_(1)\n    return y",
    "split": "y = x * 1\n    a, b = y.split([1, 2])\n    a.zero_()\n    return y",
    "chunk": "y = x * 1\n    parts = y.chunk(3)\n    parts[0].fill_(7)\n    return y",
    "meth chain": "y = x * 1\n    y[0].view(-1).squeeze().add_(1)\n    return y",
    "expand": "y = x[:1] * 1\n    z = y.expand(3, 4)\n    y.add_(1)\n    return z",
    "diag view": "y = x[:, :3] * 1\n    d = torch.diagonal(y)\n    d.add_(1)\n    return y",
    "as arg twice": "y = x * 1\n    def both(a, b):\n        a.add_(1)\n        return b\n    return both(y, y)",
    "cat keeps": "y = x * 1\n    z = torch.cat([y])\n    y.add_(1)\n    return z",
    "contiguous": "y = x * 1\n    z = y.contiguous()\n    z.add_(1)\n    return y",
    "to same": "y = x * 1\n    z = y.to(torch.float32)\n    z.add_(1)\n    return y",
    "float same": "y = x * 1\n    z = y.float()\n    z.add_(1)\n    return y",
    "reshape same": "y = x * 1\n    z = y.reshape(3, 4)\n    z.add_(1)\n    return y",
    "numpy": "y = x * 1\n    z = y.numpy()\n    y.add_(1)\n    return z",
    "from_numpy": "n = x.numpy().copy()\n    y = torch.from_numpy(n)\n    y.add_(1)\n    return n",
    "as_tensor": "y = x * 1\n    z = torch.as_tensor(y)\n    z.add_(1)\n    return y",
    "asarray": "y = x * 1\n    z = torch.asarray(y)\n    z.add_(1)\n    return y",
    "detach": "y = x * 1\n    z = y.detach()\n    z.add_(1)\n    return y",
    "clamp out": "y = x * 1\n    z = torch.clamp(y, 0, 1, out=y)\n    return y + z",
    "where": "y = x * 1\n    z = y[y > 0]\n    z.add_(1)\n    return y",
    "t_": "y = x * 1\n    z = y\n    y.t_()\n    return z",
    "resize": "y = x * 1\n    y.data = x * 2\n    return y",
    "swap": "y, z = x * 1, x * 2\n    y.data, z.data = z.data, y.data\n    return y",
    "set item slice alias": "y = x * 1\n    z = y[1:]\n    y[1] = 9\n    return z",
    "global": "G.append(x * 1)\n    z = G[-1]\n    z.add_(1)\n    return G[-1]",
    "cached": "y = cached(x * 1)\n    y.add_(1)\n    return y",
    "copy.copy": "y = [x * 1]\n    z = copy.copy(y)\n    y[0].add_(1)\n    return z[0]",
    "list copy": "y = [x * 1]\n    z = y.copy()\n    y[0].add_(1)\n    return z[0]",
    "slice list": "y = [x * 1, x]\n    z = y[:1]\n    y[0].add_(1)\n    return z[0]",
    "mult list": "y = [torch.zeros(2)] * 2\n    y[0].add_(1)\n    return y[1]",
    "dict copy": "y = {'a': x * 1}\n    z = dict(y)\n    y['a'].add_(1)\n    return z['a']",
    "dict union": "y = {'a': x * 1}\n    z = {**y}\n    y['a'].add_(1)\n    return z['a']",
    "tuple in": "y = x * 1\n    t = (y, x)\n    y.add_(1)\n    return t[0]",
    "return pair alias": "def two(a):\n        return a, a\n    p, q = two(x * 1)\n    p.add_(1)\n    return q",
}


def _leaves(value: Any) -> list[np.ndarray]:
    return (
        [leaf for part in value for leaf in _leaves(part)] if isinstance(value, (list, tuple)) else [np.asarray(value)]
    )


def _run(code: str, argument: Any) -> list[np.ndarray]:
    names: dict[str, Any] = {}
    exec(compile(code, "program.py", "exec"), names)
    return _leaves(names["f"](argument))


@pytest.mark.parametrize("annotation", [": torch.Tensor", ""], ids=["annotated", "plain"])
@pytest.mark.parametrize("name", CASES)
def test_never_silently_wrong(name: str, annotation: str) -> None:
    code = f"{HEAD}def f(x{annotation}):\n    {CASES[name]}\n"
    values = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    expected = _run(code, torch.tensor(values))
    result = ivy_convert.convert_source(code, source="torch", target="jax")
    if result.report.unsupported or result.report.review:
        return
    try:
        actual = _run(result.code, jnp.asarray(values))
    except (AttributeError, TypeError):
        return  # loud
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
