"""Both frameworks' random functions give the shared stream's numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from ivy_convert.verify.adapters.jax_adapter import JaxAdapter
from ivy_convert.verify.adapters.torch_adapter import TorchAdapter
from ivy_convert.verify.noise import NoiseStream

KEY = jax.random.key(3)
LOGITS = np.log(np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]], np.float32))
DRAWS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "rand": (lambda: torch.rand(2, 3), lambda: jax.random.uniform(KEY, (2, 3))),
    "uniform_": (
        lambda: torch.empty(2, 3).uniform_(-1, 3),
        lambda: jax.random.uniform(KEY, (2, 3), minval=-1, maxval=3),
    ),
    "randn": (lambda: torch.randn((4,)), lambda: jax.random.normal(KEY, (4,))),
    "randn_like": (lambda: torch.randn_like(torch.ones(2, 2)), lambda: jax.random.normal(KEY, (2, 2))),
    "normal": (lambda: torch.normal(torch.ones(3), 2.0), lambda: 2.0 * jax.random.normal(KEY, (3,)) + 1.0),
    "normal_size": (lambda: torch.normal(1.0, 2.0, (3,)), lambda: 2.0 * jax.random.normal(KEY, (3,)) + 1.0),
    "normal_": (lambda: torch.empty(5).normal_(0, 0.02), lambda: 0.02 * jax.random.normal(KEY, (5,))),
    "randint": (lambda: torch.randint(2, 9, (50,)), lambda: jax.random.randint(KEY, (50,), 2, 9)),
    "randint_named": (lambda: torch.randint(high=9, size=(5,)), lambda: jax.random.randint(KEY, (5,), 0, 9)),
    "randperm": (lambda: torch.randperm(7), lambda: jax.random.permutation(KEY, 7)),
    "bernoulli": (lambda: torch.bernoulli(torch.full((9,), 0.3)), lambda: jax.random.bernoulli(KEY, 0.3, (9,)) * 1.0),
    "exponential": (lambda: torch.empty(4).exponential_(), lambda: jax.random.exponential(KEY, (4,))),
    "gumbel": (lambda: -torch.empty(4).exponential_().log(), lambda: jax.random.gumbel(KEY, (4,))),
    "truncated": (
        lambda: torch.nn.init.trunc_normal_(torch.empty(6), a=-1, b=1),
        lambda: jax.random.truncated_normal(KEY, -1, 1, (6,)),
    ),
    "multinomial": (
        lambda: torch.multinomial(torch.tensor(np.exp(LOGITS)), 1),
        lambda: jax.random.categorical(KEY, jnp.asarray(LOGITS))[:, None],
    ),
    "dropout": (
        lambda: torch.nn.functional.dropout(torch.ones(4, 5), 0.4),
        lambda: jax.random.bernoulli(KEY, 0.6, (4, 5)) / 0.6,
    ),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_both_frameworks_draw_the_same(draw: str) -> None:
    with_torch, with_jax = DRAWS[draw]
    streams = NoiseStream(), NoiseStream()
    with TorchAdapter().noise(streams[0]):
        first, second = with_torch(), with_torch()
    with JaxAdapter().noise(streams[1]):
        expected = [np.asarray(with_jax()), np.asarray(with_jax())]
    np.testing.assert_allclose(first.numpy(), expected[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second.numpy(), expected[1], rtol=1e-5, atol=1e-6)
    assert streams[0].log == streams[1].log
    assert draw == "multinomial" or not np.array_equal(expected[0], expected[1])


def test_functions_are_put_back() -> None:
    before = torch.rand, torch.Tensor.normal_, jax.random.normal
    with TorchAdapter().noise(NoiseStream()), JaxAdapter().noise(NoiseStream()):
        assert torch.rand is not before[0]
    assert (torch.rand, torch.Tensor.normal_, jax.random.normal) == before
    assert "normal_" not in vars(torch.Tensor)


def test_distributions() -> None:
    stream = NoiseStream()
    assert abs(stream.normal((10_000,)).mean()) < 0.05
    assert abs(stream.uniform((10_000,)).mean() - 0.5) < 0.02
    assert abs(stream.exponential((10_000,)).mean() - 1.0) < 0.05
    assert sorted(stream.permutation(5).tolist()) == [0, 1, 2, 3, 4]
    draws = stream.categorical(np.log([0.2, 0.8]), 5000, replacement=True)
    assert abs(draws.mean() - 0.8) < 0.02
