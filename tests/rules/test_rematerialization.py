"""Values computed again for the gradient: results, gradients and statistics agree with torch."""

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

from training_pairs import converted, original, transfer, variables_of

import ivy_convert

CODE = (Path(__file__).resolve().parents[2] / "fixtures" / "rules" / "rematerialization" / "in.py").read_text()


def test_function_of_arrays() -> None:
    theirs, (ours, text) = original(CODE), converted(CODE, allow_review=True)
    generator = np.random.default_rng(0)
    x, y = (generator.standard_normal((4, 4)).astype(np.float32) for _ in range(2))
    given = torch.from_numpy(x).requires_grad_()
    theirs["energy"](given, torch.from_numpy(y)).backward()
    gradient = jax.grad(ours["energy"])(jnp.asarray(x), jnp.asarray(y))
    np.testing.assert_allclose(gradient, given.grad.numpy(), atol=1e-5)
    assert "jax.checkpoint(curve)(x, y)" in text
    assert "remat" in str(jax.make_jaxpr(jax.grad(ours["energy"]))(x, y))


def test_modules() -> None:
    theirs, (ours, _) = original(CODE), converted(CODE, allow_review=True)
    model, our_model = theirs["Net"](4), ours["Net"](4, rngs=nnx.Rngs(0))
    transfer(model, our_model)
    x = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32)

    def loss(model: nnx.Module, x: jax.Array) -> jax.Array:
        return (model(x) ** 2).sum()

    expected = (model(torch.from_numpy(x)) ** 2).sum()
    statistics = {name: buffer.clone() for name, buffer in model.named_buffers()}
    expected.backward()  # Changes torch's statistics a second time.
    value, grads = nnx.value_and_grad(loss)(our_model, jnp.asarray(x))
    np.testing.assert_allclose(value, expected.item(), rtol=1e-4)
    found = {".".join(map(str, path)): g.get_value() for path, g in nnx.to_flat_state(grads)}
    for name, parameter in model.named_parameters():
        np.testing.assert_allclose(found[name], parameter.grad.numpy(), rtol=1e-3, atol=1e-4, err_msg=name)
    ours_by_name = variables_of(our_model)
    for name, buffer in statistics.items():
        np.testing.assert_allclose(ours_by_name[name].get_value(), buffer.numpy(), rtol=1e-4, atol=1e-5)


def test_statistics_are_reviewed() -> None:
    reasons = {site.reason for site in ivy_convert.convert_source(CODE, source="torch", target="jax").report.review}
    assert len(reasons) == 1 and "statistics" in reasons.pop()
    plain = CODE.replace("BatchNorm1d", "LayerNorm")
    assert not ivy_convert.convert_source(plain, source="torch", target="jax").report.review


def test_refused() -> None:
    code = """
import torch
from torch.utils.checkpoint import checkpoint


def f(run, x: torch.Tensor, policy):
    return checkpoint(run, x, use_reentrant=False, context_fn=policy)
"""
    report = ivy_convert.convert_source(code, source="torch", target="jax").report
    assert "policy" in report.unsupported[0].reason


@pytest.mark.parametrize("hook", ["register_forward_hook(f)", "register_full_backward_hook(f)", "register_forward_pre_hook(f)"])
def test_hooks_are_refused(hook: str) -> None:
    code = f"from torch import nn\n\n\ndef g(model: nn.Linear, f):\n    return model.{hook}\n"
    result = ivy_convert.convert_source(code, source="torch", target="jax")
    assert "hooks have no counterpart" in result.report.unsupported[0].reason
    assert hook in result.code


def test_hook_of_an_array_is_refused() -> None:
    code = "import torch\n\n\ndef g(x: torch.Tensor, f):\n    x.register_hook(f)\n    return x\n"
    result = ivy_convert.convert_source(code, source="torch", target="jax")
    assert "jax.custom_vjp" in result.report.unsupported[0].reason
    assert "x.register_hook(f)" in result.code
