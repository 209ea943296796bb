"""Functions made from functions: derivatives and vmap agree with torch, from the fixture's own text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import torch
from flax import nnx

sys.path.insert(0, str(Path(__file__).parent))

from training_pairs import original, transfer

import ivy_convert

FIXTURE = Path(__file__).resolve().parents[2] / "fixtures" / "rules" / "vectorized_map" / "in.py"


def namespace(code: str) -> dict[str, Any]:
    """What the converted code defines; places left as they were only fail when they are called."""
    text = ivy_convert.convert_source(code, source="torch", target="jax").code
    names: dict[str, Any] = {"__name__": "converted"}
    exec(compile(text, "<converted>", "exec"), names)
    return names


@pytest.fixture(scope="module")
def pair() -> tuple[dict[str, Any], dict[str, Any]]:
    code = FIXTURE.read_text()
    return original(code), namespace(code)


def arrays(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape).astype(np.float32) for shape in shapes]


def assert_close(ours: Any, theirs: Any) -> None:
    """Equal structure and numbers; torch's sequences may be JAX's."""
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs)
        for name, value in theirs.items():
            assert_close(ours[name], value)
    elif isinstance(theirs, (tuple, list)):
        assert isinstance(ours, (tuple, list)) and len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert_close(our, their)
    else:
        value = ours.get_value() if hasattr(ours, "get_value") else ours
        np.testing.assert_allclose(value, theirs.detach().numpy(), rtol=1e-5, atol=1e-6)
        assert np.shape(value) == tuple(theirs.shape)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("distances", ((4, 3), (5, 3))),
        ("columns", ((4, 3),)),
        ("scaled", ((4, 4), (4,))),
        ("forces", ((2, 3), (3,))),
        ("second_order", ((4,), (4,))),
        ("at_a_point", ((4,), (4,))),
    ],
)
def test_values(pair: tuple[dict[str, Any], dict[str, Any]], name: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    given = arrays(*shapes)
    theirs = pair[0][name](*(torch.from_numpy(x) for x in given))
    assert_close(pair[1][name](*(jax.numpy.asarray(x) for x in given)), theirs)


def test_results_at_a_point_are_constants() -> None:
    code = """
import torch
from torch.autograd.functional import hessian, hvp, jacobian, vjp


def f(x: torch.Tensor):
    return (x**3).sum()


def constant(x: torch.Tensor):
    return (jacobian(f, x) * hessian(f, x).sum() * hvp(f, x, x)[1] * vjp(f, x)[1] * x).sum()


def followed(x: torch.Tensor):
    return (jacobian(f, x, create_graph=True) * hessian(f, x, True).sum() * hvp(f, x, x, True)[1] * x).sum()
"""
    theirs, ours = original(code), namespace(code)
    for name in ("constant", "followed"):
        x = torch.tensor([0.5, -1.0, 2.0], requires_grad=True)
        theirs[name](x).backward()
        gradient = jax.grad(ours[name])(jax.numpy.asarray(x.detach().numpy()))
        np.testing.assert_allclose(gradient, x.grad.numpy(), rtol=1e-4)


MODELS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4, affine=False)
        self.second = nn.Linear(4, 1)

    def forward(self, x):
        return self.second(torch.tanh(self.norm(self.first(x))))
"""


def both_models(pair: tuple[dict[str, Any], dict[str, Any]], name: str) -> tuple[Any, Any]:
    theirs = pair[0][name]()
    ours = pair[1][name](rngs=nnx.Rngs(0))
    transfer(theirs, ours)
    return theirs, ours


def test_gradients_of_samples(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = both_models((original(MODELS), namespace(MODELS)), "Net")
    theirs.eval()
    ours.eval()
    x, y = arrays((5, 3), (5,))
    expected = pair[0]["sample_gradients"](theirs, torch.from_numpy(x), torch.from_numpy(y))
    assert_close(pair[1]["sample_gradients"](ours, jax.numpy.asarray(x), jax.numpy.asarray(y)), expected)


def test_ensemble(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    definitions = original(MODELS), namespace(MODELS)
    models = [both_models(definitions, "Net") for _ in range(3)]
    for theirs, ours in models:
        theirs.eval()
        ours.eval()
    (x,) = arrays((5, 3))
    expected = pair[0]["ensemble"]([theirs for theirs, _ in models], torch.from_numpy(x))
    assert_close(pair[1]["ensemble"]([ours for _, ours in models], jax.numpy.asarray(x)), expected)


def test_functional_call_updates_buffers() -> None:
    code = MODELS + """

def run(model: Net, x: torch.Tensor, given: bool):
    states = {"second.bias": torch.ones(1)}
    if given:
        states["norm.running_mean"] = torch.zeros(4)
    out = torch.func.functional_call(model, states, x)
    return out, [value for name, value in model.named_buffers()], states
"""
    theirs, ours = definitions = original(code), namespace(code)
    (x,) = arrays((5, 3))
    for given in (False, True):
        model, converted = both_models(definitions, "Net")
        out, buffers, states = theirs["run"](model, torch.from_numpy(x), given)
        our_out, our_buffers, our_states = ours["run"](converted, jax.numpy.asarray(x), given)
        assert_close(our_out, out)
        assert_close(our_buffers, [b.float() for b in buffers])
        assert_close(our_states, states)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("torch.vmap(f, randomness='different')(x)", "split a key"),
        ("torch.func.functional_call(x, {}, x, tie_weights=False)", "tie_weights"),
        ("torch.func.jvp(f, (x,), (x,), strict=True)", "strict"),
        ("torch.autograd.functional.jacobian(f, x, create_graph=flag)", "True or False"),
    ],
)
def test_refused(line: str, reason: str) -> None:
    code = f"import torch\n\n\ndef g(x: torch.Tensor, f, flag: bool):\n    return {line}\n"
    result = ivy_convert.convert_source(code, source="torch", target="jax")
    assert any(reason in site.reason for site in result.report.unsupported), result.report.unsupported
    assert line in result.code
