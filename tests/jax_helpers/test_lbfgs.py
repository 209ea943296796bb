"""LBFGS against torch's: the same parameters after each of ten steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx

from ivy_convert.api_maps.jax.helpers.lbfgs import LBFGS

INPUTS = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
TARGETS = np.sin(INPUTS.sum(1, keepdims=True)).astype(np.float32)
STARTS = {
    "first": np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32),
    "bias": np.zeros(8, np.float32),
    "second": np.random.default_rng(2).standard_normal((8, 1)).astype(np.float32),
}


class Net(nnx.Module):
    def __init__(self, dtype=jnp.float32):
        self.first, self.bias, self.second = (nnx.Param(jnp.asarray(value, dtype)) for value in STARTS.values())

    def __call__(self, x):
        return jnp.tanh(x @ self.first + self.bias) @ self.second


def torch_steps(arguments, dtype, steps=10):
    """Losses, parameters after each step, and how often the loss was computed."""
    parameters = [torch.nn.Parameter(torch.tensor(value, dtype=dtype)) for value in STARTS.values()]
    optimizer = torch.optim.LBFGS(parameters, **arguments)
    inputs, targets = torch.tensor(INPUTS, dtype=dtype), torch.tensor(TARGETS, dtype=dtype)
    found, calls = [], []

    def closure():
        optimizer.zero_grad()
        first, bias, second = parameters
        loss = ((torch.tanh(inputs @ first + bias) @ second - targets) ** 2).mean()
        loss.backward()
        calls.append(loss.item())
        return loss

    for _ in range(steps):
        loss = optimizer.step(closure)
        found.append([loss.item(), *(p.detach().numpy().copy() for p in parameters)])
    return found, calls


def jax_steps(arguments, dtype, steps=10):
    """The same with the helper."""
    model = Net(dtype)
    inputs, targets = jnp.asarray(INPUTS, dtype), jnp.asarray(TARGETS, dtype)
    optimizer = LBFGS([model.first, model.bias, model.second], **arguments)
    found, calls = [], []

    def closure():
        loss, grads = nnx.value_and_grad(lambda model: ((model(inputs) - targets) ** 2).mean())(model)
        calls.append(loss.item())
        return loss, grads

    for _ in range(steps):
        loss = optimizer.step(model, closure)
        found.append([loss.item(), *(np.array(p[...]) for p in (model.first, model.bias, model.second))])
    return found, calls


@pytest.mark.parametrize(
    "arguments",
    [
        {"lr": 0.1, "max_iter": 3},
        {"lr": 0.1, "max_iter": 4, "history_size": 5},
        {"line_search_fn": "strong_wolfe", "max_iter": 4},
        {"lr": 0.5, "line_search_fn": "strong_wolfe", "max_iter": 6, "history_size": 3},
        {"line_search_fn": "strong_wolfe", "max_iter": 6, "max_eval": 4},
        {"lr": 5.0, "line_search_fn": "strong_wolfe", "max_iter": 2},
        {"lr": 0.1, "max_iter": 5, "tolerance_grad": 0.5},
        {"lr": 0.1, "max_iter": 5, "tolerance_change": 0.05},
    ],
    ids=str,
)
def test_ten_steps(arguments):
    """In double precision, since the steps of L-BFGS magnify rounding; the first ones in single precision as well."""
    with jax.enable_x64(True):
        expected, calls = torch_steps(arguments, torch.float64)
        found, own_calls = jax_steps(arguments, jnp.float64)
    assert own_calls == pytest.approx(calls, rel=1e-6, abs=1e-9)
    assert_equal(found, expected, 1e-6)
    assert_equal(jax_steps(arguments, jnp.float32, 2)[0], torch_steps(arguments, torch.float32, 2)[0], 2e-4)


def assert_equal(found, expected, tolerance):
    for one, other in zip(found, expected, strict=True):
        for own, value in zip(one, other, strict=True):
            np.testing.assert_allclose(own, value, rtol=tolerance, atol=tolerance)


def test_the_history_forgets_the_oldest_pair():
    arguments = {"lr": 0.2, "max_iter": 1, "history_size": 2}
    assert_equal(jax_steps(arguments, jnp.float32, 8)[0], torch_steps(arguments, torch.float32, 8)[0], 2e-4)


def test_groups_and_wrong_arguments():
    model = Net()
    assert LBFGS([{"params": [model.first], "lr": 0.5}]).param_groups[0]["lr"] == 0.5
    with pytest.raises(ValueError, match="parameter groups"):
        LBFGS([{"params": [model.first]}, {"params": [model.bias]}])
    with pytest.raises(ValueError, match="empty"):
        LBFGS([])
    with pytest.raises(RuntimeError, match="strong_wolfe"):
        LBFGS([model.first], line_search_fn="armijo")
