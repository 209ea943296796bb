"""Functions with gradients of their own: values and gradients agree with torch."""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import converted, original, transfer

import ivy_convert

CODE = (Path(__file__).resolve().parents[2] / "fixtures" / "rules" / "custom_gradients" / "in.py").read_text()


def assert_same_gradients(name: str, code: str, *arrays: np.ndarray) -> None:
    """The sum of `name(*arrays)` and its gradients, in torch and converted, also compiled."""
    theirs, (ours, _) = original(code), converted(code)
    given = [torch.from_numpy(x).requires_grad_() for x in arrays]
    value = theirs[name](*given).sum()
    value.backward()
    function = jax.value_and_grad(lambda *args: ours[name](*args).sum(), argnums=tuple(range(len(arrays))))
    for run in (function, jax.jit(function)):
        our_value, grads = run(*(jnp.asarray(x) for x in arrays))
        np.testing.assert_allclose(our_value, value.item(), rtol=1e-4)
        for ours_one, theirs_one in zip(grads, given, strict=True):
            np.testing.assert_allclose(ours_one, theirs_one.grad.numpy(), rtol=1e-4, atol=1e-5)


def draw(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape).astype(np.float32) for shape in shapes]


def test_module() -> None:
    theirs, (ours, text) = original(CODE), converted(CODE)
    model, our_model = theirs["QLayer"](), ours["QLayer"](rngs=nnx.Rngs(0))
    transfer(model, our_model)
    (x,) = draw((5, 4))
    expected = (model(torch.from_numpy(x)) ** 2).sum()
    expected.backward()
    value, grads = nnx.value_and_grad(lambda model: (model(jnp.asarray(x)) ** 2).sum())(our_model)
    np.testing.assert_allclose(value, expected.item(), rtol=1e-4)
    for name in ("weight", "scale"):
        np.testing.assert_allclose(grads[name].get_value(), getattr(model, name).grad.numpy(), rtol=1e-3, atol=1e-4)
    assert "Quantize.apply(self.weight[...], self.scale[...], 4)" in text


def test_constant_argument() -> None:
    assert_same_gradients("adversarial", CODE, *draw((3, 4)))


def test_plain_and_with_context() -> None:
    assert_same_gradients("everything", CODE, *draw((6, 4), (3, 4), (3,)))


def test_batches() -> None:
    ours, _ = converted(CODE)
    (x,) = draw((5, 4))
    each = jnp.stack([jax.grad(lambda row: (ours["Sign"].apply(row) ** 3 + row).sum())(row) for row in jnp.asarray(x)])
    mapped = jax.vmap(jax.grad(lambda row: (ours["Sign"].apply(row) ** 3 + row).sum()))(jnp.asarray(x))
    np.testing.assert_allclose(mapped, each, rtol=1e-6)


LEFT = """
import torch
from torch.autograd import Function


class Gate(Function):
    @staticmethod
    def forward(ctx, x, slope, mode):
        gate = (x > 0).float()
        ctx.slope = slope
        ctx.mode = mode
        ctx.save_for_backward(gate, None)
        ctx.mark_non_differentiable(gate)
        ctx.set_materialize_grads(False)
        return x * slope, gate

    @staticmethod
    def backward(ctx, grad, grad_gate):
        gate, nothing = ctx.saved_tensors
        if grad_gate is not None:
            grad = grad + grad_gate.sum() * 100
        if ctx.mode == "hard":
            return grad * gate, None, None
        return grad * (gate + ctx.slope * (1 - gate)), (grad * gate).sum(), None


def run(x: torch.Tensor, slope: torch.Tensor):
    first, gate = Gate.apply(x, slope, "hard")
    second, _ = Gate.apply(x, slope, "soft")
    return first * 2 + second**2 + gate * x


class Shared(Function):
    @staticmethod
    def forward(ctx, x, index):
        ctx.save_for_backward(index)
        ctx.size = x.size(0)
        return x[index]

    @staticmethod
    def backward(ctx, grad):
        index = ctx.saved_tensors[0]
        result = torch.zeros(ctx.size, dtype=grad.dtype)
        result.index_add_(0, index, grad)
        return result, None


def pick(x: torch.Tensor):
    index = torch.tensor([0, 2, 2])
    return Shared.apply(x, index) ** 2
"""


@pytest.mark.parametrize(("name", "shapes"), [("run", ((4,), ())), ("pick", ((5,),))])
def test_with_context(name: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    arrays = [np.asarray(x) for x in draw(*shapes)]
    assert_same_gradients(name, LEFT, *arrays)


TEMPLATE = """
import torch


class Custom(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
{forward}

    @staticmethod
    def backward(ctx, grad):
        return grad
{more}
"""


@pytest.mark.parametrize(
    ("forward", "more", "reason"),
    [
        ("        ctx.mark_dirty(x)\n        return x.mul_(2)", "", "in place"),
        ("        return x", "    @staticmethod\n    def jvp(ctx, t):\n        return t", "custom_jvp"),
        ("        return x", "    @staticmethod\n    def vmap(info, dims, x):\n        return x, 0", "batches"),
    ],
)
def test_refused(forward: str, more: str, reason: str) -> None:
    code = TEMPLATE.format(forward=forward, more=more)
    result = ivy_convert.convert_source(code, source="torch", target="jax")
    assert any(reason in site.reason for site in result.report.unsupported), result.report.unsupported
    assert "torch.autograd.Function" in result.code
