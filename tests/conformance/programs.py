"""Random programs over torch's functions: up to ten lines that compute with, look at and change a few arrays.

Each line is run in torch as it is drawn: only those that torch accepts stay, and what the next lines are drawn from are
the arrays that torch has made.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import torch

IMPORTS = "import torch\nimport torch.nn.functional as F\n\n\n"
#: Functions that programs may call.
FUNCTIONS = """\
def change(x: torch.Tensor):
    x.mul_(2)
    return x


def first(x: torch.Tensor):
    return x[0]


def both(x: torch.Tensor, y: torch.Tensor):
    x.add_(y)
    return x + y, y


"""
#: {x}, {y}, {w} stand for arrays, {d} and {e} for axes of {x}, {n} for a position, {s} for a number;
#: {i} and {j} for arrays of positions, {m} for a mask.
ELEMENTWISE = """
{x}.abs()  -{x}  torch.square({x})  {x}.abs().sqrt()  torch.exp(-{x}.abs())  torch.log1p({x}.abs())  torch.sin({x})
{x}.cos()  torch.tanh({x})  torch.sigmoid({x})  {x}.relu()  F.relu({x})  F.gelu({x})  F.silu({x})  F.softplus({x})
torch.floor({x})  {x}.ceil()  torch.round({x})  {x}.trunc()  torch.sign({x})  torch.isnan({x})  {x}.isfinite()
torch.logical_not({x})  ~{x}  torch.erf({x})  {x}.clamp(-1, 1)  {x}.clamp(min=0)  torch.clamp({x}, max={s})  {x} + {s}
{s} - {x}  {x} * {s}  {x} / {s}  {s} / ({x}.abs() + 1)  {x} // {s}  {x} % {s}  {x} ** 2  {x}.pow(2)  {x}.nan_to_num()
torch.expm1({x}.clamp(-3, 3))  F.leaky_relu({x}, 0.1)  F.elu({x})  F.hardtanh({x})  torch.atan({x})  {x} == {s}
{x} > {s}  {x} <= {s}  {x} != {s}  {x}.ge({s})  {x}.eq({s})  torch.rsqrt({x}.abs() + 1)  {x}.detach()  {x}.float()
{x}.clamp(-9, 9).nan_to_num().long()  ({x} > {s}).int()  {x}.bool()  {x}.double()  {x}.to(torch.float32)
{x}.type_as({y})  {x}.clone()  {x}.to({y}.dtype)  {x}.to({y})  {x}.abs().clamp(max=9).nan_to_num().byte()  {x}.frac()
torch.sinc({x})  torch.deg2rad({x})  {x}.half().float()
"""
BINARY = """
{x} + {y}  {x} - {y}  {x} * {y}  {x} / ({y}.abs() + 1)  {x} // ({y}.abs() + 1)  {x} % ({y}.abs() + 1)  {x} == {y}
{x} > {y}  {x} <= {y}  {x} != {y}  {x} & {y}  {x} | {y}  {x} ^ {y}  torch.maximum({x}, {y})  torch.min({x}, {y})
torch.where({x} > {s}, {x}, {y})  torch.where({y} == 0, {s}, {x})  torch.where({m}, {x}, {y})  torch.atan2({x}, {y})
torch.add({x} * 1, {y}, alpha=2)  {x}.sub({y}, alpha=3)  {x}.masked_fill({y} > 0, {s})  {x}.masked_fill({m}, {s})
torch.logical_and({x}, {y})  torch.addcmul({x}, {y}, {w}, value=2)  torch.lerp({x}, {y}, 0.25)  {x} @ {y}
{x} @ {y}.mT  torch.outer({x}.flatten(), {y}.flatten())  torch.dot({x}.flatten(), {x}.reshape(-1))
{x}.matmul({y}.transpose(-1, -2))  torch.cat([{x}, {y}], dim={d})  torch.cat(({x}, {x}), -1)
torch.stack([{x}, {y}], {d})  torch.stack([{x}, {x}])  {x}.expand_as({y})  {x}.reshape({y}.shape)  {x}.view_as({y})
torch.fmod({x}, {y}.abs() + 1)  torch.hypot({x}, {y})  torch.div({x}, {y}.abs() + 1, rounding_mode="floor")
torch.div({x}, {y}.abs() + 1, rounding_mode="trunc")  F.mse_loss({x}, {y})  F.l1_loss({x}, {y}, reduction="sum")
F.smooth_l1_loss({x}, {y})  F.linear({x}, {y})  F.cosine_similarity({x}, {y}, dim={d})  torch.isclose({x}, {y})
torch.allclose({x}, {y})  torch.equal({x}, {y})  torch.einsum("ij,jk->ik", {x}, {y})
torch.einsum("ij,kj->ik", {x}, {y})  torch.einsum("...i,...i->...", {x}, {x})  {x}[{y} > 0]  {x}[{x} > {s}]
{x}.masked_select({y} > 0)  torch.broadcast_to({x}, {y}.shape)  torch.cdist({x}, {y})  {x}.gather({d}, {i})
{x}.index_select({d}, {j})  {x}[{j}]  {x}[..., {j}]  torch.take({x}, {j})  F.one_hot({j}, 9)
{x}.scatter({d}, {i}, {s})  {x}.scatter_add({d}, {i}, {y})  {x}.index_add({d}, {j}, {y})
{x}.index_fill({d}, {j}, {s})  torch.take_along_dim({x}, {i}, {d})  {x}.index_copy({d}, {j}, {y})
torch.searchsorted({x}.flatten().sort()[0], {y})  torch.bincount({j})  torch.isin({x}, {y})  torch.heaviside({x}, {y})
torch.kron({x}, {y})  torch.tensordot({x}, {y}, 1)
"""
REDUCTIONS = """
{x}.sum()  {x}.sum({d})  {x}.sum(dim={d}, keepdim=True)  torch.sum({x}, (0, -1))  {x}.mean()  {x}.mean({d})
torch.mean({x}, dim={d}, keepdim=True)  {x}.max()  {x}.min()  {x}.max({d})[0]  {x}.max({d}).values  {x}.min({d})[0]
torch.max({x}, dim={d}, keepdim=True)[0]  {x}.argmax()  {x}.argmax({d})  torch.argmin({x}, dim={d}, keepdim=True)
{x}.amax({d})  {x}.amin(({d}, {e}))  {x}.prod()  {x}.prod({d})  {x}.all()  {x}.any({d})  torch.any({x})  {x}.std()
{x}.std({d})  {x}.var({d}, unbiased=False)  torch.var({x}, dim={d}, correction=0, keepdim=True)  {x}.norm()
{x}.norm(dim={d})  torch.linalg.norm({x})  torch.linalg.vector_norm({x}, dim={d})  {x}.norm(p=1)
torch.logsumexp({x}, {d})  {x}.median()  {x}.cumsum({d})  torch.cumprod({x}, dim={d})  {x}.softmax({d})
F.softmax({x}, dim={d})  F.log_softmax({x}, {d})  {x}.sort({d})[0]  torch.sort({x}, dim={d}, descending=True).values
{x}.topk(1, dim={d})[0]  {x}.diff(dim={d})  torch.count_nonzero({x})  torch.count_nonzero({x}, dim={d})  {x}.nonzero()
torch.unique({x})  {x}.cummax({d})[0]  F.normalize({x}, dim={d})  torch.aminmax({x})  {x}.median({d})[0]
torch.trace({x})  torch.diagonal({x}).sum()  F.layer_norm({x}, {x}.shape[-1:])  torch.quantile({x}, 0.5)
torch.nansum({x})  torch.std_mean({x})  {x}.kthvalue(1, {d})[0]
"""
VIEWS = """
{x}.reshape(-1)  {x}.view(-1)  {x}.flatten()  {x}.unsqueeze({d})  {x}.unsqueeze(-1)  {x}.squeeze()  {x}.squeeze({d})
{x}.transpose({d}, {e})  {x}.mT  {x}.t()  {x}.T  {x}[{n}]  {x}[..., {n}]  {x}[{n}:]  {x}[:, {n}]  {x}[None]  {x}[::2]
{x}[..., :1]  {x}[:, None]  {x}[-1]  {x}[{n}, ...]  {x}.select({d}, {n})  {x}.narrow({d}, 0, 1)
{x}.expand(2, *{x}.shape)  {x}.expand(-1, 3)  {x}.repeat(2, 1)  torch.tile({x}, (2,))  {x}.chunk(2, {d})[0]
{x}.split(1, dim={d})[-1]  {x}.unbind({d})[0]  torch.flip({x}, [{d}])  {x}.roll(1, {d})  torch.diag({x})
{x}.diagonal()  torch.tril({x})  {x}.triu(1)  {x}.contiguous()  torch.movedim({x}, {d}, {e})  {x}.permute(1, 0)
torch.permute({x}, (1, 0))  {x}.repeat_interleave(2, dim={d})  {x}.ravel()  {x}.view({x}.size(0), -1)
{x}.unfold({d}, 1, 1)  {x}.data  {x}.swapaxes({d}, {e})  F.pad({x}, (1, 0))  F.pad({x}, (0, 1), value={s})
torch.atleast_1d({x})  torch.atleast_2d({x})  {x}.unflatten({d}, (1, -1))  torch.rot90({x})  {x}.hsplit(1)[0]
{x}.real  torch.broadcast_tensors({x}, {y})[0]  torch.diag_embed({x})  torch.vstack(({x}, {x}))
{x}.view(1, *{x}.shape)
"""
CREATION = """
torch.zeros_like({x})  torch.ones_like({x})  torch.full_like({x}, {s})  torch.zeros({x}.shape)  torch.ones(2, 3)
torch.full((2, 3), {s})  torch.arange(3)  torch.arange(0.0, 1.5, 0.5)  torch.eye(3)  torch.tensor({s})
torch.tensor([1.0, 2.0, 3.0])  torch.tensor([[1, 2, 3], [0, 1, 2]])  {x}.new_zeros(3)  {x}.new_full((2, 3), 1)
{x}.new_tensor([1, 0, 2])  torch.linspace(0, 1, 3)  torch.zeros(2, 3, dtype=torch.long)  torch.zeros(3).bool()
torch.tensor([True, False, True])  torch.scalar_tensor({s})  torch.arange({x}.shape[0])  torch.zeros(2, {x}.size(-1))
{x}.new_ones({x}.shape)  torch.meshgrid({j}, {j}, indexing="ij")[0]
"""
CHANGES = """
{x}.add_({s})  {x}.add_({y})  {x}.sub_({y}, alpha=2)  {x}.mul_({s})  {x}.mul_({y})  {x}.div_(2)  {x} += {s}
{x} += {y}  {x} -= {y}  {x} *= {y}  {x} /= 2  {x} //= 2  {x} **= 2  {x} &= {y}  {x}.copy_({y})  {x}.fill_({s})
{x}.zero_()  {x}.neg_()  {x}.abs_()  {x}.clamp_(-1, 1)  {x}.relu_()  {x}.sin_()  {x}.masked_fill_({m}, {s})
{x}.masked_fill_({x} > {s}, {s})  {x}[{n}] = {s}  {x}[{n}] = {y}  {x}[:, {n}] = {s}  {x}[..., {n}] += {y}
{x}[:1] *= 2  {x}[{x} > {s}] = {s}  {x}[{m}] = {y}  {x}[{m}] += 1  {x}[{j}] = {s}  {x}[{j}] += 1  {x}[...] = {y}
{x}[:] = {s}  {x}[{n}].add_({s})  {x}[:1].copy_({y})  {x}[{n}].zero_()  {x}[:, 0].fill_({s})  {x}.t().add_({s})
{x}.view(-1)[0] = {s}  {x}.T[0] = {s}  {x}.transpose({d}, {e}).mul_(2)  {x}.unsqueeze(0).add_(1)  {x}.unsqueeze_(0)
{x}.squeeze_()  {x}.t_()  {x}.transpose_({d}, {e})  {x}.data.add_(1)  {x}.index_add_({d}, {j}, {y})
{x}.scatter_({d}, {i}, {s})  {x}.scatter_add_({d}, {i}, {y})  {x}.index_fill_({d}, {j}, {s})
{x}.index_copy_({d}, {j}, {y})  F.relu({x}, inplace=True)  torch.add({x}, {y}, out={x})  torch.mul({w}, 2, out={x})
{x}.addcmul_({y}, {w})  {x}.lerp_({y}, 0.5)  {x}.pow_(2)  {x}.logical_not_()  {x}.eq_({y})  {x}.cumsum_({d})
{x}.tril_()  {x}.add_({y}).mul_(2)  {x}.flatten().add_(1)  {x}.reshape(-1).add_(1)  {x}.diagonal().fill_({s})
{x}.expand(1, *{x}.shape).add_(1)  torch.relu_({x})  {x}.narrow({d}, 0, 1).add_({s})  {x}.select({d}, {n}).copy_({y})
{x}.chunk(2, {d})[0].mul_(2)  {x}.floor_()
"""
NUMBERS = """
{x}.sum().item()  {x}.size(0)  {x}.shape[-1]  {x}.dim()  len({x})  {x}.numel()  float({x}.mean())  int({x}.sum())
bool({x}.any())  {x}.max().item()  {x}.ndim  {x}.tolist()  tuple({x}.shape)
"""


def _templates(text: str) -> tuple[str, ...]:
    return tuple(part for line in text.splitlines() for part in line.split("  ") if part)


#: Values are assigned to names; changes and branches are statements of their own.
VALUES = tuple(map(_templates, (ELEMENTWISE, BINARY, REDUCTIONS, VIEWS, VIEWS, CREATION, NUMBERS)))
STATEMENTS = (
    *_templates(CHANGES),
    "if {x}.sum() > 0:\n    {y}.add_(1)",
    "if {x}.ndim > 1:\n    {x} = {y}\n{x}.mul_(2)",
    "for k in range(2):\n    {x}[k] += k",
    "for row in {x}:\n    row.add_(1)",
    "for k in range(2):\n    {x} = {x} + k\n    {x}.mul_({s})",
    "change({x})",
    "{y} = change({x})",
    "{x} = first({y})",
    "first({x}).add_({s})",
    "{x}, {y} = both({x}, {w})",
    "{x}, {y} = {y}, {x}",
    "pair = [{x}, {y}]\npair[0].mul_({s})",
    "named = {{'x': {x}}}\nnamed['x'] = named['x'] + 1\n{y} = named['x']",
    "{x}[0], {y} = {y}[0], {x}.clone()",
    "with torch.no_grad():\n    {x}.copy_({y})",
    "kept.append({x})",
    "kept.append({x}[0])",
)
#: What torch raises for lines that mean nothing.
REFUSALS = (RuntimeError, IndexError, TypeError, ValueError, AttributeError)
LINES, TRIALS = 10, 4


def run(body: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The names that statements leave behind when they are run on `arguments`."""
    names = {**arguments, "kept": []}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(IMPORTS + FUNCTIONS + body, names)
    return {name: value for name, value in names.items() if name == "kept" or (len(name) == 1 and name not in "Fk")}


def tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Fresh tensors with the values of arrays."""
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


@dataclass(frozen=True)
class Program:
    """A function `run` of named arrays; `arrays` are values to call it with."""

    code: str
    arrays: dict[str, np.ndarray]


def arguments(random: Random) -> dict[str, np.ndarray]:
    """Floats `a`, floats or integers `b`, positions `i` and `j`, a mask `m`; mostly of one shape or broadcastable."""
    shape = tuple(random.choices([1, 2, 3, 4], k=random.choice([1, 2, 2, 2, 3, 0])))
    other = random.choice([shape, shape, shape[1:], shape[-1:], ()])
    generator = np.random.default_rng(random.randrange(1000))
    a = generator.integers(-8, 9, shape) / np.float32(4)
    b = generator.integers(-8, 9, other) / np.float32(4) if random.random() < 0.5 else generator.integers(-3, 4, other)
    least = min(shape, default=1)
    return {
        "a": np.asarray(a, np.float32),
        "b": np.asarray(b, np.float32 if np.asarray(b).dtype.kind == "f" else np.int64),
        "i": np.asarray(generator.integers(0, least, shape), np.int64),
        "j": np.asarray(generator.integers(0, least, random.choice([2, 3])), np.int64),
        "m": np.asarray(generator.random(random.choice([shape, other])) > 0.5),
    }


def program(random: Random) -> Program:
    """A program of up to ten lines that torch runs; it returns some of its names, and all that it has kept."""
    arrays = arguments(random)
    lines: list[str] = []
    names = run("", tensors(arrays))
    for _ in range(random.randint(1, LINES)):
        for _ in range(TRIALS):
            line = _line(random, names)
            try:
                found = run("\n".join([*lines, line]), tensors(arrays))
            except REFUSALS:
                continue
            if all(map(_is_small, found.values())):
                lines, names = [*lines, line], found
                break
    known = sorted(set(names) - {"kept"})
    results = random.sample(known, random.randint(1, min(4, len(known))))
    text = "\n".join(["kept = []", *lines, f"return {', '.join(results)}, kept"])
    used = [name for name in arrays if re.search(rf"\b{name}\b", text)]
    parameters = ", ".join(f"{name}: torch.Tensor" for name in used)
    body = "".join(f"    {line}\n" for line in text.splitlines())
    header = IMPORTS + (FUNCTIONS if re.search(r"\b(change|first|both)\(", body) else "")
    return Program(f"{header}def run({parameters}):\n{body}", {name: arrays[name] for name in used})


def _line(random: Random, names: dict[str, Any]) -> str:
    arrays = sorted(name for name, value in names.items() if isinstance(value, torch.Tensor))
    preferred = [name for name in arrays if names[name].ndim and names[name].dtype == torch.float32]
    x = random.choice(preferred if preferred and random.random() < 0.6 else arrays)
    alike = [name for name in arrays if names[name].shape == names[x].shape]
    axes = range(-names[x].ndim, names[x].ndim) if names[x].ndim else (0, -1)
    parts = {
        "x": x,
        "y": random.choice(alike if random.random() < 0.5 else arrays),
        "w": random.choice(alike),
        "i": "i",
        "j": "j",
        "m": random.choice([name for name in arrays if names[name].dtype == torch.bool] or ["m"]),
        "d": random.choice(axes),
        "e": random.choice(axes),
        "n": random.choice([0, 1, -1]),
        "s": random.choice([2, 1, -1, 0.5, 3]),
    }
    if random.random() < 0.4:
        return random.choice(STATEMENTS).format(**parts)
    template = random.choice(random.choice(VALUES))
    return f"{random.choice(['c', 'd', 'e', 'f', 'a', x])} = {template.format(**parts)}"


def _is_small(value: Any) -> bool:
    """Whether a name's value is worth comparing: few elements, and numbers that no element type rounds away."""
    if isinstance(value, (list, tuple)):
        return all(map(_is_small, value))
    if not isinstance(value, torch.Tensor):
        return not isinstance(value, float) or abs(value) < 1e4
    if value.dtype == torch.bool or value.is_complex():
        return value.numel() <= 256
    finite = value[torch.isfinite(value)]
    return value.numel() <= 256 and bool(((finite > -1e4) & (finite < 1e4)).all())
